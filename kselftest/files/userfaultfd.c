// SPDX-License-Identifier: GPL-2.0-only
/* A userfaultfd. */
#include <linux/userfaultfd.h>
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("userfaultfd");

int main(void)
{
	int fd;

	test_init(1);
	fd = must(syscall(SYS_userfaultfd, O_CLOEXEC));
	if (fd < 0)
		skip_all("no userfaultfd here: %s", strerror(errno));

	ckpt_point();

	ok(fcntl(fd, F_GETFD) >= 0, "it is still open");
	return test_end();
}
