// SPDX-License-Identifier: GPL-2.0-only
/* An io_uring. */
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("io_uring");

int main(void)
{
	int fd;

	test_init(1);
	struct io_uring_params p = {};

	fd = must(syscall(SYS_io_uring_setup, 4, &p));
	if (fd < 0)
		skip_all("no io_uring here: %s", strerror(errno));

	ckpt_point();

	ok(fcntl(fd, F_GETFD) >= 0, "it is still open");
	return test_end();
}
