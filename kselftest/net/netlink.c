// SPDX-License-Identifier: GPL-2.0-only
/* Netlink sockets: ports, groups, options, and the messages that wait, with who sent them. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sys/socket.h>
#include "ckpt.h"

#define GROUP 2		/* of NETLINK_USERSOCK */

static int nl(int protocol)
{
	return must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
}

static unsigned int port(int s)
{
	struct sockaddr_nl a;
	socklen_t len = sizeof(a);

	must(getsockname(s, (void *)&a, &len));
	return a.nl_pid;
}

static unsigned int bound(int s, unsigned int want, unsigned int groups)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = want, .nl_groups = groups };

	must(bind(s, (void *)&a, sizeof(a)));
	return port(s);
}

static void set(int s, int name, int v)
{
	must(setsockopt(s, SOL_NETLINK, name, &v, sizeof(v)));
}

static int opt(int s, int name)
{
	socklen_t len = sizeof(int);
	int v = 0;

	must(getsockopt(s, SOL_NETLINK, name, &v, &len));
	return v;
}

static int member(int s, unsigned int group)
{
	unsigned int mask[64] = {};
	socklen_t len = sizeof(mask);

	must(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, mask, &len));
	return mask[(group - 1) / 32] >> (group - 1) % 32 & 1;
}

static void send_to(int s, unsigned int pid, unsigned int groups, const char *text)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = pid, .nl_groups = groups };

	/* what goes to a group goes to the kernel, too, which listens to no one here */
	if (sendto(s, text, strlen(text), 0, (void *)&a, sizeof(a)) < 0 && !(groups && errno == ECONNREFUSED))
		die("sendto");
}

/* the next message, who sent it and to which groups */
static const char *next(int s, struct sockaddr_nl *from, struct ucred *cred)
{
	static char buf[64];
	char control[256];
	struct iovec iov = { buf, sizeof(buf) - 1 };
	struct msghdr m = { .msg_name = from, .msg_namelen = sizeof(*from), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n = recvmsg(s, &m, MSG_DONTWAIT);

	buf[n < 0 ? 0 : n] = 0;
	for (c = CMSG_FIRSTHDR(&m); cred && c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			memcpy(cred, CMSG_DATA(c), sizeof(*cred));
	return buf;
}

static void ask_link(int s, int seq)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} q = { .h = { .nlmsg_len = sizeof(q), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST,
		       .nlmsg_seq = seq }, .i.ifi_index = 1 };

	must(send(s, &q, sizeof(q), 0));
}

/* whether an answer of the kernel to a question waits */
static int answer(int s, int seq)
{
	static char buf[16384];
	struct nlmsghdr *h = (void *)buf;
	ssize_t n = recv(s, buf, sizeof(buf), MSG_DONTWAIT);

	return n > (ssize_t)sizeof(*h) && h->nlmsg_type == RTM_NEWLINK && (int)h->nlmsg_seq == seq &&
	       h->nlmsg_pid == port(s);
}

static int sleeper_fd;
static char sleeper_got[16];

static void *sleeper(void *arg)
{
	recv(sleeper_fd, sleeper_got, sizeof(sleeper_got) - 1, 0);
	return arg;
}

int main(void)
{
	int route, plain, a, b, conn, asleep, on = 1;
	unsigned int route_port, a_port, b_port;
	struct sockaddr_nl from, to = { .nl_family = AF_NETLINK };
	struct ucred cred = { -1, 99, 99 };
	socklen_t len = sizeof(from);
	const char *text;
	pthread_t t;

	test_init(22);
	route = nl(NETLINK_ROUTE);
	route_port = bound(route, 0, RTMGRP_LINK);
	set(route, NETLINK_ADD_MEMBERSHIP, RTNLGRP_NEXTHOP + 1);
	set(route, NETLINK_EXT_ACK, 1);
	set(route, NETLINK_GET_STRICT_CHK, 1);
	ask_link(route, 11);
	plain = nl(NETLINK_ROUTE);
	a = nl(NETLINK_USERSOCK);
	a_port = bound(a, getpid() + 100000, 0);
	b = nl(NETLINK_USERSOCK);
	b_port = bound(b, 0x80001234, 1 << (GROUP - 1));
	must(setsockopt(b, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	set(b, NETLINK_NO_ENOBUFS, 1);
	conn = nl(NETLINK_USERSOCK);
	to.nl_pid = a_port;
	must(connect(conn, (void *)&to, sizeof(to)));
	sleeper_fd = asleep = nl(NETLINK_USERSOCK);
	bound(asleep, 0x80001235, 0);
	if (pthread_create(&t, NULL, sleeper, NULL))
		die("pthread_create");
	send_to(a, b_port, 0, "one");
	send_to(a, 0, 1 << (GROUP - 1), "two");

	ckpt_point();

	send_to(a, 0, 1 << (GROUP - 1), "three");
	ok(port(route) == route_port && port(a) == a_port && port(b) == b_port, "ports");
	ok(port(plain) == 0, "one without a port has none");
	ok(member(route, RTNLGRP_LINK) && member(route, RTNLGRP_NEXTHOP + 1) && !member(route, RTNLGRP_NEIGH),
	   "groups");
	ok(opt(route, NETLINK_EXT_ACK) && opt(route, NETLINK_GET_STRICT_CHK) && !opt(route, NETLINK_CAP_ACK) &&
	   !opt(route, NETLINK_PKTINFO), "options");
	ok(opt(b, NETLINK_NO_ENOBUFS), "NETLINK_NO_ENOBUFS");
	ok(answer(route, 11), "an answer of the kernel that waited");
	ask_link(route, 12);
	ok(answer(route, 12), "a new question");
	ask_link(plain, 13);
	ok(answer(plain, 13), "from a socket that had no port");
	text = next(b, &from, &cred);
	ok(!strcmp(text, "one"), "the first message '%s'", text);
	ok(from.nl_pid == a_port && !from.nl_groups, "from %#x", from.nl_pid);
	ok(cred.pid == getpid() && cred.uid == getuid() && cred.gid == getgid(), "its sender %d %d %d",
	   cred.pid, cred.uid, cred.gid);
	text = next(b, &from, NULL);
	ok(!strcmp(text, "two") && from.nl_groups == 1 << (GROUP - 1), "one to a group '%s'", text);
	text = next(b, &from, NULL);
	ok(!strcmp(text, "three") && from.nl_pid == a_port, "a new one to the group '%s'", text);
	text = next(b, &from, NULL);
	ok(!*text, "no more '%s'", text);
	must(getpeername(conn, (void *)&from, &len));
	ok(from.nl_pid == a_port, "a destination");
	must(send(conn, "four", 4, 0));
	text = next(a, &from, NULL);
	ok(!strcmp(text, "four") && from.nl_pid == port(conn), "reached without an address '%s'", text);
	ok(opt(a, NETLINK_NO_ENOBUFS) == 0, "an option that is off");
	len = sizeof(on);
	must(getsockopt(b, SOL_SOCKET, SO_PROTOCOL, &on, &len));
	ok(on == NETLINK_USERSOCK, "protocol");
	must(getsockopt(b, SOL_SOCKET, SO_TYPE, &on, &len));
	ok(on == SOCK_RAW, "type");
	ok(!sleeper_got[0], "a thread sleeps on");
	send_to(a, 0x80001235, 0, "awake");
	pthread_join(t, NULL);
	ok(!strcmp(sleeper_got, "awake"), "until its message comes '%s'", sleeper_got);
	ok(bound(plain, port(plain), 0) == port(plain), "the port that it got later");
	return test_end();
}
