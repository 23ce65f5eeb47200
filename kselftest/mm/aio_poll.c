// SPDX-License-Identifier: GPL-2.0-only
/* An operation that may never end: a poll. */
#include <poll.h>
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include "ckpt.h"
REFUSED("aio");

int main(void)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN, .aio_data = 5 }, *p = &cb;
	aio_context_t ctx = 0;
	struct io_event ev;
	int fds[2];

	test_init(2);
	must(pipe(fds));
	cb.aio_fildes = fds[0];
	must(syscall(__NR_io_setup, 4, &ctx));
	must(syscall(__NR_io_submit, ctx, 1, &p));
	ckpt_point();
	ok(write(fds[1], "x", 1) == 1, "written");
	ok(syscall(__NR_io_getevents, ctx, 1, 1, &ev, NULL) == 1 && ev.data == 5, "the poll has ended");
	return test_end();
}
