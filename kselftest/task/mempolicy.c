// SPDX-License-Identifier: GPL-2.0-only
/* The NUMA memory policy of threads. */
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sys/syscall.h>
#include "ckpt.h"

#define N 5

static struct policy {
	int mode;
	unsigned long nodes;
} before[N], after[N];
static volatile int ready;

static void look(struct policy *p)
{
	unsigned long nodes[16] = {};

	must(syscall(SYS_get_mempolicy, &p->mode, nodes, 1024, 0, 0));
	p->nodes = nodes[0];
}

static void *work(void *arg)
{
	static const int mode[N] = { MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED | MPOL_F_STATIC_NODES,
				     MPOL_LOCAL, MPOL_DEFAULT };
	long i = (long)arg;
	unsigned long node0 = 1;

	must(syscall(SYS_set_mempolicy, mode[i], i < 3 ? &node0 : NULL, i < 3 ? 8 : 0));
	look(&before[i]);
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	ckpt_wait_go();
	look(&after[i]);
	return NULL;
}

int main(void)
{
	pthread_t t[N];

	test_init(N);
	for (long i = 1; i < N; i++)
		if (pthread_create(&t[i], NULL, work, (void *)i))
			die("pthread_create");
	while (ready < N - 1)
		usleep(1000);
	must(syscall(SYS_set_mempolicy, MPOL_BIND, &(unsigned long){ 1 }, 8));
	look(&before[0]);

	ckpt_point();

	look(&after[0]);
	for (int i = 1; i < N; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < N; i++)
		ok(before[i].mode == after[i].mode && before[i].nodes == after[i].nodes,
		   "mode %#x, nodes %lx", after[i].mode, after[i].nodes);
	return test_end();
}
