// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that a tree of processes shares since a fork: each page is there once, before and after, whoever has
 * written, unmapped or moved some of it. Writing to it changes nobody else's.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include "ckpt.h"

SECONDS(60);

#define PAGE 4096UL
#define MB (1UL << 20)
#define SIZE (6 * MB)
#define HUGE (4 * MB)
#define KIDS 4

/* what the processes tell each other; shared memory */
struct board {
	int ready;
	volatile int turn;
	volatile long pss[KIDS + 1], huge_pss[KIDS + 1];
};

static struct board *board;
static unsigned char *mem, *huge, *data;
static char file_data[64 * 1024] = "in the data segment";

/* kB of a field, over all mappings that lie in the range */
static long smaps(void *p, size_t len, const char *field)
{
	unsigned long from = (unsigned long)p, to = from + len;
	char line[512];
	bool in = false;
	long kb = 0;
	FILE *f = fopen("/proc/self/smaps", "re");

	if (!f)
		die("smaps");
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			in = start < to && end > from;
		else if (in && !strncmp(line, field, strlen(field)))
			kb += strtol(line + strlen(field), NULL, 10);
	}
	fclose(f);
	return kb;
}

static unsigned char *map(size_t len, int advice)
{
	unsigned char *p = must(mmap(NULL, len + 4 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	p = (void *)(((uintptr_t)p + 2 * MB - 1) & ~(2 * MB - 1));
	must(madvise(p, len, advice));
	return p;
}

/* Everybody does something in turn. */
static void wait_turn(int n)
{
	while (board->turn != n)
		usleep(5000);
}

static void differ(int n)
{
	switch (n) {
	case 1:		/* writes every third page */
		for (size_t i = 0; i < SIZE; i += 3 * PAGE)
			fill(mem + i, PAGE, 1000 + i / PAGE);
		must(madvise(huge + 2 * MB, 8 * PAGE, MADV_DONTNEED));
		break;
	case 2:		/* has holes, and a part without access */
		must(munmap(mem + MB, MB));
		must(madvise(mem + 3 * MB, MB, MADV_DONTNEED));
		must(mprotect(mem + 4 * MB, MB, PROT_NONE));
		fill(huge + MB, PAGE, 7);
		break;
	case 3:		/* has moved a part */
		data = must(mremap(mem + 4 * MB, MB, MB, MREMAP_MAYMOVE | MREMAP_FIXED, 0x210000000000));
		break;
	}
}

/* Content as differ() left it. */
static void check(int n)
{
	bool good = true;

	for (size_t i = 0; i < SIZE && good; i += PAGE) {
		const unsigned char *p = mem + i;
		uint32_t seed = 100 + i / PAGE;

		if (n == 1 && i / PAGE % 3 == 0)
			seed = 1000 + i / PAGE;
		if (n == 2 && i >= MB && i < 2 * MB)
			continue;
		if (n == 2 && i >= 3 * MB && i < 4 * MB) {
			good = !p[0] && !memcmp(p, p + 1, PAGE - 1);
			continue;
		}
		if (n == 2 && i == 4 * MB)
			must(mprotect(mem + i, MB, PROT_READ));
		if (n == 3 && i >= 4 * MB && i < 5 * MB)
			p = data + (i - 4 * MB);
		good = differs(p, PAGE, seed) < 0;
		if (!good)
			diag("%d: page %zu", n, i / PAGE);
	}
	for (size_t i = 0; i < HUGE && good; i += PAGE) {
		if (n == 1 && i >= 2 * MB && i < 2 * MB + 8 * PAGE)
			good = !huge[i] && !memcmp(huge + i, huge + i + 1, PAGE - 1);
		else if (n == 2 && i == MB)
			good = differs(huge + i, PAGE, 7) < 0;
		else
			good = differs(huge + i, PAGE, 5000 + i / PAGE) < 0;
		if (!good)
			diag("%d: huge page %zu", n, i / PAGE);
	}
	ok(good && !strcmp(file_data + sizeof(file_data) / 2, "written"), "process %d has what it had", n);
	/* nobody else may see this */
	memset(mem, n, PAGE);
	memset(huge, n, PAGE);
	memset(file_data, n, sizeof(file_data));
	if (n == 2)
		must(mprotect(mem + 4 * MB, MB, PROT_NONE));
}

/* Not the parts that are elsewhere in one of them, or protected: those may be copied. */
static void weigh(int n)
{
	board->pss[n] = smaps(mem, 4 * MB, "Pss:") + smaps(mem + 5 * MB, MB, "Pss:");
	board->huge_pss[n] = smaps(huge, HUGE, "Pss:");
}

static void child(int n)
{
	pid_t pid = 0;
	int status;

	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	/* the last one is a grandchild */
	if (n == KIDS - 1) {
		pid = must(fork());
		if (!pid) {
			must(prctl(PR_SET_PDEATHSIG, SIGKILL));
			n++;
		}
	}
	differ(n);
	__atomic_add_fetch(&board->ready, 1, __ATOMIC_SEQ_CST);
	wait_turn(n);
	weigh(n);
	board->turn++;
	wait_turn(100 + n);
	weigh(n);
	board->turn++;
	wait_turn(200 + n);
	check(n);
	board->turn++;
	if (pid && (waitpid(pid, &status, 0) != pid || status))
		ckpt_failed = true;
	_exit(ckpt_failed);
}

/* The memory of all, in kB. */
static void weigh_all(int from, long *sum, long *huge_sum)
{
	board->turn = from + 1;
	wait_turn(from + KIDS + 1);
	weigh(0);
	*sum = 0;
	*huge_sum = 0;
	for (int n = 0; n <= KIDS; n++) {
		*sum += board->pss[n];
		*huge_sum += board->huge_pss[n];
	}
}

int main(void)
{
	long before, huge_before, after, huge_after;
	int status;

	test_init(KIDS + 5);
	board = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	mem = map(SIZE, MADV_NOHUGEPAGE);
	huge = map(HUGE, MADV_HUGEPAGE);
	for (size_t i = 0; i < SIZE; i += PAGE)
		fill(mem + i, PAGE, 100 + i / PAGE);
	for (size_t i = 0; i < HUGE; i += PAGE)
		fill(huge + i, PAGE, 5000 + i / PAGE);
	strcpy(file_data + sizeof(file_data) / 2, "written");
	smaps(mem, SIZE, "Pss:");	/* lets stdio take its memory first */

	for (int n = 1; n < KIDS; n++)
		if (!must(fork()))
			child(n);
	/* the parent writes, too: what the children still share is theirs alone */
	for (size_t i = 5 * MB; i < SIZE; i += PAGE)
		fill(mem + i, PAGE, 100 + i / PAGE);
	while (__atomic_load_n(&board->ready, __ATOMIC_SEQ_CST) < KIDS)
		usleep(10000);
	weigh_all(0, &before, &huge_before);

	ckpt_point();

	weigh_all(100, &after, &huge_after);
	ok(before < 4 * 5 * 1024, "they shared: %ld kB", before);
	ok(after <= before + before / 10, "and share again: %ld kB, %ld kB before", after, before);
	ok(huge_after <= huge_before + huge_before / 10, "huge pages, too: %ld kB, %ld kB before",
	   huge_after, huge_before);
	check(0);
	board->turn = 201;
	wait_turn(200 + KIDS + 1);
	for (int n = 1; n < KIDS; n++)
		ckpt_failed |= wait(&status) < 0 || status;
	ok(!ckpt_failed, "all children ended well");
	return test_end();
}
