// SPDX-License-Identifier: GPL-2.0-only
/* A TCP connection to a process outside of the tree. */
#include <netinet/in.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("tcp-established");

int main(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int l, c, a;
	pid_t pid;
	char b;

	l = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(l, (void *)&sin, sizeof(sin)));
	must(getsockname(l, (void *)&sin, &len));
	must(listen(l, 1));
	pid = must(fork());
	if (!pid) {
		/* its parent ends at once, so that it is nobody's here */
		if (fork())
			_exit(0);
		setsid();
		a = must(accept(l, NULL, NULL));
		close(l);
		while (read(a, &b, 1) == 1)
			if (write(a, &b, 1) != 1)
				break;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	close(l);
	c = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(c, (void *)&sin, len));
	/* it has been accepted */
	if (write(c, "x", 1) != 1 || read(c, &b, 1) != 1)
		die("no answer");
	test_init(1);
	ckpt_point();
	ok(write(c, "x", 1) == 1 && read(c, &b, 1) == 1, "it goes on");
	close(c);
	return test_end();
}
