// SPDX-License-Identifier: GPL-2.0-only
/*
 * SysV semaphore operations that are to be undone: a lock that is held, one that another process waits for, and
 * values that were added. The set stays in the IPC namespace, so there is no other boot.
 */
#include <sys/ipc.h>
#include <sys/sem.h>
#include "ckpt.h"

MODES("ref continue restart twice");

#define N 40

static int id;

static void change(int sem, int by, int flags)
{
	struct sembuf op = { .sem_num = sem, .sem_op = by, .sem_flg = flags };

	must(semop(id, &op, 1));
}

int main(void)
{
	int fds[2], status;
	pid_t holder, waiter;
	char c;

	test_init(10);
	id = must(semget(IPC_PRIVATE, N, 0600));
	must(semctl(id, 0, SETVAL, 1));
	must(semctl(id, 2, SETVAL, 9));
	must(pipe(fds));
	holder = must(fork());
	if (!holder) {
		close(fds[1]);
		change(0, -1, SEM_UNDO);
		change(1, 3, SEM_UNDO);
		for (int i = 3; i < N; i++)
			change(i, i, SEM_UNDO);
		_exit(read(fds[0], &c, 1) != 1);
	}
	while (semctl(id, N - 1, GETVAL) != N - 1)
		usleep(1000);
	waiter = must(fork());
	if (!waiter) {
		/* not undone: it must not get it from one that is killed, as it is killed itself */
		change(0, -1, 0);
		_exit(7);
	}
	while (semctl(id, 0, GETNCNT) != 1)
		usleep(1000);
	change(2, -4, SEM_UNDO);
	change(2, 1, 0);

	ckpt_point();

	ok(semctl(id, 0, GETVAL) == 0, "the lock is held, the value is %d", semctl(id, 0, GETVAL));
	while (semctl(id, 0, GETNCNT) != 1)
		usleep(1000);
	ok(waitpid(waiter, NULL, WNOHANG) == 0, "and waited for");
	ok(semctl(id, 1, GETVAL) == 3, "added: %d", semctl(id, 1, GETVAL));
	ok(semctl(id, 2, GETVAL) == 6, "taken: %d", semctl(id, 2, GETVAL));
	ok(semctl(id, 33, GETVAL) == 33 && semctl(id, N - 1, GETVAL) == N - 1, "many: %d", semctl(id, 33, GETVAL));
	ok(write(fds[1], "x", 1) == 1 && waitpid(holder, &status, 0) == holder && status == 0, "the holder's end");
	ok(waitpid(waiter, &status, 0) == waiter && WEXITSTATUS(status) == 7, "gives the lock to the other one");
	ok(semctl(id, 0, GETVAL) == 0, "who keeps it");
	ok(semctl(id, 1, GETVAL) == 0 && semctl(id, N - 1, GETVAL) == 0 && semctl(id, 2, GETVAL) == 6,
	   "all else is undone");
	ok(semctl(id, 0, IPC_RMID) == 0, "removed");
	return test_end();
}
