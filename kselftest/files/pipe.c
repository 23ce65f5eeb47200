// SPDX-License-Identifier: GPL-2.0-only
/* Pipes: data in the buffer, both ends in one process, flags, size, packets. */
#include <sys/ioctl.h>
#include "ckpt.h"

#define LEN 10000

int main(void)
{
	char buf[LEN + 1], out[LEN];
	int p[2], d[2], e[2], queued, n;

	test_init(14);
	fill(out, LEN, 7);

	must(pipe2(p, O_NONBLOCK));
	must(fcntl(p[0], F_SETPIPE_SZ, 131072));
	must(fcntl(p[0], F_SETFD, FD_CLOEXEC));
	if (write(p[1], out, LEN) != LEN)
		die("filling the pipe");

	must(pipe2(d, O_DIRECT));
	if (write(d[1], "one", 3) != 3 || write(d[1], "three", 5) != 5)
		die("writing packets");

	must(pipe(e));
	if (write(e[1], "last words", 10) != 10)
		die("writing");
	close(e[1]);

	ckpt_point();

	ok(ioctl(p[0], FIONREAD, &queued) == 0 && queued == LEN, "%d bytes are queued", queued);
	n = fcntl(p[0], F_GETPIPE_SZ);
	ok(n == 131072, "the buffer holds %d", n);
	ok(fcntl(p[0], F_GETFL) == O_NONBLOCK, "read end is O_NONBLOCK");
	ok(fcntl(p[1], F_GETFL) == (O_WRONLY | O_NONBLOCK), "write end is O_NONBLOCK");
	ok(fcntl(p[0], F_GETFD) == FD_CLOEXEC, "read end is close-on-exec");
	ok(fcntl(p[1], F_GETFD) == 0, "write end is not");
	n = read(p[0], buf, sizeof(buf));
	ok(n == LEN && differs(buf, LEN, 7) < 0, "read %d bytes, the same", n);
	ok(read(p[0], buf, 1) == -1 && errno == EAGAIN, "the pipe is empty");
	ok(write(p[1], "more", 4) == 4 && read(p[0], buf, sizeof(buf)) == 4 && !memcmp(buf, "more", 4),
	   "both ends are still one pipe");

	n = read(d[0], buf, sizeof(buf));
	ok(n == 3 && !memcmp(buf, "one", 3), "first packet, %d bytes", n);
	n = read(d[0], buf, sizeof(buf));
	ok(n == 5 && !memcmp(buf, "three", 5), "second packet, %d bytes", n);
	ok((fcntl(d[1], F_GETFL) & O_DIRECT) != 0, "the writer makes packets");

	n = read(e[0], buf, sizeof(buf));
	ok(n == 10 && !memcmp(buf, "last words", 10), "data of a closed writer");
	ok(read(e[0], buf, 1) == 0, "then the end of the file");
	return test_end();
}
