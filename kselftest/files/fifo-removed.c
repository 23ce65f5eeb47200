// SPDX-License-Identifier: GPL-2.0-only
/* A FIFO that was removed while it is open. */
#include <sys/stat.h>
#include "ckpt.h"

REFUSED("fifo");

int main(void)
{
	int fd;

	test_init(1);
	must(mkfifo("gone", 0600));
	fd = must(open("gone", O_RDWR));
	must(unlink("gone"));

	ckpt_point();

	ok(write(fd, "x", 1) == 1, "it still works");
	return test_end();
}
