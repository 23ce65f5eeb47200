// SPDX-License-Identifier: GPL-2.0-only
/* A fanotify group. */
#include <sys/fanotify.h>
#include "ckpt.h"

REFUSED("fanotify");

int main(void)
{
	int fd;

	test_init(1);
	fd = must(fanotify_init(FAN_CLASS_NOTIF, O_RDONLY));
	if (fd < 0)
		skip_all("no fanotify here: %s", strerror(errno));

	ckpt_point();

	ok(fcntl(fd, F_GETFD) >= 0, "it is still open");
	return test_end();
}
