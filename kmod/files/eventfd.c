// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: eventfd: its count, and whether it is a semaphore.
 * Locks: the lock of its wait queue.
 */
#include <linux/eventfd.h>
#include <linux/file.h>

#include "files.h"
#include "mirror.h"
#include "../ksym.h"
#include "../arch/arch.h"

static bool ckpt_eventfd_match(struct file *file)
{
	return file->f_op == KD(eventfd_fops);
}

static int ckpt_eventfd_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_m_eventfd_ctx *e = file->private_data;
	struct ckpt_file_eventfd *rec;

	rec = ckpt_out(ctx, CKPT_REC_FILE_EVENTFD, obj->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	ckpt_file_common(ctx, obj, &rec->f);
	spin_lock_irq(&e->wqh.lock);
	rec->count = cpu_to_le64(e->count);
	rec->semaphore = cpu_to_le32(!!(e->flags & EFD_SEMAPHORE));
	spin_unlock_irq(&e->wqh.lock);
	return 0;
}

/* ---- restart ---- */

static struct file *ckpt_eventfd_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_eventfd *rec = (const void *)in->fixed;
	struct ckpt_m_eventfd_ctx *e;
	struct file *file;

	if (le32_to_cpu(rec->semaphore) > 1) {
		ckpt_bad(ctx, in, "the kind of an eventfd is out of range");
		return ERR_PTR(-EBADMSG);
	}
	file = ckpt_file_take(ckpt_arch_syscall(__NR_eventfd2, 0,
						rec->semaphore ? EFD_SEMAPHORE | EFD_CLOEXEC :
						EFD_CLOEXEC, 0, 0, 0, 0));
	if (IS_ERR(file))
		return file;
	/* the whole range, which neither eventfd2() nor one write() can set */
	e = file->private_data;
	spin_lock_irq(&e->wqh.lock);
	e->count = le64_to_cpu(rec->count);
	spin_unlock_irq(&e->wqh.lock);
	return file;
}

const struct ckpt_file_kind ckpt_file_eventfd = {
	.name = "eventfd",
	.rec = CKPT_REC_FILE_EVENTFD,
	.match = ckpt_eventfd_match,
	.checkpoint = ckpt_eventfd_checkpoint,
	.restart = ckpt_eventfd_restart,
};
