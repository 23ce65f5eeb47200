// SPDX-License-Identifier: GPL-2.0-only
/* Files of /proc: of the system, of the process itself and of a child, half read, polled, and those of memory. */
#include <dirent.h>
#include <poll.h>
#include <sys/stat.h>
#include "ckpt.h"

static char text[65536];

/* the number in the line that begins with a name */
static long field(const char *name)
{
	char *p = strstr(text, name);

	return p ? strtol(p + strlen(name), NULL, 10) : -1;
}

static ssize_t rest(int fd)
{
	ssize_t n, all = 0;

	while ((n = read(fd, text + all, sizeof(text) - 1 - all)) > 0)
		all += n;
	text[all] = 0;
	return n < 0 ? n : all;
}

static void status(int fd, pid_t pid, const char *who)
{
	must(lseek(fd, 0, SEEK_SET));
	rest(fd);
	ok(field("\nPid:") == pid, "the status of %s, %d, is of %ld", who, (int)pid, field("\nPid:"));
}

int main(void)
{
	static int secret = 4711;
	int self, half, kid, adj, sys, mem, maps, env, stat, root, dir, path, mounts, list, copy, fd;
	char begin[8] = "", line[64] = "", name[64];
	struct dirent *e;
	struct stat st;
	long pos;
	pid_t pid;
	DIR *d;

	test_init(20);
	pid = must(fork());
	if (!pid) {
		pause();
		_exit(0);
	}
	self = must(open("/proc/self/status", O_RDONLY));
	half = must(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
	must(read(half, begin, 5));
	snprintf(name, sizeof(name), "/proc/%d/task/%d/status", pid, pid);
	kid = must(open(name, O_RDONLY));
	adj = must(open("/proc/self/oom_score_adj", O_RDWR));
	sys = must(open("/proc/sys/kernel/threads-max", O_RDONLY));
	mem = must(open("/proc/self/mem", O_RDWR));
	maps = must(open("/proc/self/maps", O_RDONLY));
	env = must(open("/proc/self/environ", O_RDONLY));
	stat = must(open("/proc/stat", O_RDONLY));
	must(read(stat, line, 20));
	root = must(open("/proc", O_RDONLY | O_DIRECTORY));
	snprintf(name, sizeof(name), "/proc/%d", pid);
	path = must(open(name, O_PATH));
	mounts = must(open("/proc/self/mountinfo", O_RDONLY));
	rest(mounts);
	list = must(open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
	copy = must(dup(self));
	dir = must(dup(root));
	d = fdopendir(dir);
	for (int i = 0; i < 5 && (e = readdir(d)); i++)
		;
	pos = lseek(dir, 0, SEEK_CUR);

	ckpt_point();

	status(self, getpid(), "itself");
	status(kid, pid, "the child");
	rest(half);
	ok(!memcmp(begin, "Name:", 5) && text[0] == '\t' && field("\nPid:") == getpid(),
	   "the second half of a file");
	ok(fcntl(half, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	ok(pwrite(adj, "77", 2, 0) == 2 && lseek(adj, 0, SEEK_SET) == 0 && rest(adj) > 0 && atoi(text) == 77,
	   "oom_score_adj is %d", atoi(text));
	ok(rest(sys) > 0 && atoi(text) > 0, "a value of /proc/sys: %d", atoi(text));
	secret = 4712;
	fd = 0;
	ok(pread(mem, &fd, sizeof(fd), (off_t)&secret) == sizeof(fd) && fd == 4712, "its memory has %d", fd);
	fd = 4713;
	ok(pwrite(mem, &fd, sizeof(fd), (off_t)&secret) == sizeof(fd) && *(volatile int *)&secret == 4713,
	   "writing there: %d", secret);
	ok(rest(maps) > 0 && strstr(text, "[stack]") && strstr(text, "/files/proc"), "maps");
	ok(rest(env) > 0 && memmem(text, sizeof(text), "CKPT_MODE=", 10), "environ");
	ok(lseek(stat, 0, SEEK_CUR) == 20, "the position in /proc/stat: %ld", (long)lseek(stat, 0, SEEK_CUR));
	rest(stat);
	ok(strstr(text, "\nbtime ") && !strstr(text, "cpu  "), "the rest of /proc/stat");
	ok(lseek(root, 0, SEEK_CUR) == pos && pos > 0, "the position in /proc: %ld", pos);
	must(lseek(root, 0, SEEK_SET));
	rewinddir(d);
	snprintf(name, sizeof(name), "%d", getpid());
	while ((e = readdir(d)) && strcmp(e->d_name, name))
		;
	ok(e, "/proc lists %s", name);
	ok(fstat(path, &st) == 0 && S_ISDIR(st.st_mode), "an O_PATH directory");
	fd = openat(path, "stat", O_RDONLY);
	ok(fd >= 0 && read(fd, text, 64) > 0 && atoi(text) == pid, "a file below it is of %d", atoi(text));
	must(lseek(mounts, 0, SEEK_SET));
	ok(rest(mounts) > 0 && strstr(text, " / / "), "mountinfo");
	snprintf(name, sizeof(name), "%d", list);
	ok(faccessat(list, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0, "/proc/self/fd has %s", name);
	must(lseek(copy, 3, SEEK_SET));
	ok(lseek(self, 0, SEEK_CUR) == 3, "a duplicate is one file");
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	must(lseek(kid, 0, SEEK_SET));
	ok(read(kid, text, 10) == -1 && errno == ESRCH, "the child has ended");
	return test_end();
}
