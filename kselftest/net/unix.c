// SPDX-License-Identifier: GPL-2.0-only
/* AF_UNIX socketpairs: all types, queued data and its bounds, options, half closed, one end gone. */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include "ckpt.h"

#define LEN 50000

static int get(int fd, int opt)
{
	int v = -1;
	socklen_t len = sizeof(v);

	must(getsockopt(fd, SOL_SOCKET, opt, &v, &len));
	return v;
}

int main(void)
{
	static char out[LEN], buf[LEN + 1];
	int s[2], d[2], q[2], h[2], g[2], r[2], n, snd, rcv, two = 1;
	struct timeval tv = { .tv_sec = 3, .tv_usec = 500000 };
	struct ucred cred;
	struct sockaddr_un sun;
	socklen_t len;
	struct stat st;

	test_init(34);
	fill(out, LEN, 3);

	/* stream, both directions, most of it in several buffers */
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	n = 99999;
	must(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &n, sizeof(n)));
	n = 12345;
	must(setsockopt(s[1], SOL_SOCKET, SO_RCVBUF, &n, sizeof(n)));
	must(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	must(setsockopt(s[1], SOL_SOCKET, SO_TIMESTAMP, &two, sizeof(two)));
	must(fcntl(s[0], F_SETFD, FD_CLOEXEC));
	snd = get(s[0], SO_SNDBUF);
	rcv = get(s[1], SO_RCVBUF);
	if (write(s[0], out, LEN) != LEN || write(s[1], "back", 4) != 4)
		die("filling the stream");
	if (read(s[1], buf, 100) != 100)
		die("reading the beginning");

	/* datagrams, an empty one among them */
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, d));
	if (send(d[0], "one", 3, 0) != 3 || send(d[0], "", 0, 0) != 0 || send(d[0], "three", 5, 0) != 5)
		die("sending datagrams");

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, q));
	if (send(q[0], out, 3000, 0) != 3000 || send(q[0], "end", 3, 0) != 3)
		die("sending packets");

	/* half closed */
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, h));
	if (write(h[0], "last", 4) != 4)
		die("writing");
	must(shutdown(h[0], SHUT_WR));

	/* the other end is gone, with data of ours that it had not read */
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, g));
	if (write(g[0], "testament", 9) != 9 || write(g[1], "unread", 6) != 6)
		die("writing");
	close(g[0]);

	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, r));
	if (send(r[0], "bye", 3, 0) != 3)
		die("sending");
	close(r[0]);

	ckpt_point();

	ok(fstat(s[0], &st) == 0 && S_ISSOCK(st.st_mode), "it is a socket");
	ok(get(s[0], SO_TYPE) == SOCK_STREAM && get(d[1], SO_TYPE) == SOCK_DGRAM &&
	   get(q[0], SO_TYPE) == SOCK_SEQPACKET, "the types are the same");
	ok(fcntl(s[0], F_GETFL) == (O_RDWR | O_NONBLOCK), "stream is O_NONBLOCK");
	ok(fcntl(s[0], F_GETFD) == FD_CLOEXEC && fcntl(s[1], F_GETFD) == 0, "close-on-exec");
	ok(fcntl(d[0], F_GETFL) == O_RDWR, "datagram is not O_NONBLOCK");
	ok(get(s[0], SO_SNDBUF) == snd, "SO_SNDBUF %d", get(s[0], SO_SNDBUF));
	ok(get(s[1], SO_RCVBUF) == rcv, "SO_RCVBUF %d", get(s[1], SO_RCVBUF));
	memset(&tv, 0, sizeof(tv));
	len = sizeof(tv);
	getsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, &len);
	ok(tv.tv_sec == 3 && tv.tv_usec == 500000, "SO_RCVTIMEO %ld.%06ld", (long)tv.tv_sec, (long)tv.tv_usec);
	ok(get(s[1], SO_TIMESTAMP) == 1 && get(s[0], SO_TIMESTAMP) == 0, "SO_TIMESTAMP");
	len = sizeof(cred);
	ok(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid == getpid() &&
	   cred.uid == getuid() && cred.gid == getgid(), "SO_PEERCRED is pid %d", cred.pid);
	len = sizeof(sun);
	ok(getsockname(s[0], (void *)&sun, &len) == 0 && len == 2, "no name (%d)", (int)len);
	len = sizeof(sun);
	ok(getpeername(s[1], (void *)&sun, &len) == 0 && len == 2, "a peer without a name");

	ok(ioctl(s[1], FIONREAD, &n) == 0 && n == LEN - 100, "%d bytes are queued", n);
	n = recv(s[1], buf, sizeof(buf), MSG_WAITALL);
	ok(n == LEN - 100 && !memcmp(buf, out + 100, n), "read %d bytes, the same", n);
	ok(read(s[1], buf, 1) == -1 && errno == EAGAIN, "then nothing");
	n = read(s[0], buf, sizeof(buf));
	ok(n == 4 && !memcmp(buf, "back", 4), "the other direction");
	ok(write(s[1], "more", 4) == 4 && read(s[0], buf, sizeof(buf)) == 4 && !memcmp(buf, "more", 4),
	   "both ends are still connected");

	n = recv(d[1], buf, sizeof(buf), 0);
	ok(n == 3 && !memcmp(buf, "one", 3), "first datagram, %d bytes", n);
	ok(recv(d[1], buf, sizeof(buf), 0) == 0, "the empty one");
	n = recv(d[1], buf, sizeof(buf), 0);
	ok(n == 5 && !memcmp(buf, "three", 5), "third datagram, %d bytes", n);
	ok(recv(d[1], buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "no more");
	ok(send(d[1], "x", 1, 0) == 1 && recv(d[0], buf, 9, 0) == 1, "datagrams go on");

	n = recv(q[1], buf, sizeof(buf), 0);
	ok(n == 3000 && !memcmp(buf, out, n), "first packet, %d bytes", n);
	n = recv(q[1], buf, sizeof(buf), 0);
	ok(n == 3 && !memcmp(buf, "end", 3), "second packet, %d bytes", n);
	ok(send(q[1], "x", 1, 0) == 1 && recv(q[0], buf, 9, 0) == 1, "packets go on");

	n = read(h[1], buf, sizeof(buf));
	ok(n == 4 && !memcmp(buf, "last", 4), "half closed: the data");
	ok(read(h[1], buf, 1) == 0, "half closed: the end");
	ok(send(h[0], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "half closed: no writing");
	ok(write(h[1], "ok", 2) == 2 && read(h[0], buf, 9) == 2, "half closed: the other way");

	n = recv(g[1], buf, sizeof(buf), 0);
	ok(n == 9 && !memcmp(buf, "testament", 9), "data of an end that is gone");
	ok(recv(g[1], buf, 1, 0) == -1 && errno == ECONNRESET, "then the error");
	ok(recv(g[1], buf, 1, 0) == 0 && send(g[1], "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE, "then the end");

	n = recv(r[1], buf, sizeof(buf), 0);
	ok(n == 3 && !memcmp(buf, "bye", 3), "last packet");
	ok(recv(r[1], buf, 1, 0) == 0, "then the end");
	return test_end();
}
