// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: what processes share without being threads of one: memory,
 * descriptors, directories, signal handlers (clone() with CLONE_VM and so on),
 * and a parent that waits in vfork() until its child runs a program or ends.
 * The records stand in the first process that has them; another one's TASK
 * refers to them. The same for threads that have left the descriptors or
 * directories of their process with unshare().
 * Refuses: any of these shared with a process outside of the tree.
 * Locks: RCU for the search; alloc_lock, siglock and tasklist_lock where
 * current is given what another process of the restart has.
 */
#include <linux/completion.h>
#include <linux/fdtable.h>
#include <linux/fs_struct.h>
#include <linux/memcontrol.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "task.h"
#include "../arch/arch.h"
#include "../files/files.h"
#include "../ksym.h"
#include "../mm/mm.h"

/* ---- checkpoint ---- */

static struct ckpt_obj *ckpt_share_common(struct ckpt_ctx *ctx, struct task_struct *t,
					  const char **what)
{
	struct ckpt_obj *obj;

	*what = "memory";
	obj = ckpt_obj_find(ctx, READ_ONCE(t->mm), CKPT_OBJ_MM);
	if (!obj) {
		*what = "descriptors";
		obj = ckpt_obj_find(ctx, READ_ONCE(t->files), CKPT_OBJ_FILES);
	}
	if (!obj) {
		*what = "directories";
		obj = ckpt_obj_find(ctx, READ_ONCE(t->fs), CKPT_OBJ_FS);
	}
	if (!obj) {
		*what = "signal handlers";
		obj = ckpt_obj_find(ctx, rcu_access_pointer(t->sighand), CKPT_OBJ_SIGHAND);
	}
	return obj;
}

/**
 * ckpt_share_leaks() - find who shares with a process outside of the tree
 * @ctx: the checkpoint, everything collected
 *
 * Return: 0 or a negative errno; it is refused.
 */
int ckpt_share_leaks(struct ckpt_ctx *ctx)
{
	struct task_struct *p, *t, *who = NULL;
	struct ckpt_obj *obj = NULL;
	const char *what = NULL;
	int err = 0;

	rcu_read_lock();
	for_each_process(p) {
		if (p->flags & PF_KTHREAD || ckpt_proc_has(ctx, p))
			continue;
		for_each_thread(p, t) {
			obj = ckpt_share_common(ctx, t, &what);
			if (obj)
				break;
		}
		if (obj) {
			who = get_task_struct(p);
			break;
		}
	}
	rcu_read_unlock();
	if (!who)
		return 0;
	err = ckpt_refuse(ctx, obj->task, "share",
			  "shares its %s with process %d (%s), which is outside of the tree",
			  what, task_pid_vnr(who), who->comm);
	put_task_struct(who);
	return err;
}

/* ---- restart ---- */

static int ckpt_share_gone(struct ckpt_ctx *ctx, struct task_struct *from)
{
	return ckpt_err(ctx, -EINTR, "thread %d has ended before all shared what it has",
			task_pid_vnr(from));
}

static int ckpt_share_mm(struct ckpt_ctx *ctx, struct task_struct *from)
{
	struct mm_struct *old = current->mm, *mm;
	int err;

	err = ckpt_mm_empty();
	if (err)
		return ckpt_err(ctx, err, "cannot unmap the memory of the creator");
	mm = get_task_mm(from);
	if (!mm)
		return ckpt_share_gone(ctx, from);
	/* as execve() does it; nobody waits for this task in vfork() */
	ckpt_sync_rss(old);
	if (down_write_killable(&current->signal->exec_update_lock)) {
		mmput(mm);
		return -EINTR;
	}
	set_bit(MMF_MULTIPROCESS, &mm->flags);
	ckpt_mm_cid_leave();
	task_lock(current);
	local_irq_disable();
	current->active_mm = mm;
	current->mm = mm;
	K(membarrier_update_current_mm)(mm);
	ckpt_arch_switch_mm(old, mm);
	local_irq_enable();
	task_unlock(current);
	ckpt_mm_cid_enter();
	lru_gen_use_mm(mm);
	up_write(&current->signal->exec_update_lock);
#ifdef CONFIG_MEMCG
	K(mm_update_next_owner)(old);
#endif
	mmput(old);
	return 0;
}

static int ckpt_share_files(struct ckpt_ctx *ctx, struct task_struct *from)
{
	struct files_struct *files, *old;

	task_lock(from);
	files = from->files;
	if (files)
		atomic_inc(&files->count);
	task_unlock(from);
	if (!files)
		return ckpt_share_gone(ctx, from);
	task_lock(current);
	old = current->files;
	current->files = files;
	task_unlock(current);
	K(put_files_struct)(old);
	return 0;
}

static int ckpt_share_fs(struct ckpt_ctx *ctx, struct task_struct *from)
{
	struct fs_struct *fs, *old;
	bool last;

	task_lock(from);
	fs = from->fs;
	if (fs) {
		spin_lock(&fs->lock);
		fs->users++;
		spin_unlock(&fs->lock);
	}
	task_unlock(from);
	if (!fs)
		return ckpt_share_gone(ctx, from);
	task_lock(current);
	old = current->fs;
	spin_lock(&old->lock);
	current->fs = fs;
	last = !--old->users;
	spin_unlock(&old->lock);
	task_unlock(current);
	if (last)
		K(free_fs_struct)(old);
	return 0;
}

static int ckpt_share_sighand(struct ckpt_ctx *ctx, struct task_struct *from)
{
	struct sighand_struct *sighand, *old = current->sighand;

	write_lock_irq(KD(tasklist_lock));
	sighand = from->sighand;
	if (sighand) {
		refcount_inc(&sighand->count);
		spin_lock(&old->siglock);
		rcu_assign_pointer(current->sighand, sighand);
		spin_unlock(&old->siglock);
	}
	write_unlock_irq(KD(tasklist_lock));
	if (!sighand)
		return ckpt_share_gone(ctx, from);
	K(__cleanup_sighand)(old);
	return 0;
}

static struct ckpt_in *ckpt_share_record(struct ckpt_rt *leader, u16 type)
{
	unsigned int i;

	for (i = 0; i < leader->nrecs; i++)
		if (leader->recs[i]->type == type)
			return leader->recs[i];
	return NULL;
}

/**
 * ckpt_share_restart() - give a process what it shares with one before it
 * @ctx: the restart; the current task has the turn and one thread
 * @joined: the current process
 * @task: its TASK record
 *
 * What has records of its own is made known, so that others can refer to it.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_share_restart(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		       const struct ckpt_in *task)
{
	const struct ckpt_task *rec = (const void *)task->fixed;
	struct ckpt_rt *leader = list_first_entry(&joined->threads, struct ckpt_rt, node);
	const struct {
		u16 rec;
		enum ckpt_obj_type type;
		u32 ref;
		int (*share)(struct ckpt_ctx *ctx, struct task_struct *from);
	} parts[] = {
		{ CKPT_REC_MM, CKPT_OBJ_MM, le32_to_cpu(rec->mm), ckpt_share_mm },
		{ CKPT_REC_SIGACTION, CKPT_OBJ_SIGHAND, le32_to_cpu(rec->sighand), ckpt_share_sighand },
		{ CKPT_REC_FDTABLE, CKPT_OBJ_FILES, le32_to_cpu(rec->files), ckpt_share_files },
		{ CKPT_REC_FS, CKPT_OBJ_FS, le32_to_cpu(rec->fs), ckpt_share_fs },
	};
	struct ckpt_obj *obj;
	struct ckpt_in *in;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].type == CKPT_OBJ_MM && joined->mm)
			continue;	/* known since its record was met */
		in = ckpt_share_record(leader, parts[i].rec);
		if (in && !in->objref)
			continue;	/* nobody can refer to it */
		if (in) {
			if (in->objref != parts[i].ref)
				return ckpt_bad(ctx, in, "its TASK refers to another one");
			obj = ckpt_obj_put(ctx, in, parts[i].type, joined, NULL);
			if (IS_ERR(obj))
				return PTR_ERR(obj);
			obj->priv = joined->task;
			continue;
		}
		if (!parts[i].ref)
			return ckpt_err(ctx, -EBADMSG, "image offset %llu: TASK: process %u has no %s",
					task->offset, joined->pid, ckpt_rec_name(parts[i].rec));
		obj = ckpt_obj_get(ctx, task, parts[i].ref, parts[i].type);
		if (IS_ERR(obj))
			return PTR_ERR(obj);
		if (parts[i].type == CKPT_OBJ_MM)
			joined->mm_from = obj->ptr;
		/* the kernel relies on it */
		if (parts[i].type == CKPT_OBJ_SIGHAND && !joined->mm_from)
			return ckpt_bad(ctx, task, "it shares signal handlers but no memory");
		/* an object of memory is known by its process, see ckpt_give_turn() */
		err = parts[i].share(ctx, parts[i].type == CKPT_OBJ_MM ?
				     joined->mm_from->task : obj->priv);
		if (err)
			return err;
	}
	return 0;
}

/* ---- threads with descriptors or directories of their own: unshare() ---- */

int ckpt_unshared_collect(struct ckpt_ctx *ctx, struct ckpt_thread *t)
{
	u32 ref;
	int err = 0;

	if (!ckpt_obj_find(ctx, t->task->files, CKPT_OBJ_FILES))
		err = ckpt_fdtable_collect(ctx, t->task, &ref);
	if (!err && !ckpt_obj_find(ctx, t->task->fs, CKPT_OBJ_FS))
		err = ckpt_fs_collect(ctx, t->task, &ref);
	return err;
}

/* in a thread's record what is not of its process */
void ckpt_unshared_refs(struct ckpt_ctx *ctx, struct ckpt_thread *t, struct ckpt_thread_rec *rec)
{
	struct ckpt_obj *obj;

	obj = ckpt_obj_find(ctx, t->task->files, CKPT_OBJ_FILES);
	if (obj->objref != t->proc->files_ref)
		rec->files = cpu_to_le32(obj->objref);
	obj = ckpt_obj_find(ctx, t->task->fs, CKPT_OBJ_FS);
	if (obj->objref != t->proc->fs_ref)
		rec->fs = cpu_to_le32(obj->objref);
}

/* after a thread's record what no other has had before */
int ckpt_unshared_checkpoint(struct ckpt_ctx *ctx, struct ckpt_thread *t)
{
	int err;

	err = ckpt_fdtable_checkpoint(ctx, t->task,
				      ckpt_obj_find(ctx, t->task->files, CKPT_OBJ_FILES)->objref);
	if (!err)
		err = ckpt_fs_checkpoint(ctx, t->task,
					 ckpt_obj_find(ctx, t->task->fs, CKPT_OBJ_FS)->objref);
	return err;
}

static void ckpt_unshared_put(struct ckpt_obj *obj)
{
	if (obj->priv)
		put_task_struct(obj->priv);
}

/* takes what another has, or one's own, into which a record of the thread goes */
static int ckpt_unshare(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in,
			u16 type, enum ckpt_obj_type what, u32 ref, unsigned long flag,
			int (*share)(struct ckpt_ctx *ctx, struct task_struct *from))
{
	struct ckpt_in *rec = ckpt_share_record(rt, type);
	struct ckpt_obj *obj;
	int err;

	if (!ref && rec)
		return ckpt_bad(ctx, rec, "its thread has none of its own");
	if (!ref)
		return 0;
	if (!rec) {
		obj = ckpt_obj_get(ctx, in, ref, what);
		return IS_ERR(obj) ? PTR_ERR(obj) : share(ctx, obj->priv);
	}
	if (rec->objref != ref)
		return ckpt_bad(ctx, rec, "its thread refers to another one");
	err = ckpt_arch_syscall(__NR_unshare, flag, 0, 0, 0, 0, 0);
	if (!err && flag == CLONE_FILES)
		err = ckpt_arch_syscall(__NR_close_range, 0, ~0U, 0, 0, 0, 0);
	if (err)
		return ckpt_err(ctx, err, "thread %d cannot leave what its process has", rt->tid);
	obj = ckpt_obj_put(ctx, rec, what, rt->joined, ckpt_unshared_put);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	obj->priv = get_task_struct(current);
	return 0;
}

/**
 * ckpt_unshared_apply() - give a thread descriptors and directories of its own
 * @ctx: the restart
 * @rt: the thread, which is current
 * @in: its THREAD record; those of its table and directories come later
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unshared_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_thread_rec *rec = (const void *)in->fixed;
	int err;

	/* a leader has what its process has */
	if (thread_group_leader(current))
		return rec->files || rec->fs ? ckpt_bad(ctx, in, "a leader that does not share") : 0;
	err = ckpt_unshare(ctx, rt, in, CKPT_REC_FDTABLE, CKPT_OBJ_FILES,
			   le32_to_cpu(rec->files), CLONE_FILES, ckpt_share_files);
	if (!err)
		err = ckpt_unshare(ctx, rt, in, CKPT_REC_FS, CKPT_OBJ_FS,
				   le32_to_cpu(rec->fs), CLONE_FS, ckpt_share_fs);
	return err;
}

/* ---- vfork() ---- */

/* a parent that waits, as the kernel has it on that parent's stack */
struct ckpt_vfork {
	struct completion done;
	struct task_struct *child;
};

/**
 * ckpt_vfork_restart() - make a child wake its parent when it needs its memory no more
 * @ctx: the restart, in the stage when all threads are there
 * @rt: the parent's thread, which is current
 * @in: its SYSCALL record
 * @tid: the child
 *
 * Return: 0 or a negative errno.
 */
int ckpt_vfork_restart(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in, u32 tid)
{
	struct task_struct *child;
	struct ckpt_joined *joined;
	struct ckpt_vfork *v;
	bool known = false, taken;

	rcu_read_lock();
	child = K(find_task_by_vpid)(tid);
	list_for_each_entry(joined, &ctx->joined, node)
		known |= child && joined->task->signal == child->signal;
	if (known && child != current)
		get_task_struct(child);
	else
		child = NULL;
	rcu_read_unlock();
	if (!child)
		return ckpt_bad(ctx, in, "it waits for a child that is not in the tree");
	v = kmalloc(sizeof(*v), GFP_KERNEL);
	if (!v) {
		put_task_struct(child);
		return -ENOMEM;
	}
	init_completion(&v->done);
	v->child = child;
	task_lock(child);
	taken = child->vfork_done || !child->mm;
	if (!taken)
		child->vfork_done = &v->done;
	task_unlock(child);
	rt->vfork = v;
	return taken ? ckpt_bad(ctx, in, "it waits for a child that another one waits for") : 0;
}

/**
 * ckpt_vfork_free() - wait no more for a child
 * @v: what ckpt_vfork_restart() made, or NULL
 */
void ckpt_vfork_free(struct ckpt_vfork *v)
{
	if (!v)
		return;
	/* a child completes it with this lock held */
	task_lock(v->child);
	if (v->child->vfork_done == &v->done)
		v->child->vfork_done = NULL;
	task_unlock(v->child);
	put_task_struct(v->child);
	kfree(v);
}

/**
 * ckpt_vfork_wait() - go on with a vfork()
 * @v: what ckpt_vfork_restart() made; is freed
 *
 * Only SIGKILL ends it early, as in the kernel.
 */
void ckpt_vfork_wait(struct ckpt_vfork *v)
{
	wait_for_completion_state(&v->done, TASK_KILLABLE | TASK_FREEZABLE);
	ckpt_vfork_free(v);
}
