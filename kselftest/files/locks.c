// SPDX-License-Identifier: GPL-2.0-only
/* Locks: POSIX locks of two processes, flock, locks of an open file, and one who waits for a lock. */
#include <sys/file.h>
#include "ckpt.h"

static int lock(int fd, int cmd, int type, off_t start, off_t len)
{
	struct flock f = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &f);
}

/* who has a lock that conflicts, seen by a process of its own; -1: another open file, 0: nobody */
static int holder(const char *name, off_t start, off_t len, int type)
{
	int status;
	pid_t child = must(fork());

	if (!child) {
		struct flock f = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
		int fd = open(name, O_RDWR);

		if (fcntl(fd, F_GETLK, &f))
			_exit(3);
		_exit(f.l_type == F_UNLCK ? 0 : f.l_pid == getppid() ? 1 : 2);
	}
	must(waitpid(child, &status, 0));
	return WEXITSTATUS(status);
}

int main(void)
{
	int posix, ofd, flk, other, status, p[2];
	pid_t child, waiter;
	char c;

	test_init(13);
	posix = must(open("posix", O_RDWR | O_CREAT, 0600));
	must(ftruncate(posix, 100000));
	must(lock(posix, F_SETLK, F_WRLCK, 10, 20));
	must(lock(posix, F_SETLK, F_RDLCK, 1000, 0));
	ofd = must(open("ofd", O_RDWR | O_CREAT, 0600));
	must(lock(ofd, F_OFD_SETLK, F_WRLCK, 0, 5));
	flk = must(open("flock", O_RDWR | O_CREAT, 0600));
	must(flock(flk, LOCK_SH));
	must(pipe(p));
	child = must(fork());
	if (!child) {
		must(lock(posix, F_SETLK, F_WRLCK, 50, 10));
		must(write(p[1], "x", 1));
		while (1)
			pause();
	}
	must(read(p[0], &c, 1));
	waiter = must(fork());
	if (!waiter) {
		if (lock(posix, F_SETLKW, F_WRLCK, 15, 1))
			_exit(1);
		_exit(42);
	}

	ckpt_point();

	ok(holder("posix", 10, 20, F_WRLCK) == 1, "a write lock");
	ok(holder("posix", 0, 10, F_WRLCK) == 0, "nothing before it");
	ok(holder("posix", 30, 20, F_WRLCK) == 0, "nothing behind it");
	ok(holder("posix", 1L << 40, 1, F_WRLCK) == 1, "a read lock to the end of all files");
	ok(holder("posix", 1000, 1, F_RDLCK) == 0, "it is shared");
	ok(holder("posix", 50, 1, F_RDLCK) == 2, "the lock of the child");
	ok(holder("ofd", 0, 1, F_RDLCK) == 2, "the lock of an open file");
	ok(lock(ofd, F_OFD_SETLK, F_WRLCK, 0, 10) == 0, "is ours");
	other = must(open("flock", O_RDWR));
	ok(flock(other, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK, "flock");
	ok(flock(other, LOCK_SH | LOCK_NB) == 0, "is shared");
	flock(other, LOCK_UN);
	ok(flock(flk, LOCK_UN) == 0 && flock(other, LOCK_EX | LOCK_NB) == 0, "and ours");
	ok(waitpid(waiter, NULL, WNOHANG) == 0, "the one who waits still waits");
	must(lock(posix, F_SETLK, F_UNLCK, 10, 20));
	must(waitpid(waiter, &status, 0));
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 42, "until it gets its lock");
	must(kill(child, SIGKILL));
	must(waitpid(child, NULL, 0));
	return test_end();
}
