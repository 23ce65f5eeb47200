// SPDX-License-Identifier: GPL-2.0-only
/*
 * epoll: events and data of each watch, levels and edges, which edges were seen, one-shot, exclusive, nested
 * instances, a watch whose descriptor was closed, and threads asleep in epoll_wait.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "ckpt.h"

static int sleep_ep, timed_ep;
static struct epoll_event sleep_ev;
static int sleep_n, timed_n;
static double timed, began;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void *sleeper(void *arg)
{
	sleep_n = epoll_wait(sleep_ep, &sleep_ev, 1, -1);
	return arg;
}

static void *timed_sleeper(void *arg)
{
	struct epoll_event ev;

	began = now();
	timed_n = epoll_wait(timed_ep, &ev, 1, 4000);
	timed = now();
	return arg;
}

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
}

/* what is ready now, as a set of bits: the data of the watches */
static unsigned int ready(int ep)
{
	struct epoll_event ev[16];
	unsigned int set = 0;
	int n = epoll_wait(ep, ev, 16, 0);

	for (int i = 0; i < n; i++)
		set |= 1u << ev[i].data.u64;
	return set;
}

static int count(int ep)
{
	char path[64], buf[8192];
	int fd, n, c = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ep);
	fd = must(open(path, O_RDONLY));
	n = must(read(fd, buf, sizeof(buf) - 1));
	buf[n] = 0;
	for (char *p = buf; (p = strstr(p, "tfd:")); p++)
		c++;
	close(fd);
	return c;
}

static void poke(int fd)
{
	uint64_t one = 1;

	must(write(fd, &one, sizeof(one)));
}

int main(void)
{
	int ep, ep2, order, fd[10], p[2], gone, kept, again, high, n;
	struct rlimit lim = { 4096, 4096 };
	struct epoll_event ev[8];
	pthread_t a, b;
	uint64_t v;

	test_init(24);
	must(setrlimit(RLIMIT_NOFILE, &lim));
	ep = must(epoll_create1(EPOLL_CLOEXEC));
	for (int i = 0; i < 10; i++)
		fd[i] = must(eventfd(0, EFD_NONBLOCK));
	add(ep, fd[0], EPOLLIN, 0);				/* level, quiet */
	add(ep, fd[1], EPOLLIN, 1);				/* level, ready */
	add(ep, fd[2], EPOLLIN | EPOLLET, 2);			/* edge, quiet */
	add(ep, fd[3], EPOLLIN | EPOLLET, 3);			/* edge, seen */
	add(ep, fd[5], EPOLLIN | EPOLLONESHOT, 5);		/* one shot, fired */
	add(ep, fd[6], EPOLLIN | EPOLLONESHOT, 6);		/* one shot, not yet */
	add(ep, fd[7], EPOLLIN | EPOLLEXCLUSIVE, 7);		/* exclusive */
	poke(fd[1]);
	poke(fd[3]);
	poke(fd[5]);
	if (ready(ep) != (1 << 1 | 1 << 3 | 1 << 5))
		die("not ready");
	add(ep, fd[4], EPOLLIN | EPOLLET, 4);			/* edge, not seen */
	poke(fd[4]);

	/* a descriptor that was closed and whose number means something else now */
	must(pipe(p));
	gone = p[0];
	add(ep, gone, EPOLLIN, 8);
	kept = must(dup(gone));
	close(gone);
	again = must(eventfd(0, EFD_NONBLOCK));
	if (again != gone)
		die("number %d, not %d", again, gone);
	add(ep, again, EPOLLIN, 9);
	high = must(fcntl(fd[0], F_DUPFD, 3000));
	add(ep, high, EPOLLIN, 10);
	lim.rlim_cur = lim.rlim_max = 1024;
	must(setrlimit(RLIMIT_NOFILE, &lim));

	/* nested */
	ep2 = must(epoll_create1(0));
	add(ep2, ep, EPOLLIN | EPOLLET, 1);
	add(ep2, fd[9], EPOLLIN, 2);
	if (ready(ep2) != 1 << 1)
		die("nested is not ready");

	/* three that are ready in an order of their own */
	order = must(epoll_create1(0));
	for (int i = 0; i < 3; i++) {
		n = must(eventfd(0, EFD_NONBLOCK));
		fcntl(n, F_DUPFD, 200 + i);
		add(order, 200 + i, EPOLLIN, i);
	}
	poke(202);
	poke(200);
	poke(201);

	sleep_ep = must(epoll_create1(0));
	add(sleep_ep, fd[8], EPOLLIN | EPOLLET, 42);
	timed_ep = must(epoll_create1(0));
	add(timed_ep, fd[9], EPOLLIN, 1);
	pthread_create(&a, NULL, sleeper, NULL);
	pthread_create(&b, NULL, timed_sleeper, NULL);

	ckpt_point();

	ok(fcntl(ep, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	ok(count(ep) == 11 && count(ep2) == 2, "%d watches, and %d", count(ep), count(ep2));
	n = epoll_wait(order, ev, 8, 0);
	ok(n == 3 && ev[0].data.u64 == 2 && ev[1].data.u64 == 0 && ev[2].data.u64 == 1, "three in their order");

	ok(ready(ep2) == 0, "the edge of a nested instance was seen");
	n = ready(ep);
	ok(n == (1 << 1 | 1 << 4), "a level, and the edge that was not seen: %#x", n);
	n = ready(ep);
	ok(n == 1 << 1, "then only the level: %#x", n);
	poke(fd[2]);
	poke(fd[3]);
	n = ready(ep);
	ok(n == (1 << 1 | 1 << 2 | 1 << 3), "new edges: %#x", n);
	ok(ready(ep2) == 1 << 1, "also for the nested one");
	read(fd[1], &v, 8);
	ok(ready(ep) == 0, "quiet");
	poke(fd[5]);
	ok(ready(ep) == 0, "a one-shot that has fired stays so");
	ev[0].events = EPOLLIN;
	ev[0].data.u64 = 11;
	ok(epoll_ctl(ep, EPOLL_CTL_MOD, fd[5], ev) == 0 && ready(ep) == 1 << 11, "until it is armed");
	read(fd[5], &v, 8);
	poke(fd[6]);
	ok(ready(ep) == 1 << 6, "one that has not fires");
	poke(fd[6]);
	ok(ready(ep) == 0, "once");
	poke(fd[7]);
	ok(ready(ep) == 1 << 7, "an exclusive one");
	ev[0].events = EPOLLIN;
	ok(epoll_ctl(ep, EPOLL_CTL_MOD, fd[7], ev) == -1 && errno == EINVAL, "is exclusive");
	read(fd[7], &v, 8);

	must(write(p[1], "x", 1));
	ok(ready(ep) == 1 << 8, "a pipe whose number means something else");
	must(read(kept, ev, 1));
	poke(again);
	ok(ready(ep) == 1 << 9, "the file that has the number now");
	read(again, &v, 8);
	ok(epoll_ctl(ep, EPOLL_CTL_DEL, again, NULL) == 0, "is watched under it");
	must(write(p[1], "x", 1));
	ok(ready(ep) == 1 << 8, "the pipe, still");
	close(kept);
	close(p[1]);
	ok(ready(ep) == 0, "gone with its last descriptor");
	poke(fd[0]);
	n = ready(ep);
	ok(n == (1 << 0 | 1 << 10), "one file, two descriptors: %#x", n);

	poke(fd[8]);
	pthread_join(a, NULL);
	ok(sleep_n == 1 && sleep_ev.data.u64 == 42, "the sleeper was woken");
	pthread_join(b, NULL);
	ok(timed_n == 0, "the other one timed out after %f s", timed - began);
	ok(strcmp(mode(), "reboot") == 0 || timed - began > 3.9, "not too early");
	return test_end();
}
