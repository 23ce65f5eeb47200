// SPDX-License-Identifier: GPL-2.0-only
/* A current directory that was removed. */
#include <sys/stat.h>
#include "ckpt.h"
REFUSED("cwd");

int main(void)
{
	char cwd[256];

	test_init(1);
	must(mkdir("gone", 0755));
	must(chdir("gone"));
	must(rmdir("../gone"));
	ckpt_point();
	ok(!getcwd(cwd, sizeof(cwd)) && errno == ENOENT, "the current directory is still a removed one");
	return test_end();
}
