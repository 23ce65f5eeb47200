// SPDX-License-Identifier: GPL-2.0-only
/*
 * A child of vfork() that does not run a program for a while: it has its parent's memory, and the parent waits in
 * the kernel. Also a child that waits for a child in the same way, and one that does run a program in the end.
 */
#include "ckpt.h"

static volatile int mark, inner_status;

int main(void)
{
	volatile int local = 5;
	int status;
	pid_t pid;

	test_init(7);
	pid = vfork();
	if (pid == 0) {
		if (vfork() == 0) {
			mark = 1;
			ckpt_ready();
			ckpt_wait_go();
			mark++;
			local++;
			_exit(4);
		}
		/* its child has ended, not only the checkpoint */
		mark *= 10;
		must(wait((int *)&inner_status));
		execl("/bin/sh", "sh", "-c", "exit 3", NULL);
		_exit(99);
	}
	must(pid);
	ok(mark == 20, "both children wrote here before the parent went on, %d", mark);
	ok(local == 6, "also on the stack, %d", local);
	ok(WIFEXITED(inner_status) && WEXITSTATUS(inner_status) == 4,
	   "the inner child's end, status %#x", inner_status);
	ok(waitpid(pid, &status, 0) == pid, "the child is ours");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 3, "its program's end, status %#x", status);
	ok(wait(NULL) == -1 && errno == ECHILD, "there is no other");
	pid = vfork();
	if (pid == 0)
		_exit(7);
	ok(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7, "one more");
	return test_end();
}
