// SPDX-License-Identifier: GPL-2.0-only
/* A root directory that was removed. */
#include <sys/stat.h>
#include "ckpt.h"
REFUSED("root");

int main(void)
{
	int status, go[2], up[2];
	pid_t pid;
	char c;

	test_init(2);
	must(pipe(go));
	must(pipe(up));
	must(mkdir("jail", 0755));
	pid = must(fork());
	if (!pid) {
		must(chroot("jail"));
		must(rmdir("jail"));
		must(write(up[1], "u", 1));
		must(read(go[0], &c, 1));
		_exit(access("/etc", F_OK) == 0);
	}
	ok(read(up[0], &c, 1) == 1, "the child has no root any more");
	ckpt_point();
	must(write(go[1], "g", 1));
	ok(waitpid(pid, &status, 0) == pid && status == 0, "nor has it one now, %#x", status);
	return test_end();
}
