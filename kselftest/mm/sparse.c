// SPDX-License-Identifier: GPL-2.0-only
/* A GiB of which little was touched: the image has what is there, not more, and no zeros. */
#include <sys/mman.h>
#include <sys/stat.h>
#include "ckpt.h"

#define PAGE 4096UL
#define GIB (1UL << 30)

int main(void)
{
	unsigned char *p, *zeros, *read_only;
	int wrong = 0, n = 0;
	struct stat st;

	test_init(4);
	p = must(mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	must(madvise(p, GIB, MADV_NOHUGEPAGE));
	for (size_t i = 0; i < GIB; i += 8UL << 20, n++)
		fill(p + i + (i >> 11) % (4UL << 20) / PAGE * PAGE, PAGE, n);
	zeros = must(mmap(NULL, 64UL << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	memset(zeros, 0, 64UL << 20);
	read_only = must(mmap(NULL, 64UL << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (size_t i = 0; i < 64UL << 20; i += PAGE)
		wrong += read_only[i];

	ckpt_point();

	n = 0;
	for (size_t i = 0; i < GIB; i += 8UL << 20, n++)
		if (differs(p + i + (i >> 11) % (4UL << 20) / PAGE * PAGE, PAGE, n) >= 0)
			wrong++;
	ok(!wrong, "%d of %d pages are wrong", wrong, n);
	for (size_t i = 0; i < 64UL << 20; i += PAGE)
		wrong += zeros[i] + read_only[i];
	ok(!wrong, "zeros are zeros");
	for (size_t i = 4UL << 20; i < GIB; i += 8UL << 20)
		wrong += p[i + (3UL << 20) + PAGE];
	ok(!wrong, "so is what was never touched");
	/* 128 pages of data, and what the program itself has */
	if (stat("img", &st) == 0)
		ok(st.st_size < 2L << 20, "the image has %ld bytes", (long)st.st_size);
	else
		ok(!strcmp(mode(), "ref") || !strcmp(mode(), "alone"), "there is no image");
	return test_end();
}
