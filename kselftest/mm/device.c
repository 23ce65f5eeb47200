// SPDX-License-Identifier: GPL-2.0-only
/* Memory of a device cannot be saved. */
#include <sys/mman.h>
#include "ckpt.h"
REFUSED("device-memory");

int main(void)
{
	int fd = must(open("/dev/mem", O_RDWR));
	volatile unsigned char *p;

	test_init(1);
	p = must(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0xa0000));
	close(fd);
	ckpt_point();
	ok((p[0] | 1) != 0, "memory of the screen is still mapped");
	return test_end();
}
