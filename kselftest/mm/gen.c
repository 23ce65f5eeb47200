// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that write generation numbers over memory of many kinds, in order, and check what they overwrite: memory
 * that is not all of one moment is found out. The scenario of the same name restarts an image whose program ran on.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include "ckpt.h"
SECONDS(60);

#define PAGE 4096UL
#define PAGES 256
#define KINDS 8
#define THREADS 3

static volatile uint64_t *mem[THREADS][KINDS];
static _Atomic uint64_t *shared_gen;		/* in shared memory */
static _Atomic uint64_t private_gen[THREADS];
static _Atomic int stop, wrong;

static void *map(int fd, int flags)
{
	return must(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0));
}

static void make(int t)
{
	char name[32];
	int fd;

	mem[t][0] = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
	mem[t][1] = map(-1, MAP_SHARED | MAP_ANONYMOUS);
	mem[t][2] = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
	must(madvise((void *)mem[t][2], PAGES * PAGE, MADV_DONTFORK));
	mem[t][3] = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
	must(madvise((void *)mem[t][3], PAGES * PAGE, MADV_WIPEONFORK));
	fd = must(memfd_create("gen", 0));
	must(ftruncate(fd, PAGES * PAGE));
	mem[t][4] = map(fd, MAP_SHARED);
	close(fd);
	snprintf(name, sizeof(name), "file-%d", t);
	fd = must(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
	must(ftruncate(fd, PAGES * PAGE));
	mem[t][5] = map(fd, MAP_PRIVATE);
	close(fd);
	mem[t][6] = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
	must(mlock((void *)mem[t][6], PAGES * PAGE));
	mem[t][7] = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
	must(madvise((void *)mem[t][7], PAGES * PAGE, MADV_MERGEABLE));
	madvise((void *)mem[t][7], PAGES * PAGE, MADV_NOHUGEPAGE);
}

static void *sweep(void *arg)
{
	int t = (long)arg;

	for (uint64_t gen = 1; !stop; gen++) {
		/* private first, shared next: they differ by one at most, and only here */
		if (private_gen[t] != gen - 1 || shared_gen[t] != gen - 1)
			wrong++;
		private_gen[t] = gen;
		shared_gen[t] = gen;
		for (int p = 0; p < PAGES; p++)
			for (int k = 0; k < KINDS; k++) {
				volatile uint64_t *w = mem[t][k] + p * PAGE / 8 + t;

				if (*w != gen - 1)
					wrong++;
				*w = gen;
			}
	}
	return NULL;
}

int main(void)
{
	uint64_t seen[THREADS];
	pthread_t th[THREADS];

	test_init(2);
	shared_gen = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	for (int t = 0; t < THREADS; t++)
		make(t);
	for (long t = 0; t < THREADS; t++)
		if (pthread_create(&th[t], NULL, sweep, (void *)t))
			die("pthread_create");
	usleep(200000);
	ckpt_ready_busy();
	ckpt_wait_go();

	/* every page is checked once more by its own thread */
	for (int t = 0; t < THREADS; t++)
		seen[t] = private_gen[t];
	for (int t = 0; t < THREADS; t++)
		while (private_gen[t] < seen[t] + 3)
			usleep(1000);
	stop = 1;
	for (int t = 0; t < THREADS; t++)
		pthread_join(th[t], NULL);
	ok(!wrong, "%d words were not of one moment", wrong);
	ok(seen[0] > 0, "generations %ld %ld %ld", (long)seen[0], (long)seen[1], (long)seen[2]);
	return test_end();
}
