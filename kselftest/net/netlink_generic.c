// SPDX-License-Identifier: GPL-2.0-only
/* A socket of generic netlink that has a port: what its families keep for it cannot be seen. */
#include <linux/netlink.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("netlink");

int main(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	int s = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC));

	test_init(1);
	must(bind(s, (void *)&a, sizeof(a)));
	ckpt_point();
	ok(fcntl(s, F_GETFD) == 0, "it is still open");
	return test_end();
}
