// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads asleep in system calls: each goes on as if nothing had happened, without EINTR, a short count or a
 * timeout that begins anew.
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "../../ckpt.h"

SECONDS(60);

#define SLEEP 8		/* seconds that each call would take */
#define BEFORE 4	/* of them before the point */
#define SLACK 3		/* what a busy machine may add */
#define BIG (256 << 10)

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static struct timespec ts = { .tv_sec = SLEEP };
static int quiet[2], in[2], out[2];
static unsigned int word = 1;
static char big[BIG];

static long do_nanosleep(void) { return nanosleep(&ts, NULL); }
static long do_clock_nanosleep(void) { return -clock_nanosleep(CLOCK_BOOTTIME, 0, &ts, NULL); }
static long do_poll(void)
{
	struct pollfd p = { quiet[0], POLLIN, 0 };

	return poll(&p, 1, SLEEP * 1000);
}
static long do_ppoll(void)
{
	struct pollfd p = { quiet[0], POLLIN, 0 };
	struct timespec t = ts;
	sigset_t none;

	sigemptyset(&none);
	return syscall(SYS_ppoll, &p, 1, &t, &none, 8);
}
static long do_select(void)
{
	struct timeval tv = { .tv_sec = SLEEP };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(quiet[0], &set);
	return syscall(SYS_select, quiet[0] + 1, &set, NULL, NULL, &tv);
}
static long do_futex(void)
{
	long n = syscall(SYS_futex, &word, FUTEX_WAIT, 1, &ts, NULL, 0);

	return n == -1 && errno == ETIMEDOUT ? 0 : n ? n : -2;
}
static long do_futex_realtime(void)
{
	struct timespec t;
	long n;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += SLEEP;
	n = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME,
		    1, &t, NULL, FUTEX_BITSET_MATCH_ANY);
	return n == -1 && errno == ETIMEDOUT ? 0 : n ? n : -2;
}
static long do_sigtimedwait(void)
{
	sigset_t set;
	long n;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	n = sigtimedwait(&set, NULL, &ts);
	return n == -1 && errno == EAGAIN ? 0 : n ? n : -2;
}
static long do_recv(void)
{
	struct timeval tv = { .tv_sec = SLEEP };
	int s[2];
	char c;
	long n;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	must(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	n = recv(s[0], &c, 1, 0);
	return n == -1 && errno == EAGAIN ? 0 : n ? n : -2;
}

static const struct {
	const char *name;
	long (*call)(void);
	bool anew;		/* its time begins anew at a restart */
} calls[] = {
	{ "nanosleep", do_nanosleep, false }, { "clock_nanosleep", do_clock_nanosleep, false },
	{ "poll", do_poll, false }, { "ppoll", do_ppoll, false }, { "select", do_select, false },
	{ "futex", do_futex, false }, { "futex realtime", do_futex_realtime, false },
	{ "sigtimedwait", do_sigtimedwait, false },
	{ "recv with SO_RCVTIMEO", do_recv, true },
};
#define N (sizeof(calls) / sizeof(*calls))

static struct result {
	double begin, end;
	long ret;
	int err;
} results[N];

static void *timed(void *arg)
{
	struct result *r = arg;

	r->begin = now();
	r->ret = calls[r - results].call();
	r->err = errno;
	r->end = now();
	return NULL;
}

static long reads, writes;

static void *reader(void *arg)
{
	char c;

	reads = read(in[0], &c, 1);
	return arg;
}

static void *writer(void *arg)
{
	writes = write(out[1], big, BIG);
	return arg;
}

int main(void)
{
	pthread_t t[N], r, w;
	double before, after, left, took;
	static char got[BIG];
	sigset_t set;
	size_t i;
	long n, sum;

	test_init(2 * N + 3);
	fill(big, BIG, 3);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	must(pipe(quiet));
	must(pipe(in));
	must(pipe(out));
	for (i = 0; i < N; i++)
		pthread_create(&t[i], NULL, timed, &results[i]);
	pthread_create(&r, NULL, reader, NULL);
	pthread_create(&w, NULL, writer, NULL);
	nanosleep(&(struct timespec){ .tv_sec = BEFORE }, NULL);

	before = now();
	ckpt_point();
	after = now();

	if (write(in[1], "x", 1) != 1)
		die("waking the reader");
	pthread_join(r, NULL);
	ok(reads == 1, "the reader read %ld", reads);
	for (sum = 0; sum < BIG; sum += n) {
		n = read(out[0], got + sum, BIG - sum);
		if (n <= 0)
			die("reading what was written, %ld bytes", sum);
	}
	pthread_join(w, NULL);
	ok(writes == BIG, "the writer wrote %ld of %d", writes, BIG);
	ok(differs(got, BIG, 3) < 0, "nothing was lost or written twice");
	for (i = 0; i < N; i++) {
		pthread_join(t[i], NULL);
		ok(results[i].ret == 0, "%s returned %ld (errno %d)", calls[i].name,
		   results[i].ret, results[i].err);
		/* time at the point may count or not, a second run of the whole timeout may not happen */
		left = SLEEP - (before - results[i].begin);
		if (calls[i].anew && strcmp(mode(), "ref") && strcmp(mode(), "continue"))
			left = SLEEP;
		took = results[i].end - after;
		ok(took > left - (after - before) - 1 && took < left + SLACK,
		   "%s had %.1f s left and took %.1f", calls[i].name, left, took);
	}
	return test_end();
}
