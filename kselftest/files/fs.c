// SPDX-License-Identifier: GPL-2.0-only
/* Current directory, root directory and umask. */
#include <sys/stat.h>
#include "ckpt.h"

int main(void)
{
	struct stat a, b, c;
	char cwd[256];
	pid_t pid;
	int status;

	test_init(6);
	must(mkdir("one", 0755));
	must(mkdir("one/two", 0755));
	must(mkdir("root", 0755));
	must(mkdir("root/inside", 0755));
	must(chdir("one/two"));
	umask(027);
	must(stat(".", &a));
	must(stat("/", &c));

	/* the go file is named absolutely, so the child that is chrooted only waits for its parent */
	{
		int p[2];

		must(pipe(p));
		pid = must(fork());
		if (!pid) {
			char x;

			close(p[1]);
			if (chroot("../../root") || chdir("/inside"))
				_exit(1);
			umask(0);
			if (read(p[0], &x, 1) != 1)
				_exit(2);
			if (!getcwd(cwd, sizeof(cwd)) || strcmp(cwd, "/inside"))
				_exit(3);
			if (access("/inside", F_OK) || !access("/proc", F_OK))
				_exit(4);
			if (umask(0) != 0)
				_exit(5);
			/* .. of the root is the root */
			_exit(stat("/..", &b) || stat("/", &c) || b.st_ino != c.st_ino ? 6 : 0);
		}
		close(p[0]);
		usleep(100000);

		ckpt_point();

		if (write(p[1], "x", 1) != 1)
			diag("no reader");
	}
	ok(stat(".", &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev, "current directory");
	ok(getcwd(cwd, sizeof(cwd)) && strlen(cwd) > 8 && !strcmp(cwd + strlen(cwd) - 8, "/one/two"), "it is %s", cwd);
	ok(umask(0) == 027, "umask");
	ok(stat("/", &b) == 0 && b.st_ino == c.st_ino, "root directory");
	ok(access("/proc/self", F_OK) == 0, "which has what it had");
	must(waitpid(pid, &status, 0));
	ok(status == 0, "a child with a root of its own, status %#x", status);
	return test_end();
}
