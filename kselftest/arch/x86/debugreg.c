// SPDX-License-Identifier: GPL-2.0-only
/* A breakpoint in a debug register, which a tracer has left behind. */
#include <sys/ptrace.h>
#include <sys/user.h>
#include "ckpt.h"
REFUSED("debugreg");

static volatile int watched, hits;

static void hit(int sig)
{
	(void)sig;
	hits++;
}

static void debugreg(pid_t pid, int n, unsigned long value)
{
	must(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg) + n * sizeof(long), value));
}

int main(void)
{
	int status, go[2];
	pid_t pid;
	char c;

	test_init(1);
	must(pipe(go));
	pid = must(fork());
	if (!pid) {
		signal(SIGTRAP, hit);
		must(read(go[0], &c, 1));
		watched = 1;
		_exit(hits);
	}
	must(ptrace(PTRACE_ATTACH, pid, 0, 0));
	must(waitpid(pid, &status, 0));
	debugreg(pid, 0, (unsigned long)&watched);
	debugreg(pid, 7, 1 | 1 << 16 | 3 << 18);	/* writes of four bytes */
	must(ptrace(PTRACE_DETACH, pid, 0, 0));
	ckpt_point();
	must(write(go[1], "g", 1));
	ok(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 1, "it was hit: %#x", status);
	return test_end();
}
