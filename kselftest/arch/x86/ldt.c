// SPDX-License-Identifier: GPL-2.0-only
/* A local descriptor table. */
#include <asm/ldt.h>
#include <sys/syscall.h>
#include "../../ckpt.h"

REFUSED("ldt");

int main(void)
{
	struct user_desc d = { .entry_number = 1, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1 };
	char buf[16];

	test_init(1);
	/* glibc does not wrap it */
	must((int)syscall(SYS_modify_ldt, 1, &d, sizeof(d)));
	ckpt_point();
	ok((int)syscall(SYS_modify_ldt, 0, buf, sizeof(buf)) == 16, "the table is there");
	return test_end();
}
