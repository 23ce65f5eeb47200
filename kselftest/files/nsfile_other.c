// SPDX-License-Identifier: GPL-2.0-only
/* An open file that stands for another namespace. */
#include <sched.h>
#include <sys/wait.h>
#include "ckpt.h"

REFUSED("namespace");

int main(void)
{
	char path[64];
	int status, go[2];
	pid_t child;

	test_init(1);
	must(pipe(go));
	child = must(fork());
	if (!child) {
		if (unshare(CLONE_NEWUTS))
			_exit(1);
		if (write(go[1], "x", 1) != 1)
			_exit(2);
		pause();
	}
	if (read(go[0], path, 1) != 1)
		die("read");
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", child);
	must(open(path, O_RDONLY));
	must(kill(child, SIGKILL));
	must(waitpid(child, &status, 0));
	close(go[0]);
	close(go[1]);
	ckpt_point();
	ok(1, "it runs on");
	return test_end();
}
