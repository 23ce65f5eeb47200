// SPDX-License-Identifier: GPL-2.0-only
/* Two processes with one I/O context: the priority of one is that of the other. */
#include <sched.h>
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("io-context");

#define PRIO (2 << 13 | 3)	/* best effort, level 3 */

int main(void)
{
	int status;
	pid_t pid;

	test_init(2);
	must(syscall(SYS_ioprio_set, 1, 0, PRIO));
	pid = must(syscall(SYS_clone, CLONE_IO | SIGCHLD, 0, 0, 0, 0));
	if (pid == 0) {
		ckpt_wait_go();
		must(syscall(SYS_ioprio_set, 1, 0, PRIO + 1));
		_exit(0);
	}

	ckpt_point();

	must(waitpid(pid, &status, 0));
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "its end");
	ok(syscall(SYS_ioprio_get, 1, 0) == PRIO + 1, "the priority that it set");
	return test_end();
}
