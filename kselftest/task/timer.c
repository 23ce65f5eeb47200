// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interval timers and POSIX timers: the time that is left, intervals, ids with their gaps, targets, signals
 * that are pending, overruns.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include "ckpt.h"

#define TIMERS 12

static int id[TIMERS];
static pthread_t thread;
static pid_t tid;
static volatile int stage, thread_clock;
static volatile siginfo_t got;
static volatile int ngot;
static volatile pid_t got_in;

static void note(int sig, siginfo_t *si, void *ctx)
{
	got = *si;
	ngot++;
	got_in = syscall(SYS_gettid);
}

static int create(clockid_t clock, int notify, int signo, int value, pid_t to)
{
	struct sigevent ev = { .sigev_notify = notify, .sigev_signo = signo };
	int timer;

	ev.sigev_value.sival_int = value;
	ev._sigev_un._tid = to;
	must(syscall(SYS_timer_create, clock, &ev, &timer));
	return timer;
}

static void set(int timer, int flags, double value, double interval)
{
	struct itimerspec s;

	s.it_value.tv_sec = value;
	s.it_value.tv_nsec = (value - s.it_value.tv_sec) * 1e9;
	s.it_interval.tv_sec = interval;
	s.it_interval.tv_nsec = (interval - s.it_interval.tv_sec) * 1e9;
	must(syscall(SYS_timer_settime, timer, flags, &s, NULL));
}

static double left(int timer, double *interval)
{
	struct itimerspec s;

	if (syscall(SYS_timer_gettime, timer, &s))
		return -1;
	if (interval)
		*interval = s.it_interval.tv_sec + s.it_interval.tv_nsec / 1e9;
	return s.it_value.tv_sec + s.it_value.tv_nsec / 1e9;
}

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void *work(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 2);
	tid = syscall(SYS_gettid);
	thread_clock = create(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN + 1, 9, 0);
	stage = 1;
	while (stage == 1)
		usleep(10000);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	usleep(100000);
	return NULL;
}

static bool near(double x, double want, double more)
{
	return x <= want && x > want - more;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART };
	/* the interval comes first */
	struct itimerval real = { { 500, 0 }, { 700, 250000 } }, virt = { { 400, 0 }, { 3, 0 } },
			 prof = { { 300, 0 }, { 5, 0 } }, v;
	double wall, l, i, cpu;
	sigset_t block, rest;
	siginfo_t si;
	int n, over;

	test_init(26);
	for (n = 0; n < 4; n++)
		must(sigaction(SIGRTMIN + n, &sa, NULL));
	must(sigaction(SIGALRM, &sa, NULL));
	sigemptyset(&block);
	sigaddset(&block, SIGRTMIN + 2);
	sigaddset(&block, SIGRTMIN + 3);
	sigaddset(&block, SIGALRM);
	must(sigprocmask(SIG_BLOCK, &block, NULL));
	if (pthread_create(&thread, NULL, work, NULL))
		die("pthread_create");
	while (!stage)
		usleep(1000);

	id[0] = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 42, 0);
	id[1] = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 43, 0);
	id[2] = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN, 44, 0);
	id[3] = create(CLOCK_BOOTTIME, SIGEV_NONE, 0, 0, 0);
	id[4] = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN, 0, 0);
	id[5] = create(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGRTMIN, 45, 0);
	id[6] = create(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN + 2, 46, tid);
	id[7] = create(CLOCK_REALTIME, SIGEV_SIGNAL, SIGRTMIN, 47, 0);
	id[8] = create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 3, 48, 0);
	id[9] = create(CLOCK_TAI, SIGEV_SIGNAL, SIGRTMIN, 49, 0);
	must(syscall(SYS_timer_delete, id[1]));
	must(syscall(SYS_timer_delete, id[4]));
	wall = now(CLOCK_REALTIME);
	set(id[0], 0, 1000.5, 7.25);
	set(id[2], TIMER_ABSTIME, wall + 2000, 0);
	set(id[3], 0, 3000, 11);
	set(id[5], 0, 500, 60);
	set(id[6], 0, 0.01, 0);			/* pending for the thread at the point */
	set(id[8], 0, 0.01, 0.01);		/* pending, with overruns */
	set(id[9], 0, 4000, 0);
	set(thread_clock, 0, 250, 0);
	must(setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 10000 }, { 0, 50000 } }, NULL));
	must(setitimer(ITIMER_VIRTUAL, &virt, NULL));
	must(setitimer(ITIMER_PROF, &prof, NULL));
	usleep(100000);				/* SIGALRM is pending, the timer waits for that to be taken */
	cpu = now(CLOCK_PROCESS_CPUTIME_ID);

	ckpt_point();

	l = now(CLOCK_PROCESS_CPUTIME_ID);
	ok(l >= cpu && l < cpu + 5, "the CPU clock went from %f to %f", cpu, l);
	l = left(id[0], &i);
	ok(near(l, 1000.5, 120) && i == 7.25, "monotonic, %f left, interval %f", l, i);
	l = left(id[2], &i);
	i = wall + 2000 - now(CLOCK_REALTIME);
	ok(l < i + 0.5 && l > i - 0.5, "absolute on the wall clock, %f left of %f", l, i);
	l = left(id[3], &i);
	ok(near(l, 3000, 120) && i == 11, "SIGEV_NONE, %f left, interval %f", l, i);
	ok(left(id[1], NULL) == -1 && left(id[4], NULL) == -1, "deleted ones are not there");
	l = left(id[5], &i);
	ok(near(l, 500, 5) && i == 60, "process CPU clock, %f left, interval %f", l, i);
	ok(left(id[7], NULL) == 0, "one that is not armed");
	l = left(id[9], NULL);
	ok(near(l, 4000, 120), "TAI, %f left", l);
	l = left(thread_clock, NULL);
	ok(near(l, 250, 5), "another thread's CPU clock, %f left", l);
	must(getitimer(ITIMER_VIRTUAL, &v));
	ok(v.it_value.tv_sec <= 3 && v.it_value.tv_sec >= 1 && v.it_interval.tv_sec == 400,
	   "virtual timer, %ld.%06ld left", v.it_value.tv_sec, v.it_value.tv_usec);
	must(getitimer(ITIMER_PROF, &v));
	ok(v.it_value.tv_sec <= 5 && v.it_value.tv_sec >= 1 && v.it_interval.tv_sec == 300,
	   "profiling timer, %ld.%06ld left", v.it_value.tv_sec, v.it_value.tv_usec);
	ok(create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0) == id[9] + 1, "the next id follows");

	/* pending ones */
	sigemptyset(&rest);
	sigaddset(&rest, SIGRTMIN + 3);
	ok(sigtimedwait(&rest, &si, &(struct timespec){ .tv_sec = 2 }) == SIGRTMIN + 3,
	   "the signal of a periodic timer was pending");
	over = syscall(SYS_timer_getoverrun, id[8]);
	ok(si.si_code == SI_TIMER && si.si_value.sival_int == 48 && si.si_timerid == id[8],
	   "its siginfo: code %d, value %d", si.si_code, si.si_value.sival_int);
	ok(over >= 5 && si.si_overrun == over, "%d overruns, %d in siginfo", over, si.si_overrun);
	ok(sigtimedwait(&rest, &si, &(struct timespec){ .tv_sec = 2 }) == SIGRTMIN + 3, "it goes on");
	set(id[8], 0, 0, 0);
	sigemptyset(&rest);
	sigaddset(&rest, SIGALRM);
	ok(sigtimedwait(&rest, &si, &(struct timespec){}) == SIGALRM && si.si_code == SI_KERNEL,
	   "SIGALRM was pending");
	ok(sigtimedwait(&rest, &si, &(struct timespec){ .tv_sec = 2 }) == SIGALRM, "and comes again");
	must(setitimer(ITIMER_REAL, &real, &v));
	ok(v.it_interval.tv_usec == 10000 && v.it_interval.tv_sec == 0, "with its interval");
	must(getitimer(ITIMER_REAL, &v));
	ok(v.it_value.tv_sec >= 699 && v.it_interval.tv_sec == 500, "and can be set again");

	stage = 2;
	pthread_join(thread, NULL);
	ok(ngot == 1 && got_in == tid && got.si_value.sival_int == 46,
	   "a thread's own timer signal, %d times", ngot);
	ngot = 0;
	set(id[7], 0, 0.05, 0.05);
	while (ngot < 2)
		pause();
	ok(got.si_value.sival_int == 47 && got.si_code == SI_TIMER, "a timer can be armed");
	set(id[7], 0, 0, 0);
	ngot = 0;
	set(id[5], 0, 0.05, 0);
	for (l = now(CLOCK_MONOTONIC); !ngot && now(CLOCK_MONOTONIC) < l + 10; )
		;
	ok(ngot == 1 && got.si_value.sival_int == 45, "so can one on the CPU clock");
	ok(syscall(SYS_timer_getoverrun, id[0]) == 0, "no overruns of one that never expired");
	for (n = 0; n < 10; n++)
		if (n != 1 && n != 4 && syscall(SYS_timer_delete, id[n]))
			break;
	ok(n == 10, "all can be deleted");
	ok(syscall(SYS_timer_delete, thread_clock) == 0, "the thread's, too");
	return test_end();
}
