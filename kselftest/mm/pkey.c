// SPDX-License-Identifier: GPL-2.0-only
/* Protection keys: which are allocated, which memory has which, and data behind a key that denies access. */
#include <setjmp.h>
#include <sys/mman.h>
#include "ckpt.h"

#define PAGE 4096UL

static sigjmp_buf jump;
static volatile int key_seen;

static void segv(int sig, siginfo_t *si, void *uc)
{
	key_seen = si->si_code == SEGV_PKUERR ? (int)si->si_pkey : -1;
	siglongjmp(jump, 1);
}

static unsigned int rdpkru(void)
{
	unsigned int eax, edx;

	asm volatile(".byte 0x0f,0x01,0xee" : "=a" (eax), "=d" (edx) : "c" (0));
	return eax;
}

static void wrpkru(unsigned int pkru)
{
	asm volatile(".byte 0x0f,0x01,0xef" : : "a" (pkru), "c" (0), "d" (0) : "memory");
}

/* Which key denies reading, 0: none. */
static int denies(unsigned char *p)
{
	unsigned int pkru = rdpkru();

	key_seen = 0;
	if (!sigsetjmp(jump, 1))
		*(volatile unsigned char *)p;
	wrpkru(pkru);			/* a handler begins with other rights */
	return key_seen;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = segv, .sa_flags = SA_SIGINFO };
	unsigned char *exec_only, *denied, *open_, *file;
	int k1, k2, k3, k4, fd;

	k1 = pkey_alloc(0, 0);
	if (k1 < 0 && (errno == ENOSPC || errno == ENOSYS || errno == EINVAL))
		skip_all("no protection keys here");
	test_init(11);
	sigaction(SIGSEGV, &sa, NULL);
	exec_only = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	memcpy(exec_only, "\xb8\x2a\x00\x00\x00\xc3", 6);
	must(mprotect(exec_only, PAGE, PROT_EXEC));	/* takes a key, too */
	k2 = must(pkey_alloc(0, 0));
	k3 = must(pkey_alloc(0, 0));
	must(pkey_free(k2));
	denied = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	fill(denied, 4 * PAGE, 1);
	must(pkey_mprotect(denied, 4 * PAGE, PROT_READ | PROT_WRITE, k3));
	open_ = must(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	fill(open_, 4 * PAGE, 2);
	must(pkey_mprotect(open_, 4 * PAGE, PROT_READ | PROT_WRITE, k1));
	fd = must(open("data", O_RDWR | O_CREAT | O_TRUNC, 0644));
	must(ftruncate(fd, PAGE));
	file = must(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	close(fd);
	fill(file, PAGE, 3);
	must(pkey_mprotect(file, PAGE, PROT_READ, k3));
	pkey_set(k3, PKEY_DISABLE_ACCESS);
	pkey_set(k1, PKEY_DISABLE_WRITE);

	ckpt_point();

	ok(pkey_get(k3) == PKEY_DISABLE_ACCESS && pkey_get(k1) == PKEY_DISABLE_WRITE, "the rights of both keys");
	ok(denies(denied) == k3, "memory is denied by key %d, is %d", k3, key_seen);
	ok(denies(file) == k3, "memory of a file is denied by key %d, is %d", k3, key_seen);
	ok(denies(open_) == 0 && differs(open_, 4 * PAGE, 2) < 0, "shared memory may be read");
	ok(denies(exec_only) == 0 || key_seen > 0, "code that may only be run");
	ok(((int (*)(void))exec_only)() == 42, "it runs");
	pkey_set(k3, 0);
	ok(differs(denied, 4 * PAGE, 1) < 0, "data behind the key");
	ok(differs(file, PAGE, 3) < 0, "data of the file behind the key");
	k4 = must(pkey_alloc(0, 0));
	ok(k4 == k2, "the next key is %d, as it was free before, is %d", k2, k4);
	k4 = must(pkey_alloc(0, 0));
	ok(k4 != k1 && k4 != k3, "the one after it is new, too: %d", k4);
	ok(denies(exec_only) != k4, "and not that of the code");
	return test_end();
}
