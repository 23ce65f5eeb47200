// SPDX-License-Identifier: GPL-2.0-only
/* A server that uses no SO_REUSEADDR, and the fifty clients in another process that it answers one after another. */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include "inet.h"

#define N 50

/* sends back what comes, with a count that shows whether anything came twice */
static void serve(int l)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = l };
	int ep = must(epoll_create1(0)), s;
	unsigned char buf[2];

	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	must(epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev));
	for (;;) {
		if (epoll_wait(ep, &ev, 1, -1) != 1)
			_exit(1);
		if (ev.data.fd == l) {
			s = must(accept(l, NULL, NULL));
			ev.data.fd = s;
			must(epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev));
			continue;
		}
		s = ev.data.fd;
		if (recv(s, buf, 1, 0) != 1) {
			close(s);
			continue;
		}
		buf[1] = buf[0] + 1;
		if (write(s, buf, 2) != 2)
			_exit(2);
	}
}

static bool answered(int s, unsigned char c)
{
	unsigned char buf[3];

	return recv(s, buf, 2, MSG_WAITALL) == 2 && buf[0] == c && buf[1] == (unsigned char)(c + 1);
}

int main(void)
{
	struct name to;
	unsigned char c;
	int l, s[N], good;
	pid_t server;

	l = listener(AF_INET, N);
	to = name_of(l, false);
	server = must(fork());
	if (!server)
		serve(l);
	close(l);
	for (int i = 0; i < N; i++) {
		s[i] = client(to);
		c = i;
		if (write(s[i], &c, 1) != 1 || !answered(s[i], i))
			die("no answer");
		/* this one nobody waits for: it is on the way, or read, or answered */
		c = i + 100;
		if (write(s[i], &c, 1) != 1)
			die("write");
	}
	test_init(5);

	ckpt_point();

	good = 0;
	for (int i = 0; i < N; i++)
		good += answered(s[i], i + 100);
	ok(good == N, "%d of %d got the answer to what they had asked before", good, N);
	good = 0;
	for (int i = 0; i < N; i++) {
		c = i + 7;
		good += write(s[i], &c, 1) == 1 && answered(s[i], i + 7);
	}
	ok(good == N, "%d of %d got the answer to what they asked now", good, N);
	good = 0;
	for (int i = 0; i < N; i++)
		good += recv(s[i], &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
	ok(good == N, "%d of %d got no more", good, N);
	l = client(to);
	c = 200;
	ok(write(l, &c, 1) == 1 && answered(l, c), "a new client is served");
	must(kill(server, SIGKILL));
	must(waitpid(server, NULL, 0));
	good = 0;
	for (int i = 0; i < N; i++)
		good += recv(s[i], &c, 1, 0) == 0;
	ok(good == N, "%d of %d saw the server end", good, N);
	return test_end();
}
