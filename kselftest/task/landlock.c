// SPDX-License-Identifier: GPL-2.0-only
/* A program that has restricted itself must not come back without its restrictions. */
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("landlock");

int main(void)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_DIR };
	int fd;

	test_init(1);
	fd = must(syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0));
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(syscall(SYS_landlock_restrict_self, fd, 0));
	close(fd);
	ckpt_point();
	ok(mkdir("x", 0777) == -1 && errno == EACCES, "no folder can be made");
	return test_end();
}
