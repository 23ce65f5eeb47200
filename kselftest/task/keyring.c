// SPDX-License-Identifier: GPL-2.0-only
/* Keys that only this process has would be lost. */
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include "ckpt.h"

REFUSED("keyring");

int main(void)
{
	char buf[16] = "";
	int key;

	test_init(1);
	key = must(syscall(SYS_add_key, "user", "test", "secret", 6, KEY_SPEC_PROCESS_KEYRING));
	ckpt_point();
	ok(syscall(SYS_keyctl, KEYCTL_READ, key, buf, sizeof(buf)) == 6 && !strcmp(buf, "secret"), "the key is there");
	return test_end();
}
