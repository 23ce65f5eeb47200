// SPDX-License-Identifier: GPL-2.0-only
/* Access to I/O ports. */
#include <sys/io.h>
#include "../../ckpt.h"

REFUSED("ioperm");

int main(void)
{
	test_init(1);
	must(ioperm(0x80, 1, 1));
	ckpt_point();
	outb(0, 0x80);
	ok(true, "the port can be written");
	return test_end();
}
