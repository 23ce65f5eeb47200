// SPDX-License-Identifier: GPL-2.0-only
/* TCP sockets whose connection is gone: what is left is the error, or the end. */
#include <netinet/in.h>
#include <sys/socket.h>
#include "ckpt.h"

static int l;

static void pair(int *c, int *a)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);

	must(getsockname(l, (void *)&sin, &len));
	*c = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(*c, (void *)&sin, len));
	*a = must(accept(l, NULL, NULL));
}

static void reset(int s)
{
	struct linger linger = { 1, 0 };

	must(setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(s);
}

int main(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int unread, seen, refused, a;
	char b;

	signal(SIGPIPE, SIG_IGN);
	l = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(l, (void *)&sin, sizeof(sin)));
	must(listen(l, 2));
	pair(&unread, &a);
	reset(a);
	pair(&seen, &a);
	reset(a);
	if (read(seen, &b, 1) != -1 || errno != ECONNRESET)
		die("no reset");
	refused = must(socket(AF_INET, SOCK_STREAM, 0));
	sin.sin_port = htons(1);
	if (connect(refused, (void *)&sin, sizeof(sin)) != -1 || errno != ECONNREFUSED)
		die("not refused");
	test_init(6);

	ckpt_point();

	ok(read(unread, &b, 1) == -1 && errno == ECONNRESET, "a reset that nobody has seen yet");
	ok(read(unread, &b, 1) == 0, "then the end");
	ok(read(seen, &b, 1) == 0, "the end");
	ok(write(seen, "x", 1) == -1 && errno == EPIPE, "and no way to write");
	ok(connect(refused, (void *)&sin, sizeof(sin)) == -1 && errno == ECONNREFUSED, "one that was refused may try again");
	pair(&seen, &a);
	ok(write(seen, "x", 1) == 1 && read(a, &b, 1) == 1, "the listener works");
	return test_end();
}
