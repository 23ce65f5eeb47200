// SPDX-License-Identifier: GPL-2.0-only
/* A removed file that is too large for an image. */
#include "ckpt.h"

REFUSED("unlinked");

int main(void)
{
	int fd;

	test_init(1);
	fd = must(open("large", O_RDWR | O_CREAT, 0600));
	must(ftruncate(fd, 65L << 20));
	must(unlink("large"));

	ckpt_point();

	ok(lseek(fd, 0, SEEK_END) == 65L << 20, "it is still there");
	return test_end();
}
