// SPDX-License-Identifier: GPL-2.0-only
/* A pipe with both ends in the tree that an orphan has inherited, too: it would be torn in two. */
#include <sys/ioctl.h>
#include "ckpt.h"
REFUSED("pipe");

int main(void)
{
	int p[2], done[2];
	pid_t pid;
	char c = 0;

	test_init(2);
	must(pipe(p));
	must(pipe(done));
	pid = must(fork());
	if (!pid) {
		/* a child of init, and so not of the tree */
		if (!fork()) {
			close(done[0]);
			must(write(done[1], "r", 1));
			if (read(p[0], &c, 1) == 1 && c == 'x')
				must(write(done[1], "y", 1));
			_exit(0);
		}
		_exit(0);
	}
	must(waitpid(pid, NULL, 0));
	ok(read(done[0], &c, 1) == 1 && c == 'r', "the orphan runs");
	close(done[0]);
	close(done[1]);

	ckpt_point();

	must(write(p[1], "x", 1));
	/* who reads it is the orphan, which ends then */
	while (fcntl(p[1], F_GETFL) != -1) {
		struct timespec ts = { .tv_nsec = 10 * 1000 * 1000 };
		int n = 0;

		must(ioctl(p[0], FIONREAD, &n));
		if (!n)
			break;
		nanosleep(&ts, NULL);
	}
	ok(true, "the orphan has got what was written");
	return test_end();
}
