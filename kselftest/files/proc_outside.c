// SPDX-License-Identifier: GPL-2.0-only
/* A file of /proc that tells of a process outside of the tree. */
#include "ckpt.h"
REFUSED("proc");

int main(void)
{
	int fd = must(open("/proc/1/stat", O_RDONLY));
	char c;

	test_init(1);
	ckpt_point();
	ok(read(fd, &c, 1) == 1 && c == '1', "it can still be read");
	return test_end();
}
