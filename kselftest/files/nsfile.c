// SPDX-License-Identifier: GPL-2.0-only
/* Open files that stand for the namespaces that everything is in. */
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "ckpt.h"

static const struct {
	const char *name;
	int type;
} all[] = {
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC }, { "net", CLONE_NEWNET }, { "mnt", CLONE_NEWNS },
	{ "pid", CLONE_NEWPID }, { "time", 0x80 }, { "user", CLONE_NEWUSER }, { "uts", CLONE_NEWUTS },
};
#define N (sizeof(all) / sizeof(*all))

int main(void)
{
	struct stat here, there;
	char path[64];
	int fds[N], twin;
	unsigned int i;

	test_init(2 * N + 2);
	for (i = 0; i < N; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", all[i].name);
		fds[i] = must(open(path, O_RDONLY | O_CLOEXEC));
	}
	twin = must(dup(fds[0]));

	ckpt_point();

	for (i = 0; i < N; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", all[i].name);
		must(stat(path, &here));
		must(fstat(fds[i], &there));
		ok(here.st_ino == there.st_ino && here.st_dev == there.st_dev, "%s is the own one, %lu and %lu",
		   all[i].name, (unsigned long)here.st_ino, (unsigned long)there.st_ino);
		ok(ioctl(fds[i], NS_GET_NSTYPE) == all[i].type, "and is a namespace of that type");
	}
	ok(fcntl(fds[0], F_GETFD) == FD_CLOEXEC && fcntl(twin, F_GETFD) == 0, "close-on-exec");
	ok(setns(fds[7], CLONE_NEWUTS) == 0, "it can be joined");
	return test_end();
}
