// SPDX-License-Identifier: GPL-2.0-only
/* A UDP socket. */
#include <netinet/in.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("inet");

int main(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int s;

	s = must(socket(AF_INET, SOCK_DGRAM, 0));
	must(bind(s, (void *)&sin, sizeof(sin)));
	test_init(1);
	ckpt_point();
	ok(fcntl(s, F_GETFD) == 0, "it is still open");
	return test_end();
}
