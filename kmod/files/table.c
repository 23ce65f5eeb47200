// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: the table of descriptors: number, close-on-exec, which open file.
 * Locks: file_lock of the table.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/slab.h>

#include "files.h"
#include "../ksym.h"

/* entries of one record; a larger table has several */
#define CKPT_FDS_MAX	((CKPT_REC_MAX - sizeof(struct ckpt_fdtable)) / sizeof(struct ckpt_fd))

struct ckpt_fd_list {
	unsigned int n;
	struct {
		unsigned int fd;
		bool cloexec;
		struct file *file;
	} fds[];
};

/* the open descriptors; their owners are parked, so they stay open */
static struct ckpt_fd_list *ckpt_fds(struct files_struct *files)
{
	struct ckpt_fd_list *list;
	struct fdtable *fdt;
	unsigned int cap, fd;
	struct file *file;

	for (cap = 256; ; cap *= 4) {
		list = kvmalloc(struct_size(list, fds, cap), GFP_KERNEL);
		if (!list)
			return NULL;
		list->n = 0;
		spin_lock(&files->file_lock);
		fdt = files_fdtable(files);
		for (fd = 0; fd < fdt->max_fds; fd++) {
			file = rcu_dereference_protected(fdt->fd[fd],
							 lockdep_is_held(&files->file_lock));
			if (!file)
				continue;
			if (list->n == cap)
				break;
			list->fds[list->n].fd = fd;
			list->fds[list->n].cloexec = ckpt_close_on_exec(fd, files, fdt);
			list->fds[list->n++].file = file;
		}
		spin_unlock(&files->file_lock);
		if (fd == fdt->max_fds)
			return list;
		kvfree(list);
	}
}

static void ckpt_fds_drop(struct ckpt_obj *obj)
{
	kvfree(obj->priv);
}

/**
 * ckpt_fdtable_collect() - make a table and its files known
 * @ctx: the checkpoint
 * @task: one of its users
 * @ref: set to its objref
 *
 * Return: 0 or a negative errno.
 */
int ckpt_fdtable_collect(struct ckpt_ctx *ctx, struct task_struct *task, u32 *ref)
{
	struct ckpt_fd_list *list;
	struct ckpt_obj *obj;
	unsigned int i;
	bool new;
	int err = 0;

	obj = ckpt_obj_add(ctx, task->files, CKPT_OBJ_FILES, task, &new);
	if (!obj)
		return -ENOMEM;
	*ref = obj->objref;
	if (!new)
		return 0;
	list = ckpt_fds(task->files);
	if (!list)
		return -ENOMEM;
	obj->priv = list;
	obj->drop = ckpt_fds_drop;
	for (i = 0; !err && i < list->n; i++)
		err = ckpt_file_collect(ctx, list->fds[i].file, task);
	return err;
}

/**
 * ckpt_fdtable_checkpoint() - save a table
 * @ctx: the checkpoint
 * @task: one of its users
 * @ref: its objref
 *
 * Return: 0 or a negative errno.
 */
int ckpt_fdtable_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task, u32 ref)
{
	struct ckpt_obj *obj = ckpt_obj_find(ctx, task->files, CKPT_OBJ_FILES), *file;
	struct ckpt_fd_list *list = obj->priv;
	struct ckpt_fdtable *rec;
	struct ckpt_fd *fd;
	unsigned int i = 0, n;
	int err = 0;

	if (obj->written)
		return 0;
	obj->written = true;
	do {
		n = min_t(unsigned int, list->n - i, CKPT_FDS_MAX);
		rec = ckpt_out(ctx, CKPT_REC_FDTABLE, ref, sizeof(*rec), n * sizeof(*fd));
		if (!rec)
			return -ENOMEM;
		rec->n = cpu_to_le32(n);
		rec->entry_size = cpu_to_le32(sizeof(*fd));
		for (fd = (void *)(rec + 1); n; n--, i++, fd++) {
			file = ckpt_obj_find(ctx, list->fds[i].file, CKPT_OBJ_FILE);
			fd->fd = cpu_to_le32(list->fds[i].fd);
			fd->flags = cpu_to_le32(list->fds[i].cloexec);
			fd->file = cpu_to_le32(file->objref);
		}
	} while (i < list->n);
	for (i = 0; !err && i < list->n; i++)
		err = ckpt_locks_posix_checkpoint(ctx, task->files, list->fds[i].file,
						  list->fds[i].fd);
	return err;
}

/* ---- restart ---- */

/* a table may have grown before its limit was lowered */
static void ckpt_fdtable_limit(u32 fd)
{
	struct rlimit *rlim = &current->signal->rlim[RLIMIT_NOFILE];

	task_lock(current->group_leader);
	if (rlim->rlim_cur <= fd && (rlim->rlim_max > fd || capable(CAP_SYS_RESOURCE))) {
		rlim->rlim_cur = fd + 1;
		rlim->rlim_max = max(rlim->rlim_max, rlim->rlim_cur);
	}
	task_unlock(current->group_leader);
}

/* SIGIO names the descriptor that O_ASYNC was set through: the first one here */
static int ckpt_fdtable_async(const struct ckpt_obj *obj, u32 fd)
{
	const struct ckpt_file *f = obj->owner;
	struct file *file = obj->ptr;
	int err;

	if (!f || !(le32_to_cpu(f->flags) & FASYNC) ||
	    file->f_flags & FASYNC || !file->f_op->fasync)
		return 0;
	err = file->f_op->fasync(fd, file, 1);
	return min(err, 0);
}

int ckpt_fdtable_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_fdtable *rec = (const void *)in->fixed;
	u32 n = le32_to_cpu(rec->n), size = le32_to_cpu(rec->entry_size), i;
	const struct ckpt_fd *fd;
	struct ckpt_obj *obj;
	int err;

	if (size < sizeof(*fd) || size > 256 || size % 4 ||
	    n > CKPT_FDS_MAX || in->var_len != (u64)n * size)
		return ckpt_bad(ctx, in, "the number of its entries is out of range");
	for (i = 0; i < n; i++) {
		fd = (const void *)(in->var + (size_t)i * size);
		if (le32_to_cpu(fd->fd) >= INT_MAX / 2)
			return ckpt_bad(ctx, in, "a descriptor is out of range");
		obj = ckpt_obj_get(ctx, in, le32_to_cpu(fd->file), CKPT_OBJ_FILE);
		if (IS_ERR(obj))
			return PTR_ERR(obj);
		ckpt_fdtable_limit(le32_to_cpu(fd->fd));
		err = K(replace_fd)(le32_to_cpu(fd->fd), obj->ptr,
				    le32_to_cpu(fd->flags) & 1 ? O_CLOEXEC : 0);
		if (err < 0)
			return ckpt_err(ctx, err, "image offset %llu: cannot install descriptor %u",
					in->offset, le32_to_cpu(fd->fd));
		err = ckpt_fdtable_async(obj, le32_to_cpu(fd->fd));
		if (err)
			return err;
	}
	return 0;
}
