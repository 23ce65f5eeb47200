// SPDX-License-Identifier: GPL-2.0-only
/* Files that a path names: position, flags, open files with several descriptors, O_PATH, O_DIRECT, devices. */
#include <sys/mman.h>
#include <sys/stat.h>
#include "ckpt.h"

#define LEN 20000

static char buf[LEN + 4096] __attribute__((aligned(4096)));

static int file(const char *name, int seed)
{
	int fd = must(open(name, O_RDWR | O_CREAT | O_TRUNC, 0640));

	fill(buf, LEN, seed);
	if (write(fd, buf, LEN) != LEN)
		die("writing %s", name);
	return fd;
}

int main(void)
{
	int plain, dup1, dupe, other, append, ro, path, linkfd, direct, null, zero, full, rnd, urnd, high, dsync, wo;
	static char block[4096] __attribute__((aligned(4096)));
	char link[256];
	struct stat st, st2;
	off_t pos;

	test_init(31);
	plain = file("plain", 1);
	must(lseek(plain, 12345, SEEK_SET));
	dup1 = must(dup(plain));
	dupe = must(fcntl(plain, F_DUPFD_CLOEXEC, 200));
	high = must(dup2(plain, 1000));
	other = must(open("plain", O_RDONLY | O_NONBLOCK | O_NOATIME));
	must(lseek(other, 100, SEEK_SET));
	append = must(open("plain", O_WRONLY | O_APPEND));
	dsync = must(open("plain", O_RDWR | O_DSYNC));
	wo = must(open("plain", O_WRONLY));
	must(lseek(wo, 1 << 30, SEEK_SET));	/* beyond the end */
	close(file("ro", 2));
	ro = must(open("ro", O_RDONLY));
	must(chmod("ro", 0444));
	path = must(open("ro", O_PATH));
	must(symlink("ro", "link"));
	linkfd = must(open("link", O_PATH | O_NOFOLLOW));
	close(file("direct", 3));
	direct = must(open("direct", O_RDONLY | O_DIRECT));
	must(lseek(direct, 4096, SEEK_SET));
	null = must(open("/dev/null", O_RDWR | O_CLOEXEC));
	zero = must(open("/dev/zero", O_RDONLY));
	full = must(open("/dev/full", O_WRONLY));
	rnd = must(open("/dev/random", O_RDONLY | O_NONBLOCK));
	urnd = must(open("/dev/urandom", O_RDONLY));
	must(fstat(path, &st));

	ckpt_point();

	pos = lseek(plain, 0, SEEK_CUR);
	ok(pos == 12345, "position is %ld", (long)pos);
	ok((fcntl(plain, F_GETFL) & ~0100000) == O_RDWR, "flags are %#x", fcntl(plain, F_GETFL));
	fill(buf, LEN, 1);
	ok(read(plain, block, 100) == 100 && !memcmp(block, buf + 12345, 100), "what is read there");
	ok(lseek(dup1, 0, SEEK_CUR) == 12445 && lseek(dupe, 0, SEEK_CUR) == 12445 && lseek(high, 0, SEEK_CUR) == 12445,
	   "its duplicates moved with it");
	ok(fcntl(dupe, F_GETFD) == FD_CLOEXEC && !fcntl(plain, F_GETFD), "one of them is close-on-exec");
	ok(lseek(other, 0, SEEK_CUR) == 100, "another open file is where it was");
	ok((fcntl(other, F_GETFL) & (O_NONBLOCK | O_NOATIME)) == (O_NONBLOCK | O_NOATIME), "with its own flags");
	ok(write(other, "x", 1) == -1 && errno == EBADF, "and read only");
	ok(fcntl(append, F_GETFL) & O_APPEND && read(append, block, 1) == -1, "one appends and cannot read");
	ok(write(append, "tail", 4) == 4 && pread(plain, block, 5, LEN) == 4 && !memcmp(block, "tail", 4), "at the end");
	ok(fcntl(dsync, F_GETFL) & O_DSYNC, "O_DSYNC");
	ok((fcntl(wo, F_GETFL) & O_ACCMODE) == O_WRONLY && lseek(wo, 0, SEEK_CUR) == 1 << 30, "a position beyond the end");
	ok((fcntl(ro, F_GETFL) & O_ACCMODE) == O_RDONLY, "a read-only file");
	fill(buf, LEN, 2);
	ok(read(ro, block, 100) == 100 && !memcmp(block, buf, 100), "and its content");
	ok((fcntl(path, F_GETFL) & O_PATH) != 0 && read(path, block, 1) == -1 && errno == EBADF, "O_PATH");
	ok(fstat(path, &st2) == 0 && st.st_ino == st2.st_ino, "of the same file");
	memset(link, 0, sizeof(link));
	ok(readlinkat(linkfd, "", link, sizeof(link)) == 2 && !strcmp(link, "ro"),
	   "O_PATH of a symbolic link to %s", link);
	ok(fstat(linkfd, &st2) == 0 && S_ISLNK(st2.st_mode), "which is a link still");
	ok((fcntl(direct, F_GETFL) & O_DIRECT) != 0, "O_DIRECT");
	ok(read(direct, block, 4096) == 4096, "reads whole blocks");
	fill(buf, LEN, 3);
	ok(!memcmp(block, buf + 4096, 4096), "from where it was");
	ok(read(direct, block + 1, 100) == -1 && errno == EINVAL, "and no less");
	ok(fcntl(null, F_GETFD) == FD_CLOEXEC && read(null, block, 1) == 0 && write(null, "x", 1) == 1, "/dev/null");
	ok(read(zero, block, 100) == 100 && !block[0] && !block[99], "/dev/zero");
	ok(write(full, "x", 1) == -1 && errno == ENOSPC, "/dev/full");
	ok(read(rnd, block, 16) == 16 && fcntl(rnd, F_GETFL) & O_NONBLOCK, "/dev/random");
	ok(read(urnd, block, 16) == 16, "/dev/urandom");
	ok(open("plain", O_RDONLY) == urnd + 1, "the next free descriptor is the same");
	ok(fstat(STDIN_FILENO, &st) == 0 && S_ISCHR(st.st_mode), "stdin");
	ok(fcntl(STDOUT_FILENO, F_GETFL) & O_APPEND, "stdout appends");
	ok(close(999) == -1 && errno == EBADF && close(1000) == 0, "and only what was open is open");
	return test_end();
}
