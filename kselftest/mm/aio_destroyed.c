// SPDX-License-Identifier: GPL-2.0-only
/* A context of asynchronous I/O that is gone is no obstacle. */
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include "ckpt.h"

int main(void)
{
	aio_context_t ctx = 0;

	test_init(1);
	must(syscall(__NR_io_setup, 4, &ctx));
	must(syscall(__NR_io_destroy, ctx));
	ckpt_point();
	ctx = 0;
	ok(syscall(__NR_io_setup, 4, &ctx) == 0, "a new context can be had");
	return test_end();
}
