// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads asleep in system calls that a signal would cut short: none of them may notice a checkpoint, whether it
 * succeeds, fails or is killed. A counting thread must not lose a step.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include "ckpt.h"

enum { READ, EPOLL, POLL, SIGWAIT, SLEEP, N };

static int pipes[N][2], res[N], err[N];
static struct timespec slept;
static volatile int stop;
static unsigned long count, steps;

static void *sleeper(void *arg)
{
	long i = (long)arg;
	struct epoll_event ev = { .events = EPOLLIN };
	struct pollfd p = { .fd = pipes[i][0], .events = POLLIN };
	struct timespec ts = { .tv_sec = 3 }, end;
	sigset_t set;
	siginfo_t si;
	char c;
	int ep;

	errno = 0;
	switch (i) {
	case READ:
		res[i] = read(pipes[i][0], &c, 1);
		break;
	case EPOLL:
		ep = must(epoll_create1(0));
		must(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[i][0], &ev));
		res[i] = epoll_wait(ep, &ev, 1, -1);
		break;
	case POLL:
		res[i] = poll(&p, 1, -1);
		break;
	case SIGWAIT:
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		res[i] = sigwaitinfo(&set, &si) == SIGUSR1;
		break;
	case SLEEP:
		must(clock_gettime(CLOCK_MONOTONIC, &slept));
		res[i] = nanosleep(&ts, NULL) + 1;
		must(clock_gettime(CLOCK_MONOTONIC, &end));
		slept.tv_sec = end.tv_sec - slept.tv_sec;
		break;
	}
	err[i] = errno;
	return NULL;
}

static void *counter(void *arg)
{
	struct timespec ts = { .tv_nsec = 1000 * 1000 };

	while (!stop) {
		unsigned long before = count++;

		steps++;
		nanosleep(&ts, NULL);
		if (count != before + 1)
			stop = 2;
	}
	return NULL;
}

int main(void)
{
	static const char * const names[] = { "read", "epoll_wait", "poll", "sigwaitinfo", "nanosleep" };
	pthread_t threads[N], counting;
	sigset_t set;

	test_init(N + 2);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	for (long i = 0; i < N; i++) {
		must(pipe(pipes[i]));
		if (pthread_create(&threads[i], NULL, sleeper, (void *)i))
			die("pthread_create");
	}
	if (pthread_create(&counting, NULL, counter, NULL))
		die("pthread_create");
	ckpt_ready();
	ckpt_wait_go();
	for (int i = 0; i < N; i++)
		must(write(pipes[i][1], "x", 1));
	must(kill(getpid(), SIGUSR1));
	for (int i = 0; i < N; i++) {
		pthread_join(threads[i], NULL);
		ok(res[i] == 1, "%s gave %d, errno %d", names[i], res[i], err[i]);
	}
	ok(slept.tv_sec >= 3, "slept %ld s", (long)slept.tv_sec);
	if (!stop)
		stop = 1;
	pthread_join(counting, NULL);
	ok(stop == 1 && count == steps && count > 2, "counted %lu", count);
	return test_end();
}
