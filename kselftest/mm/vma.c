// SPDX-License-Identifier: GPL-2.0-only
/* Mappings: of files, with what is written to them, with advice, locks and names, between guard pages. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include "ckpt.h"

#define PAGE 4096UL
#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

/* The lines of smaps about the mapping at p, the fields that must stay. */
static void smaps(void *p, char *to, size_t size)
{
	static const char * const keys[] = { "KernelPageSize:", "VmFlags:", NULL };
	char line[512], want[32];
	bool in = false;
	size_t n = 0;
	FILE *f = fopen("/proc/self/smaps", "re");

	if (!f)
		die("smaps");
	snprintf(want, sizeof(want), "%lx-", (long)p);
	to[0] = 0;
	while (fgets(line, sizeof(line), f)) {
		char *sd;

		if (strchr(line, '-') && strchr(line, '-') < strchr(line, ' ')) {
			in = !strncmp(line, want, strlen(want));
			if (in)
				n += snprintf(to + n, size - n, "%s", line);
		}
		if (!in)
			continue;
		/* soft-dirty tells of writes, not of the mapping */
		sd = strncmp(line, "VmFlags:", 8) ? NULL : strstr(line, " sd");
		if (sd)
			memmove(sd, sd + 3, strlen(sd + 3) + 1);
		for (int i = 0; keys[i]; i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				n += snprintf(to + n, size - n, "%s", line);
	}
	fclose(f);
}

static unsigned char *anon(size_t pages, int flags)
{
	return must(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0));
}

static const struct {
	int advice;
	const char *name;
} advices[] = {
	{ MADV_DONTFORK, "DONTFORK" }, { MADV_WIPEONFORK, "WIPEONFORK" }, { MADV_DONTDUMP, "DONTDUMP" },
	{ MADV_SEQUENTIAL, "SEQUENTIAL" }, { MADV_RANDOM, "RANDOM" }, { MADV_HUGEPAGE, "HUGEPAGE" },
	{ MADV_NOHUGEPAGE, "NOHUGEPAGE" }, { MADV_MERGEABLE, "MERGEABLE" },
};
#define NADV (sizeof(advices) / sizeof(advices[0]))

static char before[32][1024], after[1024];

static void same(void *p, int i, const char *what)
{
	smaps(p, after, sizeof(after));
	if (!ok(before[i][0] && !strcmp(before[i], after), "%s: flags and range are the same", what)) {
		diag("was:");
		for (char *l = strtok(before[i], "\n"); l; l = strtok(NULL, "\n"))
			diag("  %s", l);
		diag("is:");
		for (char *l = strtok(after, "\n"); l; l = strtok(NULL, "\n"))
			diag("  %s", l);
	}
}

static unsigned char *file(const char *name, size_t pages, int prot, int flags, int oflags)
{
	static unsigned char buf[64 * PAGE];
	unsigned char *p;
	int fd = must(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));

	fill(buf, pages * PAGE, name[0]);
	if (write(fd, buf, pages * PAGE) != (ssize_t)(pages * PAGE))
		die("writing %s", name);
	close(fd);
	fd = must(open(name, oflags));
	p = must(mmap(NULL, pages * PAGE, prot, flags, fd, 0));
	close(fd);
	return p;
}

int main(void)
{
	unsigned char *adv[NADV], *priv, *ro, *shared, *shro, *lock, *onfault, *guard, *named, *offs, *none, buf[PAGE];
	int fd, status, named_ok;
	pid_t pid;

	test_init(33);
	smaps(NULL, after, sizeof(after));

	for (unsigned int i = 0; i < NADV; i++) {
		adv[i] = anon(4, 0);
		anon(1, 0);			/* between them, so that none is merged */
		mprotect(adv[i] + 3 * PAGE, PAGE, PROT_READ);
		must(madvise(adv[i], 4 * PAGE, advices[i].advice));
		fill(adv[i], 3 * PAGE, i);
	}

	priv = file("private", 16, PROT_READ | PROT_WRITE, MAP_PRIVATE, O_RDWR);
	fill(priv + 3 * PAGE, PAGE, 100);
	memset(priv + 5 * PAGE, 0, PAGE);	/* zeros that hide the file's data */
	ro = file("ro", 8, PROT_READ | PROT_WRITE, MAP_PRIVATE, O_RDONLY);
	fill(ro + PAGE, PAGE, 101);
	must(mprotect(ro, 8 * PAGE, PROT_READ));
	none = file("none", 8, PROT_READ | PROT_WRITE, MAP_PRIVATE, O_RDONLY);
	fill(none + PAGE, PAGE, 102);
	must(mprotect(none, 8 * PAGE, PROT_NONE));
	shared = file("shared", 8, PROT_READ | PROT_WRITE, MAP_SHARED, O_RDWR);
	fill(shared + PAGE, PAGE, 103);
	shro = file("xshro", 8, PROT_READ, MAP_SHARED, O_RDONLY);
	fd = must(open("private", O_RDONLY));
	offs = must(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 7 * PAGE));
	close(fd);

	lock = anon(4, 0);
	must(mlock(lock, 4 * PAGE));
	fill(lock, 4 * PAGE, 104);
	anon(1, MAP_NORESERVE);
	onfault = anon(8, 0);
	must(mlock2(onfault, 8 * PAGE, MLOCK_ONFAULT));
	fill(onfault, PAGE, 105);

	guard = anon(5, 0);
	must(mprotect(guard, PAGE, PROT_NONE));
	must(mprotect(guard + 2 * PAGE, PAGE, PROT_NONE));
	must(munmap(guard + 4 * PAGE, PAGE));
	fill(guard + PAGE, PAGE, 106);
	fill(guard + 3 * PAGE, PAGE, 107);

	named = anon(2, MAP_NORESERVE);
	named_ok = prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named, 2 * PAGE, "a name: x") == 0;

	for (unsigned int i = 0; i < NADV; i++)
		smaps(adv[i], before[i], sizeof(before[i]));
	smaps(priv, before[10], sizeof(before[10]));
	smaps(ro, before[11], sizeof(before[11]));
	smaps(none, before[12], sizeof(before[12]));
	smaps(shared, before[13], sizeof(before[13]));
	smaps(shro, before[14], sizeof(before[14]));
	smaps(lock, before[15], sizeof(before[15]));
	smaps(onfault, before[16], sizeof(before[16]));
	smaps(guard, before[17], sizeof(before[17]));
	smaps(offs, before[18], sizeof(before[18]));
	smaps(named, before[19], sizeof(before[19]));

	ckpt_point();

	for (unsigned int i = 0; i < NADV; i++)
		same(adv[i], i, advices[i].name);
	same(priv, 10, "private file mapping");
	same(ro, 11, "read-only private file mapping");
	same(none, 12, "private file mapping without access");
	same(shared, 13, "shared file mapping");
	same(shro, 14, "read-only shared file mapping");
	same(lock, 15, "mlock");
	same(onfault, 16, "mlock2 ONFAULT");
	same(guard, 17, "guard page");
	same(offs, 18, "mapping of the middle of a file");
	same(named, 19, named_ok ? "name" : "name, which this kernel has not");

	for (unsigned int i = 0; i < NADV; i++)
		if (differs(adv[i], 3 * PAGE, i) >= 0)
			diag("data with advice %s", advices[i].name);
	ok(differs(priv, 3 * PAGE, 'p') < 0, "pages of the file");
	ok(differs(priv + 3 * PAGE, PAGE, 100) < 0, "a page of the file, overwritten");
	memset(buf, 0, PAGE);
	ok(!memcmp(priv + 5 * PAGE, buf, PAGE), "a page of the file, overwritten with zeros");
	ok(differs(ro + PAGE, PAGE, 101) < 0, "overwritten, then made read-only");
	must(mprotect(none, 8 * PAGE, PROT_READ));
	ok(differs(none + PAGE, PAGE, 102) < 0 && differs(none, PAGE, 'n') < 0, "overwritten, then without access");
	ok(differs(shared + PAGE, PAGE, 103) < 0 && differs(shared, PAGE, 's') < 0, "shared memory of the file");
	fill(shared + 2 * PAGE, PAGE, 110);
	fd = must(open("shared", O_RDONLY));
	ok(pread(fd, buf, PAGE, 2 * PAGE) == (ssize_t)PAGE && differs(buf, PAGE, 110) < 0, "what is written to it reaches the file");
	close(fd);
	ok(mprotect(shro, PAGE, PROT_WRITE) == -1 && errno == EACCES, "a shared mapping of a read-only file cannot be written");
	ok(differs(lock, 4 * PAGE, 104) < 0, "locked data");
	ok(differs(onfault, PAGE, 105) < 0 && !onfault[PAGE], "data locked on fault");
	ok(differs(guard + PAGE, PAGE, 106) < 0 && differs(guard + 3 * PAGE, PAGE, 107) < 0, "data between guard pages");
	ok(msync(guard + 4 * PAGE, PAGE, MS_ASYNC) == -1 && errno == ENOMEM, "the gap is still a gap");

	pid = must(fork());
	if (!pid) {
		unsigned char vec;

		/* DONTFORK and WIPEONFORK in a child */
		if (mincore(adv[0], PAGE, &vec) != -1 || errno != ENOMEM)
			_exit(1);
		_exit(adv[1][0] || adv[1][PAGE] ? 2 : differs(adv[2], 3 * PAGE, 2) >= 0 ? 3 : 0);
	}
	must(waitpid(pid, &status, 0));
	ok(status == 0, "a child gets what the advice says, status %#x", status);
	ok(differs(adv[0], 3 * PAGE, 0) < 0 && differs(adv[1], 3 * PAGE, 1) < 0, "the data of DONTFORK and WIPEONFORK");
	ok(differs(adv[7], 3 * PAGE, 7) < 0, "the data of MERGEABLE");
	return test_end();
}
