// SPDX-License-Identifier: GPL-2.0-only
/* A thread that waits in recvmsg() for all of a message on an AF_UNIX stream: nobody can tell how much it has. */
#include <pthread.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("unix");

static int s[2];
static char data[8];
static ssize_t got;

static void *receiver(void *arg)
{
	struct iovec iov = { data, 7 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	ckpt_ready();
	got = recvmsg(s[0], &msg, MSG_WAITALL);
	return arg;
}

int main(void)
{
	pthread_t thread;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	must(write(s[1], "one", 3));
	test_init(1);
	if (pthread_create(&thread, NULL, receiver, NULL))
		die("pthread_create");

	ckpt_wait_go();

	must(write(s[1], " two", 4));
	pthread_join(thread, NULL);
	ok(got == 7 && !strcmp(data, "one two"), "%zd bytes: %s", got, data);
	return test_end();
}
