// SPDX-License-Identifier: GPL-2.0-only
/* A current directory that is hidden by a mount: no path leads there. */
#include <sys/mount.h>
#include <sys/stat.h>
#include "ckpt.h"
REFUSED("cwd");

int main(void)
{
	char cwd[256];
	struct stat st, up;

	test_init(1);
	must(mkdir("below", 0755));
	must(chdir("below"));
	if (!getcwd(cwd, sizeof(cwd)))
		die("getcwd");
	must(mount("none", cwd, "tmpfs", 0, NULL));
	ckpt_point();
	must(umount2(cwd, 0));
	ok(stat(".", &st) == 0 && stat("../below", &up) == 0 && st.st_ino == up.st_ino, "it comes to light again");
	return test_end();
}
