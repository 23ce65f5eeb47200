// SPDX-License-Identifier: GPL-2.0-only
/* Limits, usage, and what else a process has: oom score, umask, subreaper, dump settings, /proc, times. */
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/stat.h>
#include "ckpt.h"

static char *file(const char *name, char *buf, size_t len)
{
	int fd = must(open(name, O_RDONLY)), n = must(read(fd, buf, len - 1));

	buf[n] = 0;
	close(fd);
	return buf;
}

static void write_file(const char *name, const char *s)
{
	int fd = must(open(name, O_WRONLY));

	if (write(fd, s, strlen(s)) != (ssize_t)strlen(s))
		die("writing %s", name);
	close(fd);
}

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double cpu(int who, struct rusage *ru)
{
	getrusage(who, ru);
	return ru->ru_utime.tv_sec + ru->ru_stime.tv_sec + (ru->ru_utime.tv_usec + ru->ru_stime.tv_usec) / 1e6;
}

static long long start_time(void)
{
	char buf[2048], *p = strrchr(file("/proc/self/stat", buf, sizeof(buf)), ')');
	long long v = 0;

	for (int i = 0; i < 20 && p; i++)
		p = strchr(p + 1, ' ');
	if (p)
		v = atoll(p);
	return v;
}

static void burn(double s)
{
	double end = now(CLOCK_THREAD_CPUTIME_ID) + s;

	while (now(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

static void *dead(void *arg)
{
	burn(0.1);
	return NULL;
}

int main(int argc, char **argv)
{
	struct rlimit was[RLIM_NLIMITS], rl;
	char cmd[256], cmd2[256], env[8192], env2[8192], aux[2048], aux2[2048], exe[256], exe2[256], buf[256];
	double c_self, c_clock, c_child, c_thread, boot, u, s;
	struct rusage self, self2, child, child2;
	int fd, bad = 0;
	pthread_t t;
	long long start;

	test_init(24);
	fd = must(dup2(must(open("/dev/null", O_RDWR)), 200));
	for (int r = 0; r < RLIM_NLIMITS; r++) {
		must(getrlimit(r, &rl));
		switch (r) {
		case RLIMIT_NOFILE:
			rl = (struct rlimit){ 20, 150 };
			break;
		case RLIMIT_CORE:
			rl = (struct rlimit){ 4096, 8192 };
			break;
		case RLIMIT_FSIZE:
			rl.rlim_cur = 1 << 30;
			break;
		case RLIMIT_SIGPENDING:
			rl.rlim_cur = 3;
			break;
		case RLIMIT_CPU:
			rl = (struct rlimit){ 1000, 2000 };
			break;
		case RLIMIT_RTPRIO:
			rl = (struct rlimit){ 3, 7 };
			break;
		case RLIMIT_NICE:
			rl = (struct rlimit){ 20, 30 };
			break;
		case RLIMIT_MEMLOCK:
			rl = (struct rlimit){ 4096, 8192 };
			break;
		case RLIMIT_AS:
			continue;
		}
		must(setrlimit(r, &rl));
		was[r] = rl;
	}
	must(prctl(PR_SET_NAME, "renamed (1) x"));
	write_file("/proc/self/oom_score_adj", "321");
	write_file("/proc/self/coredump_filter", "0x5a");
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	must(prctl(PR_SET_DUMPABLE, 1));
	umask(0035);
	memset(cmd, 0, sizeof(cmd));
	memset(cmd2, 0, sizeof(cmd2));
	memset(exe, 0, sizeof(exe));
	memset(exe2, 0, sizeof(exe2));
	file("/proc/self/cmdline", cmd, sizeof(cmd));
	file("/proc/self/environ", env, sizeof(env));
	file("/proc/self/auxv", aux, sizeof(aux));
	must(readlink("/proc/self/exe", exe, sizeof(exe) - 1));
	if (fork() == 0) {
		burn(0.1);
		_exit(0);
	}
	must(wait(NULL));
	pthread_create(&t, NULL, dead, NULL);
	pthread_join(t, NULL);
	burn(0.1);
	c_self = cpu(RUSAGE_SELF, &self);
	c_child = cpu(RUSAGE_CHILDREN, &child);
	c_clock = now(CLOCK_PROCESS_CPUTIME_ID);
	c_thread = now(CLOCK_THREAD_CPUTIME_ID);
	start = start_time();
	boot = now(CLOCK_BOOTTIME);
	/* the last: memory maps of a restart come on top of what is mapped now */
	file("/proc/self/statm", buf, sizeof(buf));
	rl.rlim_cur = (atol(buf) + 8) * 4096;
	rl.rlim_max = 1ul << 40;
	was[RLIMIT_AS] = rl;
	must(setrlimit(RLIMIT_AS, &rl));

	ckpt_point();

	u = now(CLOCK_PROCESS_CPUTIME_ID);
	ok(u >= c_clock && u < c_clock + 5, "process CPU clock, %f then %f", c_clock, u);
	u = now(CLOCK_THREAD_CPUTIME_ID);
	ok(u >= c_thread && u < c_thread + 5, "thread CPU clock, %f then %f", c_thread, u);
	u = cpu(RUSAGE_SELF, &self2);
	ok(u >= c_self && u < c_self + 5, "CPU time, %f then %f", c_self, u);
	ok(timercmp(&self2.ru_utime, &self.ru_utime, >=) && timercmp(&self2.ru_stime, &self.ru_stime, >=),
	   "neither user nor system time went back");
	u = cpu(RUSAGE_CHILDREN, &child2);
	ok(u == c_child && u > 0.09, "of children, %f then %f", c_child, u);
	ok(self2.ru_nvcsw >= self.ru_nvcsw && self2.ru_minflt >= self.ru_minflt &&
	   self2.ru_maxrss >= self.ru_maxrss, "switches, faults, memory");
	s = start_time();
	/* another boot has another clock: the start can only be as old as that */
	ok(s == start || now(CLOCK_BOOTTIME) < boot || !strcmp(mode(), "reboot"),
	   "started at %.0f, was %lld", s, start);
	for (int r = 0; r < RLIM_NLIMITS; r++) {
		must(getrlimit(r, &rl));
		if (rl.rlim_cur != was[r].rlim_cur || rl.rlim_max != was[r].rlim_max) {
			bad++;
			diag("limit %d: %lu %lu, was %lu %lu", r, rl.rlim_cur, rl.rlim_max,
			     was[r].rlim_cur, was[r].rlim_max);
		}
	}
	ok(bad == 0, "%d limits differ", bad);
	ok(fcntl(fd, F_GETFD) >= 0, "a descriptor beyond the limit");
	ok(dup2(0, 100) == -1 && errno == EBADF, "there can be no more of them");
	ok(malloc(64 << 20) == NULL, "nor memory");
	ok(atoi(file("/proc/self/oom_score_adj", buf, sizeof(buf))) == 321, "oom_score_adj %s", buf);
	ok(strtol(file("/proc/self/coredump_filter", buf, sizeof(buf)), NULL, 16) == 0x5a,
	   "coredump_filter %s", buf);
	bad = 0;
	ok(prctl(PR_GET_CHILD_SUBREAPER, &bad) == 0 && bad == 1, "subreaper");
	ok(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1, "no huge pages");
	ok(prctl(PR_GET_DUMPABLE) == 1, "dumpable");
	ok(umask(0) == 0035, "umask");
	ok(prctl(PR_GET_NAME, buf) == 0 && !strcmp(buf, "renamed (1) x"), "name %s", buf);
	ok(!strcmp(file("/proc/self/comm", buf, sizeof(buf)), "renamed (1) x\n"), "name in /proc");
	file("/proc/self/cmdline", cmd2, sizeof(cmd2));
	ok(!memcmp(cmd, cmd2, sizeof(cmd)), "arguments %s", cmd2);
	memset(env2, 0, sizeof(env2));
	file("/proc/self/environ", env2, sizeof(env2));
	ok(!strcmp(env, env2), "environment");
	file("/proc/self/auxv", aux2, sizeof(aux2));
	ok(!memcmp(aux, aux2, 320), "auxiliary vector");
	must(readlink("/proc/self/exe", exe2, sizeof(exe2) - 1));
	ok(!strcmp(exe, exe2), "program %s", exe2);
	must(getrlimit(RLIMIT_CPU, &rl));
	rl.rlim_cur = 1;
	signal(SIGXCPU, SIG_IGN);
	ok(setrlimit(RLIMIT_CPU, &rl) == 0, "the limit of CPU time can be set");
	return test_end();
}
