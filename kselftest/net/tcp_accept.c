// SPDX-License-Identifier: GPL-2.0-only
/* A TCP connection that waits for accept(). */
#include <netinet/in.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("tcp-accept");

int main(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int l, c, a;
	char b;

	l = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(l, (void *)&sin, sizeof(sin)));
	must(getsockname(l, (void *)&sin, &len));
	must(listen(l, 1));
	c = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(c, (void *)&sin, len));
	test_init(1);
	ckpt_point();
	a = must(accept(l, NULL, NULL));
	ok(write(c, "x", 1) == 1 && read(a, &b, 1) == 1, "it goes on");
	return test_end();
}
