// SPDX-License-Identifier: GPL-2.0-only
/* Threads that sleep in the middle of writev(), pwritev2() and sendmsg(), on pipes and on stream sockets. */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "ckpt.h"

#define PARTS 5
#define PART 70001
#define BIG (PARTS * PART)

/* writev, pwritev2, sendmsg, sendmsg with a timeout */
static unsigned char out[4][BIG], got[BIG];
static int ends[4][2];

static void divide(struct iovec *iov, unsigned char *buf)
{
	int i;

	/* one in the middle is empty */
	for (i = 0; i <= PARTS; i++) {
		iov[i].iov_base = buf + (i - (i > 2)) * PART;
		iov[i].iov_len = i == 2 ? 0 : PART;
	}
}

static void *transfer(void *arg)
{
	struct iovec iov[PARTS + 1];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = PARTS + 1 };
	long i = (long)arg;

	divide(iov, out[i]);
	if (i == 0)
		return (void *)(long)writev(ends[i][1], iov, PARTS + 1);
	if (i == 1)
		return (void *)(long)pwritev2(ends[i][1], iov, PARTS + 1, -1, 0);
	return (void *)(long)sendmsg(ends[i][1], &msg, MSG_NOSIGNAL);
}

static void *small(void *arg)
{
	struct iovec iov[2] = { { "ab", 2 }, { "c", 1 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	int *fd = arg;

	return (void *)(long)(fd[2] ? sendmsg(fd[1], &msg, MSG_NOSIGNAL) : writev(fd[1], iov, 2));
}

/* an end that takes nothing more; n: how many bytes it took */
static void stuff(int *fd, long *n)
{
	char page[4096] = "";
	long m;

	must(fcntl(fd[1], F_SETFL, O_NONBLOCK));
	for (*n = 0; (m = write(fd[1], page, sizeof(page))) > 0 || (m = write(fd[1], page, 1)) > 0; *n += m)
		;
	must(fcntl(fd[1], F_SETFL, 0));
}

static bool empty(int fd, long n)
{
	char page[4096];
	long m;

	for (; n; n -= m) {
		m = read(fd, page, n < 4096 ? n : 4096);
		if (m <= 0)
			return false;
	}
	return read(fd, page, sizeof(page)) == 3 && !memcmp(page, "abc", 3);
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
	static const char * const names[] = { "writev", "pwritev2", "sendmsg", "sendmsg with a timeout" };
	struct timeval tv = { .tv_sec = 1000 };
	/* the third tells that it is a socket, whose timeout makes the call say EINTR */
	int full[2][3] = { { 0, 0, 0 }, { 0, 0, 1 } };
	pthread_t t[4], s[2];
	long n[2], i;
	void *ret;

	test_init(12);
	for (i = 0; i < 4; i++) {
		fill(out[i], BIG, 3 + i);
		must(i < 2 ? pipe(ends[i]) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]));
	}
	must(setsockopt(ends[3][1], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	must(pipe(full[0]));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, full[1]));
	must(setsockopt(full[1][1], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	for (i = 0; i < 2; i++) {
		stuff(full[i], &n[i]);
		pthread_create(&s[i], NULL, small, full[i]);
	}
	for (i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, transfer, (void *)i);

	ckpt_ready();
	ckpt_wait_go();

	for (i = 0; i < 4; i++) {
		ok(drain(ends[i][0], 3 + i), "%s: nothing is lost or comes twice", names[i]);
		pthread_join(t[i], &ret);
		ok((long)ret == BIG, "it did %ld of %d", (long)ret, BIG);
	}
	for (i = 0; i < 2; i++) {
		ok(empty(full[i][0], n[i]), "what had not begun comes once");
		pthread_join(s[i], &ret);
		ok((long)ret == 3, "it did %ld of 3 (errno %d)", (long)ret, errno);
	}
	return test_end();
}
