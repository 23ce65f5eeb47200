// SPDX-License-Identifier: GPL-2.0-only
/*
 * SysV shared memory: with a key and without, removed but attached, read-only, twice and in part, of parent and
 * child; ids, owners, times and what is counted.
 */
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include "../ckpt.h"

#define SIZE (20 * 4096 + 100)
#define KEY 0x434b5054
#define N 3

int main(void)
{
	struct shmid_ds before[N], now;
	char *mem[N], *again, *part;
	int id[N], i, status, fds[2];
	pid_t pid;
	char c;

	test_init(6 * N + 11);
	id[0] = must(shmget(KEY, SIZE, IPC_CREAT | IPC_EXCL | 0640));
	id[1] = must(shmget(IPC_PRIVATE, SIZE, 0600));
	id[2] = must(shmget(IPC_PRIVATE, SIZE, 0600));
	for (i = 0; i < N; i++) {
		mem[i] = must(shmat(id[i], NULL, 0));
		fill(mem[i] + 4096, 8192, i);
		mem[i][0] = 0;
	}
	again = must(shmat(id[0], NULL, SHM_RDONLY));
	part = must(shmat(id[1], NULL, 0));
	must(munmap(part + 4096, 4096));
	must(mprotect(part + 3 * 4096, 4096, PROT_NONE));
	must(shmctl(id[2], IPC_RMID, NULL));
	must(shmctl(id[0], IPC_STAT, &now));
	now.shm_perm.uid = 1234;
	must(shmctl(id[0], IPC_SET, &now));
	must(pipe(fds));
	pid = must(fork());
	if (!pid) {
		close(fds[1]);
		if (read(fds[0], &c, 1) != 1)
			_exit(9);
		mem[0][0] = mem[2][0] = 7;
		_exit(0);
	}
	close(fds[0]);
	for (i = 0; i < N; i++)
		must(shmctl(id[i], IPC_STAT, &before[i]));

	ckpt_point();

	for (i = 0; i < N; i++) {
		ok(shmctl(id[i], IPC_STAT, &now) == 0, "%d has its id", i);
		ok(now.shm_nattch == before[i].shm_nattch, "attached %lu times, %lu before", now.shm_nattch,
		   before[i].shm_nattch);
		ok(now.shm_perm.__key == before[i].shm_perm.__key && now.shm_segsz == SIZE &&
		   now.shm_perm.mode == before[i].shm_perm.mode, "key, size, mode %o", now.shm_perm.mode);
		ok(now.shm_perm.uid == before[i].shm_perm.uid && now.shm_perm.cuid == before[i].shm_perm.cuid &&
		   now.shm_perm.gid == before[i].shm_perm.gid && now.shm_perm.cgid == before[i].shm_perm.cgid,
		   "owner and creator");
		ok(now.shm_atime == before[i].shm_atime && now.shm_dtime == before[i].shm_dtime &&
		   now.shm_ctime == before[i].shm_ctime && now.shm_cpid == getpid() &&
		   now.shm_lpid == before[i].shm_lpid, "times and pids");
		ok(differs(mem[i] + 4096, 8192, i) == -1 && !mem[i][3 * 4096], "content");
	}
	ok(shmget(KEY, SIZE, 0) == id[0], "found by its key");
	ok(write(fds[1], "x", 1) == 1 && waitpid(pid, &status, 0) == pid && status == 0, "the child's end");
	ok(mem[0][0] == 7 && mem[2][0] == 7, "the child wrote to the same memory");
	ok(again[0] == 7, "and so did it here");
	mem[1][5 * 4096] = 3;
	ok(part[5 * 4096] == 3, "the third one too");
	ok(mprotect(again, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES, "read-only is read-only");
	ok(madvise(part + 4096, 4096, MADV_NORMAL) == -1 && errno == ENOMEM, "the hole is one");
	ok(shmdt(part) == 0, "all of it is detached by its first address");
	must(shmctl(id[1], IPC_STAT, &now));
	ok(now.shm_nattch == 1, "attached once, %lu", now.shm_nattch);
	ok(shmdt(mem[2]) == 0 && shmctl(id[2], IPC_STAT, &now) == -1, "the removed one goes at last");
	ok(shmctl(id[0], IPC_RMID, NULL) == 0 && shmctl(id[1], IPC_RMID, NULL) == 0, "removed");
	return test_end();
}
