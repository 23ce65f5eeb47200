// SPDX-License-Identifier: GPL-2.0-only
/* A file of /proc that tells of a process which has ended. */
#include "ckpt.h"
REFUSED("proc");

int main(void)
{
	char name[64], c;
	pid_t pid;
	int fd;

	test_init(1);
	pid = must(fork());
	if (!pid) {
		pause();
		_exit(0);
	}
	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	fd = must(open(name, O_RDONLY));
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	ckpt_point();
	ok(read(fd, &c, 1) == -1 && errno == ESRCH, "nobody is there");
	return test_end();
}
