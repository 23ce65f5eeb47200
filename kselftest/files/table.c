// SPDX-License-Identifier: GPL-2.0-only
/* Many descriptors, with gaps, beyond the limit of today; and a table that is shared by threads. */
#include <pthread.h>
#include <sys/resource.h>
#include "ckpt.h"

#define N 3000

static int fds[2];
static pthread_barrier_t barrier;

static void *thread(void *arg)
{
	char c = 0;

	pthread_barrier_wait(&barrier);
	/* the same table: what the main thread closes is closed here */
	pthread_barrier_wait(&barrier);
	return (void *)(long)(read(fds[0], &c, 1) == -1 && errno == EBADF);
}

int main(void)
{
	struct rlimit lim = { 10000, 10000 }, low = { 100, 10000 };
	int wrong = 0, cloexec = 0, null;
	pthread_t t;
	void *ret;

	test_init(5);
	must(setrlimit(RLIMIT_NOFILE, &lim));
	null = must(open("/dev/null", O_RDONLY));
	for (int i = 0; i < N; i++)
		if (i % 3) {
			must(dup2(null, 100 + 2 * i));
			if (i % 3 == 1)
				must(fcntl(100 + 2 * i, F_SETFD, FD_CLOEXEC));
		}
	must(setrlimit(RLIMIT_NOFILE, &low));
	must(pipe(fds));
	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&t, NULL, thread, NULL))
		die("pthread_create");
	pthread_barrier_wait(&barrier);

	ckpt_point();

	for (int i = 0; i < N; i++) {
		int flags = fcntl(100 + 2 * i, F_GETFD);

		if (flags != (i % 3 == 0 ? -1 : i % 3 == 1 ? FD_CLOEXEC : 0))
			wrong++;
		cloexec += flags == FD_CLOEXEC;
		if (fcntl(101 + 2 * i, F_GETFD) != -1)
			wrong++;
	}
	ok(!wrong, "%d of %d descriptors are wrong", wrong, 2 * N);
	ok(cloexec == N / 3, "%d are close-on-exec", cloexec);
	ok(getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur == 100 && lim.rlim_max == 10000, "the limit is %ld of %ld",
	   (long)lim.rlim_cur, (long)lim.rlim_max);
	ok(dup2(null, 5000) == -1, "beyond which no new one can be had");
	close(fds[0]);
	pthread_barrier_wait(&barrier);
	pthread_join(t, &ret);
	ok(ret, "threads share the table");
	return test_end();
}
