// SPDX-License-Identifier: GPL-2.0-only
/* Ten thousand mappings; fewer where the kernel checks all of them at each change. */
#include <sys/mman.h>
#include "ckpt.h"
SECONDS(60);

#define PAGE 4096UL
static int N = 10000;

static int count(void)
{
	static char buf[65536];
	int fd = must(open("/proc/self/maps", O_RDONLY | O_CLOEXEC)), lines = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += buf[i] == '\n';
	close(fd);
	return lines;
}

int main(void)
{
	int n, wrong = 0;
	unsigned char *p;

	test_init(2);
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		N = 1500;
	p = must(mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (int i = 0; i < N; i++) {
		p[i * PAGE + i % 4000] = i | 1;
		if (i & 1)
			must(mprotect(p + i * PAGE, PAGE, i & 2 ? PROT_READ : PROT_NONE));
	}
	n = count();

	ckpt_point();

	ok(n > N && count() == n, "%d mappings, %d before", count(), n);
	must(mprotect(p, N * PAGE, PROT_READ));
	for (int i = 0; i < N; i++)
		wrong += p[i * PAGE + i % 4000] != (unsigned char)(i | 1);
	ok(!wrong, "%d have wrong data", wrong);
	return test_end();
}
