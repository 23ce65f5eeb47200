// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers, masks, and pending signals with their siginfo, in order, of the process and of a thread; the
 * checkpoint is taken while a handler runs on the alternate stack.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include "ckpt.h"

static int seen[64], seen_sig[64], seen_code[64], nseen;
static pid_t seen_pid[64];
static volatile int in_handler, on_stack, after_point;
static char alt[65536];
static pthread_t thread;
static pid_t tid;
static volatile int stage;

static void note(int sig, siginfo_t *si, void *ctx)
{
	seen[nseen] = si->si_value.sival_int;
	seen_sig[nseen] = sig;
	seen_code[nseen] = si->si_code;
	seen_pid[nseen++] = si->si_pid;
}

static void plain(int sig)
{
}

static void handler(int sig, siginfo_t *si, void *ctx)
{
	stack_t st;

	in_handler++;
	ckpt_point();
	sigaltstack(NULL, &st);
	on_stack = (st.ss_flags & SS_ONSTACK) && (char *)&st > alt && (char *)&st < alt + sizeof(alt);
	after_point++;
}

static void *work(void *arg)
{
	sigset_t set;
	siginfo_t si;

	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	tid = syscall(SYS_gettid);
	stage = 1;
	while (stage == 1)
		usleep(10000);
	/* private ones of this thread */
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	for (int i = 0; i < 3; i++) {
		int n = sigtimedwait(&set, &si, &(struct timespec){});

		ok(n == SIGRTMIN + 5 && si.si_value.sival_int == 700 + i && si.si_code == SI_QUEUE,
		   "a private signal of a thread, value %d", si.si_value.sival_int);
	}
	ok(sigtimedwait(&set, &si, &(struct timespec){}) == -1 && errno == EAGAIN, "no fourth");
	return NULL;
}

static void queue(int sig, int value)
{
	union sigval v = { .sival_int = value };

	must(sigqueue(getpid(), sig, v));
}

int main(void)
{
	stack_t st = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO }, old;
	sigset_t set, now, pend;
	int low;

	test_init(19);
	must(sigaltstack(&st, NULL));
	for (int i = 0; i < 3; i++)
		must(sigaction(SIGRTMIN + i, &sa, NULL));
	must(sigaction(SIGUSR1, &sa, NULL));
	must(sigaction(SIGTERM, &sa, NULL));
	must(sigaction(SIGCHLD, &sa, NULL));
	sa.sa_sigaction = handler;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER;
	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGHUP);
	must(sigaction(SIGUSR2, &sa, NULL));
	sa.sa_handler = plain;
	sa.sa_flags = SA_RESETHAND | SA_NOCLDWAIT;
	must(sigaction(SIGWINCH, &sa, NULL));
	signal(SIGPIPE, SIG_IGN);
	if (pthread_create(&thread, NULL, work, NULL))
		die("pthread_create");
	while (!stage)
		usleep(1000);

	sigemptyset(&set);
	for (int i = 0; i < 3; i++)
		sigaddset(&set, SIGRTMIN + i);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	queue(SIGRTMIN + 1, 101);
	queue(SIGRTMIN, 1);
	queue(SIGRTMIN + 1, 102);
	queue(SIGRTMIN, 2);
	queue(SIGRTMIN + 1, 103);
	queue(SIGUSR1, 55);
	queue(SIGUSR1, 56);		/* lost, it is not a real-time signal */
	must(kill(getpid(), SIGTERM));
	if (fork() == 0)
		_exit(3);
	must(waitpid(-1, NULL, 0));
	for (int i = 0; i < 3; i++) {
		siginfo_t si = { .si_signo = SIGRTMIN + 5, .si_code = SI_QUEUE };

		si.si_pid = getpid();
		si.si_value.sival_int = 700 + i;
		must(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGRTMIN + 5, &si));
	}

	must(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2));	/* ckpt_point() is in there */

	ok(in_handler == 1 && after_point == 1, "the handler went on where it was");
	ok(on_stack, "on the alternate stack");
	must(sigaltstack(NULL, &st));
	ok(st.ss_sp == alt && st.ss_flags == 0, "which is free again");
	must(sigaction(SIGUSR2, NULL, &old));
	ok(old.sa_sigaction == handler &&
	   (old.sa_flags & ~0x04000000) == (SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER) &&
	   sigismember(&old.sa_mask, SIGHUP) == 1 && sigismember(&old.sa_mask, SIGINT) == 0,
	   "handler, flags %#x, mask", old.sa_flags);
	must(sigaction(SIGWINCH, NULL, &old));
	ok(old.sa_handler == plain && (old.sa_flags & ~0x04000000) == (int)(SA_RESETHAND | SA_NOCLDWAIT),
	   "another one's flags %#x", old.sa_flags);
	must(sigaction(SIGPIPE, NULL, &old));
	ok(old.sa_handler == SIG_IGN, "an ignored signal");
	must(sigprocmask(SIG_BLOCK, NULL, &now));
	ok(!memcmp(&now, &set, 8), "the mask");
	must(sigpending(&pend));
	ok(sigismember(&pend, SIGRTMIN) && sigismember(&pend, SIGTERM) && !sigismember(&pend, SIGUSR2),
	   "what is pending");
	stage = 2;
	pthread_join(thread, NULL);

	must(sigprocmask(SIG_UNBLOCK, &set, NULL));
	ok(nseen == 8, "%d signals were pending", nseen);
	/* The handlers nest: the last of all to be delivered ran first. */
	for (int i = low = 0; i < nseen; i++)
		low += seen_sig[i] == SIGRTMIN;
	ok(low == 2, "two of the first real-time signal");
	low = 0;
	for (int i = 0; i < nseen; i++) {
		if (seen_sig[i] == SIGRTMIN)
			low = low * 10 + seen[i];
		if (seen_sig[i] == SIGRTMIN + 1)
			low = low * 10 + seen[i] - 100;
	}
	ok(low == 12312 || low == 12123, "in the order of their queue (%d)", low);
	for (int i = low = 0; i < nseen; i++)
		low += seen_sig[i] == SIGUSR1 && seen[i] == 55 && seen_code[i] == SI_QUEUE &&
		       seen_pid[i] == getpid();
	ok(low == 1, "siginfo of sigqueue");
	for (int i = low = 0; i < nseen; i++)
		low += seen_sig[i] == SIGTERM && seen_code[i] == SI_USER && seen_pid[i] == getpid();
	ok(low == 1, "siginfo of kill");
	for (int i = low = 0; i < nseen; i++)
		low += seen_sig[i] == SIGCHLD && seen_code[i] == CLD_EXITED;
	ok(low == 1, "siginfo of a child's end");
	must(raise(SIGWINCH));
	must(sigaction(SIGWINCH, NULL, &old));
	ok(old.sa_handler == SIG_DFL, "SA_RESETHAND does its work");
	return test_end();
}
