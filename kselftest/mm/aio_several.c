// SPDX-License-Identifier: GPL-2.0-only
/* A thread that waits for two events, and has got one. */
#include <pthread.h>
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include "ckpt.h"
REFUSED("aio");

static aio_context_t ctx;

static void submit(void)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_buf = (uintptr_t)"hello", .aio_nbytes = 5 };
	struct iocb *p = &cb;

	cb.aio_fildes = must(open("file", O_RDWR | O_CREAT, 0600));
	must(syscall(__NR_io_submit, ctx, 1, &p));
}

static void *waker(void *arg)
{
	ckpt_wait_go();
	submit();
	return NULL;
}

int main(void)
{
	struct io_event ev[2];
	pthread_t t;

	test_init(1);
	must(syscall(__NR_io_setup, 4, &ctx));
	pthread_create(&t, NULL, waker, NULL);
	submit();
	ckpt_ready();
	ok(syscall(__NR_io_getevents, ctx, 2, 2, ev, NULL) == 2, "both came");
	pthread_join(t, NULL);
	return test_end();
}
