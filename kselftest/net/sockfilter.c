// SPDX-License-Identifier: GPL-2.0-only
/* A BPF filter on a socket. */
#include <sys/socket.h>
#include <linux/filter.h>
#include "ckpt.h"

REFUSED("socket-filter");

int main(void)
{
	struct sock_filter all = { .code = BPF_RET | BPF_K, .k = 0xffff };
	struct sock_fprog prog = { .len = 1, .filter = &all };
	int s[2];
	char c;

	test_init(1);
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	must(setsockopt(s[0], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	ckpt_point();
	ok(write(s[1], "x", 1) == 1 && read(s[0], &c, 1) == 1, "it goes on");
	return test_end();
}
