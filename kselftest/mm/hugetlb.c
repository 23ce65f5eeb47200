// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of huge pages from the pool: private and shared, with holes, read-only, of a memfd with seals, of a
 * removed file, written in a private mapping of a file, after a fork, and what is reserved.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include "ckpt.h"
SECONDS(60);

#define H (2UL << 20)
#define RW (PROT_READ | PROT_WRITE)

static unsigned char *map(int prot, int flags, int fd, size_t n)
{
	return must(mmap(NULL, n * H, prot, flags | (fd < 0 ? MAP_ANONYMOUS | MAP_HUGETLB : 0), fd, 0));
}

static bool there(void *p)
{
	unsigned char v = 0;

	must(mincore(p, 4096, &v));
	return v & 1;
}

static long pool(const char *what)
{
	char line[128];
	long n = -1;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, what, strlen(what)))
			n = atol(line + strlen(what));
	if (f)
		fclose(f);
	return n;
}

/* Debian's 6.1 divides a mapping of huge pages without the lock that it asserts to have. */
static bool lockdep(void)
{
	return access("/proc/lockdep", F_OK) == 0;
}

int main(void)
{
	unsigned char *anon, *shared, *lazy, *mem, *sealed, *cow, *gone, *part;
	int memfd, removed, status, fds[2];
	long reserved;
	struct stat st;
	pid_t pid;
	char c;

	test_init(24);
	anon = map(RW, MAP_PRIVATE, -1, 3);
	fill(anon, H, 1);
	fill(anon + 2 * H, H, 2);
	if (!lockdep())
		must(mprotect(anon + 2 * H, H, PROT_READ));
	shared = map(RW, MAP_SHARED, -1, 3);
	fill(shared + H, H, 3);
	lazy = map(RW, MAP_PRIVATE | MAP_NORESERVE, -1, 100);
	fill(lazy + 7 * H, H, 4);

	memfd = must(memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING));
	must(ftruncate(memfd, 4 * H));
	mem = map(RW, MAP_SHARED, memfd, 3);
	fill(mem, H, 5);
	fill(mem + 2 * H, H, 6);
	must(fcntl(memfd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	cow = map(RW, MAP_PRIVATE, memfd, 3);
	fill(cow + 2 * H, H, 7);
	sealed = map(PROT_READ, MAP_SHARED, memfd, 1);

	removed = must(open("/dev/hugepages/removed", O_RDWR | O_CREAT | O_EXCL, 0600));
	must(unlink("/dev/hugepages/removed"));
	gone = map(RW, MAP_SHARED, removed, 1);
	fill(gone, H, 8);
	part = map(RW, MAP_PRIVATE, -1, lockdep() ? 1 : 2);
	if (lockdep())
		part -= H;
	else
		must(munmap(part, H));
	fill(part + H, H, 9);

	must(pipe(fds));
	pid = must(fork());
	if (!pid) {
		close(fds[1]);
		if (read(fds[0], &c, 1) != 1 || differs(anon, H, 1) >= 0 || differs(anon + 2 * H, H, 2) >= 0 ||
		    differs(shared + H, H, 3) >= 0 || differs(cow + 2 * H, H, 7) >= 0)
			_exit(1);
		shared[0] = 77;
		anon[0]++;
		_exit(0);
	}
	close(fds[0]);
	reserved = pool("HugePages_Rsvd:");

	ckpt_point();

	ok(pool("HugePages_Rsvd:") == reserved, "%ld pages reserved, %ld before", pool("HugePages_Rsvd:"), reserved);
	ok(differs(anon, H, 1) < 0 && differs(anon + 2 * H, H, 2) < 0, "private pages");
	ok(!there(anon + H) && there(anon), "with a hole");
	ok(anon[H] == 0, "of zeros");
	ok(differs(shared + H, H, 3) < 0, "shared pages");
	ok(!there(shared) && !there(shared + 2 * H), "with holes");
	ok(differs(lazy + 7 * H, H, 4) < 0 && !there(lazy + 50 * H), "pages that are not reserved");
	ok(differs(mem, H, 5) < 0 && differs(mem + 2 * H, H, 6) < 0 && !there(mem + H), "a memfd");
	must(fstat(memfd, &st));
	ok(st.st_size == (off_t)(4 * H) && st.st_blksize == (blksize_t)H, "of %ld bytes", (long)st.st_size);
	ok(fcntl(memfd, F_GET_SEALS) == (F_SEAL_GROW | F_SEAL_SHRINK), "with its seals %#x",
	   fcntl(memfd, F_GET_SEALS));
	ok(ftruncate(memfd, H) == -1 && errno == EPERM, "which hold");
	ok(differs(cow + 2 * H, H, 7) < 0, "a private mapping of it");
	mem[0]++;
	ok(sealed[0] == mem[0] && cow[0] == mem[0], "where it was not written it shows the file");
	mem[2 * H]++;
	ok(differs(cow + 2 * H, H, 7) < 0, "and where it was, it does not");
	mem[H] = 5;
	ok(cow[H] == 5, "nor does a hole hide the file");
	ok(differs(gone, H, 8) < 0, "a removed file");
	must(fstat(removed, &st));
	ok(st.st_nlink == 0 && st.st_size == (off_t)H, "has no name and %ld bytes", (long)st.st_size);
	ok(differs(part + H, H, 9) < 0 && madvise(part, 4096, MADV_NORMAL) == -1, "the rest of a mapping");
	ok(write(fds[1], "x", 1) == 1 && waitpid(pid, &status, 0) == pid && status == 0,
	   "the child saw it all, %d", status);
	ok(shared[0] == 77, "and wrote to shared memory");
	ok(differs(anon, H, 1) < 0, "but not to private memory");
	ok(mprotect(anon + 2 * H, H, RW) == 0 && ++anon[2 * H], "read-only memory can be made writable");
	anon[H] = 1;
	ok(pool("HugePages_Rsvd:") == reserved - 3, "the holes were reserved, %ld are left", pool("HugePages_Rsvd:"));
	munmap(anon, 3 * H);
	munmap(shared, 3 * H);
	munmap(mem, 3 * H);
	munmap(cow, 3 * H);
	munmap(sealed, H);
	munmap(gone, H);
	munmap(part + H, H);
	munmap(lazy, 100 * H);
	close(memfd);
	close(removed);
	ok(pool("HugePages_Free:") == pool("HugePages_Total:") && pool("HugePages_Rsvd:") == 0,
	   "of %ld pages %ld are free, %ld reserved", pool("HugePages_Total:"), pool("HugePages_Free:"),
	   pool("HugePages_Rsvd:"));
	return test_end();
}
