// SPDX-License-Identifier: GPL-2.0-only
/* A file of debugfs, which does something when it is opened. */
#include "ckpt.h"
REFUSED("pseudo-file");

int main(void)
{
	int fd = must(open("/sys/kernel/debug/sleep_time", O_RDONLY));

	test_init(1);
	ckpt_point();
	ok(lseek(fd, 0, SEEK_CUR) == 0, "it is still open");
	return test_end();
}
