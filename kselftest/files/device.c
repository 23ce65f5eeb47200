// SPDX-License-Identifier: GPL-2.0-only
/* A device that keeps more than a position: where in the kernel's messages this reader is. */
#include "ckpt.h"
REFUSED("device");

int main(void)
{
	int fd = must(open("/dev/kmsg", O_RDONLY | O_NONBLOCK));
	char line[8192];

	test_init(1);
	ckpt_point();
	ok(read(fd, line, sizeof(line)) > 0, "it can still be read");
	return test_end();
}
