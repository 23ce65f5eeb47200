// SPDX-License-Identifier: GPL-2.0-only
/* A pidfd of a process that is gone, watched by a poll and an epoll. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include "ckpt.h"

int main(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 5 };
	struct pollfd p = { .events = POLLIN };
	siginfo_t info = {};
	char line[256], name[64];
	bool gone = false;
	pid_t child;
	int fd, ep;
	FILE *f;

	test_init(7);
	child = must(fork());
	if (!child)
		_exit(0);
	fd = must(syscall(SYS_pidfd_open, child, 0));
	must(waitpid(child, NULL, 0));
	ep = must(epoll_create1(0));
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));

	ckpt_point();

	p.fd = fd;
	ok(poll(&p, 1, 0) == 1 && p.revents & POLLIN, "poll tells that it ended");
	ok(epoll_wait(ep, &ev, 1, 0) == 1 && ev.data.u64 == 5, "epoll, too");
	ok(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == -1 && errno == ESRCH, "it takes no signal");
	ok(waitid(P_PIDFD, fd, &info, WEXITED) == -1 && errno == ECHILD, "it cannot be waited for");
	ok(fcntl(fd, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	f = fopen(name, "r");
	while (f && fgets(line, sizeof(line), f))
		gone |= !strcmp(line, "Pid:\t-1\n");
	if (f)
		fclose(f);
	ok(gone, "it has no number");
	ok(close(fd) == 0 && epoll_wait(ep, &ev, 1, 0) == 0, "nothing is left");
	return test_end();
}
