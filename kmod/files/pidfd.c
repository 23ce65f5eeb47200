// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: pidfd of a process of the tree, and of one that is gone, wherever it
 * was.
 * Refuses: those of other processes, and of single threads (PIDFD_THREAD) other
 * than the first.
 * Locks: RCU, to find the process.
 */
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/pid.h>
#include <linux/pidfd.h>

#include "files.h"
#include "../ksym.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD	O_EXCL
#endif

static bool ckpt_pidfd_match(struct file *file)
{
	return !IS_ERR(K(pidfd_pid)(file));
}

static int ckpt_pidfd_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct pid *pid = K(pidfd_pid)(file);
	struct ckpt_file_pidfd *rec;
	struct task_struct *leader;
	bool inside;

	rcu_read_lock();
	leader = pid_task(pid, PIDTYPE_TGID);
	inside = leader && ckpt_proc_has(ctx, leader);
	rcu_read_unlock();
	if (!inside && pid_has_task(pid, PIDTYPE_PID))
		return ckpt_refuse(ctx, obj->task, "pidfd",
				   "a pidfd refers to %d, which is no process of the tree; close it, or make that process part of the tree",
				   pid_vnr(pid));
	rec = ckpt_out(ctx, CKPT_REC_FILE_PIDFD, obj->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	ckpt_file_common(ctx, obj, &rec->f);
	rec->pid = cpu_to_le32(inside ? pid_vnr(pid) : 0);
	rec->thread = cpu_to_le32(!!(file->f_flags & PIDFD_THREAD));
	return 0;
}

/* ---- restart ---- */

static struct file *ckpt_pidfd_of(struct pid *pid)
{
	struct file *file;
	int fd = K(pidfd_prepare)(pid, 0, &file);

	if (fd < 0)
		return ERR_PTR(fd);
	put_unused_fd(fd);
	return file;
}

static int ckpt_pidfd_nobody(void *unused)
{
	return 0;
}

/* A pidfd is only made of a task that lives: of a thread of the kernel that never runs and is ended at once. */
static struct file *ckpt_pidfd_gone(void)
{
	struct task_struct *task;
	struct file *file;
	struct pid *pid;

	task = kthread_create(ckpt_pidfd_nobody, NULL, "ckpt_gone");
	if (IS_ERR(task))
		return ERR_CAST(task);
	pid = get_pid(task_pid(task));
	file = ckpt_pidfd_of(pid);
	kthread_stop(task);
	/* it has ended, but whoever polls must find it reaped */
	while (pid_has_task(pid, PIDTYPE_PID))
		schedule_timeout_uninterruptible(1);
	put_pid(pid);
	return file;
}

static struct file *ckpt_pidfd_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_pidfd *rec = (const void *)in->fixed;
	struct ckpt_joined *joined;

	if (!rec->pid)
		return ckpt_pidfd_gone();
	/* all processes are there before the first record is read */
	joined = xa_load(&ctx->joined_xa, le32_to_cpu(rec->pid));
	if (joined)
		return ckpt_pidfd_of(task_pid(joined->task));
	ckpt_bad(ctx, in, "a pidfd refers to a process that is not in the tree");
	return ERR_PTR(-EBADMSG);
}

static int ckpt_pidfd_restored(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_file_pidfd *rec = (const void *)in->fixed;
	struct file *file = obj->ptr;

	if (!rec->thread)
		return 0;
	spin_lock(&file->f_lock);
	file->f_flags |= PIDFD_THREAD;
	spin_unlock(&file->f_lock);
	return 0;
}

const struct ckpt_file_kind ckpt_file_pidfd = {
	.name = "pidfd",
	.rec = CKPT_REC_FILE_PIDFD,
	.outside_ok = true,
	.match = ckpt_pidfd_match,
	.checkpoint = ckpt_pidfd_checkpoint,
	.restart = ckpt_pidfd_restart,
	.restored = ckpt_pidfd_restored,
};
