// SPDX-License-Identifier: GPL-2.0-only
/* TCP sockets whose connection is gone: what is left is the error, or the end. */
#include "inet.h"

static int l;

static void pair(int *c, int *a)
{
	*c = client(name_of(l, false));
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
	struct name nobody = loopback(AF_INET, htons(1));
	int unread, seen, refused, a;
	char b;

	signal(SIGPIPE, SIG_IGN);
	l = listener(AF_INET, 2);
	pair(&unread, &a);
	reset(a);
	pair(&seen, &a);
	reset(a);
	if (read(seen, &b, 1) != -1 || errno != ECONNRESET)
		die("no reset");
	refused = must(socket(AF_INET, SOCK_STREAM, 0));
	if (connect(refused, &nobody.any, nobody.len) != -1 || errno != ECONNREFUSED)
		die("not refused");
	test_init(6);

	ckpt_point();

	ok(read(unread, &b, 1) == -1 && errno == ECONNRESET, "a reset that nobody has seen yet");
	ok(read(unread, &b, 1) == 0, "then the end");
	ok(read(seen, &b, 1) == 0, "the end");
	ok(write(seen, "x", 1) == -1 && errno == EPIPE, "and no way to write");
	ok(connect(refused, &nobody.any, nobody.len) == -1 && errno == ECONNREFUSED, "one that was refused may try again");
	pair(&seen, &a);
	ok(write(seen, "x", 1) == 1 && read(a, &b, 1) == 1, "the listener works");
	return test_end();
}
