// SPDX-License-Identifier: GPL-2.0-only
/* A BPF map. */
#include <linux/bpf.h>
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("bpf");

int main(void)
{
	int fd;

	test_init(1);
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};

	fd = must(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
	if (fd < 0)
		skip_all("no bpf here: %s", strerror(errno));

	ckpt_point();

	ok(fcntl(fd, F_GETFD) >= 0, "it is still open");
	return test_end();
}
