// SPDX-License-Identifier: GPL-2.0-only
/* Queues of AF_UNIX sockets: passed files, sockets in each other's queues, credentials, out-of-band data. */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <linux/sockios.h>
#include "ckpt.h"

static void pass(int fd, const char *data, const int *fds, int n)
{
	char ctl[CMSG_SPACE(8 * sizeof(int))] = "";
	struct iovec iov = { (void *)data, strlen(data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	must(sendmsg(fd, &msg, 0));
}

/* gives the number of passed files */
static int take(int fd, const char *want, int *fds, struct ucred *cred)
{
	char ctl[400], buf[100];
	struct iovec iov = { buf, strlen(want) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	struct cmsghdr *c;
	int n = 0;

	if (recvmsg(fd, &msg, MSG_DONTWAIT) != (int)strlen(want) || memcmp(buf, want, strlen(want)))
		return -1;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_type == SCM_RIGHTS) {
			n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(c), n * sizeof(int));
		} else if (c->cmsg_type == SCM_CREDENTIALS && cred) {
			memcpy(cred, CMSG_DATA(c), sizeof(*cred));
		}
	}
	return n;
}

int main(void)
{
	int s[2], d[2], in[2], p[2], o[2], c[2], fds[8], got[8], n, one = 1, mark;
	struct ucred cred = { 0 };
	pid_t child;
	char buf[100];

	test_init(17);

	/* files that only a queue holds: a pipe, a file, and a socket with a file in its own queue */
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, d));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, in));
	must(pipe(p));
	fds[0] = p[0];
	fds[1] = must(open("passed", O_RDWR | O_CREAT | O_TRUNC, 0600));
	must(write(fds[1], "content", 7));
	must(write(s[0], "before", 6));
	pass(s[0], "two files", fds, 2);
	must(write(s[0], "after", 5));
	must(write(p[1], "in the pipe", 11));
	close(p[0]);
	close(fds[1]);
	pass(in[0], "inner", &p[1], 1);
	close(p[1]);
	pass(d[0], "outer", &in[1], 1);
	close(in[1]);
	/* each in the queue of the other, and of itself */
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, o));
	pass(o[0], "cycle", o, 2);
	pass(o[1], "cycle", o, 2);

	/* credentials: of a child that is no more */
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, c));
	must(setsockopt(c[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	must(write(c[0], "mine", 4));
	child = must(fork());
	if (!child) {
		must(write(c[0], "child's", 7));
		must(send(c[0], "!", 1, MSG_OOB));
		_exit(0);
	}
	waitpid(child, NULL, 0);

	ckpt_point();

	ok(take(s[1], "before", got, NULL) == 0, "the message before");
	n = take(s[1], "two files", got, NULL);
	ok(n == 2, "%d files are passed", n);
	n = read(got[0], buf, sizeof(buf));
	ok(n == 11 && !memcmp(buf, "in the pipe", 11), "one is the pipe, with its data");
	n = pread(got[1], buf, sizeof(buf), 0);
	ok(n == 7 && !memcmp(buf, "content", 7) && lseek(got[1], 0, SEEK_CUR) == 7, "one is the file");
	ok(take(s[1], "after", fds, NULL) == 0, "the message after");
	n = take(d[1], "outer", fds, NULL);
	ok(n == 1, "a socket is passed");
	n = take(fds[0], "inner", fds + 1, NULL);
	ok(n == 1, "and was passed the pipe");
	ok(write(fds[1], "x", 1) == 1 && read(got[0], buf, 9) == 1, "the same pipe");
	ok(write(in[0], "y", 1) == 1 && read(fds[0], buf, 9) == 1, "the inner socket is connected");

	n = take(o[1], "cycle", fds, NULL);
	ok(n == 2, "a socket had itself");
	ok(write(fds[0], "z", 1) == 1 && read(o[1], buf, 9) == 1, "and it is the same socket");
	n = take(fds[0], "cycle", got, NULL);
	ok(n == 2, "the other one, too");

	ok(take(c[1], "mine", fds, &cred) == 0 && cred.pid == getpid() && cred.uid == getuid(), "my pid %d", cred.pid);
	memset(&cred, 0, sizeof(cred));
	ok(take(c[1], "child's", fds, &cred) == 0, "the child's message by itself");
	ok(cred.pid == child && cred.gid == getgid(), "of pid %d", cred.pid);
	ok(ioctl(c[1], SIOCATMARK, &mark) == 0 && mark == 1, "the mark");
	ok(recv(c[1], buf, 9, MSG_OOB) == 1 && buf[0] == '!', "the out-of-band byte");
	return test_end();
}
