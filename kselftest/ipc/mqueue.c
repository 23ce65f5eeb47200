// SPDX-License-Identifier: GPL-2.0-only
/*
 * POSIX message queues: with a name and without, messages with priorities, limits, owner and mode, flags of
 * each descriptor, a reader that waits, a process that is to be told.
 */
#include <mqueue.h>
#include <sys/stat.h>
#include "ckpt.h"

static volatile sig_atomic_t told;

static void handler(int sig, siginfo_t *info, void *uc)
{
	told = info->si_code == SI_MESGQ ? info->si_value.sival_int : -1;
}

static int take(mqd_t q, const char *text, unsigned int prio)
{
	unsigned int p;
	char buf[9000] = "";
	int n = mq_receive(q, buf, sizeof(buf), &p);

	return n == (int)strlen(text) && !memcmp(buf, text, n) && p == prio;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct mq_attr attr = { .mq_maxmsg = 5, .mq_msgsize = 200 }, large = { .mq_maxmsg = 2, .mq_msgsize = 9000 };
	mqd_t named, writer, gone, reader, wait, empty, again;
	static char text[9000];
	struct stat st;
	int status;
	pid_t pid;

	test_init(21);
	must(sigaction(SIGUSR1, &sa, NULL));
	umask(0);
	named = must(mq_open("/ckpt-named", O_RDONLY | O_CREAT | O_EXCL | O_NONBLOCK, 0640, &attr));
	writer = must(mq_open("/ckpt-named", O_WRONLY));
	must(fchown(named, 1234, 4321));
	must(mq_send(writer, "low", 3, 1));
	must(mq_send(writer, "first", 5, 7));
	must(mq_send(writer, "second", 6, 7));
	must(mq_send(writer, "", 0, 32767));
	gone = must(mq_open("/ckpt-gone", O_RDWR | O_CREAT | O_EXCL, 0600, &large));
	reader = must(mq_open("/ckpt-gone", O_RDONLY | O_NONBLOCK));
	must(mq_unlink("/ckpt-gone"));
	memset(text, 'x', sizeof(text) - 1);
	must(mq_send(gone, text, sizeof(text) - 1, 3));
	wait = must(mq_open("/ckpt-wait", O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	empty = must(mq_open("/ckpt-empty", O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	ev.sigev_value.sival_int = 42;
	must(mq_notify(empty, &ev));
	pid = must(fork());
	if (!pid) {
		char buf[200];

		_exit(mq_receive(wait, buf, sizeof(buf), NULL) != 5);
	}

	ckpt_point();

	must(mq_getattr(named, &attr));
	ok(attr.mq_maxmsg == 5 && attr.mq_msgsize == 200 && attr.mq_curmsgs == 4 && attr.mq_flags == O_NONBLOCK,
	   "%ld messages", attr.mq_curmsgs);
	must(fstat(named, &st));
	ok(st.st_uid == 1234 && st.st_gid == 4321 && (st.st_mode & 07777) == 0640, "owner and mode %o", st.st_mode);
	ok(mq_send(named, "x", 1, 0) == -1 && errno == EBADF, "read only");
	ok(mq_send(writer, "more", 4, 2) == 0, "one more");
	ok(take(named, "", 32767), "the highest priority");
	ok(take(named, "first", 7) && take(named, "second", 7), "two in order");
	ok(take(named, "more", 2) && take(named, "low", 1), "the new one, the lowest");
	ok(mq_receive(named, text, sizeof(text), NULL) == -1 && errno == EAGAIN, "it does not block");
	again = mq_open("/ckpt-named", O_RDWR);
	ok(again >= 0 && mq_send(again, "x", 1, 0) == 0 && take(named, "x", 0), "it has its name");
	ok(mq_open("/ckpt-gone", O_RDWR) == -1 && errno == ENOENT, "the removed one has none");
	must(fstat(gone, &st));
	ok(st.st_nlink == 0, "%lu links", (unsigned long)st.st_nlink);
	memset(text, 'x', sizeof(text) - 1);
	ok(take(reader, text, 3), "a message over several pages");
	must(mq_getattr(gone, &attr));
	ok(attr.mq_flags == 0 && attr.mq_maxmsg == 2 && attr.mq_msgsize == 9000, "limits");
	ok(mq_notify(empty, &ev) == -1 && errno == EBUSY, "this process is to be told");
	ok(told == 0, "was not told yet");
	ok(mq_send(empty, "x", 1, 0) == 0 && told == 42, "is told, %d", told);
	ok(mq_notify(empty, &ev) == 0 && mq_notify(empty, NULL) == 0, "once");
	ok(mq_send(wait, "hello", 5, 0) == 0 && waitpid(pid, &status, 0) == pid && status == 0,
	   "the reader woke, %#x", status);
	ok(mq_unlink("/ckpt-named") == 0 && mq_unlink("/ckpt-wait") == 0 && mq_unlink("/ckpt-empty") == 0, "removed");
	must(fstat(named, &st));
	ok(st.st_nlink == 0, "%lu links of the first", (unsigned long)st.st_nlink);
	ok(mq_close(gone) == 0 && mq_close(reader) == 0, "closed");
	return test_end();
}
