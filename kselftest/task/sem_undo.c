// SPDX-License-Identifier: GPL-2.0-only
/* Semaphore operations that are to be undone at the end of a process cannot be saved. */
#include <sys/ipc.h>
#include <sys/sem.h>
#include "ckpt.h"

REFUSED("sem-undo");

int main(void)
{
	struct sembuf op = { .sem_op = 1, .sem_flg = SEM_UNDO };
	int id, n;

	test_init(2);
	id = must(semget(IPC_PRIVATE, 1, 0600));
	if (fork() == 0) {
		must(semop(id, &op, 1));
		ckpt_ready();
		ckpt_wait_go();
		_exit(0);
	}
	ckpt_wait_go();
	must(wait(NULL));
	n = semctl(id, 0, GETVAL);
	ok(n == 0, "the operation was undone, the value is %d", n);
	ok(semctl(id, 0, IPC_RMID) == 0, "removed");
	return test_end();
}
