// SPDX-License-Identifier: GPL-2.0-only
/* seccomp: threads asleep in calls that go on by restart_syscall, with a filter that kills the process for that. */
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "ckpt.h"

static int fds[2], word;

static void no_restart(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { .len = 4, .filter = f };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p));
}

static void *polls(void *arg)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };

	no_restart();
	return (void *)(long)(poll(&p, 1, 1000000) == 1 ? p.revents : -errno);
}

static void *waits(void *arg)
{
	struct timespec ts = { .tv_sec = 1000 };

	no_restart();
	/* what has changed before it waits again is as good as a wake */
	if (syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &ts, NULL, 0) && errno != EAGAIN)
		return (void *)(long)errno;
	return NULL;
}

static void *naps(void *arg)
{
	struct timespec ts = { .tv_sec = 4 };

	no_restart();
	return (void *)(long)nanosleep(&ts, NULL);
}

int main(void)
{
	pthread_t p, w, n;
	void *ret;

	test_init(3);
	must(pipe(fds));
	if (pthread_create(&p, NULL, polls, NULL) || pthread_create(&w, NULL, waits, NULL) ||
	    pthread_create(&n, NULL, naps, NULL))
		die("pthread_create");
	ckpt_ready();
	ckpt_wait_go();
	must(write(fds[1], "x", 1));
	pthread_join(p, &ret);
	ok(ret == (void *)POLLIN, "poll gave %ld", (long)ret);
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	must(syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
	pthread_join(w, &ret);
	ok(!ret, "futex gave %ld", (long)ret);
	pthread_join(n, &ret);
	ok(!ret, "nanosleep gave %ld", (long)ret);
	return test_end();
}
