// SPDX-License-Identifier: GPL-2.0-only
/* A context of asynchronous I/O cannot be saved. */
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include "ckpt.h"
REFUSED("aio");

int main(void)
{
	aio_context_t ctx = 0;
	struct timespec ts = { 0 };
	struct io_event ev;

	test_init(1);
	must(syscall(__NR_io_setup, 4, &ctx));
	ckpt_point();
	ok(syscall(__NR_io_getevents, ctx, 0, 1, &ev, &ts) == 0, "the context still works");
	return test_end();
}
