// SPDX-License-Identifier: GPL-2.0-only
/* Shared memory that a process outside of the tree has, too: a checkpoint would tear it apart. */
#include <sys/mman.h>
#include "ckpt.h"
REFUSED("shmem");

int main(void)
{
	unsigned char *p = must(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid;

	test_init(1);
	pid = must(fork());
	if (!pid) {
		/* an orphan: a child of init, and so not of the tree */
		if (!fork()) {
			p[1] = 1;
			while (p[0] != 2)
				usleep(10000);
			p[1] = 3;
			_exit(0);
		}
		_exit(0);
	}
	must(waitpid(pid, NULL, 0));
	while (p[1] != 1)
		usleep(1000);
	ckpt_point();
	p[0] = 2;
	for (int i = 0; i < 500 && p[1] != 3; i++)
		usleep(10000);
	ok(p[1] == 3, "both still share the memory");
	return test_end();
}
