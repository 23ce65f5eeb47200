// SPDX-License-Identifier: GPL-2.0-only
/* A lease of a file. */
#include "ckpt.h"

REFUSED("lease");

int main(void)
{
	int fd;

	test_init(1);
	fd = must(open("leased", O_RDONLY | O_CREAT, 0600));
	must(fcntl(fd, F_SETLEASE, F_RDLCK));

	ckpt_point();

	ok(fcntl(fd, F_GETLEASE) == F_RDLCK, "it is still there");
	return test_end();
}
