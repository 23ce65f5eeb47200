// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: directories that were removed, as a current directory or open: owner,
 * mode, name, and how many above it were removed, too. A restart makes new ones
 * in the first that is still there, and removes them again; their inode numbers
 * are others. In such a directory nothing can be, nor be made.
 * Refuses: those where the caller does not reach what is still there.
 * Locks: that of the parent's inode while a directory is removed.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "files.h"
#include "../ksym.h"

#define CKPT_RMDIR_LEVELS	64

bool ckpt_rmdir_is(const struct path *path)
{
	return d_is_dir(path->dentry) && IS_DEADDIR(d_inode(path->dentry));
}

static bool ckpt_rmdir_match(struct file *file)
{
	return ckpt_rmdir_is(&file->f_path);
}

/* puts "/NAME" before what is at the end of a buffer; returns its new beginning */
static char *ckpt_rmdir_name(struct dentry *dentry, char *begin, char *p)
{
	struct name_snapshot name;

	take_dentry_name_snapshot(&name, dentry);
	if (p - begin > name.name.len + 1) {
		p -= name.name.len;
		memcpy(p, name.name.name, name.name.len);
		*--p = '/';
	} else {
		p = NULL;
	}
	release_dentry_name_snapshot(&name);
	return p;
}

static int ckpt_rmdir_write(struct ckpt_ctx *ctx, struct ckpt_obj *obj, const struct path *path,
			    char *bufs)
{
	struct inode *inode = d_inode(path->dentry);
	char *names = bufs + 2 * PATH_MAX, *p;
	struct path above = { .mnt = path->mnt };
	const char *why = "has too long a path";
	struct dentry *dentry, *up;
	struct ckpt_rmdir *rec;
	u32 levels = 0;

	dentry = dget(path->dentry);
	while (names && IS_DEADDIR(d_inode(dentry)) && !IS_ROOT(dentry) &&
	       levels < CKPT_RMDIR_LEVELS) {
		names = ckpt_rmdir_name(dentry, bufs + PATH_MAX, names);
		levels++;
		up = dget_parent(dentry);
		dput(dentry);
		dentry = up;
	}
	above.dentry = dentry;
	p = names ? ckpt_path(ctx, &above, bufs, &why) : NULL;
	dput(dentry);
	if (!p)
		return ckpt_refuse(ctx, obj->task, "cwd",
				   "what is above a removed directory that it uses %s", why);
	if (!strcmp(p, "/"))
		p++;
	rec = ckpt_out(ctx, CKPT_REC_RMDIR, obj->objref, sizeof(*rec),
		       strlen(p) + (bufs + 2 * PATH_MAX - names));
	if (!rec)
		return -ENOMEM;
	memcpy(rec + 1, p, strlen(p));
	memcpy((char *)(rec + 1) + strlen(p), names, bufs + 2 * PATH_MAX - names);
	rec->levels = cpu_to_le32(levels);
	rec->mode = cpu_to_le32(inode->i_mode & 07777);
	rec->uid = cpu_to_le32(from_kuid_munged(current_user_ns(), inode->i_uid));
	rec->gid = cpu_to_le32(from_kgid_munged(current_user_ns(), inode->i_gid));
	return 0;
}

/**
 * ckpt_rmdir_save() - save a directory that was removed
 * @ctx: the checkpoint, in the phase when objects are written
 * @task: who has it
 * @path: the directory
 * @ref: set to its objref
 *
 * Return: 0 or a negative errno; it may have been refused.
 */
int ckpt_rmdir_save(struct ckpt_ctx *ctx, struct task_struct *task, const struct path *path,
		    u32 *ref)
{
	struct ckpt_obj *obj;
	char *bufs;
	bool new;
	int err;

	obj = ckpt_obj_add(ctx, d_inode(path->dentry), CKPT_OBJ_INODE, task, &new);
	if (!obj)
		return -ENOMEM;
	*ref = obj->objref;
	if (!new)
		return 0;
	bufs = kmalloc(2 * PATH_MAX, GFP_KERNEL);
	if (!bufs)
		return -ENOMEM;
	err = ckpt_rmdir_write(ctx, obj, path, bufs);
	kfree(bufs);
	return err;
}

static int ckpt_rmdir_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_file_rmdir *rec;
	u32 ref;
	int err;

	err = ckpt_rmdir_save(ctx, obj->task, &file->f_path, &ref);
	if (err)
		return err;
	rec = ckpt_out(ctx, CKPT_REC_FILE_RMDIR, obj->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	rec->f.inode = cpu_to_le32(ref);
	return ckpt_file_common(ctx, obj, &rec->f);
}

/* ---- restart ---- */

static void ckpt_rmdir_put(struct ckpt_obj *obj)
{
	path_put(obj->priv);
	kfree(obj->priv);
}

/* makes a directory; where the name is taken, one that nobody has */
static int ckpt_rmdir_mkdir(char *name, struct path *made)
{
	size_t len = strlen(name);
	struct dentry *dentry;
	struct path parent;
	int err, tries = 0;

	do {
		if (tries && len + 10 < PATH_MAX)
			sprintf(name + len, ".%08x", get_random_u32());
		dentry = kern_path_create(AT_FDCWD, name, &parent, LOOKUP_DIRECTORY);
		err = PTR_ERR_OR_ZERO(dentry);
		if (!err) {
			err = ckpt_vfs_mkdir(parent.mnt, d_inode(parent.dentry), dentry, 0700);
			/* not looked up again: the path may lead elsewhere by now */
			if (!err && (d_unhashed(dentry) || !d_is_dir(dentry)))
				err = -EOPNOTSUPP;
			if (!err) {
				made->mnt = mntget(parent.mnt);
				made->dentry = dget(dentry);
			}
			done_path_create(&parent, dentry);
		}
	} while (err == -EEXIST && ++tries < 8);
	return err;
}

static int ckpt_rmdir_remove(const struct path *path)
{
	struct dentry *parent;
	int err;

	err = mnt_want_write(path->mnt);
	if (err)
		return err;
	parent = dget_parent(path->dentry);
	inode_lock_nested(d_inode(parent), I_MUTEX_PARENT);
	if (path->dentry->d_parent == parent && !d_unhashed(path->dentry))
		err = ckpt_vfs_rmdir(path->mnt, d_inode(parent), path->dentry);
	else
		err = -ESTALE;
	inode_unlock(d_inode(parent));
	dput(parent);
	mnt_drop_write(path->mnt);
	return err;
}

static int ckpt_rmdir_owner(const struct ckpt_rmdir *rec, const struct path *path)
{
	u32 uid = le32_to_cpu(rec->uid), gid = le32_to_cpu(rec->gid);
	struct inode *inode = d_inode(path->dentry);
	struct file *file;
	int err = 0;

	file = dentry_open(path, O_RDONLY | O_DIRECTORY, current_cred());
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (uid != from_kuid_munged(current_user_ns(), inode->i_uid) ||
	    gid != from_kgid_munged(current_user_ns(), inode->i_gid))
		err = K(vfs_fchown)(file, uid, gid);
	if (!err)
		err = K(vfs_fchmod)(file, le32_to_cpu(rec->mode) & 07777);
	fput(file);
	return err;
}

/* name has all of them, the last of which is wanted; levels are to be made */
static int ckpt_rmdir_make(const struct ckpt_rmdir *rec, const char *name, char *buf,
			   struct path *path)
{
	u32 levels = le32_to_cpu(rec->levels), i, n = 0;
	const char *p = name + strlen(name), *next;
	struct path *made;
	int err = 0, rmerr;

	made = kcalloc(levels, sizeof(*made), GFP_KERNEL);
	if (!made)
		return -ENOMEM;
	for (i = 0; i < levels; i++)
		while (p > name && *--p != '/')
			;
	strscpy(buf, name, p - name + 1);
	for (i = 0; !err && i < levels; i++, p = next) {
		next = strchrnul(p + 1, '/');
		if (strlen(buf) + (next - p) + 10 >= PATH_MAX) {
			err = -ENAMETOOLONG;
			break;
		}
		strncat(buf, p, next - p);
		err = ckpt_rmdir_mkdir(buf, &made[n]);
		n += !err;
	}
	if (!err)
		err = ckpt_rmdir_owner(rec, &made[n - 1]);
	if (!err) {
		*path = made[n - 1];
		path_get(path);
	}
	for (i = n; i--; ) {
		rmerr = ckpt_rmdir_remove(&made[i]);
		if (rmerr && !err) {
			path_put(path);
			err = rmerr;
		}
		path_put(&made[i]);
	}
	kfree(made);
	return err;
}

/**
 * ckpt_rmdir_read() - make a directory that was removed
 * @ctx: the restart
 * @in: its record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_rmdir_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_rmdir *rec = (const void *)in->fixed;
	u32 levels = le32_to_cpu(rec->levels), slashes = 0, i;
	struct ckpt_obj *obj;
	struct path *path;
	char *bufs;
	int err;

	for (i = 0; i < in->var_len; i++)
		slashes += in->var[i] == '/';
	if (!in->var_len || in->var_len >= PATH_MAX || in->var[0] != '/' ||
	    memchr(in->var, 0, in->var_len) || !levels || levels > CKPT_RMDIR_LEVELS ||
	    levels > slashes)
		return ckpt_bad(ctx, in, "its path, or how much of it was removed, is out of range");
	path = kzalloc(sizeof(*path), GFP_KERNEL);
	bufs = kmalloc(2 * PATH_MAX, GFP_KERNEL);
	err = -ENOMEM;
	if (!path || !bufs)
		goto out;
	memcpy(bufs, in->var, in->var_len);
	bufs[in->var_len] = 0;
	err = ckpt_rmdir_make(rec, bufs, bufs + PATH_MAX, path);
	if (err) {
		ckpt_err(ctx, err, "cannot make the removed directory %s again for a moment", bufs);
		goto out;
	}
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_INODE, d_inode(path->dentry), NULL);
	if (IS_ERR(obj)) {
		err = PTR_ERR(obj);
		path_put(path);
		goto out;
	}
	obj->priv = path;
	obj->drop = ckpt_rmdir_put;
	path = NULL;
out:
	kfree(bufs);
	kfree(path);
	return err;
}

/**
 * ckpt_rmdir_get() - a directory of the image that was removed
 * @ctx: the restart
 * @in: the record that refers to it
 * @ref: its objref
 *
 * Return: its path, which stays with the object, or an ERR_PTR.
 */
const struct path *ckpt_rmdir_get(struct ckpt_ctx *ctx, struct ckpt_in *in, u32 ref)
{
	struct ckpt_obj *obj = ckpt_obj_get(ctx, in, ref, CKPT_OBJ_INODE);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	if (obj->drop != ckpt_rmdir_put)
		return ERR_PTR(ckpt_bad(ctx, in, "its inode is no removed directory"));
	return obj->priv;
}

static struct file *ckpt_rmdir_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_rmdir *rec = (const void *)in->fixed;
	const struct path *path = ckpt_rmdir_get(ctx, in, le32_to_cpu(rec->f.inode));
	u32 flags = le32_to_cpu(rec->f.flags);

	if (IS_ERR(path))
		return ERR_CAST(path);
	/* there is nothing to read, so there is no position */
	return dentry_open(path, (flags & (O_NONBLOCK | O_NOATIME | O_PATH)) | O_RDONLY |
			   O_DIRECTORY | O_LARGEFILE, current_cred());
}

const struct ckpt_file_kind ckpt_file_rmdir = {
	.name = "rmdir",
	.rec = CKPT_REC_FILE_RMDIR,
	.outside_ok = true,
	.match = ckpt_rmdir_match,
	.checkpoint = ckpt_rmdir_checkpoint,
	.restart = ckpt_rmdir_restart,
};
