// SPDX-License-Identifier: GPL-2.0-only
/* SysV shared memory that a process outside of the tree has attached, a grandchild whose parent has ended. */
#include <sys/shm.h>
#include "../ckpt.h"

REFUSED("sysv-shm");

int main(void)
{
	volatile pid_t *pid;
	int id, status;

	test_init(2);
	id = must(shmget(IPC_PRIVATE, 4096, 0600));
	pid = must(shmat(id, NULL, 0));
	must(shmctl(id, IPC_RMID, NULL));
	if (must(fork()) == 0) {
		if (must(fork()) == 0) {
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
