// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that start programs all the time, by posix_spawn() and by vfork(), with pipes for what they say, and take
 * their status. The scenario of the same name takes many checkpoints meanwhile.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include "ckpt.h"
SECONDS(60);

#define THREADS 3

static _Atomic int stop, wrong, done;
static char self[256];
extern char **environ;

static pid_t start(int way, int fd, char *argv[])
{
	posix_spawn_file_actions_t fa;
	pid_t pid;

	if (way == 0) {
		pid = vfork();
		if (pid == 0) {
			dup2(fd, 1);
			execv(self, argv);
			_exit(98);
		}
		return pid;
	}
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, fd, 1);
	errno = posix_spawn(&pid, self, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	return errno ? -1 : pid;
}

static void *spawner(void *arg)
{
	int t = (long)arg, n, status, fds[2];
	char number[16], said[16];
	char *argv[] = { self, number, NULL };
	ssize_t len;
	pid_t pid;

	for (n = 0; !stop; n++) {
		sprintf(number, "%d", (n * THREADS + t) % 90);
		if (pipe2(fds, O_CLOEXEC))
			break;
		pid = start((n + t) % 2, fds[1], argv);
		close(fds[1]);
		memset(said, 0, sizeof(said));
		len = read(fds[0], said, sizeof(said) - 1);
		close(fds[0]);
		if (pid == -1 || len != (ssize_t)strlen(number) || strcmp(said, number) ||
		    waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
		    WEXITSTATUS(status) != atoi(number)) {
			diag("%s: pid %d said %s (%zd), status %#x, errno %d", number, pid, said, len, status,
			     errno);
			wrong++;
		}
		done++;
	}
	return NULL;
}

int main(int argc, char *argv[])
{
	pthread_t threads[THREADS];
	int t;

	if (argc > 1) {
		if (write(1, argv[1], strlen(argv[1])) < 0)
			return 97;
		return atoi(argv[1]);
	}
	test_init(3);
	must(readlink("/proc/self/exe", self, sizeof(self) - 1));
	for (t = 0; t < THREADS; t++)
		pthread_create(&threads[t], NULL, spawner, (void *)(long)t);
	while (done < 2 * THREADS)
		usleep(1000);
	ckpt_ready_busy();
	ckpt_wait_go();
	t = done;
	while (done < t + 2 * THREADS)
		usleep(1000);
	stop = 1;
	for (t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	ok(done >= 4 * THREADS, "%d programs were started", done);
	ok(wrong == 0, "%d of them went wrong", wrong);
	ok(wait(NULL) == -1 && errno == ECHILD, "none is left");
	return test_end();
}
