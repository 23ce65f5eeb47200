// SPDX-License-Identifier: GPL-2.0-only
/* A pidfd of a process outside of the tree. */
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("pidfd");

int main(void)
{
	int fd;

	test_init(1);
	fd = must(syscall(SYS_pidfd_open, 1, 0));
	if (fd < 0)
		skip_all("no pidfd here: %s", strerror(errno));

	ckpt_point();

	ok(fcntl(fd, F_GETFD) >= 0, "it is still open");
	return test_end();
}
