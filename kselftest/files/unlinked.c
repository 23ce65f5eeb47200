// SPDX-License-Identifier: GPL-2.0-only
/* A file that was removed while it is open. */
#include "ckpt.h"
REFUSED("unlinked");

int main(void)
{
	int fd = must(open("gone", O_RDWR | O_CREAT, 0644));

	must(unlink("gone"));
	test_init(1);
	ckpt_point();
	ok(write(fd, "x", 1) == 1, "it can still be written");
	return test_end();
}
