// SPDX-License-Identifier: GPL-2.0-only
/* Shared memory: anonymous, memfd with seals, several files and mappings of one memory, /dev/zero. */
#include <sys/mman.h>
#include <sys/stat.h>
#include "ckpt.h"

#define PAGE 4096UL
#define N 64
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static unsigned char *map(int fd, size_t pages, int prot, int flags)
{
	return must(mmap(NULL, pages * PAGE, prot, flags, fd, 0));
}

/* A memfd with data in it. */
static int memfd(const char *name, unsigned int flags, int seed)
{
	static unsigned char buf[N * PAGE];
	int fd = must(memfd_create(name, flags));

	fill(buf, N * PAGE, seed);
	if (write(fd, buf, N * PAGE) != (ssize_t)(N * PAGE))
		die("writing");
	return fd;
}

int main(void)
{
	unsigned char *anon, *anon2, *zero, *m1, *m2, *priv, *ro, *future, *late, buf[PAGE];
	int plain, sealed, closed, again, rdonly, fut, big, fd, child, status;
	char link[64], path[64];
	struct stat st;

	test_init(35);
	anon = map(-1, N, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	fill(anon, 10 * PAGE, 1);
	fill(anon + 20 * PAGE, PAGE, 2);
	anon2 = map(-1, 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	fill(anon2, 4 * PAGE, 3);
	must(mprotect(anon2, 4 * PAGE, PROT_NONE));

	fd = must(open("/dev/zero", O_RDWR));
	zero = map(fd, 4, PROT_READ | PROT_WRITE, MAP_SHARED);
	close(fd);
	fill(zero, 2 * PAGE, 4);

	plain = memfd("plain", 0, 5);
	must(lseek(plain, 12345, SEEK_SET));
	m1 = map(plain, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	m2 = map(plain, N, PROT_READ, MAP_SHARED);
	priv = map(plain, N, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	fill(priv + PAGE, PAGE, 50);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	again = must(open(path, O_RDWR | O_APPEND));
	must(lseek(again, 77, SEEK_SET));
	rdonly = must(open(path, O_RDONLY | O_CLOEXEC));
	ro = map(rdonly, N, PROT_READ, MAP_SHARED);
	must(fchmod(plain, 0640));
	must(fchown(plain, 1234, 5678));

	sealed = memfd("sealed, with a name", MFD_ALLOW_SEALING | MFD_CLOEXEC, 6);
	must(fcntl(sealed, F_ADD_SEALS, SEALS));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sealed);
	fd = must(open(path, O_RDONLY));
	late = map(fd, N, PROT_READ, MAP_SHARED);
	close(fd);

	fut = memfd("future", MFD_ALLOW_SEALING, 7);
	future = map(fut, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	must(fcntl(fut, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));

	big = must(memfd_create("big", 0));	/* a terabyte, nearly all holes */
	must(ftruncate(big, 1UL << 40));
	if (pwrite(big, "end", 3, (1UL << 40) - 3) != 3 || pwrite(big, "mid", 3, (1UL << 39) + 5) != 3)
		die("writing");

	closed = memfd("closed", 0, 8);
	{
		unsigned char *p = map(closed, N, PROT_READ | PROT_WRITE, MAP_SHARED);

		close(closed);
		anon[15 * PAGE] = 99;
		memcpy(anon + 16 * PAGE, &p, sizeof(p));
	}

	ckpt_point();

	ok(differs(anon, 10 * PAGE, 1) < 0 && differs(anon + 20 * PAGE, PAGE, 2) < 0, "anonymous shared memory");
	ok(anon[15 * PAGE] == 99 && !anon[11 * PAGE] && !anon[63 * PAGE], "and holes in it");
	must(mprotect(anon2, 4 * PAGE, PROT_READ));
	ok(differs(anon2, 4 * PAGE, 3) < 0, "shared memory without access");
	ok(differs(zero, 2 * PAGE, 4) < 0 && !zero[2 * PAGE], "shared memory of /dev/zero");
	child = must(fork());
	if (!child) {
		anon[11 * PAGE] = 11;
		zero[2 * PAGE] = 12;
		_exit(0);
	}
	must(waitpid(child, &status, 0));
	ok(anon[11 * PAGE] == 11 && zero[2 * PAGE] == 12, "both are shared with a child");
	{
		unsigned char *p;

		memcpy(&p, anon + 16 * PAGE, sizeof(p));
		ok(differs(p, N * PAGE, 8) < 0, "a memfd that only a mapping holds");
	}

	ok(lseek(plain, 0, SEEK_CUR) == 12345, "position of a memfd is %ld", (long)lseek(plain, 0, SEEK_CUR));
	ok(lseek(again, 0, SEEK_CUR) == 77, "another file of it is at %ld", (long)lseek(again, 0, SEEK_CUR));
	ok(fcntl(again, F_GETFL) & O_APPEND && !(fcntl(plain, F_GETFL) & O_APPEND), "only one of them appends");
	ok((fcntl(rdonly, F_GETFL) & O_ACCMODE) == O_RDONLY && write(rdonly, "x", 1) == -1, "one can only be read");
	ok(fcntl(rdonly, F_GETFD) == FD_CLOEXEC && fcntl(plain, F_GETFD) == 0, "close-on-exec");
	ok(differs(m1, N * PAGE, 5) < 0, "its content through one mapping");
	ok(differs(m2, N * PAGE, 5) < 0, "and another");
	ok(differs(ro, N * PAGE, 5) < 0, "and one of the file that can only be read");
	ok(differs(priv + PAGE, PAGE, 50) < 0 && priv[0] == m1[0], "a private mapping keeps its own page");
	m1[4 * PAGE] ^= 0xff;
	ok(m2[4 * PAGE] == m1[4 * PAGE] && ro[4 * PAGE] == m1[4 * PAGE] && priv[4 * PAGE] == m1[4 * PAGE],
	   "all mappings are of one memory");
	ok(pread(plain, buf, 1, 4 * PAGE) == 1 && buf[0] == m1[4 * PAGE], "and so is the file");
	ok(write(again, "tail", 4) == 4 && fstat(plain, &st) == 0 && st.st_size == N * (long)PAGE + 4, "appending makes it longer");
	ok((st.st_mode & 07777) == 0640 && st.st_uid == 1234 && st.st_gid == 5678, "mode %o, owner %d:%d",
	   st.st_mode & 07777, (int)st.st_uid, (int)st.st_gid);
	ok(fcntl(plain, F_GET_SEALS) == F_SEAL_SEAL, "it cannot be sealed");
	ok(mprotect(ro, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES, "read-only stays read-only");
	ok(mprotect(m2, PAGE, PROT_READ | PROT_WRITE) == 0, "the other one may become writable");

	ok(fcntl(sealed, F_GET_SEALS) == SEALS, "seals are %#x", fcntl(sealed, F_GET_SEALS));
	ok(pread(sealed, buf, PAGE, 3 * PAGE) == (ssize_t)PAGE, "sealed data can be read");
	ok(differs(late, N * PAGE, 6) < 0, "sealed data");
	ok(write(sealed, "x", 1) == -1 && errno == EPERM, "but not written");
	ok(ftruncate(sealed, 0) == -1 && errno == EPERM, "nor shortened");
	ok(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, sealed, 0) == MAP_FAILED, "nor mapped for writing");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", sealed);
	memset(link, 0, sizeof(link));
	ok(readlink(path, link, sizeof(link) - 1) > 0 && !strcmp(link, "/memfd:sealed, with a name (deleted)"),
	   "it is called %s", link);

	ok(fcntl(fut, F_GET_SEALS) == F_SEAL_FUTURE_WRITE, "sealed against future writers");
	future[3] ^= 1;
	ok(pread(fut, buf, 1, 3) == 1 && buf[0] == future[3], "an old mapping still writes");
	ok(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fut, 0) == MAP_FAILED, "a new one does not");

	ok(fstat(big, &st) == 0 && st.st_size == 1L << 40 && st.st_blocks < 1000, "a terabyte of holes, %ld blocks",
	   (long)st.st_blocks);
	ok(pread(big, buf, 3, (1UL << 40) - 3) == 3 && !memcmp(buf, "end", 3) &&
	   pread(big, buf, 3, (1UL << 39) + 5) == 3 && !memcmp(buf, "mid", 3), "with data at its end and in its middle");
	fd = must(open("/dev/zero", O_RDWR));
	ok(map(fd, 1, PROT_READ, MAP_SHARED)[0] == 0, "new shared memory can be had");
	close(fd);
	return test_end();
}
