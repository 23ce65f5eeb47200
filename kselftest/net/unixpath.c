// SPDX-License-Identifier: GPL-2.0-only
/* A socket file that another mount hides. */
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "ckpt.h"

REFUSED("unix-path");

int main(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "hidden/socket" };
	int s;

	test_init(1);
	mkdir("hidden", 0700);
	s = must(socket(AF_UNIX, SOCK_STREAM, 0));
	unlink("hidden/socket");
	must(bind(s, (void *)&sun, sizeof(sun)));
	must(mount("none", "hidden", "tmpfs", 0, NULL));
	ckpt_point();
	must(umount("hidden"));
	ok(listen(s, 1) == 0, "it goes on");
	return test_end();
}
