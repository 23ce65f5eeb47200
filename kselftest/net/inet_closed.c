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

static void exchange(int s, int t)
{
	static char buf[200000];
	ssize_t n, left;

	for (int i = 0; i < 2; i++) {
		left = write(i ? s : t, buf, sizeof(buf));
		for (; left > 0; left -= n)
			n = must(read(i ? t : s, buf, sizeof(buf)));
	}
}

int main(void)
{
	struct name nobody = loopback(AF_INET, htons(1));
	int unread, seen, refused, used, both, a, b_end;
	char b;

	signal(SIGPIPE, SIG_IGN);
	l = listener(AF_INET, 2);
	pair(&unread, &a);
	reset(a);
	pair(&seen, &a);
	reset(a);
	if (read(seen, &b, 1) != -1 || errno != ECONNRESET)
		die("no reset");
	/* large windows, which the next connection of the socket does not have */
	pair(&used, &a);
	exchange(used, a);
	reset(used);
	used = a;
	pair(&b_end, &both);
	exchange(both, b_end);
	close(b_end);
	if (read(both, &b, 1))
		die("no end");
	must(shutdown(both, SHUT_WR));
	refused = must(socket(AF_INET, SOCK_STREAM, 0));
	if (connect(refused, &nobody.any, nobody.len) != -1 || errno != ECONNREFUSED)
		die("not refused");
	test_init(8);

	ckpt_point();

	ok(read(unread, &b, 1) == -1 && errno == ECONNRESET, "a reset that nobody has seen yet");
	ok(read(unread, &b, 1) == 0, "then the end");
	ok(read(seen, &b, 1) == 0, "the end");
	ok(read(used, &b, 1) == -1 && errno == ECONNRESET, "a reset after much data");
	ok(read(both, &b, 1) == 0 && write(both, "x", 1) == -1 && errno == EPIPE, "both sides have ended");
	ok(write(seen, "x", 1) == -1 && errno == EPIPE, "and no way to write");
	ok(connect(refused, &nobody.any, nobody.len) == -1 && errno == ECONNREFUSED, "one that was refused may try again");
	pair(&seen, &a);
	ok(write(seen, "x", 1) == 1 && read(a, &b, 1) == 1, "the listener works");
	return test_end();
}
