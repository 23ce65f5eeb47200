// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions and process groups whose leader has ended: a daemon that forked
 * twice, a pipeline whose first process is done, one that is a zombie, and
 * orphans that a subreaper in the tree got.
 */
#include <sys/prctl.h>
#include "../ckpt.h"

struct member {
	pid_t pid, sid, pgid;
};

static int up[2], down[2], ask[4], n;

/* a process that tells who it is, and again when it is asked to */
static void member(void)
{
	struct member m = { getpid(), getsid(0), getpgrp() };
	char c;

	must(write(up[1], &m, sizeof(m)));
	while (read(down[0], &c, 1) == 1 && c == '?') {
		m = (struct member){ getpid(), getsid(0), getpgrp() };
		must(write(up[1], &m, sizeof(m)));
	}
	_exit(0);
}

/* each has a pipe of its own through which it is asked */
static void new_pipe(void)
{
	must(pipe(down));
	ask[n++] = down[1];
}

/* forks a member, and ends: its orphan comes to us */
static void leader(void (*become)(void))
{
	pid_t pid;

	new_pipe();
	pid = must(fork());

	if (!pid) {
		become();
		if (!must(fork()))
			member();
		_exit(0);
	}
	must(waitpid(pid, NULL, 0));
}

static void new_session(void)
{
	must(setsid());
}

static void new_group(void)
{
	must(setpgid(0, 0));
}

static struct member hear(void)
{
	struct member m;

	if (must(read(up[0], &m, sizeof(m))) != sizeof(m))
		die("a short message");
	return m;
}

#define N 4

int main(void)
{
	struct member was[N], m;
	pid_t zombie, pid;
	int i, same = 0;
	siginfo_t info;

	test_init(4 + N);
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	must(pipe(up));
	leader(new_session);
	was[0] = hear();
	leader(new_group);
	was[1] = hear();
	/* a group whose leader is a zombie */
	zombie = must(fork());
	if (!zombie) {
		must(setpgid(0, 0));
		_exit(3);
	}
	must(waitid(P_PID, zombie, &info, WEXITED | WNOWAIT));
	new_pipe();
	pid = must(fork());
	if (!pid) {
		must(setpgid(0, zombie));
		member();
	}
	was[2] = hear();
	/* one in the group of a process that has moved on to another */
	new_pipe();
	pid = must(fork());
	if (!pid) {
		if (!must(fork())) {
			must(setpgid(0, was[1].pgid));
			member();
		}
		must(setpgid(0, 0));
		_exit(0);
	}
	must(waitpid(pid, NULL, 0));
	was[3] = hear();

	ckpt_point();

	for (i = 0; i < N; i++) {
		must(write(ask[i], "?", 1));
		m = hear();
		ok(m.pid == was[i].pid && m.sid == was[i].sid && m.pgid == was[i].pgid,
		   "process %d: session %d (%d), group %d (%d)", m.pid, m.sid, was[i].sid,
		   m.pgid, was[i].pgid);
		same += getsid(m.pid) == m.sid && getpgid(m.pid) == m.pgid;
	}
	ok(same == N, "seen from outside, too");
	ok(kill(-was[1].pgid, 0) == 0, "the group without a leader gets signals");
	ok(setpgid(0, was[0].sid) == -1 && errno == EPERM, "a group of another session is closed");
	ok(waitpid(zombie, &i, 0) == zombie && WEXITSTATUS(i) == 3, "the zombie is there");
	for (i = 0; i < N; i++)
		must(write(ask[i], "q", 1));
	while (wait(NULL) > 0)
		;
	return test_end();
}
