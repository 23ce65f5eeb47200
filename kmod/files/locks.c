// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: locks of files that the tree holds: flock and locks of open file
 * descriptions (F_OFD_SETLK), which belong to an open file, and POSIX locks
 * (F_SETLK), which belong to a process. A restart takes them again and fails
 * where somebody else has got one meanwhile. Those who wait for a lock begin
 * to wait again.
 * Refuses: leases (F_SETLEASE).
 * Locks: flc_lock of the file.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "files.h"
#include "../arch/arch.h"

#define CKPT_LOCKS_MAX	((CKPT_REC_MAX - sizeof(struct ckpt_locks)) / sizeof(struct ckpt_lock))

/* counts locks, and fills in as many as there is room for */
struct ckpt_lock_list {
	unsigned int n, cap;
	struct ckpt_lock *lock;
};

static void ckpt_lock_add(struct ckpt_lock_list *list, struct file_lock *fl, u32 kind,
			  unsigned int fd)
{
	struct ckpt_lock *l;

	if (list->n < list->cap) {
		l = &list->lock[list->n];
		l->kind = cpu_to_le32(kind);
		l->write = cpu_to_le32(ckpt_fl(fl, type) == F_WRLCK);
		l->fd = cpu_to_le32(fd);
		l->start = cpu_to_le64(fl->fl_start);
		l->end = cpu_to_le64(fl->fl_end);
	}
	list->n++;
}

static bool ckpt_lease_has(struct file_lock_context *flc, struct file *file)
{
	ckpt_lease_t *fl;

	list_for_each_entry(fl, &flc->flc_lease, ckpt_fl_list)
		if (ckpt_fl(fl, file) == file)
			return true;
	return false;
}

/* those of an open file, or, with @owner, those of a process that were taken through it */
static bool ckpt_locks_find(struct file *file, void *owner, unsigned int fd,
			    struct ckpt_lock_list *list)
{
	struct file_lock_context *flc = locks_inode_context(file_inode(file));
	struct file_lock *fl;
	bool lease;

	if (!flc)
		return false;
	spin_lock(&flc->flc_lock);
	list_for_each_entry(fl, &flc->flc_posix, ckpt_fl_list) {
		if (ckpt_fl(fl, file) != file)
			continue;
		if (owner && ckpt_fl(fl, owner) == owner)
			ckpt_lock_add(list, fl, CKPT_LOCK_POSIX, fd);
		else if (!owner && ckpt_fl(fl, flags) & FL_OFDLCK)
			ckpt_lock_add(list, fl, CKPT_LOCK_OFD, fd);
	}
	if (!owner)
		list_for_each_entry(fl, &flc->flc_flock, ckpt_fl_list)
			if (ckpt_fl(fl, file) == file)
				ckpt_lock_add(list, fl, CKPT_LOCK_FLOCK, fd);
	lease = ckpt_lease_has(flc, file);
	spin_unlock(&flc->flc_lock);
	return lease;
}

static int ckpt_locks_write(struct ckpt_ctx *ctx, u32 objref, struct file *file, void *owner,
			    unsigned int fd)
{
	struct ckpt_lock_list list = {};
	struct ckpt_locks *rec;
	unsigned int i = 0, n;
	int err = 0;

	ckpt_locks_find(file, owner, fd, &list);
	if (!list.n)
		return 0;
	/* the tree is parked: its locks stay as they are */
	list.cap = list.n;
	list.n = 0;
	list.lock = kvcalloc(list.cap, sizeof(*list.lock), GFP_KERNEL);
	if (!list.lock)
		return -ENOMEM;
	ckpt_locks_find(file, owner, fd, &list);
	list.n = min(list.n, list.cap);
	while (i < list.n) {
		n = min_t(unsigned int, list.n - i, CKPT_LOCKS_MAX);
		rec = ckpt_out(ctx, CKPT_REC_LOCKS, objref, sizeof(*rec), n * sizeof(*list.lock));
		if (!rec) {
			err = -ENOMEM;
			break;
		}
		rec->n = cpu_to_le32(n);
		rec->entry_size = cpu_to_le32(sizeof(*list.lock));
		memcpy(rec + 1, list.lock + i, n * sizeof(*list.lock));
		i += n;
	}
	kvfree(list.lock);
	return err;
}

/**
 * ckpt_locks_checkpoint() - save the locks of an open file
 * @ctx: the checkpoint
 * @obj: the file, which is saved
 *
 * Return: 0 or a negative errno.
 */
int ckpt_locks_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_lock_list none = {};

	if (ckpt_locks_find(obj->ptr, NULL, 0, &none))
		ckpt_refuse(ctx, obj->task, "lease",
			    "has a lease of a file (F_SETLEASE); give it back first");
	return ckpt_locks_write(ctx, obj->objref, obj->ptr, NULL, 0);
}

/**
 * ckpt_locks_posix_checkpoint() - save the locks that a process has through a descriptor
 * @ctx: the checkpoint
 * @files: its table, which is the owner
 * @file: the file
 * @fd: the descriptor
 *
 * Return: 0 or a negative errno.
 */
int ckpt_locks_posix_checkpoint(struct ckpt_ctx *ctx, struct files_struct *files,
				struct file *file, unsigned int fd)
{
	return ckpt_locks_write(ctx, 0, file, files, fd);
}

/* ---- restart ---- */

static int ckpt_lock_take(const struct ckpt_lock *l, unsigned int fd, unsigned long page)
{
	s64 start = le64_to_cpu(l->start), end = le64_to_cpu(l->end);
	struct flock f = {
		.l_type = l->write ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = start,
		.l_len = end == OFFSET_MAX ? 0 : end - start + 1,
	};

	if (le32_to_cpu(l->kind) == CKPT_LOCK_FLOCK)
		return ckpt_arch_syscall(__NR_flock, fd, LOCK_NB | (l->write ? LOCK_EX : LOCK_SH),
					 0, 0, 0, 0);
	if (copy_to_user((void __user *)page, &f, sizeof(f)))
		return -EFAULT;
	return ckpt_arch_syscall(__NR_fcntl, fd,
				 le32_to_cpu(l->kind) == CKPT_LOCK_OFD ? F_OFD_SETLK : F_SETLK,
				 page, 0, 0, 0);
}

/* @fd: of the file, or -1: each lock tells its own */
static int ckpt_locks_take(struct ckpt_ctx *ctx, struct ckpt_in *in, int fd)
{
	const struct ckpt_locks *rec = (const void *)in->fixed;
	u32 n = le32_to_cpu(rec->n), i;
	const struct ckpt_lock *l = (const void *)in->var;
	unsigned long page;
	int err = 0;

	if (le32_to_cpu(rec->entry_size) != sizeof(*l) || n > CKPT_LOCKS_MAX ||
	    in->var_len != n * sizeof(*l))
		return ckpt_bad(ctx, in, "the number of locks is out of range");
	page = ckpt_user_mem(PAGE_SIZE);
	if (IS_ERR_VALUE(page))
		return page;
	for (i = 0; !err && i < n; i++, l++) {
		if (le32_to_cpu(l->kind) > CKPT_LOCK_OFD || le32_to_cpu(l->write) > 1 ||
		    (fd < 0) != (le32_to_cpu(l->kind) == CKPT_LOCK_POSIX) ||
		    le32_to_cpu(l->fd) >= INT_MAX / 2 || (s64)le64_to_cpu(l->start) < 0 ||
		    (s64)le64_to_cpu(l->end) < (s64)le64_to_cpu(l->start)) {
			err = ckpt_bad(ctx, in, "a lock is out of range");
			break;
		}
		err = ckpt_lock_take(l, fd < 0 ? le32_to_cpu(l->fd) : fd, page);
		if (err == -EAGAIN || err == -EACCES || err == -EWOULDBLOCK)
			ckpt_err(ctx, -EBUSY, "image offset %llu: a file that was locked is locked by another process now; end that one first",
				 in->offset);
		else if (err)
			ckpt_err(ctx, err, "image offset %llu: cannot lock a file again", in->offset);
	}
	vm_munmap(page, PAGE_SIZE);
	return err;
}

/* of an open file: in the coordinator */
int ckpt_locks_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	struct ckpt_obj *obj;
	int fd, err;

	obj = ckpt_obj_get(ctx, in, in->objref, CKPT_OBJ_FILE);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	fd_install(fd, get_file(obj->ptr));
	err = ckpt_locks_take(ctx, in, fd);
	/* only POSIX locks end when a descriptor is closed */
	close_fd(fd);
	return err;
}

/* of a process: by itself, when it has all its descriptors */
int ckpt_locks_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	return ckpt_locks_take(ctx, in, -1);
}
