// SPDX-License-Identifier: GPL-2.0-only
/* A pseudo terminal. */
#include "ckpt.h"

REFUSED("tty");

int main(void)
{
	int m = must(posix_openpt(O_RDWR | O_NOCTTY)), s;
	char c;

	must(grantpt(m));
	must(unlockpt(m));
	s = must(open(ptsname(m), O_RDWR | O_NOCTTY));
	test_init(1);
	ckpt_point();
	ok(write(m, "x\n", 2) == 2 && read(s, &c, 1) == 1 && c == 'x', "it goes on");
	return test_end();
}
