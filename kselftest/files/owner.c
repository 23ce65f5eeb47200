// SPDX-License-Identifier: GPL-2.0-only
/* Who gets SIGIO: F_SETOWN, F_SETSIG, O_ASYNC. */
#include "ckpt.h"

static volatile int got_sig, got_fd, got_band;

static void handler(int sig, siginfo_t *si, void *uc)
{
	got_sig = sig;
	got_fd = si->si_fd;
	got_band = si->si_band;
}

static void group(int sig)
{
	got_sig = sig;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct f_owner_ex o = { F_OWNER_TID, getpid() }, o2 = { 0 };
	int p[2], q[2], r[2], plain, none;

	test_init(11);
	sigaction(SIGRTMIN + 3, &sa, NULL);
	signal(SIGIO, group);
	must(pipe(p));
	must(fcntl(p[0], F_SETSIG, SIGRTMIN + 3));
	must(fcntl(p[0], F_SETOWN_EX, &o));
	must(fcntl(p[0], F_SETFL, O_ASYNC | O_NONBLOCK));
	must(pipe(q));
	must(fcntl(q[0], F_SETOWN, -getpgrp()));
	must(fcntl(q[0], F_SETFL, O_ASYNC));
	must(pipe(r));
	must(fcntl(r[0], F_SETSIG, SIGUSR1));	/* no owner */
	plain = must(open("plain", O_RDWR | O_CREAT, 0644));
	must(fcntl(plain, F_SETOWN, getpid()));
	none = must(open("plain", O_RDONLY));
	{
		/* one whose owner is dead: as good as none */
		pid_t pid = must(fork());

		if (!pid)
			_exit(0);
		must(fcntl(none, F_SETOWN, pid));
		must(waitpid(pid, NULL, 0));
	}

	ckpt_point();

	ok(fcntl(p[0], F_GETSIG) == SIGRTMIN + 3, "F_SETSIG");
	ok(fcntl(p[0], F_GETOWN_EX, &o2) == 0 && o2.type == F_OWNER_TID && o2.pid == getpid(), "the owner is a thread");
	ok(fcntl(p[0], F_GETFL) == (O_ASYNC | O_NONBLOCK), "O_ASYNC, flags are %#x", fcntl(p[0], F_GETFL));
	ok(write(p[1], "x", 1) == 1 && got_sig == SIGRTMIN + 3, "a write signals, %d", got_sig);
	ok(got_fd == p[0], "and says which descriptor, %d", got_fd);
	got_sig = 0;
	ok(fcntl(q[0], F_GETOWN_EX, &o2) == 0 && o2.type == F_OWNER_PGRP && o2.pid == getpgrp(), "the owner is a group");
	ok(write(q[1], "x", 1) == 1 && got_sig == SIGIO, "which gets SIGIO, %d", got_sig);
	ok(fcntl(r[0], F_GETSIG) == SIGUSR1 && fcntl(r[0], F_GETOWN) == 0, "a signal without an owner");
	ok(fcntl(plain, F_GETOWN) == getpid() && !(fcntl(plain, F_GETFL) & O_ASYNC), "an owner of a plain file");
	ok(fcntl(none, F_GETOWN) == 0, "one whose owner has died has none: %d", fcntl(none, F_GETOWN));
	ok(fcntl(q[1], F_GETOWN) == 0 && fcntl(q[1], F_GETFL) == O_WRONLY, "the other end has none");
	return test_end();
}
