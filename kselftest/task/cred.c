// SPDX-License-Identifier: GPL-2.0-only
/*
 * Credentials: ids, groups, capabilities, securebits; a thread with others than its process. The program is
 * not root at the checkpoint, and not dumpable but for having said so.
 */
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "ckpt.h"

struct ids {
	uid_t r, e, s, fs;
	gid_t rg, eg, sg, fsg;
	int ngroups;
	gid_t groups[32];
	struct __user_cap_data_struct caps[2];
	uint64_t bset, ambient;
	int bits;
};

static struct ids before[3], after[3];
static volatile int ready;

/* only for the calling thread: glibc's functions change all threads */
static void look(struct ids *i)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	memset(i, 0, sizeof(*i));
	must(syscall(SYS_getresuid, &i->r, &i->e, &i->s));
	must(syscall(SYS_getresgid, &i->rg, &i->eg, &i->sg));
	i->fs = syscall(SYS_setfsuid, -1);
	i->fsg = syscall(SYS_setfsgid, -1);
	i->ngroups = must(syscall(SYS_getgroups, 32, i->groups));
	must(syscall(SYS_capget, &h, i->caps));
	i->bits = must(prctl(PR_GET_SECUREBITS));
	for (int c = 0; c <= CAP_LAST_CAP; c++) {
		i->bset |= (uint64_t)(prctl(PR_CAPBSET_READ, c) == 1) << c;
		i->ambient |= (uint64_t)(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, c, 0, 0) == 1) << c;
	}
}

static void *work(void *arg)
{
	long n = (long)arg;
	gid_t other[] = { 9, 8, 7 };

	if (n == 1) {
		must(syscall(SYS_setgroups, 3, other));
		must(syscall(SYS_setresgid, 300, 301, 302));
		must(syscall(SYS_setresuid, 200, 201, 202));
	} else {
		/* still root, with file-system ids of its own and less in the bounding set */
		must(prctl(PR_CAPBSET_DROP, CAP_SYS_TIME));
		syscall(SYS_setfsuid, 77);
		syscall(SYS_setfsgid, 78);
	}
	look(&before[n]);
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	ckpt_wait_go();
	look(&after[n]);
	return NULL;
}

int main(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = {};
	gid_t groups[] = { 5, 500, 100000, 2000000000 };
	pthread_t t[2];

	test_init(10);
	umask(0);
	for (long i = 1; i < 3; i++)
		if (pthread_create(&t[i - 1], NULL, work, (void *)i))
			die("pthread_create");
	while (ready < 2)
		usleep(1000);
	must(chmod(getenv("CKPT_DIR") ?: ".", 0777));
	must(syscall(SYS_setgroups, 4, groups));
	must(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP |
		   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED));
	must(syscall(SYS_setresgid, 1001, 1002, 1003));
	must(syscall(SYS_setresuid, 2001, 2002, 2003));
	caps[0].permitted = 1 << CAP_NET_BIND_SERVICE | 1 << CAP_CHOWN | 1 << CAP_KILL;
	caps[0].effective = 1 << CAP_KILL;
	caps[0].inheritable = 1 << CAP_CHOWN | 1 << CAP_NET_RAW;
	must(syscall(SYS_capset, &h, caps));
	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	must(prctl(PR_SET_DUMPABLE, 0));
	look(&before[0]);

	ckpt_point();

	look(&after[0]);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 3; i++) {
		struct ids *b = &before[i], *a = &after[i];

		ok(!memcmp(b, a, offsetof(struct ids, ngroups)), "ids %u %u %u %u, %u %u %u %u", a->r, a->e,
		   a->s, a->fs, a->rg, a->eg, a->sg, a->fsg);
		ok(b->ngroups == a->ngroups && !memcmp(b->groups, a->groups, sizeof(b->groups)),
		   "%d supplementary groups", a->ngroups);
		ok(!memcmp(b->caps, a->caps, sizeof(b->caps)) && b->bset == a->bset &&
		   b->ambient == a->ambient && b->bits == a->bits,
		   "permitted %x effective %x inheritable %x, bounding %lx, ambient %lx, securebits %x",
		   a->caps[0].permitted, a->caps[0].effective, a->caps[0].inheritable, a->bset,
		   a->ambient, a->bits);
	}
	ok(prctl(PR_GET_DUMPABLE) == 0, "not dumpable");
	return test_end();
}
