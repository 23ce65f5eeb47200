// SPDX-License-Identifier: GPL-2.0-only
/* Private anonymous memory: contents, holes that were never touched, protections, and where it all lies. */
#include <sys/mman.h>
#include "ckpt.h"

#define PAGE 4096UL
#define BIG (4UL << 20)

static char before[65536], after[65536];

/* Ranges and permissions, without what the kernel may name otherwise. */
static void maps(char *to, size_t size)
{
	char line[512];
	size_t n = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	if (!f)
		die("opening maps");
	while (fgets(line, sizeof(line), f)) {
		char range[64], perm[8];

		if (sscanf(line, "%63s %7s", range, perm) == 2 && !strstr(line, "[stack]"))
			n += snprintf(to + n, size - n, "%s %s\n", range, perm);
	}
	fclose(f);
}

/* Which pages are there? Untouched ones must not have become real. */
static int resident(void *p, size_t len)
{
	unsigned char vec[BIG / PAGE];
	int n = 0;

	must(mincore(p, len, vec));
	for (size_t i = 0; i < len / PAGE; i++)
		n += vec[i] & 1;
	return n;
}

static void *map(size_t len, int prot, int flags)
{
	return must(mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0));
}

int main(void)
{
	unsigned char *big, *none, *ro, *sparse, *fixed, *grown, *code, *zero;
	int holes, (*answer)(void);
	ssize_t at;

	test_init(12);
	maps(before, sizeof(before));	/* lets stdio take its memory first */

	big = map(BIG, PROT_READ | PROT_WRITE, 0);
	must(madvise(big, BIG, MADV_NOHUGEPAGE));
	fill(big, BIG, 1);

	none = map(8 * PAGE, PROT_READ | PROT_WRITE, 0);
	fill(none, 8 * PAGE, 2);
	must(mprotect(none, 8 * PAGE, PROT_NONE));

	ro = map(3 * PAGE, PROT_READ | PROT_WRITE, 0);
	fill(ro, 3 * PAGE, 3);
	must(mprotect(ro + PAGE, PAGE, PROT_READ));

	sparse = map(BIG, PROT_READ | PROT_WRITE, MAP_NORESERVE);
	must(madvise(sparse, BIG, MADV_NOHUGEPAGE));
	for (size_t i = 0; i < BIG; i += 64 * PAGE)
		fill(sparse + i, PAGE, 100 + i / PAGE);
	holes = resident(sparse, BIG);

	fixed = must(mmap((void *)0x200000000000, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	fill(fixed, 2 * PAGE, 4);

	zero = map(4 * PAGE, PROT_READ | PROT_WRITE, 0);
	if (zero[PAGE])			/* maps the zero page */
		die("new memory is not zero");

	grown = must(sbrk(16 * PAGE));
	fill(grown, 16 * PAGE, 5);

	code = map(PAGE, PROT_READ | PROT_WRITE, 0);
	memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6);	/* mov $42, %eax; ret */
	must(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
	answer = (int (*)(void))code;

	maps(before, sizeof(before));
	ckpt_point();
	maps(after, sizeof(after));

	if (!ok(!strcmp(before, after), "the map of the address space is the same")) {
		diag("before:");
		for (char *l = strtok(before, "\n"); l; l = strtok(NULL, "\n"))
			diag("  %s", l);
		diag("after:");
		for (char *l = strtok(after, "\n"); l; l = strtok(NULL, "\n"))
			diag("  %s", l);
	}
	at = differs(big, BIG, 1);
	ok(at < 0, "4 MiB of data, first difference at %zd", at);
	must(mprotect(none, 8 * PAGE, PROT_READ));
	at = differs(none, 8 * PAGE, 2);
	ok(at < 0, "data behind PROT_NONE, first difference at %zd", at);
	at = differs(ro, 3 * PAGE, 3);
	ok(at < 0, "data in a split mapping, first difference at %zd", at);
	ok(resident(sparse, BIG) == holes, "%d of %d sparse pages are there", resident(sparse, BIG), holes);
	at = -1;
	for (size_t i = 0; i < BIG && at < 0; i += 64 * PAGE)
		at = differs(sparse + i, PAGE, 100 + i / PAGE);
	ok(at < 0, "data between holes");
	ok(sparse[PAGE] == 0 && sparse[BIG - 1] == 0, "holes read as zero");
	at = differs(fixed, 2 * PAGE, 4);
	ok(at < 0, "data at a fixed address");
	ok(zero[PAGE] == 0 && (zero[PAGE] = 1) && zero[PAGE + 1] == 0, "the zero page is copied on write");
	at = differs(grown, 16 * PAGE, 5);
	ok(at < 0, "the heap, first difference at %zd", at);
	ok(must(sbrk(0)) == grown + 16 * PAGE, "the end of the heap");
	ok(answer() == 42, "code that was written at run time");
	return test_end();
}
