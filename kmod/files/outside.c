// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds open files that processes outside of the tree have, too: inherited, or
 * passed through a socket. After a restart the tree has files of its own, so
 * what one side does the other does not see any more.
 * Refuses: these, by the names of their kinds and of a process that has them.
 * Of regular files only the position is shared, which is said in the log.
 * Locks: RCU, alloc_lock and file_lock of one process after the other. Only
 * tables count: counts of references also have those of system calls.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "files.h"
#include "../net/net.h"

/* a file with more references than the tree accounts for, and who has it */
struct ckpt_outside {
	struct ckpt_obj *obj;
	pid_t pid;
	bool found;
	char comm[TASK_COMM_LEN];
};

struct ckpt_outside_list {
	struct ckpt_ctx *ctx;
	struct task_struct *task;	/* whose table is looked through */
	unsigned int n;
	struct ckpt_outside files[];
};

/* overwriting what others write does harm; where to read next is a smaller thing */
static bool ckpt_outside_position(struct file *file)
{
	return S_ISREG(file_inode(file)->i_mode) && file->f_mode & FMODE_WRITE &&
	       !(file->f_flags & O_APPEND);
}

static bool ckpt_outside_may(const struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;

	if (obj->type != CKPT_OBJ_FILE || !obj->kind || file_count(file) <= obj->users)
		return false;
	if (obj->kind == &ckpt_file_path)
		return ckpt_outside_position(file);
	return !obj->kind->outside_ok;
}

static int ckpt_outside_file(const void *p, struct file *file, unsigned int fd)
{
	struct ckpt_outside_list *list = (void *)p;
	struct ckpt_obj *obj = ckpt_obj_find(list->ctx, file, CKPT_OBJ_FILE);
	struct ckpt_outside *o = obj ? obj->outside : NULL;

	if (o && !o->found) {
		o->found = true;
		o->pid = task_tgid_vnr(list->task);
		memcpy(o->comm, list->task->comm, TASK_COMM_LEN);
	}
	return 0;
}

static void ckpt_outside_search(struct ckpt_outside_list *list)
{
	struct files_struct *last;
	struct task_struct *p, *t;

	rcu_read_lock();
	for_each_process(p) {
		if (p->flags & PF_KTHREAD || ckpt_proc_has(list->ctx, p))
			continue;
		last = NULL;
		for_each_thread(p, t) {
			task_lock(t);
			list->task = t;
			if (t->files && t->files != last)
				iterate_fd(t->files, 0, ckpt_outside_file, list);
			last = t->files;
			task_unlock(t);
		}
	}
	rcu_read_unlock();
}

static struct ckpt_outside_list *ckpt_outside_list(struct ckpt_ctx *ctx)
{
	struct ckpt_outside_list *list;
	struct ckpt_obj *obj;
	unsigned int n = 0;

	list_for_each_entry(obj, &ctx->obj_list, node)
		n += ckpt_outside_may(obj);
	list = kvzalloc(struct_size(list, files, n), GFP_KERNEL);
	if (!list)
		return NULL;
	list->ctx = ctx;
	/* a count may have changed meanwhile */
	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (list->n == n || !ckpt_outside_may(obj))
			continue;
		obj->outside = &list->files[list->n++];
		obj->outside->obj = obj;
	}
	if (list->n)
		ckpt_outside_search(list);
	while (n--)
		if (list->files[n].obj)
			list->files[n].obj->outside = NULL;
	return list;
}

/* returns true if the file is left behind */
static bool ckpt_outside_refuse(struct ckpt_ctx *ctx, const struct ckpt_outside *o)
{
	const struct ckpt_file_kind *kind = o->obj->kind;
	struct file *file = o->obj->ptr;

	if (kind == &ckpt_file_path) {
		ckpt_log(ctx, "note: process %d (%s) outside of the tree writes to %pD at the same position; after a restart each has its own",
			 o->pid, o->comm, file);
		return false;
	}
	if (!ckpt_leak_allowed(ctx, kind->name)) {
		ckpt_refuse(ctx, o->obj->task, kind->name,
			    "%s:[%lu] is open in process %d (%s) outside of the tree, too; close it there, or leave it behind with --allow-leak %s",
			    kind->name, file_inode(file)->i_ino, o->pid, o->comm, kind->name);
		return false;
	}
	if (kind == &ckpt_file_unix)
		ckpt_unix_leave(o->obj->priv);
	o->obj->kind = &ckpt_file_inherit;
	return true;
}

/* system calls that threads sleep in: each may have a reference to any file */
static long ckpt_outside_calls(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;
	long n = 0;

	list_for_each_entry(proc, &ctx->procs, node)
		list_for_each_entry(t, &proc->threads, node)
			n += t->in_place;
	return n;
}

/* what is in no table may wait in a socket that nobody here knows */
static void ckpt_outside_unexplained(struct ckpt_ctx *ctx, struct ckpt_obj *obj, long calls)
{
	struct file *file = obj->ptr;
	long n = file_count(file) - obj->users - calls;

	if (n > 0 && obj->kind != &ckpt_file_path)
		ckpt_log(ctx, "note: %s:[%lu] of process %d has %ld references more than are known; if it waits in a socket outside of the tree it is no longer shared after a restart",
			 obj->kind->name, file_inode(file)->i_ino, task_tgid_vnr(obj->task), n);
}

/**
 * ckpt_files_leaks() - find what is shared with somebody outside the tree
 * @ctx: the checkpoint, everything collected
 *
 * Return: 0 or a negative errno; leaks are refused.
 */
int ckpt_files_leaks(struct ckpt_ctx *ctx)
{
	struct ckpt_outside_list *list = ckpt_outside_list(ctx);
	struct ckpt_obj *obj;
	unsigned int i;
	bool left = false;
	long calls;
	int err = 0;

	if (!list)
		return -ENOMEM;
	for (i = 0; i < list->n; i++) {
		obj = list->files[i].obj;
		if (list->files[i].found && obj->kind->outside)
			obj->kind->outside(obj);
	}
	list_for_each_entry(obj, &ctx->obj_list, node) {
		err = obj->leak ? obj->leak(ctx, obj) : 0;
		if (err)
			break;
	}
	calls = ckpt_outside_calls(ctx);
	/* what has been left behind by now is nobody's concern */
	for (i = 0; !err && i < list->n; i++) {
		obj = list->files[i].obj;
		if (obj->kind == &ckpt_file_inherit)
			continue;
		if (!list->files[i].found)
			ckpt_outside_unexplained(ctx, obj, calls);
		else if (!obj->kind->outside)
			left |= ckpt_outside_refuse(ctx, &list->files[i]);
	}
	if (!left)
		goto out;
	/* ends of connections whose other end is outside now */
	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type == CKPT_OBJ_TCP || obj->type == CKPT_OBJ_UNIX)
			err = obj->leak(ctx, obj);
		if (err)
			break;
	}
out:
	kvfree(list);
	return err;
}
