// SPDX-License-Identifier: GPL-2.0-only
/* The other end of a socket belongs to a process outside of the tree, one that has left its session and parent. */
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("unix-peer");

int main(void)
{
	int s[2], p[2];
	char c;
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	must(pipe(p));
	pid = must(fork());
	if (!pid) {
		/* its parent ends at once, so that it is nobody's here */
		if (fork())
			_exit(0);
		setsid();
		close(s[0]);
		close(p[0]);
		close(p[1]);
		while (read(s[1], &c, 1) == 1)
			if (write(s[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	close(p[1]);
	if (read(p[0], &c, 1) != 0)
		die("waiting for the other");
	close(p[0]);
	close(s[1]);
	test_init(1);
	ckpt_point();
	ok(write(s[0], "x", 1) == 1 && read(s[0], &c, 1) == 1 && c == 'x', "the connection goes on");
	close(s[0]);
	return test_end();
}
