// SPDX-License-Identifier: GPL-2.0-only
/* timerfd: what is left, intervals, ticks that nobody has read, absolute times, a thread asleep in read. */
#include <pthread.h>
#include <sys/timerfd.h>
#include "ckpt.h"

SECONDS(60);

static int asleep;
static uint64_t got;

static void *reader(void *arg)
{
	if (read(asleep, &got, 8) != 8)
		got = -1;
	return arg;
}

static int timer(int clock, int flags, double value, double interval)
{
	struct itimerspec t = {
		.it_value = { (time_t)value, (long)((value - (time_t)value) * 1e9) },
		.it_interval = { (time_t)interval, (long)((interval - (time_t)interval) * 1e9) },
	};
	int fd = must(timerfd_create(clock, TFD_NONBLOCK));

	must(timerfd_settime(fd, flags, &t, NULL));
	return fd;
}

static double left(int fd)
{
	struct itimerspec t;

	must(timerfd_gettime(fd, &t));
	return t.it_value.tv_sec + t.it_value.tv_nsec / 1e9;
}

static double interval(int fd)
{
	struct itimerspec t;

	must(timerfd_gettime(fd, &t));
	return t.it_interval.tv_sec + t.it_interval.tv_nsec / 1e9;
}

static double now(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

int main(void)
{
	int once, off, done, every, wall, boot, mono;
	struct itimerspec t = {};
	pthread_t thread;
	double l, base;
	uint64_t v, n;
	char info[512];
	int fd;

	test_init(18);
	once = timer(CLOCK_MONOTONIC, 0, 1000, 7);
	off = timer(CLOCK_REALTIME, 0, 0, 0);
	done = timer(CLOCK_BOOTTIME, 0, 0.01, 0);
	every = timer(CLOCK_MONOTONIC, 0, 0.01, 0.01);
	base = now(CLOCK_REALTIME);
	wall = timer(CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, base + 2000, 0);
	boot = timer(CLOCK_BOOTTIME, 0, 500, 0);
	mono = timer(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, now(CLOCK_MONOTONIC) + 300, 0);
	asleep = must(timerfd_create(CLOCK_MONOTONIC, 0));
	t.it_value.tv_sec = 3;
	must(timerfd_settime(asleep, 0, &t, NULL));
	pthread_create(&thread, NULL, reader, NULL);
	usleep(200000);

	ckpt_point();

	l = left(once);
	ok(l > 900 && l <= 1000 && interval(once) == 7, "%f s are left, then every %f s", l, interval(once));
	ok(read(once, &v, 8) == -1 && errno == EAGAIN, "it has not expired");
	ok(left(off) == 0 && read(off, &v, 8) == -1 && errno == EAGAIN, "a disarmed one stays so");
	ok(read(done, &v, 8) == 8 && v == 1, "one that expired before, %lu tick", v);
	ok(left(done) == 0 && read(done, &v, 8) == -1 && errno == EAGAIN, "and only once");

	ok(read(every, &v, 8) == 8 && v >= 15, "a periodic one that nobody read ticked %lu times", v);
	ok(v < 2000, "but not while it was not there");
	usleep(100000);
	ok(read(every, &n, 8) == 8 && n >= 5 && n < 200, "it goes on, %lu times in 0.1 s", n);
	ok(interval(every) == 0.01, "interval %f", interval(every));

	l = left(wall) - (base + 2000 - now(CLOCK_REALTIME));
	ok(l > -1 && l < 1, "an absolute one expires when it should, %f s off", l);
	l = left(boot);
	ok(l > 400 && l <= 500, "%f s left on CLOCK_BOOTTIME", l);
	l = left(mono);
	ok(l > 200 && l <= 300, "%f s left on CLOCK_MONOTONIC, absolute", l);
	snprintf(info, sizeof(info), "/proc/self/fdinfo/%d", wall);
	fd = must(open(info, O_RDONLY));
	n = must(read(fd, info, sizeof(info) - 1));
	info[n] = 0;
	ok(strstr(info, "settime flags: 03\n") != NULL, "it is cancelled when the clock is set");
	close(fd);
	ok(fcntl(once, F_GETFL) == (O_RDWR | O_NONBLOCK), "flags are %#x", fcntl(once, F_GETFL));

	memset(&t, 0, sizeof(t));
	t.it_value.tv_nsec = 1000000;
	must(timerfd_settime(off, 0, &t, NULL));
	usleep(50000);
	ok(read(off, &v, 8) == 8 && v == 1, "the disarmed one can be armed");
	memset(&t, 0, sizeof(t));
	must(timerfd_settime(every, 0, &t, NULL));
	while (read(every, &v, 8) > 0)
		;
	usleep(50000);
	ok(read(every, &v, 8) == -1 && errno == EAGAIN, "the periodic one can be stopped");

	pthread_join(thread, NULL);
	ok(got == 1, "the thread asleep in read got %lu", got);
	ok(left(asleep) == 0, "its timer is done");
	return test_end();
}
