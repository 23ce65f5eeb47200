// SPDX-License-Identifier: GPL-2.0-only
/* AF_UNIX sockets with names: files, abstract addresses, listeners with a backlog, connected datagrams. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "ckpt.h"

static socklen_t name(struct sockaddr_un *sun, const char *path)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (*path != '@') {
		strcpy(sun->sun_path, path);
		return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
	}
	strcpy(sun->sun_path + 1, path + 1);
	return offsetof(struct sockaddr_un, sun_path) + strlen(path);
}

static int bound(int type, const char *path)
{
	int fd = must(socket(AF_UNIX, type, 0));
	struct sockaddr_un sun;

	if (*path != '@')
		unlink(path);
	must(bind(fd, (void *)&sun, name(&sun, path)));
	return fd;
}

static int to(int fd, const char *path)
{
	struct sockaddr_un sun;
	socklen_t len = name(&sun, path);

	return connect(fd, (void *)&sun, len);
}

static bool is(int fd, const char *path, bool peer)
{
	struct sockaddr_un sun, want;
	socklen_t len = sizeof(sun), wlen = name(&want, path);

	if ((peer ? getpeername : getsockname)(fd, (void *)&sun, &len))
		return false;
	return len == wlen && !memcmp(&sun, &want, len);
}

static bool got(int fd, const char *want)
{
	char buf[100];
	int n = recv(fd, buf, sizeof(buf), 0);

	return n == (int)strlen(want) && !memcmp(buf, want, n);
}

int main(void)
{
	int lis, c1, c2, a0, c0, dgram, cli, gone, seq, sc, n, fd, plain;
	struct sockaddr_un sun;
	struct stat before, st;
	struct ucred cred;
	socklen_t len;
	char buf[100];

	test_init(27);

	/* a listener: one accepted, two waiting, one of them with data, one of them dead */
	lis = bound(SOCK_STREAM, "listener");
	must(chmod("listener", 0700));
	must(stat("listener", &before));
	must(listen(lis, 7));
	c0 = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(to(c0, "listener"));
	a0 = must(accept(lis, NULL, NULL));
	c1 = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(to(c1, "listener"));
	must(write(c1, "early", 5));
	c2 = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(to(c2, "listener"));
	must(write(c2, "dead", 4));
	close(c2);

	/* an abstract one, with packets */
	seq = bound(SOCK_SEQPACKET, "@ckpt-test-seq");
	must(listen(seq, 3));
	sc = must(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	must(to(sc, "@ckpt-test-seq"));

	/* a datagram server, as syslog has it: a client that has gone, one connected, one not */
	dgram = bound(SOCK_DGRAM, "dgram");
	gone = bound(SOCK_DGRAM, "gone");
	len = name(&sun, "dgram");
	if (sendto(gone, "from gone", 9, 0, (void *)&sun, len) != 9)
		die("sending");
	close(gone);
	unlink("gone");
	cli = bound(SOCK_DGRAM, "@ckpt-test-client");
	must(to(cli, "dgram"));
	must(send(cli, "from client", 11, 0));

	/* bound, but its file is removed */
	plain = bound(SOCK_STREAM, "removed");
	must(unlink("removed"));

	ckpt_point();

	ok(is(lis, "listener", false), "the listener has its name");
	ok(stat("listener", &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0700 &&
	   st.st_uid == before.st_uid, "its file is there, mode %o", st.st_mode & 0777);
	if (strcmp(mode(), "reboot"))
		ok(st.st_ino == before.st_ino, "it is the same file");
	else
		ok(true, "its file may be another");
	len = sizeof(n);
	ok(getsockopt(lis, SOL_SOCKET, SO_ACCEPTCONN, &n, &len) == 0 && n == 1, "it listens");
	ok(is(a0, "listener", false) && is(c0, "listener", true), "the accepted one has its name");
	ok(write(c0, "hello", 5) == 5 && got(a0, "hello"), "the accepted connection works");

	fd = accept(lis, NULL, NULL);
	ok(fd >= 0, "accepting the first that waits");
	ok(is(fd, "listener", false), "it has the listener's name");
	ok(got(fd, "early"), "it has the early data");
	len = sizeof(cred);
	ok(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid == getpid(),
	   "SO_PEERCRED %d", cred.pid);
	ok(write(fd, "answer", 6) == 6 && got(c1, "answer"), "it reaches its client");
	close(fd);
	ok(read(c1, buf, 1) == 0, "and can close it");
	fd = accept(lis, NULL, NULL);
	ok(fd >= 0 && got(fd, "dead") && read(fd, buf, 1) == 0, "the second one died after sending");
	close(fd);
	must(fcntl(lis, F_SETFL, O_NONBLOCK));
	ok(accept(lis, NULL, NULL) == -1 && errno == EAGAIN, "nobody else waits");
	fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
	ok(to(fd, "listener") == 0, "it can be connected to by its path");
	n = accept(lis, NULL, NULL);
	ok(n >= 0 && write(fd, "new", 3) == 3 && got(n, "new"), "and accepts");

	ok(is(seq, "@ckpt-test-seq", false), "the abstract address");
	fd = accept(seq, NULL, NULL);
	ok(fd >= 0 && send(sc, "packet", 6, 0) == 6 && got(fd, "packet"), "a connection to it");
	fd = must(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	ok(to(fd, "@ckpt-test-seq") == 0, "it can be connected to");

	len = sizeof(sun);
	n = recvfrom(dgram, buf, sizeof(buf), 0, (void *)&sun, &len);
	ok(n == 9 && !memcmp(buf, "from gone", 9), "a datagram of a client that has gone");
	ok(!strcmp(sun.sun_path, "gone"), "with its address");
	len = sizeof(sun);
	n = recvfrom(dgram, buf, sizeof(buf), 0, (void *)&sun, &len);
	ok(n == 11 && !memcmp(buf, "from client", 11), "a datagram of the other");
	ok(sun.sun_path[0] == 0 && !memcmp(sun.sun_path + 1, "ckpt-test-client", 16), "with its address");
	ok(is(cli, "dgram", true), "the client is still connected");
	ok(send(cli, "again", 5, 0) == 5 && got(dgram, "again"), "and can send");
	len = name(&sun, "@ckpt-test-client");
	ok(sendto(dgram, "reply", 5, 0, (void *)&sun, len) == 5 && got(cli, "reply"), "and be answered");

	ok(is(plain, "removed", false) && access("removed", F_OK) == -1, "a name whose file is removed");
	return test_end();
}
