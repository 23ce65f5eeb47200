// SPDX-License-Identifier: GPL-2.0-only
/* Threads with descriptors and directories of their own, and processes that share those of such a thread. */
#include <linux/kcmp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "ckpt.h"

static pthread_barrier_t before, after;
static volatile pid_t tid[4], kid;
static int fd = -1, common = -1;

static bool same(pid_t a, pid_t b, int what)
{
	return syscall(SYS_kcmp, a, b, what, 0, 0) == 0;
}

/* 0: its own files, 1: its own directory, 2: both, 3: neither */
static void *thread(void *arg)
{
	long i = (long)arg;
	struct stat st;
	char cwd[64];
	int status;

	tid[i] = syscall(SYS_gettid);
	if (i == 0 || i == 2)
		must(unshare(CLONE_FILES));
	if (i == 1 || i == 2)
		must(unshare(CLONE_FS));
	if (i == 0)
		must(dup2(common, 50));
	if (i == 2) {
		fd = must(open("own", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
		must(write(fd, "abc", 3));
		must(close(common));
		/* shares what this thread has, and no memory */
		kid = must(syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0));
		if (!kid) {
			ckpt_wait_go();
			while (lseek(60, 0, SEEK_CUR) == -1)
				usleep(2000);
			must(chdir("/proc"));
			must(dup2(60, 61));
			_exit(0);
		}
		must(chdir("/tmp"));
		umask(031);
	}
	if (i == 1)
		must(chdir("/"));
	pthread_barrier_wait(&before);
	pthread_barrier_wait(&after);
	if (i == 0) {
		ok(fstat(50, &st) == 0, "its own descriptor");
		ok(fcntl(common, F_GETFD) == 0, "a common one that another thread has closed");
	} else if (i == 1) {
		ok(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/"), "its directory is %s", cwd);
		ok(fcntl(50, F_GETFD) == -1, "the other one's descriptor is not here");
	} else if (i == 2) {
		ok(fcntl(common, F_GETFD) == -1 && errno == EBADF, "one that it has closed");
		ok(lseek(fd, 0, SEEK_CUR) == 3 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "one that it has opened");
		ok(same(tid[2], kid, KCMP_FILES), "its child has its descriptors");
		ok(same(tid[2], kid, KCMP_FS), "and its directories");
		ok(umask(022) == 031, "its mask");
		must(dup2(fd, 60));
		must(waitpid(kid, &status, 0));
		ok(fcntl(61, F_GETFD) == 0, "a descriptor that its child made");
		ok(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/proc"), "the directory that its child chose is %s", cwd);
	}
	return NULL;
}

int main(void)
{
	char was[256], cwd[256];
	pthread_t t[4];

	test_init(11 + 8);
	common = must(open("common", O_CREAT | O_RDWR, 0600));
	umask(027);
	pthread_barrier_init(&before, NULL, 5);
	pthread_barrier_init(&after, NULL, 5);
	for (long i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, thread, (void *)i))
			die("pthread_create");
	pthread_barrier_wait(&before);
	if (!getcwd(was, sizeof(was)))
		die("getcwd");

	ckpt_point();

	ok(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, was), "the directory is %s, was %s", cwd, was);
	ok(fcntl(common, F_GETFD) == 0 && fcntl(50, F_GETFD) == -1, "descriptors");
	for (int i = 0; i < 4; i++)
		ok(same(getpid(), tid[i], KCMP_FILES) == (i == 1 || i == 3), "descriptors of thread %d", i);
	ok(same(getpid(), tid[0], KCMP_FS) && same(getpid(), tid[3], KCMP_FS) &&
	   !same(getpid(), tid[1], KCMP_FS) && !same(getpid(), tid[2], KCMP_FS), "directories of threads");
	pthread_barrier_wait(&after);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	ok(umask(022) == 027, "the mask");
	return test_end();
}
