// SPDX-License-Identifier: GPL-2.0-only
/* A thousand threads; fewer on the debug kernel, which is many times slower. */
#include <pthread.h>
#include <sys/syscall.h>
#include "ckpt.h"

#define N 1000

SECONDS(60);

static pid_t tid[N], after[N];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool go;
static int up;

static void *work(void *arg)
{
	long i = (long)arg;

	tid[i] = syscall(SYS_gettid);
	pthread_mutex_lock(&lock);
	up++;
	while (!go)
		pthread_cond_wait(&cond, &lock);
	pthread_mutex_unlock(&lock);
	after[i] = syscall(SYS_gettid);
	return NULL;
}

int main(void)
{
	pthread_t t[N];
	pthread_attr_t attr;
	int bad = 0, many = N, n;

	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		many = N / 5;
	test_init(2);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (long i = 0; i < many; i++)
		if (pthread_create(&t[i], &attr, work, (void *)i))
			die("pthread_create");
	do {
		usleep(10000);
		pthread_mutex_lock(&lock);
		n = up;
		pthread_mutex_unlock(&lock);
	} while (n < many);

	ckpt_point();

	pthread_mutex_lock(&lock);
	go = true;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < many; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < many; i++)
		bad += tid[i] != after[i];
	ok(up == many, "%d threads", up);
	ok(bad == 0, "tids, %d bad", bad);
	return test_end();
}
