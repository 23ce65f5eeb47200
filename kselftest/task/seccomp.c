// SPDX-License-Identifier: GPL-2.0-only
/*
 * seccomp: filters that all threads have, filters of one thread beyond those, a thread in strict mode; and
 * that a thread can still give its filters to the others, which takes that they share what they have.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "ckpt.h"

static volatile int ready, strict_done, strict_go, more_tid, busy_go, busy_tid;
static int one[4], one_after[4], busy_after[4];

/* a filter that gives one system call an error */
static int deny(int nr, int err, unsigned int flags)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { .len = 4, .filter = f };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

static void probe(int *r)
{
	r[0] = syscall(SYS_getuid) == -1 ? errno : 0;
	r[1] = syscall(SYS_getgid) == -1 ? errno : 0;
	r[2] = syscall(SYS_geteuid) == -1 ? errno : 0;
	r[3] = syscall(SYS_getegid) == -1 ? errno : 0;
}

static void *more(void *arg)
{
	more_tid = gettid();
	must(deny(SYS_geteuid, 33, 0));
	must(deny(SYS_getegid, 34, SECCOMP_FILTER_FLAG_LOG));
	probe(one);
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	ckpt_wait_go();
	probe(one_after);
	return NULL;
}

/* it has filters of its own, too, and is not in a system call */
static void *busy(void *arg)
{
	busy_tid = gettid();
	must(deny(SYS_getegid, 36, 0));
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!busy_go)
		;
	probe(busy_after);
	return NULL;
}

static void *nothing(void *arg)
{
	return NULL;
}

static void *strict(void *arg)
{
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!strict_go)
		;
	strict_done = 1;
	syscall(SYS_exit, 0);
	return NULL;
}

int main(void)
{
	int r[4], status;
	pthread_t t, t2, t3;
	pid_t child;
	char buf[4096], *p;
	int fd, n;

	test_init(11);
	/* another process, with another set, one without the right to more */
	child = must(fork());
	if (!child) {
		if (pthread_create(&t, NULL, strict, NULL))
			_exit(9);
		while (!ready)
			usleep(1000);
		must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		must(deny(SYS_getuid, 41, 0));
		ckpt_wait_go();
		probe(r);
		strict_go = 1;
		pthread_join(t, NULL);
		_exit(r[0] == 41 && !r[1] && strict_done && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1);
	}
	must(deny(SYS_getuid, 31, 0));
	must(deny(SYS_getgid, 32, SECCOMP_FILTER_FLAG_LOG));
	if (pthread_create(&t, NULL, more, NULL) || pthread_create(&t3, NULL, busy, NULL))
		die("pthread_create");
	while (ready < 2)
		usleep(1000);
	usleep(200000);

	ckpt_point();

	probe(r);
	ok(r[0] == 31 && r[1] == 32 && !r[2] && !r[3], "the leader's filters %d %d %d %d", r[0], r[1], r[2], r[3]);
	busy_go = 1;
	pthread_join(t, NULL);
	pthread_join(t3, NULL);
	/* joined is not gone, and as long as it is there the others cannot have filters that it lacks */
	while (!syscall(SYS_tgkill, getpid(), more_tid, 0) || !syscall(SYS_tgkill, getpid(), busy_tid, 0))
		usleep(1000);
	ok(one[0] == 31 && one[1] == 32 && one[2] == 33 && one[3] == 34, "a thread's before");
	ok(!memcmp(one, one_after, sizeof(one)), "a thread's after: %d %d %d %d", one_after[0], one_after[1],
	   one_after[2], one_after[3]);
	ok(busy_after[0] == 31 && busy_after[1] == 32 && !busy_after[2] && busy_after[3] == 36,
	   "those of a thread that is not in a system call: %d %d %d %d", busy_after[0], busy_after[1],
	   busy_after[2], busy_after[3]);
	ok(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0, "no_new_privs is not set");
	ok(prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER, "mode");
	fd = must(open("/proc/self/status", O_RDONLY));
	n = must(read(fd, buf, sizeof(buf) - 1));
	buf[n] = 0;
	p = strstr(buf, "Seccomp_filters:");
	ok(p && atoi(p + 16) == 2, "%d filters", p ? atoi(p + 16) : -1);
	if (pthread_create(&t2, NULL, nothing, NULL))
		die("pthread_create");
	ok(deny(SYS_geteuid, 35, SECCOMP_FILTER_FLAG_TSYNC) == 0, "filters can be given to all threads");
	pthread_join(t2, NULL);
	probe(r);
	ok(r[0] == 31 && r[2] == 35, "and a new one works");
	ok(waitpid(child, &status, 0) == child, "the other process has ended");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it had its own, status %#x", status);
	return test_end();
}
