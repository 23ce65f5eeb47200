// SPDX-License-Identifier: GPL-2.0-only
/* A socket of a family that nobody knows how to save. */
#include <sys/socket.h>
#include "ckpt.h"
REFUSED("socket");

#ifndef AF_XDP
#define AF_XDP 44
#endif

int main(void)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd = socket(AF_XDP, SOCK_RAW, 0);

	test_init(1);
	if (fd < 0)
		fd = must(socket(AF_VSOCK, SOCK_STREAM, 0));
	ckpt_point();
	ok(getsockname(fd, (struct sockaddr *)&sa, &len) == 0 || errno != EBADF, "it is still open");
	return test_end();
}
