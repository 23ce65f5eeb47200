// SPDX-License-Identifier: GPL-2.0-only
/*
 * ckpt.ko: checkpoint and restart of process trees.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "private.h"
#include "ksym.h"
#include "files/mirror.h"

static int __init ckpt_init(void)
{
	int err;

	err = ckpt_ksym_init();
	if (err)
		return err;
	err = ckpt_mirror_init();
	if (err)
		return err;
	return ckpt_netlink_init();
}

static void __exit ckpt_exit(void)
{
	ckpt_netlink_exit();
	/*
	 * Each queued work holds a reference of the module and drops it as its
	 * last act. A few instructions follow that: wait until nobody is
	 * preempted inside them.
	 */
	synchronize_rcu_tasks();
}

module_init(ckpt_init);
module_exit(ckpt_exit);

MODULE_DESCRIPTION("Checkpoint and restart of process trees");
MODULE_AUTHOR("crctl developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(CKPT_VERSION);
MODULE_ALIAS("net-pf-16-proto-16-family-" CKPT_GENL_NAME);
