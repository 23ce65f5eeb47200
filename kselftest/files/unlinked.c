// SPDX-License-Identifier: GPL-2.0-only
/* Files that were removed: content, holes, two openings of one, O_TMPFILE, a mapping. */
#include <sys/mman.h>
#include <sys/stat.h>
#include "ckpt.h"

#define LEN 300000

static char buf[LEN];

int main(void)
{
	int a, b, tmp, wr, map;
	struct stat st, st2;
	char path[64], *m;

	test_init(16);
	a = must(open("removed", O_RDWR | O_CREAT | O_APPEND, 0640));
	fill(buf, LEN, 1);
	must(write(a, buf, LEN));
	must(ftruncate(a, 5 << 20));
	must(fchmod(a, 0640));
	must(unlink("removed"));
	must(lseek(a, 1000, SEEK_SET));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", a);
	b = must(open(path, O_RDONLY));
	must(lseek(b, 5, SEEK_SET));
	tmp = must(open(".", O_TMPFILE | O_RDWR, 0600));
	must(write(tmp, "nameless", 8));
	wr = must(open("written", O_WRONLY | O_CREAT, 0600));
	must(unlink("written"));
	must(write(wr, "abc", 3));
	map = must(open("mapped", O_RDWR | O_CREAT, 0600));
	must(ftruncate(map, 8192));
	must(unlink("mapped"));
	m = must(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0));
	close(map);
	strcpy(m + 4096, "shared");
	must(fstat(a, &st));

	ckpt_point();

	must(fstat(a, &st2));
	ok(st2.st_size == 5 << 20 && st2.st_nlink == 0, "%ld bytes, %ld links", (long)st2.st_size, (long)st2.st_nlink);
	ok((st2.st_mode & 07777) == 0640, "mode %o", st2.st_mode);
	ok(st2.st_mtim.tv_sec == st.st_mtim.tv_sec && st2.st_mtim.tv_nsec == st.st_mtim.tv_nsec, "modification time");
	ok(lseek(a, 0, SEEK_CUR) == 1000 && lseek(b, 0, SEEK_CUR) == 5, "positions");
	ok(fcntl(a, F_GETFL) == (O_RDWR | O_APPEND | 0100000), "flags %#o", fcntl(a, F_GETFL));
	memset(buf, 0, LEN);
	ok(pread(a, buf, LEN, 0) == LEN && differs(buf, LEN, 1) < 0, "content");
	ok(pread(a, buf, LEN, 1 << 20) == LEN && buf[0] == 0 && buf[LEN - 1] == 0, "a hole");
	must(write(a, "end", 3));
	ok(pread(b, buf, 10, 5 << 20) == 3 && !memcmp(buf, "end", 3), "both openings are of one file");
	ok(write(b, "x", 1) == -1 && errno == EBADF, "the second is read-only");
	ok(pread(tmp, buf, 10, 0) == 8 && !memcmp(buf, "nameless", 8), "O_TMPFILE");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tmp);
	ok(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0 && unlink("named") == 0, "can get a name");
	ok(read(wr, buf, 1) == -1 && errno == EBADF, "one is write-only");
	must(write(wr, "def", 3));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", wr);
	b = must(open(path, O_RDONLY));
	ok(read(b, buf, 10) == 6 && !memcmp(buf, "abcdef", 6), "and goes on where it was");
	ok(!strcmp(m + 4096, "shared"), "a mapping");
	m[1] = 1;
	ok(access("removed", F_OK) == -1 && access("written", F_OK) == -1, "no names have come back");
	ok(fstat(tmp, &st) == 0 && st.st_size == 8, "%ld bytes", (long)st.st_size);
	return test_end();
}
