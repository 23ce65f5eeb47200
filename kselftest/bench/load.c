// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the comparison with criu saves: load FILE MIB THP THREADS PROCS FILES PAIRS VMAS MICROSECONDS
 *
 * One process with MIB of written memory (THP 1: of huge pages), THREADS threads, FILES open files and PAIRS
 * connected socket pairs, VMAS mappings of a written page each, and PROCS - 1 children that sleep. One thread
 * ticks every MICROSECONDS, writes to a page each time, and notes in FILE, which it maps, how many ticks there
 * were and the longest time between two.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct note {
	uint64_t ticks, longest_ns, ready;
};

static volatile struct note *note;
static char *memory;
static size_t size;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void *ticker(void *arg)
{
	const struct timespec period = { .tv_nsec = (long)arg * 1000 };
	uint64_t last = now(), t, longest;
	size_t at = 0;

	for (;;) {
		nanosleep(&period, NULL);
		at = (at + 4096) % size;
		memory[at]++;
		t = now();
		/* the reader sets it to 0 to begin anew */
		longest = note->longest_ns;
		if (t - last > longest)
			note->longest_ns = t - last;
		last = t;
		note->ticks++;
	}
	return NULL;
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

__attribute__((noreturn)) static void die(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };
	int fd, i, n[9], pair[2];
	char *map;
	pthread_attr_t attr;
	pthread_t thread;
	size_t off;

	if (argc != 10)
		return 2;
	for (i = 2; i < 10; i++)
		n[i - 1] = atoi(argv[i]);
	size = (size_t)n[1] << 20;
	setrlimit(RLIMIT_NOFILE, &files);

	for (i = 1; i < n[4]; i++) {
		switch (fork()) {
		case -1:
			die("fork");
		case 0:
			sleeper(NULL);
		}
	}
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, 4096))
		die(argv[1]);
	note = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memory = mmap(NULL, size + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (note == MAP_FAILED || memory == MAP_FAILED)
		die("mmap");
	close(fd);
	memory = (char *)(((uintptr_t)memory + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
	if (madvise(memory, size, n[2] ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		die("madvise");
	for (off = 0; off < size; off += 4096)
		*(uint64_t *)(memory + off) = off * 0x9e3779b97f4a7c15ull + 1;

	for (i = 0; i < n[5]; i++)
		if (open("/etc/passwd", O_RDONLY) < 0)
			die("open");
	for (i = 0; i < n[6]; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			die("socketpair");
	/* every other page, so that none are merged */
	map = mmap(NULL, 4096 + (size_t)n[7] * 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		die("mmap");
	for (i = 0; i < n[7]; i++) {
		if (mprotect(map + (size_t)i * 8192, 4096, PROT_READ | PROT_WRITE))
			die("mprotect");
		*(int *)(map + (size_t)i * 8192) = i + 1;
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (i = 2; i < n[3]; i++)
		if (pthread_create(&thread, &attr, sleeper, NULL))
			die("pthread_create");
	if (n[3] > 1) {
		if (pthread_create(&thread, &attr, ticker, (void *)(long)n[8]))
			die("pthread_create");
		note->ready = 1;
		sleeper(NULL);
	}
	note->ready = 1;
	ticker((void *)(long)n[8]);
}
