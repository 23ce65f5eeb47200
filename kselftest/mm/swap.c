// SPDX-License-Identifier: GPL-2.0-only
/* Memory of which half is in swap. */
#include <sys/mman.h>
#include "ckpt.h"
SECONDS(60);

#define MB (1UL << 20)
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static long status(const char *field)
{
	char line[256];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		die("status");
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)))
			kb = strtol(line + strlen(field), NULL, 10);
	fclose(f);
	return kb;
}

int main(void)
{
	unsigned char *anon, *none, *shared, *small;
	long swapped;

	test_init(6);
	/* in the second boot of "reboot" there is no swap, and nothing to undo */
	if (system("grep -q zram0 /proc/swaps || { { [ -b /dev/zram0 ] || modprobe zram; } && "
		   "echo 128M >/sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0; } >/dev/null 2>&1"))
		die("cannot make a zram swap");
	anon = must(mmap(NULL, 16 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	fill(anon, 16 * MB, 1);
	small = must(mmap(NULL, 4 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	must(madvise(small, 4 * MB, MADV_NOHUGEPAGE));
	fill(small, 4 * MB, 2);
	none = must(mmap(NULL, 4 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	fill(none, 4 * MB, 3);
	shared = must(mmap(NULL, 4 * MB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	fill(shared, 4 * MB, 4);
	must(madvise(anon + 2 * MB, 8 * MB, MADV_PAGEOUT));
	for (size_t i = 0; i < 4 * MB; i += 8192)	/* every other page */
		must(madvise(small + i, 4096, MADV_PAGEOUT));
	must(madvise(none, 4 * MB, MADV_PAGEOUT));
	must(mprotect(none, 4 * MB, PROT_NONE));
	must(madvise(shared, 4 * MB, MADV_PAGEOUT));
	swapped = status("VmSwap:");

	ckpt_point();

	ok(swapped > 8 * 1024, "%ld kB were in swap", swapped);
	ok(differs(anon, 16 * MB, 1) < 0, "runs of swapped pages");
	ok(differs(small, 4 * MB, 2) < 0, "single swapped pages");
	must(mprotect(none, 4 * MB, PROT_READ));
	ok(differs(none, 4 * MB, 3) < 0, "swapped pages without access");
	ok(differs(shared, 4 * MB, 4) < 0, "swapped pages of shared memory");
	ok(system("grep -q zram0 /proc/swaps || exit 0; swapoff /dev/zram0 && echo 1 >/sys/block/zram0/reset") == 0,
	   "swap can be taken away");
	return test_end();
}
