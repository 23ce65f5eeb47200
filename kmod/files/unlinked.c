// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: regular files that no name leads to any more (unlinked, O_TMPFILE),
 * with their content: owner, mode, times, data up to 64 MiB. A restart makes a
 * new one in the same directory, so its inode number is another.
 * Refuses: larger ones, and those whose directory is gone, too.
 * Locks: none. The content is read while the tasks are stopped, from the page
 * cache as a rule: it cannot be read later, as nothing keeps them from
 * changing it.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>

#include "files.h"
#include "../ksym.h"

#define CKPT_UNLINKED_CHUNK	65536

static bool ckpt_unlinked_match(struct file *file)
{
	struct inode *inode = file_inode(file);

	return S_ISREG(inode->i_mode) && !inode->i_nlink && !(file->f_mode & FMODE_PATH) &&
	       !(inode->i_sb->s_flags & (SB_KERNMOUNT | SB_NOUSER));
}

static int ckpt_unlinked_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;

	obj->priv = ckpt_obj_add(ctx, file_inode(file), CKPT_OBJ_INODE, obj->task, NULL);
	return obj->priv ? 0 : -ENOMEM;
}

static int ckpt_unlinked_data(struct ckpt_ctx *ctx, struct ckpt_obj *inode, struct file *file,
			      loff_t size)
{
	struct ckpt_data *data;
	loff_t pos = 0, at;
	ssize_t n = 0;
	void *buf;
	int err = 0;

	buf = kvmalloc(CKPT_UNLINKED_CHUNK, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	while (!err && pos < size) {
		at = pos;
		n = kernel_read(file, buf, CKPT_UNLINKED_CHUNK, &pos);
		if (n <= 0)
			break;
		if (!memchr_inv(buf, 0, n))
			continue;
		data = ckpt_out(ctx, CKPT_REC_DATA, inode->objref, sizeof(*data), n);
		if (data) {
			data->seq = cpu_to_le64(at);
			memcpy(data + 1, buf, n);
		} else {
			err = -ENOMEM;
		}
		cond_resched();
	}
	kvfree(buf);
	if (n < 0)
		err = ckpt_err(ctx, n, "cannot read a file that was removed");
	return err;
}

static int ckpt_unlinked_inode(struct ckpt_ctx *ctx, struct ckpt_obj *inode, struct file *file)
{
	struct file *reader;
	struct inode *i = file_inode(file);
	struct path dir = { .mnt = file->f_path.mnt };
	struct timespec64 mtime = ckpt_inode_mtime(i);
	struct ckpt_unlinked *rec;
	const char *why;
	char *buf, *p;
	int err;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	dir.dentry = dget_parent(file->f_path.dentry);
	p = ckpt_path(ctx, &dir, buf, &why);
	dput(dir.dentry);
	if (!p || i_size_read(i) > ctx->rq.unlinked_max) {
		if (p)
			err = ckpt_refuse(ctx, inode->task, "unlinked",
					  "an open file that was removed has %lld bytes, more than %llu; close it, give it a name, or raise --unlinked-limit",
					  i_size_read(i), ctx->rq.unlinked_max);
		else
			err = ckpt_refuse(ctx, inode->task, "unlinked",
					  "the directory of an open file that was removed %s", why);
		goto out;
	}
	rec = ckpt_out(ctx, CKPT_REC_UNLINKED, inode->objref, sizeof(*rec), strlen(p));
	err = -ENOMEM;
	if (!rec)
		goto out;
	rec->size = cpu_to_le64(i_size_read(i));
	rec->mode = cpu_to_le32(i->i_mode & 07777);
	rec->uid = cpu_to_le32(from_kuid_munged(current_user_ns(), i->i_uid));
	rec->gid = cpu_to_le32(from_kgid_munged(current_user_ns(), i->i_gid));
	rec->mtime_sec = cpu_to_le64(mtime.tv_sec);
	rec->mtime_nsec = cpu_to_le32(mtime.tv_nsec);
	memcpy(rec + 1, p, strlen(p));
	/* it may be open for writing only; nobody is to be told of the opening */
	reader = dentry_open(&file->f_path, O_RDONLY | O_LARGEFILE | O_NOATIME | __FMODE_NONOTIFY,
			     current_cred());
	if (IS_ERR(reader)) {
		err = PTR_ERR(reader);
		goto out;
	}
	err = ckpt_unlinked_data(ctx, inode, reader, i_size_read(i));
	fput(reader);
out:
	kfree(buf);
	return err;
}

static int ckpt_unlinked_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	return PTR_ERR_OR_ZERO(ckpt_file_of_inode(ctx, obj, sizeof(struct ckpt_file_unlinked),
						  ckpt_unlinked_inode));
}

/* ---- restart ---- */

/* open for writing until the first file of the program is opened */
struct ckpt_unlinked_rt {
	struct file *file;
	struct ckpt_unlinked rec;
};

static void ckpt_unlinked_put(struct ckpt_obj *obj)
{
	struct ckpt_unlinked_rt *rt = obj->priv;

	if (!rt)
		return;
	if (rt->file)
		fput(rt->file);
	kfree(rt);
}

static int ckpt_unlinked_take(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_data *data = (const void *)in->fixed;
	struct ckpt_unlinked_rt *rt = obj->priv;
	loff_t pos = le64_to_cpu(data->seq);
	u64 size = le64_to_cpu(rt->rec.size);
	ssize_t n;

	if (pos < 0 || pos > size || in->var_len > size - pos || !(rt->file->f_mode & FMODE_WRITE))
		return ckpt_bad(ctx, in, "the content of a removed file is out of range");
	n = kernel_write(rt->file, in->var, in->var_len, &pos);
	if (n != in->var_len)
		return ckpt_err(ctx, n < 0 ? n : -ENOSPC, "cannot write a file that was removed again");
	return 0;
}

static int ckpt_unlinked_make(struct ckpt_ctx *ctx, struct ckpt_in *in,
			      struct ckpt_unlinked_rt *rt)
{
	const struct ckpt_unlinked *rec = (const void *)in->fixed;
	char *dir;
	int err;

	dir = kmemdup_nul(in->var, in->var_len, GFP_KERNEL);
	if (!dir)
		return -ENOMEM;
	rt->rec = *rec;
	rt->file = filp_open(dir, O_TMPFILE | O_RDWR | O_LARGEFILE, 0600);
	if (IS_ERR(rt->file)) {
		err = PTR_ERR(rt->file);
		rt->file = NULL;
		ckpt_err(ctx, err, "cannot make a file without a name in %s", dir);
		goto out;
	}
	err = vfs_truncate(&rt->file->f_path, le64_to_cpu(rec->size));
	if (!err && (le32_to_cpu(rec->uid) != from_kuid_munged(current_user_ns(), file_inode(rt->file)->i_uid) ||
		     le32_to_cpu(rec->gid) != from_kgid_munged(current_user_ns(), file_inode(rt->file)->i_gid)))
		err = K(vfs_fchown)(rt->file, le32_to_cpu(rec->uid), le32_to_cpu(rec->gid));
	if (!err)
		err = K(vfs_fchmod)(rt->file, le32_to_cpu(rec->mode) & 07777);
	if (err)
		ckpt_err(ctx, err, "cannot set size, owner or mode of a file in %s", dir);
out:
	kfree(dir);
	return err;
}

int ckpt_unlinked_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_unlinked *rec = (const void *)in->fixed;
	struct ckpt_unlinked_rt *rt;
	struct ckpt_obj *obj;

	if (le64_to_cpu(rec->size) > LLONG_MAX || !in->var_len || in->var_len >= PATH_MAX ||
	    in->var[0] != '/' || memchr(in->var, 0, in->var_len) ||
	    le32_to_cpu(rec->mtime_nsec) >= NSEC_PER_SEC)
		return ckpt_bad(ctx, in, "its size, time or path is out of range");
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_INODE, rt, NULL);
	if (IS_ERR(obj)) {
		kfree(rt);
		return PTR_ERR(obj);
	}
	obj->priv = rt;
	obj->drop = ckpt_unlinked_put;
	obj->data = ckpt_unlinked_take;
	return ckpt_unlinked_make(ctx, in, rt);
}

/* all is written: a program that is run from such a file must not find it open for that */
static int ckpt_unlinked_done(struct ckpt_unlinked_rt *rt)
{
	struct timespec64 times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = le64_to_cpu(rt->rec.mtime_sec),
		  .tv_nsec = le32_to_cpu(rt->rec.mtime_nsec) },
	};
	struct file *file;

	if (!(rt->file->f_mode & FMODE_WRITE))
		return 0;
	file = dentry_open(&rt->file->f_path, O_RDONLY | O_LARGEFILE, current_cred());
	if (IS_ERR(file))
		return PTR_ERR(file);
	ckpt_fput_now(rt->file);
	rt->file = file;
	return K(vfs_utimes)(&file->f_path, times);
}

static struct file *ckpt_unlinked_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_unlinked *rec = (const void *)in->fixed;
	u32 flags = le32_to_cpu(rec->f.flags);
	loff_t pos = le64_to_cpu(rec->f.pos);
	struct ckpt_unlinked_rt *rt;
	struct ckpt_obj *obj;
	struct file *file;
	int err;

	obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->f.inode), CKPT_OBJ_INODE);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	if (obj->drop != ckpt_unlinked_put || pos < 0) {
		ckpt_bad(ctx, in, "its inode is not a removed file, or its position is out of range");
		return ERR_PTR(-EBADMSG);
	}
	rt = obj->priv;
	err = ckpt_unlinked_done(rt);
	if (err)
		return ERR_PTR(err);
	file = dentry_open(&rt->file->f_path,
			   (flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC |
				     O_DIRECT | O_NOATIME)) | O_LARGEFILE, current_cred());
	if (!IS_ERR(file) && pos)
		vfs_llseek(file, pos, SEEK_SET);
	return file;
}

const struct ckpt_file_kind ckpt_file_unlinked = {
	.name = "unlinked",
	.rec = CKPT_REC_FILE_UNLINKED,
	.match = ckpt_unlinked_match,
	.collect = ckpt_unlinked_collect,
	.checkpoint = ckpt_unlinked_checkpoint,
	.restart = ckpt_unlinked_restart,
};
