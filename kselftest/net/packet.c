// SPDX-License-Identifier: GPL-2.0-only
/* A packet socket. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("packet");

int main(void)
{
	int s = must(socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_LOOP)));

	test_init(1);
	ckpt_point();
	ok(fcntl(s, F_GETFD) == 0, "it is still open");
	return test_end();
}
