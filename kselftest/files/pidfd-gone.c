// SPDX-License-Identifier: GPL-2.0-only
/* A pidfd of a process that is gone. */
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("pidfd");

int main(void)
{
	int fd;

	test_init(1);
	pid_t child = must(fork());

	if (!child)
		_exit(0);
	fd = must(syscall(SYS_pidfd_open, child, 0));
	must(waitpid(child, NULL, 0));
	if (fd < 0)
		skip_all("no pidfd here: %s", strerror(errno));

	ckpt_point();

	ok(fcntl(fd, F_GETFD) >= 0, "it is still open");
	return test_end();
}
