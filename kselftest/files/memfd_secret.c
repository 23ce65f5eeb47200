// SPDX-License-Identifier: GPL-2.0-only
/* Memory that the kernel itself is not to read. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include "ckpt.h"
REFUSED("memfd_secret");
KERNELS("6.12");

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

int main(void)
{
	int fd = must(syscall(SYS_memfd_secret, 0));
	char *p;

	test_init(1);
	must(ftruncate(fd, 4096));
	p = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	strcpy(p, "secret");
	ckpt_point();
	ok(!strcmp(p, "secret"), "it is still there");
	return test_end();
}
