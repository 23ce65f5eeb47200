// SPDX-License-Identifier: GPL-2.0-only
/* Threads that wait for events of asynchronous I/O, with and without a timeout. */
#include <pthread.h>
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include "ckpt.h"

static aio_context_t ctx[2];

static void *wait_long(void *arg)
{
	struct timespec ts = { .tv_sec = 100000 };
	struct io_event ev = { 0 };
	long n = syscall(__NR_io_pgetevents, ctx[1], 1, 4, &ev, &ts, NULL);

	ok(n == 1 && ev.data == 2, "the second got %ld, data %llu", n, ev.data);
	return NULL;
}

static void *wait_short(void *arg)
{
	struct timespec ts = { .tv_sec = 3 };
	struct io_event ev;
	aio_context_t own = 0;

	must(syscall(__NR_io_setup, 1, &own));
	ok(syscall(__NR_io_getevents, own, 1, 1, &ev, &ts) == 0, "nothing came");
	return NULL;
}

static void *waker(void *arg)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_buf = (uintptr_t)"hello", .aio_nbytes = 5 };
	struct iocb *p = &cb;

	ckpt_wait_go();
	cb.aio_fildes = must(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	for (int i = 0; i < 2; i++) {
		cb.aio_data = i + 1;
		must(syscall(__NR_io_submit, ctx[i], 1, &p));
	}
	return NULL;
}

int main(void)
{
	void *(*run[])(void *) = { wait_long, wait_short, waker };
	struct io_event ev = { 0 };
	pthread_t t[3];
	long n;

	test_init(3);
	must(syscall(__NR_io_setup, 4, &ctx[0]));
	must(syscall(__NR_io_setup, 4, &ctx[1]));
	for (int i = 0; i < 3; i++)
		if (pthread_create(&t[i], NULL, run[i], NULL))
			die("a thread");
	ckpt_ready();
	n = syscall(__NR_io_getevents, ctx[0], 1, 1, &ev, NULL);
	ok(n == 1 && ev.data == 1 && ev.res == 5, "the first got %ld, data %llu", n, ev.data);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	return test_end();
}
