// SPDX-License-Identifier: GPL-2.0-only
/* An inotify watch of a file that is open but has no name any more. */
#include <sys/inotify.h>
#include "ckpt.h"

REFUSED("inotify");

int main(void)
{
	int in, fd;

	test_init(1);
	in = must(inotify_init());
	fd = must(open("file", O_RDWR | O_CREAT, 0600));
	must(inotify_add_watch(in, "file", IN_MODIFY));
	must(unlink("file"));
	must(write(fd, "x", 1));

	ckpt_point();

	ok(write(fd, "x", 1) == 1, "it still works");
	return test_end();
}
