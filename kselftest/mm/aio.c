// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts of asynchronous I/O: their names, events that were not taken, around the end of the ring and over
 * several pages, an eventfd that was told, contexts in between that are gone.
 */
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include "ckpt.h"

#define MANY 400

struct ring {
	unsigned int id, nr, head, tail, magic, compat, incompat, header;
};

static int file, efd;

static void submit(aio_context_t ctx, int n, unsigned int data)
{
	static char buf[MANY];
	struct iocb cb, *p = &cb;

	for (int i = 0; i < n; i++) {
		memset(&cb, 0, sizeof(cb));
		cb.aio_lio_opcode = IOCB_CMD_PWRITE;
		cb.aio_fildes = file;
		cb.aio_buf = (uintptr_t)buf;
		cb.aio_nbytes = i + 1;
		cb.aio_data = data + i;
		cb.aio_flags = IOCB_FLAG_RESFD;
		cb.aio_resfd = efd;
		must(syscall(__NR_io_submit, ctx, 1, &p));
	}
}

static int reap(aio_context_t ctx, int n, unsigned int data)
{
	struct timespec ts = { 0 };
	struct io_event ev;
	int i;

	for (i = 0; i < n; i++)
		if (syscall(__NR_io_getevents, ctx, 0, 1, &ev, &ts) != 1 || ev.data != data + i || ev.res != i + 1)
			break;
	return i;
}

int main(void)
{
	aio_context_t small = 0, gone = 0, large = 0, empty = 0, name[2];
	struct ring before[2], *ring;
	uint64_t count;

	test_init(14);
	file = must(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	efd = must(eventfd(0, 0));
	must(syscall(__NR_io_setup, 4, &small));
	must(syscall(__NR_io_setup, 4, &gone));
	must(syscall(__NR_io_setup, MANY, &large));
	must(syscall(__NR_io_setup, 1, &empty));
	must(syscall(__NR_io_destroy, gone));
	ring = (void *)small;
	/* near the end of the ring, whatever its size is */
	while (ring->head < ring->nr - 3) {
		submit(small, 1, 0);
		if (reap(small, 1, 0) != 1)
			die("taking an event");
	}
	submit(small, 6, 100);
	submit(large, MANY, 1000);
	if (reap(large, 3, 1000) != 3)
		die("taking three events");
	name[0] = small;
	name[1] = large;
	before[0] = *(struct ring *)small;
	before[1] = *(struct ring *)large;
	ok(before[0].tail < before[0].head, "the small ring goes around its end");

	ckpt_point();

	for (int i = 0; i < 2; i++) {
		ring = (void *)name[i];
		ok(ring->magic == before[i].magic && ring->nr == before[i].nr, "%u places", ring->nr);
		ok(ring->head == before[i].head && ring->tail == before[i].tail, "from %u to %u", ring->head,
		   ring->tail);
	}
	ok(reap(small, 6, 100) == 6, "the events of the small one");
	ok(reap(small, 1, 0) == 0, "are all");
	ok(read(efd, &count, 8) == 8 && count >= 6 + MANY, "%d events were told",
	   (int)count);
	/* by the program itself, as some libraries do */
	ring = (void *)large;
	ok(((struct io_event *)(ring + 1))[ring->head].data == 1003, "the next event is in memory");
	submit(large, 2, 2000);
	ok(ring->tail == before[1].tail + 2, "two more");
	ok(syscall(__NR_io_destroy, large) == 0 && syscall(__NR_io_destroy, large) == -1, "destroyed");
	for (int i = 0; i < 1000; i++) {
		submit(empty, 1, i);
		if (reap(empty, 1, i) != 1)
			die("round %d", i);
	}
	ok(1, "a thousand operations of the empty one");
	gone = 0;
	ok(syscall(__NR_io_setup, 4, &gone) == 0, "a new context");
	ok(syscall(__NR_io_destroy, small) == 0 && syscall(__NR_io_destroy, empty) == 0, "all destroyed");
	return test_end();
}
