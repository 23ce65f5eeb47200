// SPDX-License-Identifier: GPL-2.0-only
/* A directory in the middle of being read: each name comes once, none is missing. On the disk. */
#include <dirent.h>
#include <sys/stat.h>
#include "ckpt.h"
#ifndef READDIR_IN
#define READDIR_IN "."
#endif

#define N 500

static unsigned char seen[N];
static int others;

static int names(DIR *d, int max)
{
	struct dirent *e;
	int n = 0, i;

	while (n < max && (e = readdir(d))) {
		if (sscanf(e->d_name, "name-%d", &i) == 1 && i >= 0 && i < N)
			seen[i]++;
		else
			others++;
		n++;
	}
	return n;
}

int main(void)
{
	char dir[128], path[160];
	int n, wrong = 0, fd;
	DIR *d, *fresh;

	test_init(4);
	snprintf(dir, sizeof(dir), READDIR_IN "/dir-%d", (int)getpid());
	must(mkdir(dir, 0755));
	for (int i = 0; i < N; i++) {
		snprintf(path, sizeof(path), "%s/name-%03d-of-%d", dir, i, N);
		fd = must(open(path, O_CREAT | O_WRONLY | O_EXCL, 0644));
		close(fd);
	}
	d = opendir(dir);
	fresh = opendir(dir);
	if (!d || !fresh)
		die("opendir");
	n = names(d, N / 3);

	ckpt_point();

	n += names(d, 10 * N);
	for (int i = 0; i < N; i++)
		wrong += seen[i] != 1;
	ok(!wrong, "%d names came not once", wrong);
	ok(n == N + 2 && others == 2, "%d names, %d others", n, others);
	memset(seen, 0, sizeof(seen));
	ok(names(fresh, 10 * N) == N + 2, "a directory that was not read yet");
	rewinddir(d);
	n = names(d, 10 * N);
	ok(n == N + 2, "and again from the beginning: %d names", n);
	closedir(d);
	closedir(fresh);
	return test_end();
}
