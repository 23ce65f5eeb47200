// SPDX-License-Identifier: GPL-2.0-only
/* A TCP connection to a process outside of the tree. */
#include "inet.h"

REFUSED("tcp-established");

int main(void)
{
	struct name to;
	int l, c, a;
	pid_t pid;
	char b;

	l = listener(AF_INET, 1);
	to = name_of(l, false);
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
	c = client(to);
	/* it has been accepted */
	if (write(c, "x", 1) != 1 || read(c, &b, 1) != 1)
		die("no answer");
	test_init(1);
	ckpt_point();
	ok(write(c, "x", 1) == 1 && read(c, &b, 1) == 1, "it goes on");
	close(c);
	return test_end();
}
