// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads and what each has for itself: tids, masks, alternate stacks, robust lists, the address that is
 * cleared at the end, rseq, names, slack, personality, parent-death signal, no_new_privs.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include "ckpt.h"

#define N 6

static struct worker {
	pthread_t thread;
	pid_t tid, tid_after;
	char name[16], name_after[16];
	uint64_t mask, mask_after;
	stack_t alt, alt_after;
	int slack, slack_after, nnp, nnp_after, persona;
	uint64_t rseq_bad;
	int tls;
} w[N];

static __thread int tls;
static pthread_mutex_t go_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t go_cond = PTHREAD_COND_INITIALIZER;
static bool go;
static pthread_mutex_t robust;
static uint32_t word;

static uint64_t mask(void)
{
	uint64_t m;

	must(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &m, 8));
	return m;
}

/* cpu_id of rseq must follow every move */
static uint64_t flip(int rounds)
{
	volatile struct rseq *rs = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t bad = 0;
	cpu_set_t set;

	if (!__rseq_size)
		return 1;
	for (int i = 0; i < rounds; i++) {
		unsigned int cpu, seen;

		CPU_ZERO(&set);
		CPU_SET(i % cpus, &set);
		must(sched_setaffinity(0, sizeof(set), &set));
		seen = rs->cpu_id;
		must(syscall(SYS_getcpu, &cpu, NULL, NULL));
		bad += seen != cpu || cpu != (unsigned int)(i % cpus) || rs->cpu_id_start != cpu;
	}
	return bad;
}

static void *work(void *arg)
{
	struct worker *me = arg;
	int i = me - w;
	sigset_t set;

	me->tid = syscall(SYS_gettid);
	snprintf(me->name, sizeof(me->name), "worker-%d", i);
	must(prctl(PR_SET_NAME, me->name));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3 + i);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	me->mask = mask();
	me->alt.ss_sp = malloc(65536);
	me->alt.ss_size = 65536;
	must(sigaltstack(&me->alt, NULL));
	must(sigaltstack(NULL, &me->alt));
	must(prctl(PR_SET_TIMERSLACK, 100000 + i));
	me->slack = prctl(PR_GET_TIMERSLACK);
	if (i == 2)
		must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	me->nnp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	if (i == 3)
		must(personality(ADDR_NO_RANDOMIZE));
	me->tls = tls = 1000 + i;
	if (i == 4)
		pthread_mutex_lock(&robust);

	if (i % 3 == 0) {			/* in a condition variable */
		pthread_mutex_lock(&go_lock);
		while (!go)
			pthread_cond_wait(&go_cond, &go_lock);
		pthread_mutex_unlock(&go_lock);
	} else if (i % 3 == 1) {		/* in a futex with a timeout far away */
		struct timespec ts = { .tv_sec = 3000 };

		while (!__atomic_load_n(&word, __ATOMIC_ACQUIRE))
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0);
	} else {				/* in nanosleep */
		ckpt_wait_go();
	}
	me->rseq_bad = flip(200);
	me->tid_after = syscall(SYS_gettid);
	prctl(PR_GET_NAME, me->name_after);
	me->mask_after = mask();
	sigaltstack(NULL, &me->alt_after);
	me->slack_after = prctl(PR_GET_TIMERSLACK);
	me->nnp_after = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	me->persona = personality(0xffffffff);
	if (tls != 1000 + i)
		me->tls = -1;
	return NULL;				/* number 4 dies with the mutex */
}

/* the parent of the whole tree is another one after a restart: only a child can tell */
static pid_t child_with_pdeath(void)
{
	pid_t pid = must(fork());
	int sig = 0;

	if (pid)
		return pid;
	must(prctl(PR_SET_PDEATHSIG, SIGUSR2));
	ckpt_wait_go();
	prctl(PR_GET_PDEATHSIG, &sig);
	_exit(sig == SIGUSR2 ? 0 : 1);
}

int main(void)
{
	pthread_mutexattr_t attr;
	uint64_t mine;
	int status;
	pid_t child;

	test_init(13);
	child = child_with_pdeath();
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	for (int i = 0; i < N; i++)
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			die("pthread_create");
	for (int i = 0; i < N; i++)
		while (!__atomic_load_n(&w[i].tls, __ATOMIC_ACQUIRE))
			sched_yield();
	usleep(100000);
	mine = mask();

	ckpt_point();

	__atomic_store_n(&word, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, N, NULL, NULL, 0);
	pthread_mutex_lock(&go_lock);
	go = true;
	pthread_cond_broadcast(&go_cond);
	pthread_mutex_unlock(&go_lock);
	for (int i = 0; i < N; i++)
		pthread_join(w[i].thread, NULL);	/* needs clear_child_tid */

	ok(flip(500) == 0, "the leader's rseq area follows every move");
#define ALL(cond, text) do {							\
	int bad = -1;								\
	for (int i = 0; i < N; i++)						\
		if (!(cond))							\
			bad = i;						\
	ok(bad < 0, text ", bad: %d", bad);					\
} while (0)
	ALL(w[i].rseq_bad == 0, "rseq areas follow every move");
	ALL(w[i].tid == w[i].tid_after, "tids");
	ALL(!strcmp(w[i].name, w[i].name_after), "names");
	ALL(w[i].mask == w[i].mask_after, "signal masks");
	ALL(w[i].alt.ss_sp == w[i].alt_after.ss_sp && w[i].alt.ss_size == w[i].alt_after.ss_size &&
	    w[i].alt.ss_flags == w[i].alt_after.ss_flags, "alternate stacks");
	ALL(w[i].slack == w[i].slack_after && w[i].slack == 100000 + i, "timer slack");
	ALL(w[i].nnp_after == w[i].nnp && w[i].nnp == (i == 2), "no_new_privs");
	ALL(w[i].persona == (i == 3 ? ADDR_NO_RANDOMIZE : 0), "personality");
	ALL(w[i].tls == 1000 + i, "thread-local memory");
	ok(waitpid(child, &status, 0) == child && status == 0, "parent-death signal of a child");
	ok(mine == mask(), "the leader's mask");
	ok(pthread_mutex_lock(&robust) == EOWNERDEAD, "a robust mutex tells that its owner died");
	return test_end();
}
