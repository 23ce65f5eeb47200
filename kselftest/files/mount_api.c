// SPDX-License-Identifier: GPL-2.0-only
/* A file system that is being configured, fsopen(). */
#include <linux/mount.h>
#include <sys/syscall.h>
#include "ckpt.h"
REFUSED("mount-api");

int main(void)
{
	int fd = must(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));

	test_init(1);
	must(syscall(SYS_fsconfig, fd, FSCONFIG_SET_STRING, "size", "1M", 0));
	ckpt_point();
	ok(syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0, "it can still be made");
	return test_end();
}
