// SPDX-License-Identifier: GPL-2.0-only
/* A TCP connection with urgent data that is not read. */
#include <poll.h>
#include "inet.h"

REFUSED("tcp-established");

int main(void)
{
	struct pollfd p = { .events = POLLPRI };
	int l, c;
	char b;

	l = listener(AF_INET, 1);
	c = client(name_of(l, false));
	p.fd = must(accept(l, NULL, NULL));
	close(l);
	must(send(c, "!", 1, MSG_OOB));
	if (must(poll(&p, 1, 10000)) != 1)
		die("no urgent data");
	test_init(1);
	ckpt_point();
	ok(recv(p.fd, &b, 1, MSG_OOB) == 1 && b == '!', "it is there");
	return test_end();
}
