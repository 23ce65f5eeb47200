// SPDX-License-Identifier: GPL-2.0-only
/* Threads that sleep in the middle of writev() and sendmsg(), on a pipe and on a stream socket. */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "ckpt.h"

#define PARTS 5
#define PART 70001
#define BIG (PARTS * PART)

static unsigned char out[2][BIG], got[BIG];
static int way[2], sock[2];

static void divide(struct iovec *iov, unsigned char *buf)
{
	int i;

	/* one in the middle is empty */
	for (i = 0; i <= PARTS; i++) {
		iov[i].iov_base = buf + (i - (i > 2)) * PART;
		iov[i].iov_len = i == 2 ? 0 : PART;
	}
}

static void *vector(void *arg)
{
	struct iovec iov[PARTS + 1];

	divide(iov, out[0]);
	return (void *)(long)writev(way[1], iov, PARTS + 1);
}

static void *message(void *arg)
{
	struct iovec iov[PARTS + 1];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = PARTS + 1 };

	divide(iov, out[1]);
	return (void *)(long)sendmsg(sock[1], &msg, MSG_NOSIGNAL);
}

static void *small(void *arg)
{
	struct iovec iov[2] = { { "ab", 2 }, { "c", 1 } };

	return (void *)(long)writev(*(int *)arg, iov, 2);
}

static bool drain(int fd, unsigned int seed)
{
	long n, sum;

	for (sum = 0; sum < BIG; sum += n) {
		n = read(fd, got + sum, BIG - sum < 5000 ? BIG - sum : 5000);
		if (n <= 0)
			die("reading what was written, %ld bytes", sum);
	}
	return differs(got, BIG, seed) < 0;
}

int main(void)
{
	pthread_t w, s, q;
	int full[2], n;
	char page[4096];
	void *ret;

	test_init(6);
	fill(out[0], BIG, 3);
	fill(out[1], BIG, 4);
	must(pipe(way));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	must(pipe(full));
	memset(page, 'x', sizeof(page));
	must(fcntl(full[1], F_SETFL, O_NONBLOCK));
	for (n = 0; write(full[1], page, sizeof(page)) > 0; n++)
		;
	must(fcntl(full[1], F_SETFL, 0));
	pthread_create(&w, NULL, vector, NULL);
	pthread_create(&s, NULL, message, NULL);
	pthread_create(&q, NULL, small, &full[1]);
	usleep(300000);

	ckpt_point();

	ok(drain(way[0], 3), "writev: nothing is lost or written twice");
	pthread_join(w, &ret);
	ok((long)ret == BIG, "it wrote %ld of %d", (long)ret, BIG);
	ok(drain(sock[0], 4), "sendmsg: nothing is lost or sent twice");
	pthread_join(s, &ret);
	ok((long)ret == BIG, "it sent %ld of %d", (long)ret, BIG);
	while (n--)
		must(read(full[0], page, sizeof(page)));
	pthread_join(q, &ret);
	ok((long)ret == 3, "a writev that had not begun wrote %ld", (long)ret);
	ok(read(full[0], page, sizeof(page)) == 3 && !memcmp(page, "abc", 3), "and just that");
	return test_end();
}
