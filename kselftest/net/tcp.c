// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections inside of the tree: idle, with data on the way, full, half closed, with sleepers, and options. */
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include "inet.h"

#define BIG (512 * 1024)

static int family, opt_of_listener;
static bool mapped;

/* s[0] has connected, s[1] is what accept() gave */
static void pair(int s[2])
{
	struct name to = loopback(family, 0);
	int l = must(socket(family, SOCK_STREAM, 0));

	if (mapped)
		to.v6.sin6_addr = (struct in6_addr){ { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } } };
	if (opt_of_listener)
		set(l, SOL_SOCKET, SO_RCVBUF, opt_of_listener);
	must(bind(l, &to.any, to.len));
	must(listen(l, 1));
	to = name_of(l, false);
	s[0] = must(socket(family, SOCK_STREAM, 0));
	if (opt_of_listener)
		set(s[0], SOL_SOCKET, SO_SNDBUF, opt_of_listener);
	must(connect(s[0], &to.any, to.len));
	s[1] = must(accept(l, NULL, NULL));
	close(l);
}

static int queued(int s)
{
	int n = -1;

	must(ioctl(s, FIONREAD, &n));
	return n;
}

/* what has been sent is there, so that the test knows where it is */
static void settle(int s, int n)
{
	while (queued(s) < n)
		usleep(1000);
}

static bool alive(int a, int b)
{
	char c = 0;

	return write(a, "x", 1) == 1 && recv(b, &c, 1, 0) == 1 && c == 'x' &&
	       write(b, "y", 1) == 1 && recv(a, &c, 1, 0) == 1 && c == 'y';
}

static bool gets(int s, size_t len, int seed)
{
	char *buf = malloc(len);
	bool good = recv(s, buf, len, MSG_WAITALL) == (ssize_t)len && differs(buf, len, seed) < 0;

	free(buf);
	return good;
}

/* as much as fits: gives how much that was */
static size_t stuff(int s, const char *data)
{
	size_t n = 0;
	ssize_t k;
	int idle = 0;

	while (idle < 20) {
		k = send(s, data + n, BIG - n, MSG_DONTWAIT);
		if (k > 0) {
			n += k;
			idle = 0;
		} else {
			idle++;
			usleep(5000);
		}
	}
	return n;
}

static struct sleeper {
	pthread_t thread;
	int fd, how;
	ssize_t ret;
	char data[8];
} sleepers[5];

static char *big;
static size_t big_sent;

static void *sleep_on(void *arg)
{
	struct sleeper *s = arg;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct pollfd p = { s->fd, POLLIN, 0 };
	int ep;

	switch (s->how) {
	case 1:
		if (poll(&p, 1, -1) != 1)
			return NULL;
		break;
	case 2:
		ep = must(epoll_create1(0));
		must(epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &ev));
		if (epoll_wait(ep, &ev, 1, -1) != 1)
			return NULL;
		close(ep);
		break;
	case 3:
		s->ret = send(s->fd, big + big_sent, BIG - big_sent, 0);
		return NULL;
	case 4:
		s->ret = recv(s->fd, s->data, sizeof(s->data), MSG_PEEK | MSG_WAITALL);
		return NULL;
	}
	s->ret = recv(s->fd, s->data, sizeof(s->data), 0);
	return NULL;
}

int main(void)
{
	int idle[2], six[2], four[2], data[2], full[2], half[2], both[2], gone[2], gone_more[2], sl[4][2], options[2];
	struct linger linger = { 0 };
	struct name n[4], now;
	int sndbuf, rcvbuf;
	char buf[64], cc[16] = "";
	socklen_t len;
	size_t more;

	big = malloc(BIG);
	fill(big, BIG, 7);
	family = AF_INET;
	pair(idle);
	for (int i = 0; i < 4; i++)
		n[i] = name_of(idle[i / 2], i % 2);
	pair(data);
	must(send(data[0], "to the server", 13, 0));
	must(send(data[1], big, 30000, 0));
	settle(data[1], 13);
	settle(data[0], 30000);
	if (recv(data[0], buf, 10, 0) != 10)
		die("recv");
	pair(half);
	must(send(half[0], "last words", 10, 0));
	must(shutdown(half[0], SHUT_WR));
	settle(half[1], 10);
	pair(both);
	must(shutdown(both[0], SHUT_WR));
	must(recv(both[1], buf, 1, 0));
	pair(gone);
	must(send(gone[1], "good bye", 8, 0));
	close(gone[1]);
	settle(gone[0], 8);
	pair(options);
	set(options[1], SOL_TCP, TCP_NODELAY, 1);
	set(options[0], SOL_SOCKET, SO_KEEPALIVE, 1);
	set(options[0], SOL_TCP, TCP_KEEPIDLE, 77);
	set(options[0], SOL_SOCKET, SO_RCVBUF, 50000);
	set(options[1], SOL_IP, IP_TOS, 0x10);
	linger.l_onoff = 1;
	linger.l_linger = 9;
	must(setsockopt(options[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	must(setsockopt(options[1], SOL_TCP, TCP_CONGESTION, "reno", 4));
	sndbuf = opt(options[0], SOL_SOCKET, SO_SNDBUF);
	rcvbuf = opt(options[1], SOL_SOCKET, SO_RCVBUF);
	for (int i = 0; i < 4; i++)
		pair(sl[i]);
	must(send(sl[3][0], "wake", 4, 0));
	settle(sl[3][1], 4);
	family = AF_INET6;
	pair(six);
	must(send(six[0], "six", 3, 0));
	settle(six[1], 3);
	mapped = true;
	pair(four);
	must(send(four[1], "four", 4, 0));
	settle(four[0], 4);
	mapped = false;
	family = AF_INET;
	opt_of_listener = 8192;
	pair(full);
	big_sent = stuff(full[0], big);
	pair(gone_more);
	more = stuff(gone_more[0], big);
	close(gone_more[0]);
	diag("%zu and %zu bytes are on the way", big_sent, more);

	for (int i = 0; i < 3; i++)
		sleepers[i] = (struct sleeper){ .fd = sl[i][1], .how = i, .ret = -2 };
	sleepers[3] = (struct sleeper){ .fd = full[0], .how = 3, .ret = -2 };
	sleepers[4] = (struct sleeper){ .fd = sl[3][1], .how = 4, .ret = -2 };
	for (int i = 0; i < 5; i++)
		if (pthread_create(&sleepers[i].thread, NULL, sleep_on, &sleepers[i]))
			die("pthread_create");
	test_init(33);

	ckpt_point();

	for (int i = 0; i < 4; i++) {
		now = name_of(idle[i / 2], i % 2);
		ckpt_failed |= memcmp(&now, &n[i], sizeof(now)) != 0;
	}
	ok(!ckpt_failed, "the addresses");
	ok(opt(idle[0], SOL_SOCKET, SO_ERROR) == 0 && opt(idle[1], SOL_SOCKET, SO_ERROR) == 0, "no error");
	ok(recv(idle[0], buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "nothing comes from nowhere");
	ok(alive(idle[0], idle[1]), "an idle one works");

	ok(queued(data[1]) == 13 && recv(data[1], buf, 64, MSG_DONTWAIT) == 13 && !memcmp(buf, "to the server", 13),
	   "what the server has not read");
	ok(queued(data[0]) == 29990, "what the client has not read: %d bytes", queued(data[0]));
	ok(recv(data[0], big + 10, 29990, MSG_DONTWAIT) == 29990 && differs(big, 30000, 7) < 0, "all of it");
	ok(recv(data[0], buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "and no more");
	ok(alive(data[1], data[0]), "the connection works");

	ok(recv(half[1], buf, 64, MSG_DONTWAIT) == 10 && !memcmp(buf, "last words", 10), "the last words");
	ok(recv(half[1], buf, 64, MSG_DONTWAIT) == 0, "and the end");
	ok(send(half[1], "answer", 6, 0) == 6 && recv(half[0], buf, 64, 0) == 6, "the other way is open");
	ok(send(half[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "this way is not");
	close(half[1]);
	ok(recv(half[0], buf, 64, 0) == 0, "now it is at its end, too");
	ok(recv(both[1], buf, 1, MSG_DONTWAIT) == 0, "an end that was read stays the end");
	must(shutdown(both[1], SHUT_WR));
	ok(recv(both[0], buf, 1, 0) == 0, "and the other way is closed now");

	ok(recv(gone[0], buf, 64, MSG_DONTWAIT) == 8 && !memcmp(buf, "good bye", 8), "from one that is closed");
	ok(recv(gone[0], buf, 64, MSG_DONTWAIT) == 0, "its end");
	ok(gets(gone_more[1], more, 7) && recv(gone_more[1], buf, 1, 0) == 0,
	   "one that was closed with much to be sent");

	ok(opt(options[1], SOL_TCP, TCP_NODELAY) && opt(options[0], SOL_SOCKET, SO_KEEPALIVE) &&
	   opt(options[0], SOL_TCP, TCP_KEEPIDLE) == 77 && opt(options[1], SOL_IP, IP_TOS) == 0x10, "options");
	ok(opt(options[0], SOL_SOCKET, SO_RCVBUF) == 100000 && opt(options[0], SOL_SOCKET, SO_SNDBUF) == sndbuf &&
	   opt(options[1], SOL_SOCKET, SO_RCVBUF) == rcvbuf, "buffers");
	len = sizeof(cc);
	must(getsockopt(options[1], SOL_TCP, TCP_CONGESTION, cc, &len));
	ok(!strcmp(cc, "reno"), "congestion control is %s", cc);
	ok(alive(options[0], options[1]), "with options");

	ok(recv(six[1], buf, 64, MSG_DONTWAIT) == 3 && alive(six[0], six[1]), "IPv6");
	ok(recv(four[0], buf, 64, MSG_DONTWAIT) == 4 && alive(four[0], four[1]), "IPv4 on IPv6 sockets");

	for (int i = 0; i < 3; i++) {
		must(write(sl[i][0], "wake up", 8));
		pthread_join(sleepers[i].thread, NULL);
		ok(sleepers[i].ret == 8 && !strcmp(sleepers[i].data, "wake up"), "who slept in %s",
		   i == 0 ? "recv()" : i == 1 ? "poll()" : "epoll_wait()");
	}
	must(write(sl[3][0], " up", 4));
	pthread_join(sleepers[4].thread, NULL);
	ok(sleepers[4].ret == 8 && !strcmp(sleepers[4].data, "wake up"), "who looks until all is there");
	ok(recv(sl[3][1], buf, 64, MSG_DONTWAIT) == 8 && !strcmp(buf, "wake up"), "what it has only looked at");
	fill(big, BIG, 7);
	ok(gets(full[1], BIG, 7), "a full queue, and what its writer had still to write");
	pthread_join(sleepers[3].thread, NULL);
	ok(sleepers[3].ret == (ssize_t)(BIG - big_sent), "who wrote %zd of %zu bytes", sleepers[3].ret,
	   BIG - big_sent);
	ok(alive(full[0], full[1]), "which works");
	return test_end();
}
