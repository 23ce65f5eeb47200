// SPDX-License-Identifier: GPL-2.0-only
/* The NUMA policy of a mapping. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/mempolicy.h>
#include "ckpt.h"

#define PAGE 4096UL

static long mbind_(void *p, size_t len, int how, unsigned long mask)
{
	return syscall(__NR_mbind, p, len, how, mask ? &mask : NULL, mask ? 64 : 0, 0);
}

static void get(void *p, int *how, unsigned long *mask)
{
	unsigned long nodes[16] = { 0 };

	*how = -1;
	syscall(__NR_get_mempolicy, how, nodes, sizeof(nodes) * 8, p, MPOL_F_ADDR);
	*mask = nodes[0];
}

static const struct {
	int how;
	unsigned long mask;
	const char *name;
} policies[] = {
	{ MPOL_BIND, 1, "bind" }, { MPOL_PREFERRED, 1, "preferred" }, { MPOL_INTERLEAVE, 1, "interleave" },
	{ MPOL_LOCAL, 0, "local" }, { MPOL_BIND | MPOL_F_STATIC_NODES, 1, "bind, static nodes" },
	{ MPOL_PREFERRED | MPOL_F_RELATIVE_NODES, 1, "preferred, relative nodes" }, { MPOL_DEFAULT, 0, "none" },
};
#define N (sizeof(policies) / sizeof(policies[0]))

int main(void)
{
	unsigned char *p[N];
	unsigned long m[N], mask;
	int h[N], how;

	p[0] = must(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	if (mbind_(p[0], PAGE, MPOL_BIND, 1) < 0 && errno == ENOSYS)
		skip_all("no NUMA policies here");
	test_init(2 * N);
	for (unsigned int i = 0; i < N; i++) {
		p[i] = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		must(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		must(mbind_(p[i], 4 * PAGE, policies[i].how, policies[i].mask));
		fill(p[i], 3 * PAGE, i);
		get(p[i], &h[i], &m[i]);
	}

	ckpt_point();

	for (unsigned int i = 0; i < N; i++) {
		get(p[i], &how, &mask);
		ok(how == h[i] && mask == m[i],
		   "%s: is %#x %#lx, was %#x %#lx", policies[i].name, how, mask, h[i], m[i]);
		ok(differs(p[i], 3 * PAGE, i) < 0 && !p[i][3 * PAGE], "%s: data", policies[i].name);
	}
	return test_end();
}
