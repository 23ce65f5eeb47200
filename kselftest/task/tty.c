// SPDX-License-Identifier: GPL-2.0-only
/* A controlling terminal, no descriptor of which is open. */
#include <sys/ioctl.h>
#include <termios.h>
#include "../ckpt.h"

REFUSED("tty");

int main(void)
{
	int master, slave, fd;

	test_init(2);
	/* the end of the terminal is not that of the test */
	signal(SIGHUP, SIG_IGN);
	master = must(posix_openpt(O_RDWR | O_NOCTTY));
	must(grantpt(master));
	must(unlockpt(master));
	slave = must(open(ptsname(master), O_RDWR | O_NOCTTY));
	must(ioctl(slave, TIOCSCTTY, 0));

	ckpt_point();

	ok(tcgetsid(slave) == getsid(0), "the terminal is still that of the session");
	fd = open("/dev/tty", O_RDWR);
	ok(fd >= 0, "/dev/tty opens");
	close(fd);
	ioctl(slave, TIOCNOTTY);
	return test_end();
}
