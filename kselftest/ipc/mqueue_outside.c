// SPDX-License-Identifier: GPL-2.0-only
/* A message queue without a name that is also open outside of the tree, by a grandchild whose parent has ended. */
#include <mqueue.h>
#include "ckpt.h"

REFUSED("mqueue");

int main(void)
{
	static char buf[8192];
	int status, fds[2];
	mqd_t q;
	char c;

	test_init(3);
	q = must(mq_open("/ckpt-outside", O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
	must(mq_unlink("/ckpt-outside"));
	must(pipe(fds));
	if (must(fork()) == 0) {
		if (must(fork()) == 0) {
			setsid();
			if (write(fds[1], "x", 1) != 1)
				_exit(9);
			close(fds[0]);
			close(fds[1]);
			ckpt_wait_go();
			_exit(mq_send(q, "x", 1, 0) != 0);
		}
		_exit(5);
	}
	must(wait(&status));
	close(fds[1]);
	/* it has closed all but the queue */
	ok(read(fds[0], &c, 1) == 1 && read(fds[0], &c, 1) == 0, "the other one waits");
	close(fds[0]);
	ckpt_point();
	ok(WEXITSTATUS(status) == 5, "the one in between has ended");
	ok(mq_receive(q, buf, sizeof(buf), NULL) == 1, "the other one sends");
	return test_end();
}
