// SPDX-License-Identifier: GPL-2.0-only
/* A POSIX message queue. */
#include <mqueue.h>
#include "ckpt.h"

REFUSED("mqueue");

int main(void)
{
	int fd;

	test_init(1);
	fd = must(mq_open("/ckpt-test", O_RDWR | O_CREAT, 0600, NULL));
	mq_unlink("/ckpt-test");
	if (fd < 0)
		skip_all("no mqueue here: %s", strerror(errno));

	ckpt_point();

	ok(fcntl(fd, F_GETFD) >= 0, "it is still open");
	return test_end();
}
