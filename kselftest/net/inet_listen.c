// SPDX-License-Identifier: GPL-2.0-only
/* TCP sockets that listen, with servers asleep on them; bound ones, and new ones. */
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include "inet.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define N 5

static int server(int family, int proto)
{
	struct name n = loopback(family, 0);
	int s = must(socket(family, SOCK_STREAM, proto));

	set(s, SOL_SOCKET, SO_REUSEADDR, 1);
	if (family == AF_INET6)
		set(s, SOL_IPV6, IPV6_V6ONLY, 1);
	must(bind(s, &n.any, n.len));
	must(listen(s, 9));
	return s;
}

/* Answers one client; sleeps in a call of its own kind until there is one. */
static void serve(int s, int how)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct pollfd p = { s, POLLIN, 0 };
	int c, ep;
	char b;

	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	if (how == 1) {
		if (poll(&p, 1, -1) != 1)
			_exit(1);
	} else if (how == 2) {
		ep = must(epoll_create1(0));
		must(epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev));
		if (epoll_wait(ep, &ev, 1, -1) != 1)
			_exit(2);
	}
	c = accept(s, NULL, NULL);
	if (c < 0 || read(c, &b, 1) != 1 || write(c, &b, 1) != 1)
		_exit(3);
	_exit(0);
}

static bool ask(int family, int port)
{
	int c = client(loopback(family, port));
	bool good;
	char b = 0;

	good = write(c, "?", 1) == 1 && read(c, &b, 1) == 1 && b == '?';
	close(c);
	return good;
}

int main(void)
{
	static const struct {
		int family, proto, how;
		const char *what;
	} all[N] = {
		{ AF_INET, 0, 0, "IPv4, accept" }, { AF_INET6, 0, 0, "IPv6, accept" },
		{ AF_INET, 0, 1, "IPv4, poll" }, { AF_INET6, 0, 2, "IPv6, epoll" },
		{ AF_INET, IPPROTO_MPTCP, 0, "MPTCP, accept" },
	};
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int s[N], port[N], bound, fresh, b_port, status;
	struct tcp_info info;
	socklen_t len = sizeof(info);
	char cc[16] = "";

	for (int i = 0; i < N; i++) {
		s[i] = server(all[i].family, all[i].proto);
		port[i] = port_of(s[i]);
	}
	set(s[0], SOL_TCP, TCP_NODELAY, 1);
	set(s[0], SOL_SOCKET, SO_KEEPALIVE, 1);
	set(s[0], SOL_TCP, TCP_KEEPIDLE, 77);
	set(s[0], SOL_TCP, TCP_FASTOPEN, 5);
	must(setsockopt(s[1], SOL_TCP, TCP_CONGESTION, "reno", 4));
	bound = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(bound, (void *)&sin, sizeof(sin)));
	b_port = port_of(bound);
	fresh = must(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0));
	set(fresh, SOL_SOCKET, SO_REUSEPORT, 1);
	for (int i = 0; i < N; i++)
		if (!must(fork()))
			serve(s[i], all[i].how);
	test_init(2 * N + 8);

	ckpt_point();

	for (int i = 0; i < N; i++)
		ok(port_of(s[i]) == port[i] && opt(s[i], SOL_SOCKET, SO_REUSEADDR) &&
		   opt(s[i], SOL_SOCKET, SO_ACCEPTCONN), "%s: it listens", all[i].what);
	for (int i = 0; i < N; i++)
		ok(ask(all[i].family, port[i]), "%s: the server answers", all[i].what);
	for (int i = 0; i < N; i++) {
		must(wait(&status));
		ckpt_failed |= status != 0;
	}
	ok(!ckpt_failed, "no server has seen an error");
	ok(opt(s[0], SOL_TCP, TCP_NODELAY) && opt(s[0], SOL_SOCKET, SO_KEEPALIVE) &&
	   opt(s[0], SOL_TCP, TCP_KEEPIDLE) == 77 && opt(s[0], SOL_TCP, TCP_FASTOPEN) == 5, "options");
	ok(opt(s[1], SOL_IPV6, IPV6_V6ONLY) == 1, "IPv6 only");
	must(getsockopt(s[0], SOL_TCP, TCP_INFO, &info, &len));
	ok(info.tcpi_sacked == 9, "a backlog of %d", info.tcpi_sacked);
	len = sizeof(cc);
	must(getsockopt(s[1], SOL_TCP, TCP_CONGESTION, cc, &len));
	ok(!strcmp(cc, "reno"), "congestion control is %s", cc);
	ok(port_of(bound) == b_port && !opt(bound, SOL_SOCKET, SO_ACCEPTCONN) && listen(bound, 1) == 0,
	   "a bound one can listen");
	ok(opt(fresh, SOL_SOCKET, SO_REUSEPORT) && fcntl(fresh, F_GETFL) & O_NONBLOCK, "a new one");
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = port[0];
	fresh = must(socket(AF_INET, SOCK_STREAM, 0));
	ok(bind(fresh, (void *)&sin, sizeof(sin)) == -1 && errno == EADDRINUSE, "its address is taken");
	return test_end();
}
