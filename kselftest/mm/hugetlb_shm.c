// SPDX-License-Identifier: GPL-2.0-only
/* A SysV segment of huge pages. */
#include <sys/ipc.h>
#include <sys/shm.h>
#include "ckpt.h"
REFUSED("hugetlb");

int main(void)
{
	int id;
	char *p;

	test_init(2);
	id = must(shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600));
	p = must(shmat(id, NULL, 0));
	*p = 5;
	ckpt_point();
	ok(*p == 5, "content");
	ok(shmctl(id, IPC_RMID, NULL) == 0 && shmdt(p) == 0, "removed");
	return test_end();
}
