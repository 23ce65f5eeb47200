// SPDX-License-Identifier: GPL-2.0-only
/* Directories that were removed: the current one, one that is open, and some below another removed one. */
#include <dirent.h>
#include <sys/stat.h>
#include "ckpt.h"

static char text[8][512];

static const char *link_of(const char *format, int n, int i)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), format, n);
	len = readlink(path, text[i], sizeof(text[i]) - 1);
	text[i][len < 0 ? 0 : len] = 0;
	return text[i];
}

int main(void)
{
	struct stat st, st2, above;
	int same, deep, other, path;
	char cwd[256];
	DIR *d;

	test_init(15);
	must(stat(".", &above));
	must(mkdir("open", 0755));
	other = must(open("open", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	must(rmdir("open"));
	/* the name is taken again */
	must(mkdir("open", 0700));
	must(mkdir("a", 0755));
	must(mkdir("a/b", 0755));
	must(mkdir("a/b/c", 0711));
	deep = must(open("a/b/c", O_RDONLY | O_DIRECTORY));
	must(rmdir("a/b/c"));
	must(rmdir("a/b"));
	must(rmdir("a"));
	must(mkdir("gone", 01750));
	must(chown("gone", 7, 8));
	must(chmod("gone", 01750));
	must(chdir("gone"));
	same = must(open(".", O_RDONLY | O_DIRECTORY));
	path = must(open(".", O_PATH));
	must(rmdir("../gone"));
	link_of("/proc/self/cwd", 0, 0);
	link_of("/proc/self/fd/%d", deep, 1);

	ckpt_point();

	ok(!getcwd(cwd, sizeof(cwd)) && errno == ENOENT, "the current directory is still a removed one");
	must(stat(".", &st));
	ok(st.st_mode == (S_IFDIR | 01750) && st.st_uid == 7 && st.st_gid == 8, "mode %o, %d:%d", st.st_mode, st.st_uid,
	   st.st_gid);
	ok(st.st_nlink == 0, "no links: %d", (int)st.st_nlink);
	ok(fstat(same, &st2) == 0 && st2.st_ino == st.st_ino, "an open one is the current one");
	ok(fstat(path, &st2) == 0 && st2.st_ino == st.st_ino && (fcntl(path, F_GETFL) & O_PATH), "and one with O_PATH");
	ok(open("file", O_CREAT | O_WRONLY, 0600) == -1 && errno == ENOENT, "nothing can be made there");
	ok(!strcmp(link_of("/proc/self/cwd", 0, 2), text[0]), "its name is %s, was %s", text[2], text[0]);
	ok(!strcmp(link_of("/proc/self/fd/%d", deep, 3), text[1]), "name is %s, was %s", text[3], text[1]);
	ok(fstat(deep, &st2) == 0 && (st2.st_mode & 07777) == 0711 && st2.st_ino != st.st_ino, "another one");
	ok(fchdir(deep) == 0 && chdir("..") == 0 && !getcwd(cwd, sizeof(cwd)), "there are two removed above it");
	ok(chdir("..") == 0 && chdir("..") == 0 && getcwd(cwd, sizeof(cwd)), "and then %s", cwd);
	ok(stat(".", &st2) == 0 && st2.st_ino == above.st_ino, "is where it all began");
	ok(fcntl(other, F_GETFD) == FD_CLOEXEC && fstat(other, &st2) == 0 && st2.st_nlink == 0, "the open one");
	d = fdopendir(other);
	ok(d && !readdir(d), "has no entries");
	/* only the new one with the old name is there */
	ok(rmdir("open") == 0 && access("gone", F_OK) == -1 && access("a", F_OK) == -1, "nothing is left behind");
	return test_end();
}
