// SPDX-License-Identifier: GPL-2.0-only
/* inotify: numbers of watches, masks, one-shot, events nobody has read, a watch that was removed, a sleeper. */
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include "ckpt.h"

static int in, asleep;
static char buf[4096] __attribute__((aligned(8))), buf2[4096] __attribute__((aligned(8)));
static ssize_t got, n;
static char *pos;

static struct inotify_event *next(void)
{
	static struct inotify_event none = { .wd = -9 };
	struct inotify_event *e;

	if (!pos || pos >= buf + n) {
		n = read(in, buf, sizeof(buf));
		pos = buf;
		if (n <= 0) {
			n = 0;
			return &none;
		}
	}
	e = (void *)pos;
	pos += sizeof(*e) + e->len;
	return e;
}

static void touch(const char *name)
{
	close(must(open(name, O_WRONLY | O_CREAT, 0600)));
}

static void *reader(void *arg)
{
	got = read(asleep, buf2, sizeof(buf2));
	return arg;
}

int main(void)
{
	int dir, gone, file, once, fresh;
	struct inotify_event *e;
	pthread_t thread;

	test_init(14);
	must(mkdir("dir", 0700));
	must(mkdir("gone", 0700));
	must(mkdir("slow", 0700));
	touch("file");
	touch("once");
	in = must(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	gone = must(inotify_add_watch(in, "gone", IN_ALL_EVENTS));
	dir = must(inotify_add_watch(in, "dir", IN_CREATE | IN_DELETE | IN_MOVE));
	file = must(inotify_add_watch(in, "file", IN_MODIFY));
	once = must(inotify_add_watch(in, "once", IN_ATTRIB | IN_ONESHOT));
	must(inotify_rm_watch(in, gone));
	touch("dir/a");
	must(rename("dir/a", "dir/b-with-a-longer-name"));
	asleep = must(inotify_init1(0));
	must(inotify_add_watch(asleep, "slow", IN_CREATE));
	pthread_create(&thread, NULL, reader, NULL);

	ckpt_point();

	e = next();
	ok(e->wd == gone && e->mask == IN_IGNORED, "a watch that was removed: wd %d mask %#x", e->wd, e->mask);
	e = next();
	ok(e->wd == dir && e->mask == IN_CREATE && !strcmp(e->name, "a"), "a creation");
	e = next();
	fresh = e->cookie;
	ok(e->wd == dir && e->mask == IN_MOVED_FROM && e->cookie && !strcmp(e->name, "a"), "a move from");
	e = next();
	ok(e->mask == IN_MOVED_TO && e->cookie == (uint32_t)fresh && !strcmp(e->name, "b-with-a-longer-name"), "and to");
	e = next();
	ok(e->wd == -9, "nothing else: wd %d mask %#x", e->wd, e->mask);
	ok(fcntl(in, F_GETFL) == O_NONBLOCK, "flags %#x", fcntl(in, F_GETFL));
	must(unlink("dir/b-with-a-longer-name"));
	e = next();
	ok(e->wd == dir && e->mask == IN_DELETE, "a new event");
	must(chmod("dir", 0755));
	ok(next()->wd == -9, "the mask is kept");
	must(truncate("file", 5));
	e = next();
	ok(e->wd == file && e->mask == IN_MODIFY, "of a file");
	must(chmod("once", 0640));
	e = next();
	ok(e->wd == once && e->mask == IN_ATTRIB, "once");
	e = next();
	ok(e->wd == once && e->mask == IN_IGNORED, "and then never");
	ok(inotify_add_watch(in, "dir", IN_CREATE) == dir, "a watch is found again");
	fresh = inotify_add_watch(in, "slow", IN_CREATE);
	ok(fresh == once + 1, "the next number is %d", fresh);
	touch("slow/x");
	pthread_join(thread, NULL);
	e = (void *)buf2;
	ok(got > 0 && e->mask == IN_CREATE && !strcmp(e->name, "x"), "the sleeper got it");
	return test_end();
}
