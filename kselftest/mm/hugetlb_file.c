// SPDX-License-Identifier: GPL-2.0-only
/* A file of hugetlbfs that has a name: it stays where it is, what was written privately is saved. */
#include <sys/mman.h>
#include "ckpt.h"
MODES("ref continue restart twice");

#define H (2UL << 20)
#define FILE_NAME "/dev/hugepages/ckpt-test"

int main(void)
{
	int fd = must(open(FILE_NAME, O_RDWR | O_CREAT | O_EXCL, 0600));
	unsigned char *shared, *private;

	test_init(4);
	shared = must(mmap(NULL, 2 * H, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	private = must(mmap(NULL, 2 * H, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	fill(shared, 2 * H, 1);
	fill(private + H, H, 2);
	ckpt_point();
	ok(differs(shared, 2 * H, 1) < 0, "the file");
	ok(differs(private + H, H, 2) < 0, "what was written");
	shared[5] ^= 1;
	ok(private[5] == shared[5], "what was not");
	munmap(shared, 2 * H);
	munmap(private, 2 * H);
	ok(unlink(FILE_NAME) == 0, "removed");
	return test_end();
}
