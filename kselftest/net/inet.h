/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of IPv4 and IPv6 sockets have in common. Ports are as in addresses, in the order of the network. */
#ifndef CKPT_NET_INET_H
#define CKPT_NET_INET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include "ckpt.h"

struct name {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static inline int opt(int s, int level, int name)
{
	socklen_t len = sizeof(int);
	int v = 0;

	must(getsockopt(s, level, name, &v, &len));
	return v;
}

static inline void set(int s, int level, int name, int v)
{
	must(setsockopt(s, level, name, &v, sizeof(v)));
}

static inline struct name loopback(int family, int port)
{
	struct name n;

	memset(&n, 0, sizeof(n));
	if (family == AF_INET) {
		n.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		n.len = sizeof(n.v4);
	} else {
		n.v6.sin6_addr = in6addr_loopback;
		n.len = sizeof(n.v6);
	}
	n.any.sa_family = family;
	n.v4.sin_port = port;
	return n;
}

static inline struct name name_of(int s, bool peer)
{
	struct name n;

	memset(&n, 0, sizeof(n));
	n.len = sizeof(n.v6);
	must(peer ? getpeername(s, &n.any, &n.len) : getsockname(s, &n.any, &n.len));
	return n;
}

static inline int port_of(int s)
{
	return name_of(s, false).v4.sin_port;
}

/* listens on a port that the kernel chooses */
static inline int listener(int family, int backlog)
{
	struct name n = loopback(family, 0);
	int s = must(socket(family, SOCK_STREAM, 0));

	must(bind(s, &n.any, n.len));
	must(listen(s, backlog));
	return s;
}

static inline int client(struct name to)
{
	int s = must(socket(to.any.sa_family, SOCK_STREAM, 0));

	must(connect(s, &to.any, to.len));
	return s;
}

#endif
