// SPDX-License-Identifier: GPL-2.0-only
/* A mapping of a file that was removed. */
#include <sys/mman.h>
#include "ckpt.h"

int main(void)
{
	int fd = must(open("gone", O_RDWR | O_CREAT, 0644));
	unsigned char *p;

	test_init(1);
	must(ftruncate(fd, 4096));
	p = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	close(fd);
	fill(p, 4096, 1);
	must(unlink("gone"));
	ckpt_point();
	ok(differs(p, 4096, 1) < 0, "the data of a removed file");
	return test_end();
}
