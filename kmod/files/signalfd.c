// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: signalfd: the signals that it reads. The signals themselves belong to
 * the processes and threads.
 * Locks: siglock of one who has it.
 */
#include <linux/file.h>
#include <linux/sched/signal.h>
#include <linux/signalfd.h>
#include <linux/uaccess.h>

#include "files.h"
#include "mirror.h"
#include "../ksym.h"
#include "../arch/arch.h"

static bool ckpt_signalfd_match(struct file *file)
{
	return file->f_op == KD(signalfd_fops);
}

static int ckpt_signalfd_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_m_signalfd_ctx *s = file->private_data;
	struct ckpt_file_signalfd *rec;

	rec = ckpt_out(ctx, CKPT_REC_FILE_SIGNALFD, obj->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	ckpt_file_common(ctx, obj, &rec->f);
	spin_lock_irq(&obj->task->sighand->siglock);
	rec->mask = cpu_to_le64(~s->sigmask.sig[0]);
	spin_unlock_irq(&obj->task->sighand->siglock);
	return 0;
}

/* ---- restart ---- */

static struct file *ckpt_signalfd_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_signalfd *rec = (const void *)in->fixed;
	u64 mask = le64_to_cpu(rec->mask);
	unsigned long page;
	struct file *file;

	page = ckpt_user_mem(PAGE_SIZE);
	if (IS_ERR_VALUE(page))
		return ERR_PTR(page);
	if (copy_to_user((void __user *)page, &mask, sizeof(mask)))
		file = ERR_PTR(-EFAULT);
	else
		file = ckpt_file_take(ckpt_arch_syscall(__NR_signalfd4, -1UL, page, sizeof(mask),
							SFD_CLOEXEC, 0, 0));
	vm_munmap(page, PAGE_SIZE);
	return file;
}

const struct ckpt_file_kind ckpt_file_signalfd = {
	.name = "signalfd",
	.rec = CKPT_REC_FILE_SIGNALFD,
	.match = ckpt_signalfd_match,
	.checkpoint = ckpt_signalfd_checkpoint,
	.restart = ckpt_signalfd_restart,
};
