// SPDX-License-Identifier: GPL-2.0-only
/* Much data in memory that may be written here, only be read there, or not even that, with holes between. */
#include <sys/mman.h>
#include "ckpt.h"

#define PAGE 4096UL
#define PAGES 4096UL

static unsigned char *p;

/* one run of pages, of its own length, for each kind of memory, over and over */
static void each(void (*with)(unsigned char *at, size_t len, unsigned int kind))
{
	unsigned int kind = 0;
	size_t at, n;

	for (at = 0; at < PAGES; at += n, kind++) {
		n = 1 + kind * 2654435761u % 331;
		if (n > PAGES - at)
			n = PAGES - at;
		with(p + at * PAGE, n * PAGE, kind % 8);
	}
}

static void change(unsigned char *at, size_t len, unsigned int kind)
{
	if (kind == 1)
		must(mprotect(at, len, PROT_READ));
	else if (kind == 3)
		must(mprotect(at, len, PROT_NONE));
	else if (kind == 5)
		must(madvise(at, len, MADV_DONTNEED));
}

static void compare(unsigned char *at, size_t len, unsigned int kind)
{
	size_t n;

	if (kind == 3)
		must(mprotect(at, len, PROT_READ));
	for (n = 0; n < len; n++)
		if (at[n] != (kind == 5 ? 0 : (unsigned char)((at + n - p) * 31 / 17)))
			break;
	ckpt_failed |= n < len;
}

int main(void)
{
	test_init(1);
	p = must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (size_t i = 0; i < PAGES * PAGE; i++)
		p[i] = i * 31 / 17;
	each(change);

	ckpt_point();

	each(compare);
	ok(!ckpt_failed, "every page has its data");
	return test_end();
}
