// SPDX-License-Identifier: GPL-2.0-only
/* Scheduling of each thread by itself: policies, nice, priorities, deadline, reset on fork, affinity, ioprio. */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "ckpt.h"

#define N 8

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

struct state {
	struct attr attr;
	cpu_set_t cpus;
	int ioprio;
};

static struct state before[N], after[N];
static volatile int ready;

static const struct attr want[N] = {
	{ .policy = SCHED_OTHER, .nice = 7 },
	{ .policy = SCHED_OTHER, .nice = -11 },
	{ .policy = SCHED_BATCH, .nice = 3 },
	{ .policy = SCHED_IDLE },
	{ .policy = SCHED_FIFO, .priority = 12 },
	{ .policy = SCHED_RR, .priority = 34, .flags = 1 /* reset on fork */ },
	{ .policy = 6 /* deadline */, .runtime = 2000000, .deadline = 50000000, .period = 100000000 },
	{ .policy = SCHED_OTHER },
};

static void look(struct state *s)
{
	must(syscall(SYS_sched_getattr, 0, &s->attr, sizeof(s->attr), 0));
	must(sched_getaffinity(0, sizeof(s->cpus), &s->cpus));
	s->ioprio = must(syscall(SYS_ioprio_get, 1, 0));
}

static void *work(void *arg)
{
	long i = (long)arg;
	struct attr a = want[i];
	cpu_set_t set;

	a.size = sizeof(a);
	must(syscall(SYS_sched_setattr, 0, &a, 0));
	if (i == 7) {
		CPU_ZERO(&set);
		CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
		must(sched_setaffinity(0, sizeof(set), &set));
	}
	if (i == 2)
		must(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));	/* best effort, 6 */
	if (i == 3)
		must(syscall(SYS_ioprio_set, 1, 0, 3 << 13));		/* idle */
	look(&before[i]);
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	ckpt_wait_go();
	look(&after[i]);
	return NULL;
}

int main(void)
{
	pthread_t t[N];

	test_init(N * 3 + 2);
	for (long i = 0; i < N; i++)
		if (pthread_create(&t[i], NULL, work, (void *)i))
			die("pthread_create");
	while (ready < N)
		usleep(1000);
	must(setpriority(PRIO_PROCESS, 0, 5));

	ckpt_point();

	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < N; i++) {
		struct attr *b = &before[i].attr, *a = &after[i].attr;

		ok(a->policy == want[i].policy && a->nice == b->nice && a->priority == b->priority &&
		   a->flags == b->flags, "policy %u, nice %d, priority %u, flags %lu", a->policy,
		   a->nice, a->priority, a->flags);
		ok(a->runtime == b->runtime && a->deadline == b->deadline && a->period == b->period &&
		   CPU_EQUAL(&before[i].cpus, &after[i].cpus),
		   "deadline parameters and affinity of policy %u", a->policy);
		ok(before[i].ioprio == after[i].ioprio, "I/O priority %#x", after[i].ioprio);
	}
	ok(getpriority(PRIO_PROCESS, 0) == 5, "the leader's nice value");
	ok(before[7].attr.nice == 0 && before[4].attr.priority == 12, "each for itself");
	return test_end();
}
