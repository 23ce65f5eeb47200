// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: the name of a file that is shared with processes outside of the tree,
 * where the caller of the checkpoint has allowed to leave it behind. The caller
 * of the restart gives a descriptor of its own in its place.
 * Refuses: a restart that is given none, or one with the wrong access mode.
 * Locks: none.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/tty.h>

#include "files.h"
#include "../ksym.h"

/* only ever chosen when a file of another kind, or of none, is a leak */
static bool ckpt_inherit_match(struct file *file)
{
	return false;
}

/**
 * ckpt_leak_allowed() - whether files of a kind may be left behind
 * @ctx: the checkpoint
 * @kind: as a refusal would name it
 *
 * Return: true if the caller said so.
 */
bool ckpt_leak_allowed(struct ckpt_ctx *ctx, const char *kind)
{
	unsigned int i;

	for (i = 0; i < ctx->rq.nleaks; i++)
		if (!strcmp(ctx->rq.leaks[i], kind))
			return true;
	return false;
}

/**
 * ckpt_file_tty() - the terminal that a file is
 * @file: any file
 *
 * Return: the terminal, which lives as long as the file, or NULL.
 */
struct tty_struct *ckpt_file_tty(struct file *file)
{
	struct tty_file_private *priv = file->private_data;
	unsigned long read = (unsigned long)file->f_op->read_iter;

	if (!read || (read != KD(tty_read) && read != KD(hung_up_tty_read)))
		return NULL;
	return priv ? priv->tty : NULL;
}

static bool ckpt_inherit_controls(struct ckpt_ctx *ctx, struct file *file)
{
	struct tty_struct *tty = ckpt_file_tty(file);
	struct ckpt_proc *proc;

	list_for_each_entry(proc, &ctx->procs, node)
		if (tty && proc->leader->signal->tty == tty)
			return true;
	return false;
}

static int ckpt_inherit_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct inode *inode = file_inode(file);
	struct ckpt_file_inherit *rec;
	char *buf, *p;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	p = d_path(&file->f_path, buf, PATH_MAX);
	if (IS_ERR(p))
		p = strcpy(buf, "?");
	rec = ckpt_out(ctx, CKPT_REC_FILE_INHERIT, obj->objref, sizeof(*rec), strlen(p));
	if (rec) {
		memcpy(rec + 1, p, strlen(p));
		ckpt_file_common(ctx, obj, &rec->f);
		rec->mode = cpu_to_le32(inode->i_mode & S_IFMT);
		rec->rdev_major = cpu_to_le32(MAJOR(inode->i_rdev));
		rec->rdev_minor = cpu_to_le32(MINOR(inode->i_rdev));
		if (ckpt_inherit_controls(ctx, file))
			rec->flags = cpu_to_le32(CKPT_INHERIT_TTY);
		ckpt_log(ctx, "left behind as object %u: %s; a restart needs --inherit-fd FD=%u",
			 obj->objref, p, obj->objref);
	}
	kfree(buf);
	return rec ? 0 : -ENOMEM;
}

/* ---- restart ---- */

static struct ckpt_given *ckpt_inherited(struct ckpt_ctx *ctx, u32 objref)
{
	unsigned int i;

	for (i = 0; i < ctx->rq.ninherit; i++)
		if (ctx->rq.inherit[i].objref == objref)
			return &ctx->rq.inherit[i];
	return NULL;
}

/**
 * ckpt_inherit_unused() - complain of a descriptor for which there is no file
 * @ctx: the restart; all objects are read
 *
 * Return: 0 or a negative errno.
 */
int ckpt_inherit_unused(struct ckpt_ctx *ctx)
{
	unsigned int i;

	for (i = 0; i < ctx->rq.ninherit; i++)
		if (!ctx->rq.inherit[i].used)
			return ckpt_err(ctx, -EINVAL, "object %u of --inherit-fd is neither a file that was left behind nor one with a path",
					ctx->rq.inherit[i].objref);
	return 0;
}

/**
 * ckpt_inherit_take() - use what the caller gives for a file
 * @ctx: the restart
 * @in: the file's record
 *
 * Return: the file with a reference, NULL if none is given, or an ERR_PTR.
 */
struct file *ckpt_inherit_take(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file *f = (const void *)in->fixed;
	struct ckpt_given *inherit = ckpt_inherited(ctx, in->objref);
	fmode_t need = OPEN_FMODE(le32_to_cpu(f->flags)) & (FMODE_READ | FMODE_WRITE);
	int len = min_t(u32, in->var_len, 256);

	if (!inherit)
		return NULL;
	if ((inherit->file->f_mode & need) != need) {
		ckpt_err(ctx, -EACCES, "the descriptor given for %.*s must be open for %s",
			 len, (const char *)in->var, need == FMODE_READ ? "reading" :
			 need == FMODE_WRITE ? "writing" : "reading and writing");
		return ERR_PTR(-EACCES);
	}
	inherit->used = true;
	return get_file(inherit->file);
}

/* opens the caller's controlling terminal, by the name under which it has it */
static struct file *ckpt_inherit_terminal(u32 flags)
{
	struct tty_struct *tty = get_current_tty();
	struct file *file, *new = NULL;
	unsigned int fd;

	if (!tty)
		return ERR_PTR(-ENXIO);
	for (fd = 0; fd < 3 && !new; fd++) {
		file = fget(fd);
		if (!file)
			continue;
		if (ckpt_file_tty(file) == tty)
			new = dentry_open(&file->f_path, flags | O_NOCTTY, current_cred());
		fput(file);
	}
	if (!new)
		new = filp_open("/dev/tty", flags | O_NOCTTY, 0);
	tty_kref_put(tty);
	return new;
}

static struct file *ckpt_inherit_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_inherit *rec = (const void *)in->fixed;

	if (ctx->rq.flags & CKPT_F_SHELL_JOB && le32_to_cpu(rec->flags) & CKPT_INHERIT_TTY) {
		struct file *file = ckpt_inherit_terminal(le32_to_cpu(rec->f.flags) & O_ACCMODE);

		if (IS_ERR(file))
			ckpt_err(ctx, PTR_ERR(file), "--shell-job: the caller has no controlling terminal that can be opened");
		return file;
	}
	ckpt_err(ctx, -ENOENT, "%.*s was left behind; give a descriptor for it with --inherit-fd FD=%u",
		 (int)min_t(u32, in->var_len, 256), (const char *)in->var, in->objref);
	return ERR_PTR(-ENOENT);
}

const struct ckpt_file_kind ckpt_file_inherit = {
	.name = "inherit",
	.rec = CKPT_REC_FILE_INHERIT,
	.outside_ok = true,
	.match = ckpt_inherit_match,
	.checkpoint = ckpt_inherit_checkpoint,
	.restart = ckpt_inherit_restart,
};
