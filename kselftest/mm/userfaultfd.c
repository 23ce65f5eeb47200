// SPDX-License-Identifier: GPL-2.0-only
/* Memory whose faults another program handles cannot be saved. */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/userfaultfd.h>
#include "ckpt.h"
REFUSED("userfaultfd");

int main(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	unsigned char *p = must(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int fd;

	test_init(1);
	fd = must(syscall(__NR_userfaultfd, O_CLOEXEC));
	must(ioctl(fd, UFFDIO_API, &api));
	p[0] = 7;
	reg.range.start = (uintptr_t)p;
	reg.range.len = 8192;
	must(ioctl(fd, UFFDIO_REGISTER, &reg));
	ckpt_point();
	ok(p[0] == 7, "memory registered with userfaultfd");
	return test_end();
}
