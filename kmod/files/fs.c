// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: current directory, also a removed one, root directory, umask.
 * Refuses: a directory that the caller cannot name, a removed root.
 * Locks: fs->lock.
 */
#include <linux/fs_struct.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/slab.h>

#include "files.h"
#include "../ksym.h"

int ckpt_fs_collect(struct ckpt_ctx *ctx, struct task_struct *task, u32 *ref)
{
	struct ckpt_obj *obj = ckpt_obj_add(ctx, task->fs, CKPT_OBJ_FS, task, NULL);

	if (!obj)
		return -ENOMEM;
	*ref = obj->objref;
	return 0;
}

/* a removed directory is an object, which has to stand before the processes */
int ckpt_fs_object(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct fs_struct *fs = obj->ptr;
	struct path pwd;
	u32 ref;
	int err = 0;

	spin_lock(&fs->lock);
	pwd = fs->pwd;
	path_get(&pwd);
	spin_unlock(&fs->lock);
	if (ckpt_rmdir_is(&pwd))
		err = ckpt_rmdir_save(ctx, obj->task, &pwd, &ref);
	path_put(&pwd);
	return err;
}

int ckpt_fs_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task, u32 ref)
{
	struct ckpt_obj *obj = ckpt_obj_find(ctx, task->fs, CKPT_OBJ_FS);
	char *bufs = NULL, *cwd = "", *root;
	struct ckpt_obj *removed = NULL;
	struct path pwd_path, root_path;
	struct ckpt_fs *rec;
	const char *why;
	int err = 0;

	if (obj->written)
		return 0;
	obj->written = true;
	bufs = kmalloc(2 * PATH_MAX, GFP_KERNEL);
	if (!bufs)
		return -ENOMEM;
	spin_lock(&task->fs->lock);
	pwd_path = task->fs->pwd;
	path_get(&pwd_path);
	root_path = task->fs->root;
	path_get(&root_path);
	spin_unlock(&task->fs->lock);
	if (!ckpt_rmdir_is(&pwd_path)) {
		cwd = ckpt_path(ctx, &pwd_path, bufs, &why);
	} else {
		removed = ckpt_obj_find(ctx, d_inode(pwd_path.dentry), CKPT_OBJ_INODE);
		/* by somebody outside, who is not stopped */
		if (!removed) {
			why = "has been removed meanwhile; try again";
			cwd = NULL;
		}
	}
	if (!cwd)
		ckpt_refuse(ctx, task, "cwd", "its current directory %s", why);
	root = ckpt_path(ctx, &root_path, bufs + PATH_MAX, &why);
	if (!root)
		ckpt_refuse(ctx, task, "root", "its root directory %s", why);
	if (cwd && root) {
		rec = ckpt_out(ctx, CKPT_REC_FS, ref, sizeof(*rec), strlen(cwd) + strlen(root));
		if (rec) {
			rec->umask = cpu_to_le32(task->fs->umask);
			rec->cwd = cpu_to_le32(removed ? removed->objref : 0);
			rec->cwd_len = cpu_to_le32(strlen(cwd));
			rec->root_len = cpu_to_le32(strlen(root));
			memcpy(rec + 1, cwd, strlen(cwd));
			memcpy((char *)(rec + 1) + strlen(cwd), root, strlen(root));
		} else {
			err = -ENOMEM;
		}
	}
	path_put(&pwd_path);
	path_put(&root_path);
	kfree(bufs);
	return err;
}

/* ---- restart ---- */

static int ckpt_fs_lookup(struct ckpt_ctx *ctx, struct ckpt_in *in, const u8 *name,
			  u32 len, const char *what, struct path *path)
{
	char *s;
	int err;

	if (!len || len >= PATH_MAX || name[0] != '/' || memchr(name, 0, len))
		return ckpt_bad(ctx, in, "a path is out of range");
	s = kmemdup_nul(name, len, GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	err = kern_path(s, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, path);
	if (!err) {
		err = ckpt_path_permission(path, MAY_EXEC | MAY_CHDIR);
		if (err)
			path_put(path);
	}
	if (err)
		ckpt_err(ctx, err, "cannot enter %s %s", what, s);
	kfree(s);
	return err;
}

/* late: until then paths are looked up as the caller of the restart sees them */
int ckpt_fs_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_fs *rec = (const void *)in->fixed;
	u32 cwd_len = le32_to_cpu(rec->cwd_len), root_len = le32_to_cpu(rec->root_len);
	struct path cwd, root;
	int err;

	if (cwd_len > in->var_len || root_len != in->var_len - cwd_len)
		return ckpt_bad(ctx, in, "the lengths of its paths are out of range");
	if (rec->cwd) {
		const struct path *removed = ckpt_rmdir_get(ctx, in, le32_to_cpu(rec->cwd));

		if (IS_ERR(removed))
			return PTR_ERR(removed);
		cwd = *removed;
		path_get(&cwd);
	} else {
		err = ckpt_fs_lookup(ctx, in, in->var, cwd_len, "the current directory", &cwd);
		if (err)
			return err;
	}
	if (root_len != 1 || in->var[cwd_len] != '/') {
		err = ckpt_fs_lookup(ctx, in, in->var + cwd_len, root_len,
				     "the root directory", &root);
		if (!err && !ns_capable(current_user_ns(), CAP_SYS_CHROOT)) {
			path_put(&root);
			err = ckpt_err(ctx, -EPERM, "the program has its own root directory, which needs CAP_SYS_CHROOT");
		}
		if (err) {
			path_put(&cwd);
			return err;
		}
		K(set_fs_root)(current->fs, &root);
		path_put(&root);
	}
	K(set_fs_pwd)(current->fs, &cwd);
	path_put(&cwd);
	current->fs->umask = le32_to_cpu(rec->umask) & 0777;
	return 0;
}
