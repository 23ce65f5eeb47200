// SPDX-License-Identifier: GPL-2.0-only
/* A netlink socket whose dump is not read to its end. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include "ckpt.h"

REFUSED("netlink");

int main(void)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} q = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.g)), .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP }, .g.rtgen_family = AF_UNSPEC };
	int s = must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	static char buf[65536];

	test_init(1);
	/* the kernel puts the end of a dump into a message of its own, when the one before is taken */
	must(send(s, &q, q.h.nlmsg_len, 0));
	ckpt_point();
	ok(recv(s, buf, sizeof(buf), 0) > 0, "it goes on");
	return test_end();
}
