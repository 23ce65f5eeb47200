// SPDX-License-Identifier: GPL-2.0-only
/* UDP sockets: addresses, connections, options, and the datagrams that wait in them. */
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include "inet.h"

static void send_to(int s, int port, const void *data, size_t len)
{
	struct name to = loopback(AF_INET, port);

	if (sendto(s, data, len, 0, &to.any, to.len) != (ssize_t)len)
		die("sendto");
}

static int sleeper_fd;
static char sleeper_got[16];

static void *sleeper(void *arg)
{
	recv(sleeper_fd, sleeper_got, sizeof(sleeper_got), 0);
	return arg;
}

int main(void)
{
	int u, c, one, autob, six, ep, port, c_port, six_port, auto_port, twin, nowhere, nowhere_port;
	struct sockaddr_in sin = loopback(AF_INET, 0).v4, from;
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 7 };
	static char big[1400], huge[65520], buf[2048], control[256];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_name = &from, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	struct in_pktinfo *info = NULL;
	socklen_t len = sizeof(from);
	pthread_t thread;
	int ttl = 0;
	ssize_t n;

	fill(big, sizeof(big), 3);
	u = must(socket(AF_INET, SOCK_DGRAM, 0));
	set(u, SOL_SOCKET, SO_REUSEPORT, 1);
	set(u, SOL_IP, IP_PKTINFO, 1);
	set(u, SOL_IP, IP_RECVTTL, 1);
	set(u, SOL_IP, IP_TOS, 0x10);
	set(u, SOL_SOCKET, SO_RCVBUF, 40000);
	must(bind(u, (void *)&sin, sizeof(sin)));
	port = port_of(u);
	sin.sin_port = port;
	twin = must(socket(AF_INET, SOCK_DGRAM, 0));
	set(twin, SOL_SOCKET, SO_REUSEPORT, 1);
	sin.sin_addr.s_addr = htonl(0x7f000002);
	must(bind(twin, (void *)&sin, sizeof(sin)));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

	c = must(socket(AF_INET, SOCK_DGRAM, 0));
	must(connect(c, (void *)&sin, sizeof(sin)));
	c_port = port_of(c);
	set(c, SOL_IP, IP_TTL, 33);
	must(send(c, "one", 3, 0));
	must(send(c, "", 0, 0));
	must(send(c, big, sizeof(big), 0));
	if (recv(u, buf, 1, MSG_PEEK) != 1)
		die("peek");

	autob = must(socket(AF_INET, SOCK_DGRAM, 0));
	send_to(autob, port, "auto", 4);
	auto_port = port_of(autob);

	six = must(socket(AF_INET6, SOCK_DGRAM, 0));
	set(six, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
	must(bind(six, (void *)&sin6, sizeof(sin6)));
	six_port = port_of(six);
	send_to(autob, six_port, "mapped", 6);
	one = must(socket(AF_INET6, SOCK_DGRAM, 0));
	sin6.sin6_addr = in6addr_loopback;
	sin6.sin6_port = six_port;
	must(connect(one, (void *)&sin6, sizeof(sin6)));
	must(send(one, "six", 3, 0));
	set(one, SOL_IPV6, IPV6_MTU, 1280);
	set(one, SOL_IPV6, IPV6_2292PKTINFO, 1);
	set(one, IPPROTO_UDP, UDP_CORK, 1);
	nowhere = must(socket(AF_INET, SOCK_DGRAM, 0));
	sin.sin_port = 0;
	must(connect(nowhere, (void *)&sin, sizeof(sin)));
	nowhere_port = port_of(nowhere);

	ep = must(epoll_create1(0));
	must(epoll_ctl(ep, EPOLL_CTL_ADD, autob, &ev));
	sleeper_fd = must(socket(AF_INET, SOCK_DGRAM, 0));
	sin.sin_port = 0;
	must(bind(sleeper_fd, (void *)&sin, sizeof(sin)));
	if (pthread_create(&thread, NULL, sleeper, NULL))
		die("pthread_create");
	test_init(22);

	ckpt_point();

	ok(port_of(u) == port && port_of(c) == c_port && port_of(autob) == auto_port && port_of(six) == six_port,
	   "all have their ports");
	ok(opt(u, SOL_SOCKET, SO_REUSEPORT) && opt(u, SOL_IP, IP_TOS) == 0x10 && opt(c, SOL_IP, IP_TTL) == 33 &&
	   opt(u, SOL_SOCKET, SO_RCVBUF) == 80000, "and their options");
	msg.msg_namelen = sizeof(from);
	msg.msg_controllen = sizeof(control);
	n = recvmsg(u, &msg, MSG_DONTWAIT);
	ok(n == 3 && !memcmp(buf, "one", 3), "the first datagram: %zd bytes", n);
	ok(from.sin_port == c_port && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK), "who sent it");
	for (struct cmsghdr *m = CMSG_FIRSTHDR(&msg); m; m = CMSG_NXTHDR(&msg, m)) {
		if (m->cmsg_type == IP_PKTINFO)
			info = (void *)CMSG_DATA(m);
		if (m->cmsg_type == IP_TTL)
			memcpy(&ttl, CMSG_DATA(m), sizeof(ttl));
	}
	ok(info && info->ipi_ifindex == 1 && info->ipi_addr.s_addr == htonl(INADDR_LOOPBACK) &&
	   info->ipi_spec_dst.s_addr == htonl(INADDR_LOOPBACK), "how it came in");
	ok(ttl == 33, "its TTL is %d", ttl);
	n = recv(u, buf, sizeof(buf), MSG_DONTWAIT);
	ok(n == 0, "the empty one: %zd bytes", n);
	n = recv(u, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
	ok(n == sizeof(big) && differs(buf, n, 3) < 0, "the long one: %zd bytes", n);
	n = recvfrom(u, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &len);
	ok(n == 4 && !memcmp(buf, "auto", 4) && from.sin_port == auto_port, "the last one: %zd bytes", n);
	ok(recv(u, buf, sizeof(buf), MSG_DONTWAIT) == -1 && errno == EAGAIN, "and no more");

	len = sizeof(sin6);
	n = recvfrom(six, buf, sizeof(buf), MSG_DONTWAIT, (void *)&sin6, &len);
	ok(n == 6 && IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr) && sin6.sin6_port == auto_port, "IPv4 on an IPv6 socket");
	n = recvfrom(six, buf, sizeof(buf), MSG_DONTWAIT, (void *)&sin6, &len);
	ok(n == 3 && IN6_IS_ADDR_LOOPBACK(&sin6.sin6_addr) && sin6.sin6_port == port_of(one), "IPv6");

	ok(opt(one, SOL_IPV6, IPV6_2292PKTINFO) && opt(one, IPPROTO_UDP, UDP_CORK), "options of old programs");
	set(one, IPPROTO_UDP, UDP_CORK, 0);
	set(six, SOL_IPV6, IPV6_RECVFRAGSIZE, 1);
	/* more than the loopback device takes at once */
	iov.iov_base = huge;
	iov.iov_len = sizeof(huge);
	must(send(one, huge, sizeof(huge), 0));
	msg.msg_namelen = 0;
	msg.msg_controllen = sizeof(control);
	n = recvmsg(six, &msg, 0);
	ttl = 0;
	for (struct cmsghdr *m = CMSG_FIRSTHDR(&msg); m; m = CMSG_NXTHDR(&msg, m))
		if (m->cmsg_level == SOL_IPV6 && m->cmsg_type == IPV6_RECVFRAGSIZE)
			memcpy(&ttl, CMSG_DATA(m), sizeof(ttl));
	ok(n == sizeof(huge) && ttl > 0 && ttl <= 1280, "%zd bytes came in parts of %d", n, ttl);
	ok(port_of(nowhere) == nowhere_port, "one that is connected to port 0");

	must(send(c, "again", 5, 0));
	ok(recv(u, buf, sizeof(buf), 0) == 5, "the connection goes on");
	send_to(u, c_port, "back", 4);
	ok(recv(c, buf, sizeof(buf), 0) == 4, "and back");
	send_to(twin, c_port, "no", 2);
	ok(recv(c, buf, sizeof(buf), MSG_DONTWAIT) == -1, "a connected one hears nobody else");
	must(send(one, "more", 4, 0));
	ok(recv(six, buf, sizeof(buf), 0) == 4, "with IPv6, too");
	ok(epoll_wait(ep, &ev, 1, 0) == 0, "nothing for epoll yet");
	send_to(u, auto_port, "x", 1);
	ok(epoll_wait(ep, &ev, 1, 5000) == 1 && ev.data.u32 == 7, "now there is");
	send_to(u, port_of(sleeper_fd), "wake up", 8);
	pthread_join(thread, NULL);
	ok(!strcmp(sleeper_got, "wake up"), "who slept in recv() got it");
	return test_end();
}
