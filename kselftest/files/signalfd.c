// SPDX-License-Identifier: GPL-2.0-only
/* signalfd: its mask, signals that wait in it, and an epoll that watches it. */
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include "ckpt.h"

int main(void)
{
	struct signalfd_siginfo info;
	struct epoll_event ev;
	sigset_t both, one;
	int fd, ep, n;

	test_init(8);
	sigemptyset(&both);
	sigaddset(&both, SIGUSR1);
	sigaddset(&both, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &both, NULL);
	sigemptyset(&one);
	sigaddset(&one, SIGRTMIN + 3);
	fd = must(signalfd(-1, &one, SFD_NONBLOCK | SFD_CLOEXEC));
	ep = must(epoll_create1(0));
	ev.events = EPOLLIN;
	ev.data.u64 = 77;
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	must(sigqueue(getpid(), SIGRTMIN + 3, (union sigval) { .sival_int = 4711 }));
	must(raise(SIGUSR1));

	ckpt_point();

	ok(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK), "flags are %#x", fcntl(fd, F_GETFL));
	n = epoll_wait(ep, &ev, 1, 0);
	ok(n == 1 && ev.events == EPOLLIN && ev.data.u64 == 77, "it is ready");
	n = read(fd, &info, sizeof(info));
	ok(n == sizeof(info) && info.ssi_signo == (uint32_t)SIGRTMIN + 3 && info.ssi_int == 4711,
	   "the signal that waited, with its value");
	ok(read(fd, &info, sizeof(info)) == -1 && errno == EAGAIN, "SIGUSR1 is not in the mask");
	ok(epoll_wait(ep, &ev, 1, 0) == 0, "not ready any more");
	sigqueue(getpid(), SIGRTMIN + 3, (union sigval) { .sival_int = 1 });
	n = epoll_wait(ep, &ev, 1, 1000);
	ok(n == 1 && ev.data.u64 == 77, "a new signal makes it ready");
	ok(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_int == 1, "and comes");
	sigpending(&both);
	ok(sigismember(&both, SIGUSR1), "SIGUSR1 still waits");
	return test_end();
}
