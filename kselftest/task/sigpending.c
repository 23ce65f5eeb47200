// SPDX-License-Identifier: GPL-2.0-only
/* More pending signals than a record holds. */
#include <sys/resource.h>
#include "ckpt.h"
REFUSED("sigpending");

#define N 9000

int main(void)
{
	struct rlimit rlim = { 4 * N, 4 * N };
	union sigval v;
	siginfo_t info;
	sigset_t set;
	int i;

	test_init(1);
	must(setrlimit(RLIMIT_SIGPENDING, &rlim));
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	for (v.sival_int = 0; v.sival_int < N; v.sival_int++)
		must(sigqueue(getpid(), SIGRTMIN, v));
	ckpt_point();
	for (i = 0; i < N; i++)
		if (sigtimedwait(&set, &info, &(struct timespec){ 0 }) != SIGRTMIN || info.si_value.sival_int != i)
			break;
	ok(i == N, "all are there, in order: %d", i);
	return test_end();
}
