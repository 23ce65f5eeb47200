// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that share memory, descriptors, directories or signal handlers without being threads, in several
 * mixtures; one is a brother of its creator.
 */
#include <linux/kcmp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "ckpt.h"

#define STACK (128 * 1024)

static volatile int step, mark;
static int pids[5];
static int fresh;

static const int flags[] = {
	CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD,
	CLONE_VM | CLONE_FILES | SIGCHLD,
	CLONE_VM | CLONE_FS | SIGCHLD,
	CLONE_VM | CLONE_VM | SIGCHLD,
	CLONE_VM | CLONE_FILES | CLONE_PARENT | SIGCHLD,
};

static void handler(int sig)
{
	mark += sig;
}

static void await(int s)
{
	while (step < s)
		usleep(2000);
}

/* all share the memory, so they take their steps in turn */
static int kid(void *arg)
{
	int i = (long)arg;

	await(10 + i);
	if (i == 0) {
		umask(031);
		must(chdir("/proc"));
		fresh = must(dup(1));
		signal(SIGUSR1, handler);
	} else if (i == 2) {
		must(chdir("/tmp"));
	} else if (i == 4) {
		must(close(fresh));
	}
	step++;
	await(100);
	syscall(SYS_exit, 20 + i);
	return 0;
}

static int start(int i)
{
	char *stack = must(mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	return must(clone(kid, stack + STACK, flags[i], (void *)(long)i));
}

/* creates number 4, a child of the test's own, and waits */
static int maker(void *arg)
{
	(void)arg;
	pids[4] = start(4);
	await(100);
	syscall(SYS_exit, 0);
	return 0;
}

static bool same(int pid, int what)
{
	return syscall(SYS_kcmp, getpid(), pid, what, 0, 0) == 0;
}

int main(void)
{
	char cwd[64], *stack;
	pid_t m;
	int i, status;

	test_init(5 * 5 + 6);
	for (i = 0; i < 4; i++)
		pids[i] = start(i);
	stack = must(mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	m = must(clone(maker, stack + STACK, CLONE_VM | CLONE_FILES | SIGCHLD, NULL));
	while (!((volatile int *)pids)[4])
		usleep(2000);

	ckpt_point();

	for (i = 0; i < 5; i++) {
		ok(same(pids[i], KCMP_VM), "%d has the memory", i);
		ok(same(pids[i], KCMP_FILES) == !!(flags[i] & CLONE_FILES), "descriptors of %d", i);
		ok(same(pids[i], KCMP_FS) == !!(flags[i] & CLONE_FS), "directories of %d", i);
		ok(same(pids[i], KCMP_SIGHAND) == !!(flags[i] & CLONE_SIGHAND), "handlers of %d", i);
	}
	fresh = -1;
	for (step = 10; step < 15; )
		usleep(2000);
	ok(umask(022) == 031, "the mask that one set");
	ok(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/tmp"), "the directory that another one set: %s", cwd);
	ok(fresh > 2 && fcntl(fresh, F_GETFD) == -1 && errno == EBADF,
	   "a descriptor that one opened was closed by another");
	raise(SIGUSR1);
	ok(mark == SIGUSR1, "the handler that one set ran, %d", mark);
	step = 100;
	ok(waitpid(m, &status, 0) == m && status == 0, "the maker's end");
	for (i = 0; i < 5; i++)
		ok(waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status) &&
		   WEXITSTATUS(status) == 20 + i, "the end of %d, %#x", i, status);
	ok(wait(NULL) == -1 && errno == ECHILD, "no more");
	return test_end();
}
