// SPDX-License-Identifier: GPL-2.0-only
/* A child has the ring of its parent in its memory, but no context. */
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include "ckpt.h"
REFUSED("aio");

int main(void)
{
	aio_context_t ctx = 0;
	struct timespec ts = { 0 };
	struct io_event ev;
	int status;

	test_init(2);
	must(syscall(__NR_io_setup, 4, &ctx));
	if (fork() == 0) {
		ckpt_wait_go();
		_exit(syscall(__NR_io_getevents, ctx, 0, 1, &ev, &ts) != -1 || errno != EINVAL);
	}
	ckpt_point();
	must(wait(&status));
	ok(status == 0, "it is none of the child's");
	ok(syscall(__NR_io_getevents, ctx, 0, 1, &ev, &ts) == 0, "the context still works");
	return test_end();
}
