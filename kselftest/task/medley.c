// SPDX-License-Identifier: GPL-2.0-only
/*
 * Some of everything in one small tree: a thread that sleeps with a timeout, a child, a pipe with data, shared
 * memory, a memfd, timers, pending signals, an alternate stack. The tests of damaged images and of failing
 * allocations use it, too.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>
#include "ckpt.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int woken;

static void *sleeper(void *arg)
{
	struct timespec far;

	must(clock_gettime(CLOCK_REALTIME, &far));
	far.tv_sec += 1000000;
	pthread_mutex_lock(&lock);
	while (!woken)
		pthread_cond_timedwait(&cond, &lock, &far);
	pthread_mutex_unlock(&lock);
	return (void *)4711L;
}

int main(void)
{
	struct itimerval it = { .it_value = { .tv_sec = 1000 } };
	struct itimerspec its = { .it_value = { .tv_sec = 2000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	stack_t ss = { .ss_size = 16384 };
	union sigval value = { .sival_int = 12 };
	char buf[64] = "";
	siginfo_t si;
	pthread_t thread;
	timer_t timer;
	sigset_t set;
	int fds[2], mem, status = 0;
	uint32_t *shared;
	void *ret, *map;
	pid_t child;

	test_init(9);
	must(pipe(fds));
	must(write(fds[1], "in the pipe", 11));
	shared = must(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	fill(shared, 4096, 3);
	mem = must(memfd_create("medley", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	must(ftruncate(mem, 8192));
	must(pwrite(mem, "in the memfd", 12, 4096));
	map = must(mmap(NULL, 4096, PROT_READ, MAP_SHARED, mem, 4096));
	must(fcntl(mem, F_ADD_SEALS, F_SEAL_SHRINK));
	ss.ss_sp = must(mmap(NULL, ss.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	must(sigaltstack(&ss, NULL));
	must(setitimer(ITIMER_REAL, &it, NULL));
	must(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	must(timer_settime(timer, 0, &its, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	must(sigqueue(getpid(), SIGUSR1, value));
	child = must(fork());
	if (!child) {
		ckpt_wait_go();
		shared[1024] = 77;
		_exit(5);
	}
	must(pthread_create(&thread, NULL, sleeper, NULL));

	/* Not ckpt_point(): every image shall have the thread in its system call. */
	ckpt_ready();
	ckpt_wait_go();

	pthread_mutex_lock(&lock);
	woken = 1;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&lock);
	must(pthread_join(thread, &ret));
	ok(ret == (void *)4711L, "the thread");
	ok(read(fds[0], buf, sizeof(buf)) == 11 && !strcmp(buf, "in the pipe"), "the pipe");
	ok(differs(shared, 4096, 3) < 0, "shared memory");
	ok(!memcmp(map, "in the memfd", 12), "the memfd");
	ok(fcntl(mem, F_GET_SEALS) == F_SEAL_SHRINK, "its seals");
	ok(sigwaitinfo(&set, &si) == SIGUSR1 && si.si_value.sival_int == 12, "the pending signal");
	must(getitimer(ITIMER_REAL, &it));
	ok(it.it_value.tv_sec > 900 && it.it_value.tv_sec < 1000,
	   "the interval timer, %ld s", (long)it.it_value.tv_sec);
	must(timer_gettime(timer, &its));
	ok(its.it_value.tv_sec > 1900 && its.it_value.tv_sec < 2000,
	   "the POSIX timer, %ld s", (long)its.it_value.tv_sec);
	must(waitpid(child, &status, 0));
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 5 && shared[1024] == 77, "the child");
	return test_end();
}
