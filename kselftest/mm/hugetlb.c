// SPDX-License-Identifier: GPL-2.0-only
/* Memory of huge pages from the pool. */
#include <sys/mman.h>
#include "ckpt.h"
REFUSED("hugetlb");

#define MB (1UL << 20)

int main(void)
{
	unsigned char *p, *s;
	int fd = must(open("/proc/sys/vm/nr_hugepages", O_WRONLY));

	test_init(2);
	if (write(fd, "4", 1) != 1)
		die("asking for huge pages");
	close(fd);
	p = must(mmap(NULL, 2 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
	s = must(mmap(NULL, 2 * MB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
	fill(p, 2 * MB, 1);
	fill(s, 2 * MB, 2);
	ckpt_point();
	ok(differs(p, 2 * MB, 1) < 0, "private huge pages");
	ok(differs(s, 2 * MB, 2) < 0, "shared huge pages");
	munmap(p, 2 * MB);
	munmap(s, 2 * MB);
	fd = must(open("/proc/sys/vm/nr_hugepages", O_WRONLY));
	if (write(fd, "0", 1) != 1)
		die("giving huge pages back");
	return test_end();
}
