// SPDX-License-Identifier: GPL-2.0-only
/* A thread that waits in sendmmsg() for room in a TCP connection: nobody can tell how much of it is done. */
#include <pthread.h>
#include "inet.h"

#define SIZE (8 << 20)

REFUSED("tcp-established");

static int c;
static char *data;
static ssize_t sent;

static void *sender(void *arg)
{
	struct iovec iov = { data, SIZE };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	ckpt_ready();
	if (sendmmsg(c, &msg, 1, 0) == 1)
		sent = msg.msg_len;
	return arg;
}

int main(void)
{
	int l, a;
	pthread_t thread;
	char *buf;

	l = listener(AF_INET, 1);
	set(l, SOL_SOCKET, SO_RCVBUF, 16384);
	c = client(name_of(l, false));
	a = must(accept(l, NULL, NULL));
	close(l);
	data = malloc(SIZE);
	buf = malloc(SIZE);
	fill(data, SIZE, 5);
	test_init(2);
	if (pthread_create(&thread, NULL, sender, NULL))
		die("pthread_create");

	ckpt_wait_go();

	ok(recv(a, buf, SIZE, MSG_WAITALL) == SIZE && differs(buf, SIZE, 5) < 0, "all is got");
	pthread_join(thread, NULL);
	ok(sent == SIZE, "%zd bytes are sent", sent);
	return test_end();
}
