// SPDX-License-Identifier: GPL-2.0-only
/* pidfd: of oneself, of a child, of the parent; polled, signalled, waited for, and watched by an epoll. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include "ckpt.h"

static int up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0);
}

int main(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 5 };
	int self, of_child, ep, n;
	siginfo_t info = {};
	pid_t child;

	test_init(9);
	self = must(syscall(SYS_pidfd_open, getpid(), O_NONBLOCK));
	child = must(fork());
	if (!child) {
		while (1)
			pause();
	}
	of_child = must(syscall(SYS_pidfd_open, child, 0));
	ep = must(epoll_create1(0));
	must(epoll_ctl(ep, EPOLL_CTL_ADD, of_child, &ev));

	ckpt_point();

	ok(up(self) == 0 && up(of_child) == 0, "both live");
	ok(fcntl(self, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	ok((fcntl(self, F_GETFL) & O_NONBLOCK) && !(fcntl(of_child, F_GETFL) & O_NONBLOCK), "O_NONBLOCK");
	ok(syscall(SYS_pidfd_send_signal, self, 0, NULL, 0) == 0, "a signal can be sent to oneself");
	ok(syscall(SYS_pidfd_send_signal, of_child, SIGKILL, NULL, 0) == 0, "and to the child");
	n = epoll_wait(ep, &ev, 1, 5000);
	ok(n == 1 && ev.data.u64 == 5, "epoll tells that it ended");
	ok(up(of_child) == 1, "poll, too");
	n = waitid(P_PIDFD, of_child, &info, WEXITED);
	ok(n == 0 && info.si_pid == child && info.si_status == SIGKILL, "waitid");
	close(of_child);
	ok(epoll_wait(ep, &ev, 1, 0) == 0, "nothing is left");
	return test_end();
}
