// SPDX-License-Identifier: GPL-2.0-only
/* Operations that are in flight when a checkpoint is taken: each ends once, and has done what it should. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/aio_abi.h>
#include "ckpt.h"
SECONDS(60);

#define N 8
#define SIZE 65536

static atomic_bool done;
static atomic_int rounds;

static void *run(void *arg)
{
	char *name = arg, *mem = must(mmap(NULL, N * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int fd = must(open(name, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT, 0600)), bad = 0;
	struct iocb cb[N], *p[N];
	struct io_event ev[N];
	aio_context_t ctx = 0;

	must(syscall(__NR_io_setup, N, &ctx));
	for (int round = 0; !done; round++) {
		bool writing = !(round & 1);

		memset(cb, 0, sizeof(cb));
		for (int i = 0; i < N; i++) {
			if (writing)
				fill(mem + i * SIZE, SIZE, round * N + i);
			else
				memset(mem + i * SIZE, 0, SIZE);
			cb[i].aio_lio_opcode = writing ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
			cb[i].aio_fildes = fd;
			cb[i].aio_buf = (uintptr_t)mem + i * SIZE;
			cb[i].aio_nbytes = SIZE;
			cb[i].aio_offset = i * SIZE;
			cb[i].aio_data = i;
			p[i] = &cb[i];
		}
		must(syscall(__NR_io_submit, ctx, N, p));
		/* at once, or one after the other */
		for (int got = 0, n, least = round & 2 ? 1 : N; got < N; got += n) {
			n = must(syscall(__NR_io_getevents, ctx, least, N, ev, NULL));
			for (int i = 0; i < n; i++)
				bad += ev[i].res != SIZE;
		}
		for (int i = 0; i < N && !writing; i++)
			bad += differs(mem + i * SIZE, SIZE, (round - 1) * N + i) >= 0;
		rounds++;
	}
	ok(!bad, "%s: %d are wrong", name, bad);
	close(fd);
	unlink(name);
	return NULL;
}

int main(void)
{
	pthread_t t[2];
	int before;

	test_init(3);
	pthread_create(&t[0], NULL, run, "a");
	pthread_create(&t[1], NULL, run, "b");
	while (rounds < 4)
		usleep(1000);
	ckpt_ready_busy();
	ckpt_wait_go();
	before = rounds;
	while (rounds < before + 8)
		usleep(1000);
	done = true;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	ok(1, "all ended");
	return test_end();
}
