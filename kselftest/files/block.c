// SPDX-License-Identifier: GPL-2.0-only
/* A block device. */
#include "ckpt.h"
REFUSED("block-device");

int main(void)
{
	int fd = must(open("/dev/vdb", O_RDONLY));
	char c;

	test_init(1);
	ckpt_point();
	ok(read(fd, &c, 1) == 1, "it can still be read");
	return test_end();
}
