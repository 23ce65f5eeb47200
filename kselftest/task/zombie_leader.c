// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes whose first thread has ended while others run: this one, and a child with a child of its own. What
 * threads have in common goes on, and a parent hears of the end when the last one ends.
 */
#include <pthread.h>
#include <dirent.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include "ckpt.h"

struct shared {
	volatile int up, step, ticks, deaths;
	volatile pid_t tid, grandchild;
};

static struct shared *sh;
static int pipefd[2];

static char state_of(pid_t pid)
{
	char path[64], line[512] = "", *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return '?';
	p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return p ? p[2] : '?';
}

static int threads_of(pid_t pid)
{
	char path[64];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return -1;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void await(int step)
{
	while (sh->step < step)
		usleep(2000);
}

static void died(int sig)
{
	(void)sig;
	sh->deaths++;
}

/* is told of the end of the thread that made it, which comes last */
static void grandchild(void)
{
	signal(SIGUSR2, died);
	must(prctl(PR_SET_PDEATHSIG, SIGUSR2));
	sh->grandchild = getpid();
	sh->up++;
	await(2);
	_exit(33);
}

static void alarmed(int sig)
{
	(void)sig;
	sh->ticks++;
}

static void *rest(void *arg)
{
	int status;
	pid_t pid;
	char c;

	(void)arg;
	sh->tid = syscall(SYS_gettid);
	while (state_of(getpid()) != 'Z')
		usleep(2000);
	pid = must(fork());
	if (!pid)
		grandchild();
	sh->up++;
	/* in the restarted process this is restored by the leader */
	if (read(pipefd[0], &c, 1) == 1 && c == 'x')
		sh->up++;
	await(2);
	must(waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 33)
		sh->up++;
	syscall(SYS_exit, 9);
	return NULL;
}

static void child(void)
{
	struct itimerval it = { .it_value.tv_usec = 20000, .it_interval.tv_usec = 20000 };
	pthread_t t;

	signal(SIGALRM, alarmed);
	must(setitimer(ITIMER_REAL, &it, NULL));
	if (pthread_create(&t, NULL, rest, NULL))
		_exit(1);
	prctl(PR_SET_NAME, "firstone");
	syscall(SYS_exit, 7);
}

static void *all(void *arg)
{
	char comm[32] = "", path[64];
	int status, ticks, fd;
	pid_t pid = (long)arg;

	while (sh->up < 2 || state_of(getpid()) != 'Z')
		usleep(2000);

	ckpt_point();

	ok(state_of(getpid()) == 'Z' && threads_of(getpid()) == 2, "%c, %d threads", state_of(getpid()),
	   threads_of(getpid()));
	ok(syscall(SYS_gettid) != getpid(), "not the first thread");
	ok(state_of(pid) == 'Z', "the child's leader has ended: %c", state_of(pid));
	ok(threads_of(pid) == 2, "it has %d threads", threads_of(pid));
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = must(open(path, O_RDONLY));
	must(read(fd, comm, sizeof(comm) - 1));
	close(fd);
	ok(!strcmp(comm, "firstone\n"), "its name is %s", comm);
	ok(waitpid(pid, &status, WNOHANG) == 0, "its end is not there yet");
	ok(kill(pid, 0) == 0 && syscall(SYS_tgkill, pid, sh->tid, 0) == 0, "both have their numbers");
	must(write(pipefd[1], "x", 1));
	while (sh->up < 3)
		usleep(2000);
	ok(sh->up == 3, "its thread reads");
	ticks = sh->ticks;
	while (sh->ticks == ticks)
		usleep(2000);
	ok(sh->ticks > ticks, "its timer goes");
	ok(sh->deaths == 0, "nobody was told of an end");
	sh->step = 2;
	ok(waitpid(pid, &status, 0) == pid, "its end");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 9, "status %#x", status);
	ok(sh->up == 4, "it has got its own child's status");
	exit(test_end());
	return NULL;
}

int main(void)
{
	pthread_t t;
	long pid;

	test_init(13);
	sh = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	must(pipe(pipefd));
	pid = must(fork());
	if (!pid)
		child();
	if (pthread_create(&t, NULL, all, (void *)pid))
		die("pthread_create");
	syscall(SYS_exit, 3);
}
