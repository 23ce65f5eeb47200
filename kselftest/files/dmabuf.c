// SPDX-License-Identifier: GPL-2.0-only
/* A file of no known file system: a DMA buffer. */
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "ckpt.h"
REFUSED("file");
KERNELS("6.12");

int main(void)
{
	struct udmabuf_create c = { .size = 4096 };
	int dev, fd;

	test_init(1);
	dev = must(open("/dev/udmabuf", O_RDWR));
	c.memfd = must(memfd_create("buffer", MFD_ALLOW_SEALING));
	must(ftruncate(c.memfd, 4096));
	must(fcntl(c.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	fd = must(ioctl(dev, UDMABUF_CREATE, &c));
	close(dev);
	close(c.memfd);
	ckpt_point();
	ok(lseek(fd, 0, SEEK_END) == 4096, "its size");
	return test_end();
}
