// SPDX-License-Identifier: GPL-2.0-only
/* A terminal that is no pseudo terminal. */
#include "../ckpt.h"

REFUSED("tty");

int main(void)
{
	int fd;

	test_init(1);
	fd = must(open("/dev/console", O_RDWR | O_NOCTTY | O_NONBLOCK));
	ckpt_point();
	ok(isatty(fd), "it is still open");
	return test_end();
}
