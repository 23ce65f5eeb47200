// SPDX-License-Identifier: GPL-2.0-only
/* eventfd: count, semaphore, flags, and a thread asleep in read. */
#include <pthread.h>
#include <sys/eventfd.h>
#include "ckpt.h"

static int asleep;
static uint64_t got;

static void *reader(void *arg)
{
	if (read(asleep, &got, 8) != 8)
		got = -1;
	return arg;
}

int main(void)
{
	uint64_t v;
	pthread_t thread;
	int count, sem, full;

	test_init(10);
	count = must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	v = 0x123456789abcdef;
	must(write(count, &v, 8));
	sem = must(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK));
	full = must(eventfd(0, EFD_NONBLOCK));
	v = ~0ULL - 1;
	must(write(full, &v, 8));
	asleep = must(eventfd(0, 0));
	pthread_create(&thread, NULL, reader, NULL);

	ckpt_point();

	ok(fcntl(count, F_GETFL) == (O_RDWR | O_NONBLOCK), "flags are %#x", fcntl(count, F_GETFL));
	ok(fcntl(count, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	ok(read(count, &v, 8) == 8 && v == 0x123456789abcdef, "count is %#lx", v);
	ok(read(count, &v, 8) == -1 && errno == EAGAIN, "then it is empty");
	ok(read(sem, &v, 8) == 8 && v == 1, "a semaphore gives %lu", v);
	ok(read(sem, &v, 8) == 8 && read(sem, &v, 8) == 8, "twice more");
	ok(read(sem, &v, 8) == -1 && errno == EAGAIN, "then no more");
	v = 1;
	ok(write(full, &v, 8) == -1 && errno == EAGAIN, "a full one is full");
	ok(read(full, &v, 8) == 8 && v == ~0ULL - 1, "and gives all of it: %#lx", v);
	v = 5;
	must(write(asleep, &v, 8));
	pthread_join(thread, NULL);
	ok(got == 5, "the thread asleep in read got %lu", got);
	return test_end();
}
