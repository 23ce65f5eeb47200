// SPDX-License-Identifier: GPL-2.0-only
/* A timer on the CPU clock of another process. */
#include "ckpt.h"
REFUSED("posix-timer");

int main(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	struct itimerspec it = { .it_value.tv_sec = 1000 };
	clockid_t clock;
	timer_t timer;
	pid_t pid;

	test_init(1);
	pid = must(fork());
	if (!pid) {
		pause();
		_exit(0);
	}
	errno = clock_getcpuclockid(pid, &clock);
	if (errno)
		die("clock_getcpuclockid");
	must(timer_create(clock, &ev, &timer));
	must(timer_settime(timer, 0, &it, NULL));
	ckpt_point();
	ok(timer_gettime(timer, &it) == 0 && it.it_value.tv_sec > 900, "it runs");
	must(kill(pid, SIGKILL));
	must(waitpid(pid, NULL, 0));
	return test_end();
}
