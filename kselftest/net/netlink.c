// SPDX-License-Identifier: GPL-2.0-only
/* A netlink socket. */
#include <linux/netlink.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("netlink");

int main(void)
{
	int s = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));

	test_init(1);
	ckpt_point();
	ok(fcntl(s, F_GETFD) == 0, "it is still open");
	return test_end();
}
