// SPDX-License-Identifier: GPL-2.0-only
/* A thread that waits in sendmmsg() for room in a TCP connection: nobody can tell how much of it is done. */
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include "ckpt.h"

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
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int l, a, size = 16384;
	pthread_t thread;
	char *buf;

	l = must(socket(AF_INET, SOCK_STREAM, 0));
	must(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
	must(bind(l, (void *)&sin, sizeof(sin)));
	must(getsockname(l, (void *)&sin, &len));
	must(listen(l, 1));
	c = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(c, (void *)&sin, len));
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
