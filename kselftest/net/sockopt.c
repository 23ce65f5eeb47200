// SPDX-License-Identifier: GPL-2.0-only
/* An option that is not saved: timestamps by SO_TIMESTAMPING. */
#include <sys/socket.h>
#include <linux/net_tstamp.h>
#include "ckpt.h"

REFUSED("socket-option");

int main(void)
{
	int s[2], n = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE;
	char c;

	test_init(1);
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	must(setsockopt(s[0], SOL_SOCKET, SO_TIMESTAMPING, &n, sizeof(n)));
	ckpt_point();
	ok(write(s[1], "x", 1) == 1 && read(s[0], &c, 1) == 1, "it goes on");
	return test_end();
}
