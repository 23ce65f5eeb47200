// SPDX-License-Identifier: GPL-2.0-only
/* An operation that cannot be undone in full, since somebody has taken what was added. */
#include <sys/ipc.h>
#include <sys/sem.h>
#include "ckpt.h"

REFUSED("sem-undo");

int main(void)
{
	struct sembuf add = { .sem_op = 1, .sem_flg = SEM_UNDO }, take = { .sem_op = -1 };
	int id;

	test_init(2);
	id = must(semget(IPC_PRIVATE, 1, 0600));
	must(semop(id, &add, 1));
	must(semop(id, &take, 1));
	ckpt_point();
	ok(semctl(id, 0, GETVAL) == 0, "the value is %d", semctl(id, 0, GETVAL));
	ok(semctl(id, 0, IPC_RMID) == 0, "removed");
	return test_end();
}
