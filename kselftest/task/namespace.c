// SPDX-License-Identifier: GPL-2.0-only
/* A process that has left the namespaces of the caller. */
#include <sched.h>
#include "ckpt.h"

REFUSED("namespace");

int main(void)
{
	static const int kinds[] = { CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWCGROUP,
				     0x80 /* CLONE_NEWTIME */, CLONE_NEWUSER, CLONE_NEWPID };
	int status, n = sizeof(kinds) / sizeof(*kinds), bad = 0;

	test_init(1);
	for (int i = 0; i < n; i++) {
		if (fork())
			continue;
		if (unshare(kinds[i]))
			_exit(1);
		ckpt_wait_go();
		_exit(0);
	}
	usleep(300000);
	ckpt_point();
	for (int i = 0; i < n; i++) {
		must(wait(&status));
		bad += status != 0;
	}
	ok(bad == 0, "all go on, %d do not", bad);
	return test_end();
}
