// SPDX-License-Identifier: GPL-2.0-only
/* A process of one GiB. */
#include <sys/mman.h>
#include "ckpt.h"
MODES("restart");
SECONDS(150);

#define GIB (1UL << 30)

int main(void)
{
	uint64_t *p, bad = 0;

	test_init(1);
	p = must(mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	/* different in every page, and cheap on an emulated processor */
	for (size_t i = 0; i < GIB / 8; i += 64)
		p[i] = i * 0x9e3779b97f4a7c15 + 1;

	ckpt_point();

	for (size_t i = 0; i < GIB / 8; i += 64)
		bad += p[i] != i * 0x9e3779b97f4a7c15 + 1;
	ok(!bad, "%ld words of one GiB are wrong", (long)bad);
	return test_end();
}
