// SPDX-License-Identifier: GPL-2.0-only
/* A TCP connection with urgent data that is not read. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("tcp-established");

int main(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct pollfd p = { .events = POLLPRI };
	socklen_t len = sizeof(sin);
	int l, c;
	char b;

	l = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(l, (void *)&sin, sizeof(sin)));
	must(getsockname(l, (void *)&sin, &len));
	must(listen(l, 1));
	c = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(c, (void *)&sin, len));
	p.fd = must(accept(l, NULL, NULL));
	close(l);
	must(send(c, "!", 1, MSG_OOB));
	if (must(poll(&p, 1, 10000)) != 1)
		die("no urgent data");
	test_init(1);
	ckpt_point();
	ok(recv(p.fd, &b, 1, MSG_OOB) == 1 && b == '!', "it is there");
	return test_end();
}
