// SPDX-License-Identifier: GPL-2.0-only
/*
 * A child of vfork() that neither runs a program nor ends: its parent cannot be stopped. A checkpoint has to wait,
 * and to give up in time; the scenarios do that.
 */
#include "ckpt.h"

MODES("ref");

int main(void)
{
	int status;
	pid_t pid;

	test_init(1);
	pid = vfork();
	if (pid == 0) {
		ckpt_ready_busy();
		ckpt_wait_go();
		_exit(3);
	}
	must(pid);
	must(waitpid(pid, &status, 0));
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 3, "the child's end, status %#x", status);
	return test_end();
}
