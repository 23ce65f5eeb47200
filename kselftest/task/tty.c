// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session with a controlling terminal, the other end of which is in the tree:
 * a job in the foreground asleep in read, one in the background that SIGTTIN
 * has stopped, and their shell, which waits for them. Then keys that send
 * signals, a change of the window's size, and a hangup.
 */
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include "../ckpt.h"

static int up[2], slave, master;
static pid_t shell, a, b;

static void tell(const char *what)
{
	if (write(up[1], what, strlen(what)) != (ssize_t)strlen(what))
		_exit(1);
}

static void hear(const char *what)
{
	char buf[100];
	size_t n = 0;

	while (n < strlen(what) && read(up[0], buf + n, 1) == 1)
		n++;
	buf[n] = 0;
	ok(!strcmp(buf, what), "\"%s\" is told, not \"%s\"", what, buf);
}

static void winch(int sig)
{
	(void)sig;
	tell("winch.");
}

static void hup(int sig)
{
	(void)sig;
	tell("hup.");
}

static pid_t job(const char *name, int fd, bool foreground)
{
	char line[100];
	struct stat st;
	ssize_t n;
	pid_t pid = must(fork());

	if (pid) {
		must(setpgid(pid, pid));
		return pid;
	}
	setpgid(0, 0);
	signal(SIGWINCH, winch);
	if (foreground) {
		must(tcsetpgrp(slave, getpid()));
		/* the way by which programs reach their terminal */
		fd = must(open("/dev/tty", O_RDWR));
	}
	signal(SIGTTOU, SIG_DFL);
	for (;;) {
		n = read(fd, line, sizeof(line) - 1);
		if (n <= 0)
			_exit(7);
		line[n - 1] = '.';
		line[n] = 0;
		tell(name);
		if (foreground && (fstat(fd, &st) || st.st_rdev != makedev(5, 0)))
			tell("not /dev/tty!");
		tell(line);
	}
}

static void run_shell(void)
{
	struct sigaction sa = { .sa_handler = hup };
	int status;
	pid_t pid;

	close(master);
	must(setsid());
	must(ioctl(slave, TIOCSCTTY, 0));
	signal(SIGTTOU, SIG_IGN);
	sigaction(SIGHUP, &sa, NULL);
	a = job("A:", slave, true);
	while (tcgetpgrp(slave) != a)
		usleep(1000);
	b = job("B:", slave, false);
	must(write(up[1], &a, sizeof(a)));
	must(write(up[1], &b, sizeof(b)));
	while ((pid = waitpid(-1, &status, WUNTRACED)) > 0 || errno == EINTR) {
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN)
			tell("ttin.");
		if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP) {
			must(tcsetpgrp(slave, b));
			must(kill(-b, SIGCONT));
			tell("tstp.");
		}
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) {
			must(tcsetpgrp(slave, a));
			tell("int.");
		}
		if (pid == a && !WIFSTOPPED(status))
			tell("end.");
	}
	_exit(tcgetpgrp(slave) == -1 ? 0 : 1);
}

/* waits until a process sleeps in read */
static void await_read(pid_t pid)
{
	char name[64], text[16];
	int fd, n;

	snprintf(name, sizeof(name), "/proc/%d/syscall", pid);
	for (;;) {
		fd = must(open(name, O_RDONLY));
		n = read(fd, text, sizeof(text));
		close(fd);
		if (n > 2 && !memcmp(text, "0 ", 2))
			return;
		usleep(1000);
	}
}

int main(void)
{
	struct winsize ws = { .ws_row = 30, .ws_col = 100 };
	int status;

	test_init(13);
	must(pipe(up));
	master = must(posix_openpt(O_RDWR | O_NOCTTY));
	must(grantpt(master));
	must(unlockpt(master));
	slave = must(open(ptsname(master), O_RDWR | O_NOCTTY));
	shell = must(fork());
	if (!shell)
		run_shell();
	close(slave);
	must(read(up[0], &a, sizeof(a)));
	must(read(up[0], &b, sizeof(b)));
	hear("ttin.");
	await_read(a);

	ckpt_point();

	ok(tcgetsid(master) == shell, "the terminal is still that of session %d (%d)", shell, tcgetsid(master));
	ok(tcgetpgrp(master) == a, "group %d is in the foreground (%d)", a, tcgetpgrp(master));
	must(write(master, "one\n", 4));
	hear("A:one.");
	must(write(master, "\x1a", 1));
	hear("tstp.");
	ok(tcgetpgrp(master) == b, "the other group is in the foreground");
	must(write(master, "two\n", 4));
	hear("B:two.");
	must(ioctl(master, TIOCSWINSZ, &ws));
	hear("winch.");
	must(write(master, "\x03", 1));
	hear("int.");
	close(master);
	hear("hup.");
	must(kill(-a, SIGCONT));
	/* its read finds the terminal hung up */
	hear("end.");
	ok(waitpid(shell, &status, 0) == shell && WIFEXITED(status), "the shell ends (%x)", status);
	ok(WEXITSTATUS(status) == 0, "without a terminal");
	return test_end();
}
