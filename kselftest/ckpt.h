/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test program for checkpoint/restart needs. A program builds a state, lets a checkpoint happen, and
 * then checks that nothing changed:
 *
 *	#include "ckpt.h"
 *
 *	int main(void)
 *	{
 *		test_init(2);			// the plan: two calls of ok()
 *		... build the state ...
 *		ckpt_point();			// whatever the mode does, happens here
 *		ok(x == 1, "x is %d", x);
 *		ok(...);
 *		return test_end();
 *	}
 *
 * The same program is taken through all modes (mode() tells which, for the rare case that it matters):
 *	ref		nothing happens at the point
 *	continue	a checkpoint is taken, the program goes on
 *	restart		a checkpoint is taken, the program killed and restarted from the image
 *	twice		the same, and then once more with the restarted program
 *	reboot		the restart happens in another boot of the same disk
 *
 * In place of ckpt_point(), a test of a sleeping system call has one process call ckpt_ready() and go to
 * sleep; another one (usually a child) calls ckpt_wait_go() and then wakes it. Checkpoints are taken when
 * all threads have been asleep for a while.
 *
 * What a source says at file level is read by the runner, nothing else:
 *	REFUSED("kind")			a checkpoint must be refused, with this kind's name, and do no harm
 *	MODES("ref continue")		only these modes
 *	SECONDS(60)			takes longer than most
 *	KERNELS("6.12 debug")		only on these
 *	RESTART_ARGS("--pidns")		more arguments for crctl restart
 *
 * The program runs as a session leader in a folder of its own, with /dev/null as stdin and files opened with
 * O_APPEND as stdout and stderr. Children may call ok(), too: lines have no numbers, only their count matters.
 * No process may be left when the program ends.
 */
#ifndef CKPT_H
#define CKPT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/types.h>
#include <sys/wait.h>

#define REFUSED(kind)	_Static_assert(sizeof(kind) > 1, "a kind")
#define MODES(list)	_Static_assert(sizeof(list) > 1, "modes")
#define SECONDS(n)	_Static_assert((n) > 0, "seconds")
#define KERNELS(list)	_Static_assert(sizeof(list) > 1, "kernels")
#define RESTART_ARGS(s)	_Static_assert(sizeof(s) > 1, "arguments")

static char ckpt_ready_file[256], ckpt_go_file[256], ckpt_mode[16];
static bool ckpt_failed;

/* One write for each line, and no stdio: a buffer would be saved, and its text could come twice. */
__attribute__((format(printf, 1, 2), unused))
static void say(const char *fmt, ...)
{
	char line[1024];
	int saved = errno, n;
	va_list ap;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDOUT_FILENO, line, n) != n)
		_exit(99);
	errno = saved;
}

/* A comment in the report. */
#define diag(fmt, ...) say("# " fmt, ##__VA_ARGS__)

/* The state could not be built: nothing more can be said. */
#define die(fmt, ...) do {						\
	say("Bail out! %s:%d: " fmt " (%s)", __FILE__, __LINE__,	\
	    ##__VA_ARGS__, strerror(errno));				\
	exit(1);							\
} while (0)

/* For calls that return -1 (or MAP_FAILED) when they fail: must(pipe(fds)). Gives what the call returned. */
#define must(call) ({							\
	__typeof__(call) must_ret = (call);				\
	if ((long)must_ret == -1)					\
		die("%s", #call);					\
	must_ret;							\
})

/* One test. A failed one says so and lets the program go on. Gives the condition. */
#define ok(cond, fmt, ...) ({						\
	bool ok_cond = (cond);						\
	int ok_errno = errno;						\
	say("%sok - " fmt, ok_cond ? "" : "not ", ##__VA_ARGS__);	\
	if (!ok_cond) {							\
		ckpt_failed = true;					\
		diag("%s:%d: %s (errno %d)", __FILE__, __LINE__,	\
		     #cond, ok_errno);					\
	}								\
	ok_cond;							\
})

/* The machine lacks something. The agent accepts only the reasons in its table. For a call before the plan. */
#define skip_all(fmt, ...) do {						\
	say("1..0 # SKIP " fmt, ##__VA_ARGS__);				\
	exit(0);							\
} while (0)

/* The same for one test of the plan. */
#define skip(fmt, ...) say("ok - skipped # SKIP " fmt, ##__VA_ARGS__)

__attribute__((unused))
static void ckpt_env(void)
{
	const char *dir = getenv("CKPT_DIR"), *m = getenv("CKPT_MODE");

	if (!dir)
		dir = ".";
	snprintf(ckpt_mode, sizeof(ckpt_mode), "%s", m ? m : "alone");
	snprintf(ckpt_ready_file, sizeof(ckpt_ready_file), "%s/ready", dir);
	snprintf(ckpt_go_file, sizeof(ckpt_go_file), "%s/go", dir);
}

#define test_init(plan) do { ckpt_env(); say("1..%d", (int)(plan)); } while (0)

__attribute__((unused))
static const char *mode(void)
{
	return ckpt_mode;
}

__attribute__((unused))
static int test_end(void)
{
	return ckpt_failed;
}

__attribute__((unused))
static void ckpt_announce(const char *how)
{
	char tmp[300];
	int fd;

	/* Renamed when complete: the agent must not see half of it. */
	snprintf(tmp, sizeof(tmp), "%s.%d", ckpt_ready_file, (int)getpid());
	fd = must(open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
	if (write(fd, how, strlen(how)) != (ssize_t)strlen(how))
		die("writing %s", tmp);
	close(fd);
	must(rename(tmp, ckpt_ready_file));
}

__attribute__((unused))
static bool ckpt_may_go(void)
{
	return !strcmp(ckpt_mode, "alone") || access(ckpt_go_file, F_OK) == 0;
}

/* Waits until the checkpoint, or whatever the mode does, is over. No descriptor is open meanwhile. */
__attribute__((unused))
static void ckpt_wait_go(void)
{
	while (!ckpt_may_go()) {
		struct timespec ts = { .tv_nsec = 10 * 1000 * 1000 };

		nanosleep(&ts, NULL);
	}
}

/* The caller goes to sleep in the system call under test; the checkpoint is taken after that. */
__attribute__((unused))
static void ckpt_ready(void)
{
	ckpt_announce("sleeping\n");
}

/* The caller's threads or children are spinning, or do not mind where they are. */
__attribute__((unused))
static void ckpt_ready_busy(void)
{
	ckpt_announce("busy\n");
}

/* My state is built: take the checkpoint now, and let me go on when it is done. */
__attribute__((unused))
static void ckpt_point(void)
{
	ckpt_announce("point\n");
	ckpt_wait_go();
}

/* Fills memory with a pattern that depends on the seed and on the place. */
__attribute__((unused))
static void fill(void *p, size_t len, uint32_t seed)
{
	unsigned char *b = p;

	for (size_t i = 0; i < len; i++)
		b[i] = (seed * 2654435761u + (uint32_t)i * 40503u) >> 13;
}

/* Gives the first place that differs from fill()'s pattern, or -1. */
__attribute__((unused))
static ssize_t differs(const void *p, size_t len, uint32_t seed)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < len; i++)
		if (b[i] != (unsigned char)((seed * 2654435761u + (uint32_t)i * 40503u) >> 13))
			return i;
	return -1;
}

#endif
