// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors that are shared with a process outside of the tree, a grandchild whose parent has ended. */
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("share");

static void done(int sig)
{
	(void)sig;
}

int main(void)
{
	volatile pid_t *pid;
	int status;

	test_init(2);
	pid = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	signal(SIGUSR1, done);
	if (must(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0)) == 0) {
		if (must(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0)) == 0) {
			setsid();
			*pid = getpid();
			ckpt_wait_go();
			_exit(0);
		}
		_exit(5);
	}
	must(wait(&status));
	ok(WEXITSTATUS(status) == 5, "the one in between has ended");
	while (!*pid)
		usleep(2000);

	ckpt_point();

	while (kill(*pid, 0) == 0)
		usleep(2000);
	ok(errno == ESRCH, "the other has ended");
	return test_end();
}
