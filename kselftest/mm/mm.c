// SPDX-License-Identifier: GPL-2.0-only
/* The layout of an address space: it must still grow, be searched from the same end, and have its vDSO. */
#include <elf.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <linux/membarrier.h>
#include "ckpt.h"

#define PAGE 4096UL

/* Where a new mapping goes depends on mmap_base and on what is there already. */
static uintptr_t next_map(void)
{
	void *p = must(mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	munmap(p, 64 * PAGE);
	return (uintptr_t)p;
}

static uintptr_t find(const char *what, char *perm)
{
	static char buf[65536];
	uintptr_t start = 0;
	char *line;
	int fd = must(open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += got;
	close(fd);
	buf[n] = 0;
	for (line = strtok(buf, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, what)) {
			sscanf(line, "%lx-%*x %4s", &start, perm);
			break;
		}
	return start;
}

/* Uses a megabyte of stack that was never touched before. */
__attribute__((noinline))
static int deep(int n)
{
	volatile char page[16384];

	page[0] = n;
	page[sizeof(page) - 1] = n;
	return n ? deep(n - 1) + page[0] - page[sizeof(page) - 1] : 42;
}

static void argument(char *to, size_t size)
{
	int fd = must(open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
	ssize_t n = read(fd, to, size - 1);

	close(fd);
	to[n < 0 ? 0 : n] = 0;
}

int main(void)
{
	char perm[8] = "", cmd[256], cmd2[256], exe[256], exe2[256];
	unsigned char *heap, *down, *gap;
	uintptr_t next, vdso, vvar;
	struct timespec a, b;
	int n, filter;

	test_init(20);
	vdso = find("[vdso]", perm);
	vvar = find("[vvar]", perm);
	argument(cmd, sizeof(cmd));
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n < 0 ? 0 : n] = 0;
	heap = must(sbrk(PAGE * 3));
	fill(heap, PAGE * 3, 1);

	/* a stack of its own below which there is room */
	gap = must(mmap(NULL, 512 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	must(munmap(gap, 512 * PAGE));
	down = must(mmap(gap + 510 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0));
	fill(down, 2 * PAGE, 2);

	must(prctl(PR_SET_DUMPABLE, 0));
	must(prctl(PR_SET_DUMPABLE, 1));
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	must(syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	n = must(open("/proc/self/coredump_filter", O_RDWR | O_CLOEXEC));
	if (write(n, "0x5f", 4) != 4)
		die("coredump_filter");
	close(n);
	next = next_map();
	must(clock_gettime(CLOCK_MONOTONIC, &a));

	ckpt_point();

	must(clock_gettime(CLOCK_MONOTONIC, &b));
	ok(b.tv_sec >= a.tv_sec, "CLOCK_MONOTONIC through the vDSO: %ld, then %ld", (long)a.tv_sec, (long)b.tv_sec);
	ok(next_map() == next, "a new mapping goes to %#lx as before, %#lx", next_map(), next);
	ok(find("[vdso]", perm) == vdso && !strcmp(perm, "r-xp"), "the vDSO is at %#lx", vdso);
	ok(find("[vvar]", perm) == vvar, "its data at %#lx", vvar);
	ok(getauxval(AT_SYSINFO_EHDR) == vdso && !memcmp((void *)vdso, ELFMAG, SELFMAG), "AT_SYSINFO_EHDR leads to it");
	ok(must(sbrk(0)) == heap + 3 * PAGE, "the heap ends where it did");
	ok(must(sbrk(100 * PAGE)) == heap + 3 * PAGE, "and grows");
	memset(heap + 3 * PAGE, 1, 100 * PAGE);
	ok(differs(heap, 3 * PAGE, 1) < 0, "the heap's data");
	ok(find("[heap]", perm) <= (uintptr_t)heap && perm[0] == 'r', "it is called heap");
	ok(find("[stack]", perm) != 0, "the stack is called stack");
	ok(deep(64) == 42, "the stack grows by a megabyte");
	ok(differs(down, 2 * PAGE, 2) < 0, "another mapping that grows down: data");
	down[-1] = 7;
	down[-100 * (long)PAGE] = 8;
	ok(down[-1] == 7 && down[-100 * (long)PAGE] == 8, "it grows");
	argument(cmd2, sizeof(cmd2));
	ok(!strcmp(cmd, cmd2), "the command line is \"%s\", was \"%s\"", cmd2, cmd);
	n = readlink("/proc/self/exe", exe2, sizeof(exe2) - 1);
	exe2[n < 0 ? 0 : n] = 0;
	ok(!strcmp(exe, exe2), "the executable is %s, was %s", exe2, exe);
	ok(prctl(PR_GET_DUMPABLE) == 1, "dumpable");
	ok(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1, "huge pages are off");
	ok(syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0, "membarrier is still registered");
	n = must(open("/proc/self/coredump_filter", O_RDONLY | O_CLOEXEC));
	filter = read(n, cmd, sizeof(cmd) - 1);
	cmd[filter < 0 ? 0 : filter] = 0;
	close(n);
	ok(strtol(cmd, NULL, 16) == 0x5f, "the core dump filter is %s", cmd);
	ok(access("/proc/self/auxv", R_OK) == 0, "the auxiliary vector can be read");
	return test_end();
}
