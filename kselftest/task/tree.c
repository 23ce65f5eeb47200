// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tree of processes: children and grandchildren with pipes to their parents, sessions and groups, zombies with
 * their status, a parent asleep in wait, a stopped child, memory shared by copy-on-write and for real.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include "../ckpt.h"

#define KIDS 4
#define MIB (1 << 20)

static int ask[2], answer[2];
static volatile int *shared;	/* by number; [KIDS] counts those who are where they belong */
static char *common;

struct report {
	pid_t pid, ppid, pgid, sid;
	int sum, shared;
};

/* answers every byte with what it sees */
static void kid(int number)
{
	struct report r;
	char c;

	__sync_fetch_and_add(&shared[KIDS], 1);
	while (read(ask[0], &c, 1) == 1) {
		common[number * 4096] = number;
		shared[number] += number;
		r = (struct report){ getpid(), getppid(), getpgid(0), getsid(0), 0, 0 };
		for (int i = 0; i < 16; i++)
			r.sum += common[i * 4096];
		r.shared = shared[number];
		if (write(answer[1], &r, sizeof(r)) != sizeof(r))
			_exit(9);
	}
	_exit(0);
}

int main(void)
{
	pid_t kids[KIDS], dead, killed, stopped, waiter, me = getpid();
	struct report r, before[KIDS];
	struct rusage ru;
	int status, i, n;

	test_init(4 * KIDS + 14);
	shared = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	common = must(mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (i = 0; i < MIB; i += 4096)
		common[i] = 1;
	must(pipe(ask));
	must(pipe(answer));
	for (i = 0; i < KIDS; i++) {
		kids[i] = must(fork());
		if (!kids[i]) {
			if (i == 1)
				must(setsid());
			if (i == 2)
				must(setpgid(0, 0));
			close(ask[1]);
			kid(i);
		}
	}
	dead = must(fork());
	if (!dead)
		_exit(7);
	killed = must(fork());
	if (!killed) {
		raise(SIGTERM);
		_exit(1);
	}
	stopped = must(fork());
	if (!stopped) {
		raise(SIGSTOP);
		_exit(5);
	}
	waiter = must(fork());
	if (!waiter) {
		pid_t child = must(fork());

		if (!child) {
			char c;

			close(ask[1]);
			close(answer[0]);
			close(answer[1]);
			if (read(ask[0], &c, 1) == 1)
				_exit(42);
			_exit(43);
		}
		close(ask[1]);
		if (waitpid(child, &status, 0) != child)
			_exit(1);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
	}
	while (shared[KIDS] < KIDS)
		usleep(1000);
	/* settled: zombies are zombies, the stopped one is stopped and was seen so */
	siginfo_t info;
	must(waitid(P_PID, dead, &info, WEXITED | WNOWAIT));
	must(waitid(P_PID, killed, &info, WEXITED | WNOWAIT));
	must(waitpid(stopped, &status, WUNTRACED));
	for (i = 0; i < KIDS; i++)
		before[i] = (struct report){ kids[i], me, getpgid(kids[i]), getsid(kids[i]), 0, 0 };

	ckpt_point();

	ok(getpid() == me, "pid %d", getpid());
	ok(waitpid(dead, &status, WNOHANG) == dead && WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "a zombie with status %#x", status);
	ok(waitpid(killed, &status, WNOHANG) == killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM,
	   "a zombie killed, status %#x", status);
	ok(waitpid(stopped, &status, WNOHANG) == 0, "the stopped one has not ended");
	ok(kill(stopped, SIGCONT) == 0, "it is continued");
	n = wait4(stopped, &status, 0, &ru);
	ok(n == stopped && WIFEXITED(status) && WEXITSTATUS(status) == 5, "and ends, status %#x", status);

	/* as many questions as readers, each answered by whoever comes first, the waiter's child among them */
	for (i = 0; i < 200 && waitpid(waiter, &status, WNOHANG) == 0; i++) {
		struct timespec ts = { .tv_nsec = 20000000 };

		must(write(ask[1], "x", 1));
		nanosleep(&ts, NULL);
	}
	/* may have been the first to answer; now only the kids are left to */
	must(write(ask[1], "xxxx", 4));
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 42, "one waited for its child, status %#x", status);
	ok(common[4096] == 1 && common[2 * 4096] == 1, "private memory of the parent is its own");
	/* the ends of the pipes tell when the parent goes */
	close(ask[1]);
	for (i = 0; i < KIDS; i++) {
		n = waitpid(kids[i], &status, 0);
		ok(n == kids[i], "kid %d ended", i);
		ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "with status %#x", status);
	}
	fcntl(answer[0], F_SETFL, O_NONBLOCK);
	bool seen[KIDS] = { false };

	while ((n = read(answer[0], &r, sizeof(r))) == sizeof(r)) {
		for (i = 0; i < KIDS; i++) {
			if (r.pid != kids[i])
				continue;
			if (!seen[i] && (r.ppid != me || r.pgid != before[i].pgid || r.sid != before[i].sid))
				diag("kid %d: ppid %d pgid %d sid %d", i, r.ppid, r.pgid, r.sid);
			else
				before[i].sum = 1;
			if (r.sum != 15 + i)
				before[i].shared = 1;
			seen[i] = true;
		}
	}
	ok(n == -1 && errno == EAGAIN, "all answers are read");
	for (i = 0; i < KIDS; i++) {
		ok(!seen[i] || before[i].sum == 1, "kid %d has its parent, group and session", i);
		ok(before[i].shared == 0, "kid %d has its memory", i);
	}
	n = 0;
	for (i = 1; i < KIDS; i++)
		n += shared[i] % i;
	ok(n == 0, "shared memory has what all wrote");
	ok(seen[0] || seen[1] || seen[2] || seen[3], "somebody answered");
	ok(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD, "no child is left");
	ok(getrusage(RUSAGE_CHILDREN, &ru) == 0, "usage of children");
	ok(getsid(0) == me, "still leads its session");
	return test_end();
}
