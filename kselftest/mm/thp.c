// SPDX-License-Identifier: GPL-2.0-only
/* Huge pages come back as huge pages, and only where they may. */
#include <sys/mman.h>
#include "ckpt.h"

#define MB (1UL << 20)

/* kB of field in the mapping that has this address */
static long smaps(void *p, const char *field)
{
	char line[512];
	long kb = -1;
	bool in = false;
	FILE *f = fopen("/proc/self/smaps", "re");

	if (!f)
		die("smaps");
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			in = (unsigned long)p >= start && (unsigned long)p < end;
		else if (in && !strncmp(line, field, strlen(field)))
			kb = strtol(line + strlen(field), NULL, 10);
	}
	fclose(f);
	return kb;
}

static unsigned char *map(int advice)
{
	unsigned char *p = must(mmap(NULL, 10 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	/* aligned, and with a neighbour that it cannot be merged with */
	p = (void *)(((uintptr_t)p + 2 * MB - 1) & ~(2 * MB - 1));
	must(madvise(p, 6 * MB, advice));
	return p;
}

int main(void)
{
	unsigned char *huge, *small, *part;
	long kb;

	if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		skip_all("no transparent huge pages here");
	test_init(8);
	huge = map(MADV_HUGEPAGE);
	fill(huge, 6 * MB, 1);
	kb = smaps(huge, "AnonHugePages:");
	small = map(MADV_NOHUGEPAGE);
	fill(small, 6 * MB, 2);
	part = map(MADV_HUGEPAGE);
	fill(part, 4 * MB, 3);
	must(mprotect(part + MB, 4096, PROT_READ));	/* splits one */
	must(madvise(part + 3 * MB, 8192, MADV_DONTNEED));

	ckpt_point();

	ok(kb == 6 * 1024, "there were %ld kB of huge pages", kb);
	if (!strcmp(mode(), "continue"))
		ok(true, "the copy for a checkpoint may split them: %ld kB", smaps(huge, "AnonHugePages:"));
	else
		ok(smaps(huge, "AnonHugePages:") == kb, "there are %ld kB", smaps(huge, "AnonHugePages:"));
	ok(differs(huge, 6 * MB, 1) < 0, "data in huge pages");
	ok(smaps(small, "AnonHugePages:") == 0, "none where there may be none");
	ok(differs(small, 6 * MB, 2) < 0, "data in small pages");
	ok(differs(part, 3 * MB, 3) < 0, "data in split pages");
	ok(!part[3 * MB] && !part[3 * MB + 8191], "a hole in a huge page reads as zero");
	ok(part[3 * MB + 8192] == huge[0] || part[4 * MB - 1] != 0, "behind it is data");
	return test_end();
}
