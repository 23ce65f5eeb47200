// SPDX-License-Identifier: GPL-2.0-only
/* A stopped child with two threads: it stays stopped until SIGCONT, its parent is not told twice. */
#include <pthread.h>
#include <sys/mman.h>
#include "ckpt.h"

static volatile int *counter;

static void *count(void *arg)
{
	volatile int *c = arg;

	for (;;) {
		++*c;
		usleep(1000);
	}
	return NULL;
}

int main(void)
{
	int status, a, b, sigchld;
	sigset_t set, pend;
	pthread_t t;
	pid_t child, late;

	test_init(9);
	counter = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	child = must(fork());
	if (!child) {
		pthread_create(&t, NULL, count, (void *)&counter[1]);
		count((void *)&counter[0]);
	}
	late = must(fork());
	if (!late) {
		for (;;)
			pause();
	}
	while (counter[0] < 5 || counter[1] < 5)
		usleep(1000);
	must(kill(child, SIGSTOP));
	must(waitpid(child, &status, WUNTRACED));
	must(kill(late, SIGSTOP));		/* nobody has waited for that one yet */
	usleep(200000);
	sigtimedwait(&set, NULL, &(struct timespec){});

	ckpt_point();

	must(sigpending(&pend));
	sigchld = sigismember(&pend, SIGCHLD);
	ok(!sigchld, "no second SIGCHLD");
	a = counter[0];
	b = counter[1];
	usleep(200000);
	ok(a == counter[0] && b == counter[1], "both threads are stopped");
	ok(waitpid(child, &status, WUNTRACED | WNOHANG) == 0, "which the parent knows already");
	ok(waitpid(late, &status, WUNTRACED | WNOHANG) == late && WIFSTOPPED(status) &&
	   WSTOPSIG(status) == SIGSTOP, "the other stop is still to be told");
	must(kill(child, SIGCONT));
	ok(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status), "SIGCONT");
	usleep(300000);
	ok(counter[0] > a && counter[1] > b, "both threads go on");
	must(kill(child, SIGKILL));
	ok(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL, "the first has ended");
	must(kill(late, SIGKILL));
	ok(waitpid(late, &status, 0) == late && WTERMSIG(status) == SIGKILL, "the second has ended");
	ok(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD, "there is no other");
	return test_end();
}
