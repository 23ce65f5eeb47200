// SPDX-License-Identifier: GPL-2.0-only
/* System call user dispatch. */
#include <sys/prctl.h>
#include "ckpt.h"

REFUSED("syscall-dispatch");

static char selector;	/* 0: allow */

int main(void)
{
	test_init(1);
	must(prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1, 0, 0, &selector));
	ckpt_point();
	ok(prctl(59, 0, 0, 0, 0) == 0, "it can be left");
	return test_end();
}
