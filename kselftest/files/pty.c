// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pseudo terminals without a session: settings, window size, packet mode and
 * its status, lock, queued bytes of both directions, whole and half lines,
 * echoes, stopped output, a slave that was closed, one never opened, a master
 * that was closed, owner and mode, /dev/pts/N.
 */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include "../ckpt.h"

static int master(void)
{
	return must(posix_openpt(O_RDWR | O_NOCTTY));
}

static int slave(int m, int flags)
{
	int zero = 0;

	must(ioctl(m, TIOCSPTLCK, &zero));
	return must(open(ptsname(m), O_RDWR | O_NOCTTY | flags));
}

/* all that can be read now */
static ssize_t drain(int fd, char *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	ssize_t r;

	while (n < size && poll(&p, 1, 300) == 1 && p.revents & POLLIN) {
		r = read(fd, buf + n, size - n);
		if (r <= 0)
			break;
		n += r;
	}
	return n;
}

static void await_bytes(int fd, int want)
{
	int n;

	while (ioctl(fd, FIONREAD, &n) || n < want)
		usleep(1000);
}

int main(void)
{
	int plain, ps, raw, rs, full, fs, packet, ks, locked, closed, gone, gs, echo, es, again;
	static char buf[70000], want[70000];
	struct termios t, t2;
	struct winsize ws = { 11, 22, 33, 44 }, ws2;
	char name[64], name2[64];
	struct stat st, st2;
	ssize_t filled = 0, r;
	int one = 1, i, zero = 0;

	test_init(22);
	/* canonical, one line and a half, one that ^D has ended */
	plain = master();
	ps = slave(plain, 0);
	strcpy(name, ptsname(plain));
	must(fchmod(ps, 0601));
	must(fchown(ps, 77, 88));
	must(tcgetattr(ps, &t));
	t.c_lflag &= ~(ECHO | ECHOE);
	t.c_cc[VINTR] = 7;
	t.c_cflag |= PARENB | HUPCL;
	must(cfsetspeed(&t, B9600));
	must(tcsetattr(ps, TCSANOW, &t));
	must(tcgetattr(ps, &t));
	must(ioctl(ps, TIOCSWINSZ, &ws));
	must(write(plain, "line one\nword\004ha\x7flf", 19));
	await_bytes(ps, 13);
	/* raw, some bytes one way, and the other */
	raw = master();
	rs = slave(raw, O_NONBLOCK);
	must(tcgetattr(rs, &t2));
	cfmakeraw(&t2);
	must(tcsetattr(rs, TCSANOW, &t2));
	must(write(raw, "abc\003def", 7));
	must(write(rs, "to the master", 13));
	await_bytes(rs, 7);
	await_bytes(raw, 13);
	/* the way to the master is full */
	full = master();
	fs = slave(full, O_NONBLOCK);
	must(tcgetattr(fs, &t2));
	t2.c_oflag = 0;
	must(tcsetattr(fs, TCSANOW, &t2));
	for (i = 0; i < (int)sizeof(want); i++)
		want[i] = 'a' + i % 23;
	while ((r = write(fs, want + filled, 1000)) > 0)
		filled += r;
	diag("%zd bytes filled it", filled);
	/* packet mode, stopped */
	packet = master();
	ks = slave(packet, 0);
	must(ioctl(packet, TIOCPKT, &one));
	must(tcflow(ks, TCOOFF));
	must(tcflush(ks, TCOFLUSH));
	/* locked, never opened */
	locked = master();
	must(ioctl(locked, TIOCSWINSZ, &ws));
	/* was open, with something to read */
	closed = master();
	i = slave(closed, 0);
	must(write(i, "last words", 10));
	await_bytes(closed, 10);
	close(i);
	/* the master is closed */
	gone = master();
	gs = slave(gone, 0);
	close(gone);
	/* with an echo */
	echo = master();
	es = slave(echo, 0);
	must(write(echo, "q\n", 2));
	await_bytes(echo, 3);

	ckpt_point();

	ok(!strcmp(ptsname(plain), name), "%s is %s", name, ptsname(plain));
	ok(readlink("/proc/self/fd/4", buf, sizeof(buf)) > 0 && ttyname_r(ps, name2, sizeof(name2)) == 0 &&
	   !strcmp(name, name2), "its name is %s", name2);
	ok(fstat(ps, &st) == 0 && (st.st_mode & 07777) == 0601 && st.st_uid == 77 && st.st_gid == 88,
	   "mode %o, owner %u:%u", st.st_mode, st.st_uid, st.st_gid);
	ok(stat(name, &st2) == 0 && st2.st_ino == st.st_ino && st2.st_rdev == st.st_rdev, "its file is there");
	must(tcgetattr(ps, &t2));
	ok(!memcmp(&t, &t2, sizeof(t)), "settings");
	ok(ioctl(plain, TIOCGWINSZ, &ws2) == 0 && !memcmp(&ws, &ws2, sizeof(ws)), "window size");
	ok((r = read(ps, buf, 100)) == 9 && !memcmp(buf, "line one\n", 9), "a line, %zd bytes", r);
	ok((r = read(ps, buf, 100)) == 4 && !memcmp(buf, "word", 4), "ended by ^D, %zd bytes", r);
	must(write(plain, "\x7f" "nd\n", 4));
	ok((r = read(ps, buf, 100)) == 5 && !memcmp(buf, "hlnd\n", 5), "a line that is edited on, %zd bytes", r);
	ok(drain(rs, buf, 100) == 7 && !memcmp(buf, "abc\003def", 7), "raw bytes");
	ok(drain(raw, buf, 100) == 13 && !memcmp(buf, "to the master", 13), "the other way");
	r = drain(full, buf, sizeof(buf));
	ok(r == filled && !memcmp(buf, want, r), "%zd of %zd bytes of a full queue", r, filled);
	ok(write(fs, "x", 1) == 1, "it takes more");
	ok(ioctl(packet, TIOCGPKT, &i) == 0 && i == 1, "packet mode");
	ok(read(packet, buf, 10) == 1 && buf[0] == (TIOCPKT_FLUSHWRITE | TIOCPKT_STOP), "its status: %x", buf[0]);
	must(tcflow(ks, TCOON));
	ok(read(packet, buf, 10) == 1 && buf[0] == TIOCPKT_START, "output begins: %x", buf[0]);
	ok(ioctl(locked, TIOCGPTLCK, &i) == 0 && i == 1 && open(ptsname(locked), O_RDWR | O_NOCTTY) == -1,
	   "locked");
	must(ioctl(locked, TIOCSPTLCK, &zero));
	i = must(open(ptsname(locked), O_RDWR | O_NOCTTY));
	must(write(i, "x", 1));
	ok(read(locked, buf, 10) == 1, "never opened: no end before its time");
	ok(read(closed, buf, 100) == 10 && read(closed, buf, 100) == -1 && errno == EIO,
	   "the slave is closed");
	again = open(ptsname(closed), O_RDWR | O_NOCTTY);
	ok(again >= 0 && write(again, "!", 1) == 1 && read(closed, buf, 10) == 1, "and opens again");
	ok(read(gs, buf, 10) == 0 && write(gs, "x", 1) == -1 && errno == EIO, "hung up");
	ok(drain(echo, buf, 10) == 3 && !memcmp(buf, "q\r\n", 3) && read(es, buf, 10) == 2, "echo");
	return test_end();
}
