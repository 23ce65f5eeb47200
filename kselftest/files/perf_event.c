// SPDX-License-Identifier: GPL-2.0-only
/* A performance counter. */
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("perf_event");

int main(void)
{
	int fd;

	test_init(1);
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
	};

	fd = must(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
	if (fd < 0)
		skip_all("no perf_event here: %s", strerror(errno));

	ckpt_point();

	ok(fcntl(fd, F_GETFD) >= 0, "it is still open");
	return test_end();
}
