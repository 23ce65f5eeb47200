// SPDX-License-Identifier: GPL-2.0-only
/* A task that its tracer has stopped cannot be saved either, and is not waited for. */
#include <sys/ptrace.h>
#include "ckpt.h"

REFUSED("ptrace");

int main(void)
{
	int status;
	pid_t child;

	test_init(2);
	child = must(fork());
	if (!child)
		for (;;)
			pause();
	must(ptrace(PTRACE_SEIZE, child, 0, 0));
	must(ptrace(PTRACE_INTERRUPT, child, 0, 0));
	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	ckpt_point();
	must(ptrace(PTRACE_CONT, child, 0, 0));
	must(ptrace(PTRACE_INTERRUPT, child, 0, 0));
	ok(waitpid(child, &status, 0) == child && WIFSTOPPED(status), "the tracer still has it, status %#x", status);
	must(ptrace(PTRACE_DETACH, child, 0, 0));
	must(kill(child, SIGKILL));
	ok(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL, "it has ended");
	return test_end();
}
