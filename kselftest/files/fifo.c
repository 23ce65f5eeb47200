// SPDX-License-Identifier: GPL-2.0-only
/* FIFOs: data, size, ends that are closed, a reader that no writer has come to, and one asleep in open. */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "ckpt.h"

static int events(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	poll(&p, 1, 0);
	return p.revents;
}

int main(void)
{
	int r, w, alone, left, n, status;
	char buf[64];
	pid_t child;

	test_init(12);
	must(mkfifo("both", 0600));
	must(mkfifo("alone", 0600));
	must(mkfifo("left", 0600));
	must(mkfifo("open", 0600));
	r = must(open("both", O_RDONLY | O_NONBLOCK));
	w = must(open("both", O_WRONLY));
	must(fcntl(w, F_SETPIPE_SZ, 131072));
	must(write(w, "in the pipe", 11));
	alone = must(open("alone", O_RDONLY | O_NONBLOCK));
	left = must(open("left", O_RDONLY | O_NONBLOCK));
	n = must(open("left", O_WRONLY));
	must(write(n, "last", 4));
	close(n);
	child = must(fork());
	if (!child) {
		close(r);
		close(w);
		n = open("open", O_WRONLY);
		if (n < 0 || write(n, "hello", 5) != 5)
			_exit(errno);
		_exit(42);
	}
	usleep(100000);

	ckpt_point();

	ok(fcntl(r, F_GETFL) == (O_RDONLY | O_NONBLOCK | 0100000) && fcntl(w, F_GETFL) == (O_WRONLY | 0100000),
	   "flags %#x and %#x", fcntl(r, F_GETFL), fcntl(w, F_GETFL));
	ok(fcntl(r, F_GETPIPE_SZ) == 131072, "size %d", fcntl(r, F_GETPIPE_SZ));
	n = read(r, buf, sizeof(buf));
	ok(n == 11 && !memcmp(buf, "in the pipe", 11), "read %d bytes", n);
	ok(read(r, buf, 1) == -1 && errno == EAGAIN, "then none, as there is a writer");
	ok(write(w, "more", 4) == 4 && read(r, buf, 64) == 4, "both ends are of one pipe");
	close(w);
	ok(read(r, buf, 1) == 0 && (events(r) & POLLHUP), "the end, when the writer closes");
	ok(events(alone) == 0, "no hangup where no writer was: %#x", events(alone));
	ok(read(alone, buf, 1) == 0, "the end of an empty one");
	n = read(left, buf, 64);
	ok(n == 4 && !memcmp(buf, "last", 4), "data of a writer that has left");
	ok(read(left, buf, 64) == 0 && events(left) == POLLHUP, "then the end and a hangup: %#x", events(left));
	ok(waitpid(child, NULL, WNOHANG) == 0, "the one asleep in open sleeps");
	n = must(open("open", O_RDONLY));
	must(waitpid(child, &status, 0));
	ok(read(n, buf, 64) == 5 && WEXITSTATUS(status) == 42, "until a reader comes");
	return test_end();
}
