// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: open files of /proc/PID/ns that stand for a namespace of the caller's;
 * a restart gives the one that the restored tasks are in.
 * Refuses: those of other namespaces, as files of no kind.
 * Locks: none.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/ns_common.h>
#include <linux/path.h>
#include <linux/proc_ns.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "files.h"
#include "../ksym.h"

static bool ckpt_nsfile_match(struct file *file)
{
	struct ns_common *ns, *mine;

	if (file_inode(file)->i_sb->s_magic != NSFS_MAGIC || file->f_mode & FMODE_PATH)
		return false;
	ns = get_proc_ns(file_inode(file));
	mine = ns->ops->get(current);
	if (mine)
		ns->ops->put(mine);
	return mine == ns;
}

static int ckpt_nsfile_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_file_ns *rec;

	rec = ckpt_out(ctx, CKPT_REC_FILE_NS, obj->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	ckpt_file_common(ctx, obj, &rec->f);
	rec->type = cpu_to_le32(get_proc_ns(file_inode(file))->ops->type);
	return 0;
}

/* ---- restart ---- */

static struct file *ckpt_nsfile_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct proc_ns_operations * const kinds[] = {
		KD(cgroupns_operations), KD(ipcns_operations), KD(mntns_operations),
		KD(netns_operations), KD(pidns_operations), KD(timens_operations),
		KD(userns_operations), KD(utsns_operations),
	};
	const struct ckpt_file_ns *rec = (const void *)in->fixed;
	struct ckpt_joined *any;
	unsigned long pid = 0;
	struct file *file;
	struct path path;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i]->type == le32_to_cpu(rec->type))
			break;
	any = xa_find(&ctx->joined_xa, &pid, ULONG_MAX, XA_PRESENT);
	if (i == ARRAY_SIZE(kinds) || !any)
		return ERR_PTR(ckpt_bad(ctx, in, "its type of namespace is out of range"));
	/* all tasks are in the same, which for time and pid may be others than the caller's */
	err = K(ns_get_path)(&path, any->task, kinds[i]);
	if (err)
		return ERR_PTR(err);
	file = dentry_open(&path, O_RDONLY | O_LARGEFILE, current_cred());
	path_put(&path);
	return file;
}

const struct ckpt_file_kind ckpt_file_nsfile = {
	.name = "nsfile",
	.rec = CKPT_REC_FILE_NS,
	.match = ckpt_nsfile_match,
	.checkpoint = ckpt_nsfile_checkpoint,
	.restart = ckpt_nsfile_restart,
};
