// SPDX-License-Identifier: GPL-2.0-only
/* A raw socket, and one in a multicast group. */
#include <netinet/in.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("inet");

int main(void)
{
	struct ip_mreq group = {
		.imr_multiaddr.s_addr = htonl(0xe0000101), .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
	};
	int raw, member;

	raw = must(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	member = must(socket(AF_INET, SOCK_DGRAM, 0));
	must(setsockopt(member, SOL_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)));
	test_init(1);
	ckpt_point();
	ok(fcntl(raw, F_GETFD) == 0 && fcntl(member, F_GETFD) == 0, "they are still open");
	return test_end();
}
