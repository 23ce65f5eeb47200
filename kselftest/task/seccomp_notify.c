// SPDX-License-Identifier: GPL-2.0-only
/* A filter that asks a supervisor cannot be saved. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("seccomp-notify");

int main(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { .len = 4, .filter = f };
	int fd;

	test_init(1);
	fd = must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &p));
	close(fd);
	ckpt_point();
	ok(syscall(SYS_getuid) == -1 && errno == ENOSYS, "without a supervisor the call is not there");
	return test_end();
}
