// SPDX-License-Identifier: GPL-2.0-only
/*
 * A restart. The coordinator, which is crctl's thread, reads the stream. An
 * object is restored as it is met, with the caller's rights. The records of a
 * process, and the page data of its memory, are read by the process itself
 * when the coordinator gives it the turn; it then creates its threads, and
 * each thread applies its own records. When the tail is verified all threads
 * do what must come last, and when all have done it they go to user mode.
 *
 * On any failure every thread kills itself before user mode. Locks: ctx->lock
 * for the list of joined tasks and the counts; the turn is passed under it.
 */
#include <linux/file.h>
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "private.h"
#include "ksym.h"
#include "arch/arch.h"
#include "files/files.h"
#include "mm/mm.h"
#include "net/net.h"
#include "task/task.h"

static int ckpt_restart_err(struct ckpt_ctx *ctx)
{
	int err = READ_ONCE(ctx->err);

	return err ? err : ckpt_aborted(ctx);
}

/* ---- in a task that is being restored ---- */

static void ckpt_rt_free(struct ckpt_rt *rt)
{
	unsigned int i;

	for (i = 0; i < rt->nrecs; i++)
		ckpt_in_free(rt->recs[i]);
	kvfree(rt->recs);
	ckpt_vfork_free(rt->vfork);
	kfree(rt);
}

static struct ckpt_rt *ckpt_rt_new(struct ckpt_joined *joined)
{
	struct ckpt_rt *rt = kzalloc(sizeof(*rt), GFP_KERNEL);

	if (!rt)
		return NULL;
	rt->joined = joined;
	init_completion(&rt->applied);
	list_add_tail(&rt->node, &joined->threads);
	return rt;
}

static int ckpt_rt_add(struct ckpt_rt *rt, struct ckpt_in *in)
{
	struct ckpt_in **recs;
	unsigned int cap;

	if (rt->nrecs == rt->cap) {
		cap = rt->cap ? rt->cap * 2 : 16;
		recs = kvmalloc_array(cap, sizeof(*recs), GFP_KERNEL);
		if (!recs)
			return -ENOMEM;
		if (rt->nrecs)
			memcpy(recs, rt->recs, rt->nrecs * sizeof(*recs));
		kvfree(rt->recs);
		rt->recs = recs;
		rt->cap = cap;
	}
	rt->recs[rt->nrecs++] = in;
	return 0;
}

/* ckpt_bad() has said where; any other error has not, unless it is another's */
static int ckpt_where(struct ckpt_ctx *ctx, const struct ckpt_in *in, int err)
{
	if (err != -EBADMSG && err != -EINTR && err != -ECANCELED)
		ckpt_err(ctx, err, "image offset %llu: %s cannot be restored", in->offset,
			 ckpt_rec_name(in->type));
	return err;
}

static int ckpt_rt_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, enum ckpt_stage stage)
{
	int (*fn)(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
	const struct ckpt_rec_kind *kind;
	unsigned int i;
	int err;

	for (i = 0; i < rt->nrecs; i++) {
		kind = ckpt_rec_kind(rt->recs[i]->type);
		fn = stage == CKPT_STAGE_READ ? kind->apply :
		     stage == CKPT_STAGE_LATE ? kind->late :
		     stage == CKPT_STAGE_LAST ? kind->last : kind->end;
		err = fn ? fn(ctx, rt, rt->recs[i]) : 0;
		if (err)
			return ckpt_where(ctx, rt->recs[i], err);
	}
	return 0;
}

/*
 * Waits for the end of the restart, doing the turns of a leader on the way.
 * Afterwards the thread either goes to user mode or has SIGKILL pending.
 */
static void ckpt_rt_finish(struct ckpt_ctx *ctx, struct ckpt_rt *rt)
{
	enum ckpt_stage stage;
	bool last;
	int err;

	for (stage = CKPT_STAGE_LATE; stage < CKPT_STAGE_GO; stage++) {
		if (wait_event_killable(ctx->task_wq, READ_ONCE(ctx->stage) >= stage ||
					ckpt_restart_err(ctx)))
			goto die;
		err = ckpt_restart_err(ctx);
		if (!err)
			err = ckpt_rt_apply(ctx, rt, stage);
		if (err)
			goto die_err;
		spin_lock(&ctx->lock);
		last = ++ctx->nready == ctx->nthreads;
		spin_unlock(&ctx->lock);
		if (last)
			wake_up(&ctx->wq);
	}
	if (rt->joined->zombie || rt->ended)
		return;
	if (wait_event_killable(ctx->task_wq, READ_ONCE(ctx->stage) == CKPT_STAGE_GO ||
				ckpt_restart_err(ctx)))
		goto die;
	if (READ_ONCE(ctx->stage) != CKPT_STAGE_GO)
		goto die;
	ckpt_thread_go(ctx, rt);
	return;
die:
	err = -EINTR;
die_err:
	ckpt_fail(ctx, err);
	send_sig(SIGKILL, current, 1);
}

/* the last act of a thread for the operation; what it resumes may take long */
static void ckpt_left(struct ckpt_ctx *ctx, struct ckpt_rt *rt)
{
	struct ckpt_resume resume = {};
	struct ckpt_vfork *vfork = NULL;
	bool zombie = false, ended = false, last;
	u32 exit_code = 0;

	if (rt && !fatal_signal_pending(current)) {
		resume = rt->resume;
		swap(vfork, rt->vfork);
		zombie = rt->joined->zombie;
		ended = rt->ended;
		exit_code = ended ? rt->exit_code : rt->joined->exit_code;
	}
	if (zombie)
		/* nobody is told of an end that was told before; see ckpt_wait_zombies() */
		current->exit_signal = 0;
	spin_lock(&ctx->lock);
	last = !--ctx->nrunning;
	spin_unlock(&ctx->lock);
	if (last)
		wake_up(&ctx->wq);
	ckpt_ctx_put(ctx);
	if (vfork)
		ckpt_vfork_wait(vfork);
	else
		ckpt_arch_resume(&resume);
	module_put(THIS_MODULE);
	/* never comes back, so what follows the put is safe: see ckpt_exit() */
	if (zombie)
		K(do_group_exit)(exit_code);
	/* the others hold all that is the process's; the parent hears of it at their end */
	if (ended)
		K(do_exit)(exit_code);
}

static void ckpt_entered(struct ckpt_ctx *ctx)
{
	__module_get(THIS_MODULE);
	ckpt_ctx_get(ctx);
	spin_lock(&ctx->lock);
	ctx->nrunning++;
	spin_unlock(&ctx->lock);
}

static void ckpt_rt_run(struct callback_head *work)
{
	struct ckpt_rt *rt = container_of(work, struct ckpt_rt, work);
	struct ckpt_ctx *ctx = rt->joined->ctx;

	if (current->flags & PF_EXITING)
		rt->err = -EINTR;
	else
		rt->err = ckpt_rt_apply(ctx, rt, CKPT_STAGE_READ);
	if (rt->err)
		ckpt_fail(ctx, rt->err);
	complete(&rt->applied);
	if (current->flags & PF_EXITING) {
		ckpt_left(ctx, NULL);
	} else {
		ckpt_rt_finish(ctx, rt);
		ckpt_left(ctx, rt);
	}
}

/*
 * The first code of a new thread. The kernel clears ax after it returns, so
 * the registers are set by a task work, on the way to user mode.
 */
static int ckpt_rt_fn(void *arg)
{
	struct ckpt_rt *rt = arg;

	init_task_work(&rt->work, ckpt_rt_run);
	/* cannot fail: the thread is not exiting */
	task_work_add(current, &rt->work, TWA_RESUME);
	return 0;
}

static int ckpt_rt_create(struct ckpt_ctx *ctx, struct ckpt_rt *rt)
{
	struct kernel_clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			 CLONE_THREAD | CLONE_SYSVSEM,
		.fn = ckpt_rt_fn,
		.fn_arg = rt,
		.set_tid = &rt->tid,
		.set_tid_size = 1,
	};
	pid_t pid;

	ckpt_entered(ctx);
	pid = K(kernel_clone)(&args);
	if (pid < 0) {
		ckpt_left(ctx, NULL);
		return ckpt_err(ctx, pid, "cannot create thread %d of process %d%s",
				rt->tid, rt->joined->pid,
				pid == -EEXIST ? ": its tid is in use" : "");
	}
	wait_for_completion(&rt->applied);
	return rt->err;
}

static bool ckpt_rt_has(const struct ckpt_rt *rt, u16 type)
{
	unsigned int i;

	for (i = 0; i < rt->nrecs; i++)
		if (rt->recs[i]->type == type)
			return true;
	return false;
}

/* how a thread goes on is checked against its registers, so they stand before it and are the last word */
static int ckpt_rt_order(struct ckpt_ctx *ctx, const struct ckpt_rt *rt, struct ckpt_in *in)
{
	if (in->type != CKPT_REC_REGS && in->type != CKPT_REC_SYSCALL)
		return 0;
	if (rt && !ckpt_rt_has(rt, CKPT_REC_SYSCALL) &&
	    ckpt_rt_has(rt, CKPT_REC_REGS) == (in->type == CKPT_REC_SYSCALL))
		return 0;
	return ckpt_bad(ctx, in, "comes twice, or not in its place");
}

/* without these a thread would run on with what it has of its creator */
static int ckpt_joined_complete(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
				const struct ckpt_in *task)
{
	static const u16 process[] = {
		CKPT_REC_RLIMITS,
	};
	static const u16 thread[] = {
		CKPT_REC_THREAD, CKPT_REC_REGS, CKPT_REC_FPU, CKPT_REC_SCHED,
	};
	const struct ckpt_task *rec = (const void *)task->fixed;
	struct ckpt_rt *rt, *leader;
	u32 nthreads = 0, missing = 0;
	unsigned int i;

	leader = list_first_entry(&joined->threads, struct ckpt_rt, node);
	if (le32_to_cpu(rec->flags) & CKPT_TASK_ZOMBIE) {
		/* nothing of it runs */
		if (!ckpt_rt_has(leader, CKPT_REC_THREAD) || joined->mm ||
		    !list_is_singular(&joined->threads))
			return ckpt_bad(ctx, task, "a zombie has one thread and no memory");
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(process); i++)
		if (!ckpt_rt_has(leader, process[i]))
			missing = process[i];
	list_for_each_entry(rt, &joined->threads, node) {
		nthreads++;
		if (ckpt_thread_ended(rt)) {
			if (rt == leader && !list_is_singular(&joined->threads))
				continue;
			return ckpt_bad(ctx, task, "a thread has ended that is not the first, or not before others");
		}
		for (i = 0; i < ARRAY_SIZE(thread); i++)
			if (!ckpt_rt_has(rt, thread[i]))
				missing = thread[i];
	}
	if (missing)
		return ckpt_err(ctx, -EBADMSG, "image offset %llu: TASK: process %u has no %s",
				task->offset, joined->pid, ckpt_rec_name(missing));
	if (nthreads != le32_to_cpu(rec->nthreads))
		return ckpt_bad(ctx, task, "it counts another number of threads");
	return ckpt_share_restart(ctx, joined, task);
}

/* reads the records of one process, from TASK to TASK_END */
static int ckpt_joined_read(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
			    struct ckpt_in *task)
{
	const struct ckpt_rec_kind *kind;
	struct ckpt_rt *leader, *rt;
	struct ckpt_in *in;
	int err;

	leader = ckpt_rt_new(joined);
	if (!leader)
		return -ENOMEM;
	leader->tid = joined->pid;
	rt = NULL;
	err = ckpt_rt_add(leader, task);
	if (err)
		return err;
	ctx->turn_in = NULL;		/* ours now */
	err = ckpt_task_empty(ctx);
	if (err)
		return err;
	for (;;) {
		in = ckpt_in(ctx);
		if (IS_ERR(in))
			return PTR_ERR(in);
		if (in->type == CKPT_REC_TASK_END) {
			ckpt_in_free(in);
			break;
		}
		kind = ckpt_rec_kind(in->type);
		if (in->type == CKPT_REC_MM) {
			err = ckpt_mm_restart(ctx, joined, in);
			ckpt_in_free(in);
			if (err)
				return err;
			continue;
		}
		if ((!kind->apply && !kind->late && !kind->last && !kind->end) || in->type == CKPT_REC_TASK ||
		    (rt && kind->process)) {
			err = ckpt_bad(ctx, in, "does not belong there in the records of a process");
			ckpt_in_free(in);
			return err;
		}
		if (in->type == CKPT_REC_THREAD) {
			const struct ckpt_thread_rec *t = (const void *)in->fixed;

			rt = rt ? ckpt_rt_new(joined) : leader;
			if (!rt) {
				ckpt_in_free(in);
				return -ENOMEM;
			}
			rt->tid = le32_to_cpu(t->tid);
			if ((rt == leader) != (rt->tid == joined->pid)) {
				err = ckpt_bad(ctx, in, "the first thread is not the leader, or another one is");
				ckpt_in_free(in);
				return err;
			}
		}
		err = ckpt_rt_order(ctx, rt, in);
		if (!err)
			err = ckpt_rt_add(rt ? rt : leader, in);
		if (err) {
			ckpt_in_free(in);
			return err;
		}
	}
	err = ckpt_joined_complete(ctx, joined, task);
	if (err)
		return err;
	err = ckpt_rt_apply(ctx, leader, CKPT_STAGE_READ);
	list_for_each_entry(rt, &joined->threads, node) {
		if (err)
			break;
		spin_lock(&ctx->lock);
		ctx->nthreads++;
		spin_unlock(&ctx->lock);
		if (rt != leader)
			err = ckpt_rt_create(ctx, rt);
	}
	return err;
}

static int ckpt_joined_turn(struct ckpt_ctx *ctx, struct ckpt_joined *joined)
{
	struct ckpt_in *in = ctx->turn_in;

	if (in->type == CKPT_REC_TASK)
		return ckpt_joined_read(ctx, joined, in);
	if (in->type == CKPT_REC_SAME)
		return ckpt_same_fill(ctx, joined, in);
	return ckpt_mm_fill(ctx, joined, in);
}

static void ckpt_joined_run(struct callback_head *work)
{
	struct ckpt_joined *joined = container_of(work, struct ckpt_joined, work);
	struct ckpt_ctx *ctx = joined->ctx;
	struct ckpt_rt *leader = NULL;
	int err;

	if (current->flags & PF_EXITING)
		goto die;
	ckpt_signals_block();
	for (;;) {
		if (wait_event_killable(ctx->task_wq, READ_ONCE(ctx->turn) == joined ||
					READ_ONCE(ctx->stage) != CKPT_STAGE_READ ||
					ckpt_restart_err(ctx)))
			goto die;
		if (READ_ONCE(ctx->turn) != joined)
			break;
		err = ckpt_restart_err(ctx);
		if (!err)
			err = ckpt_joined_turn(ctx, joined);
		if (err)
			ckpt_fail(ctx, err);
		spin_lock(&ctx->lock);
		ctx->turn = NULL;
		spin_unlock(&ctx->lock);
		wake_up(&ctx->wq);
	}
	if (ckpt_restart_err(ctx))
		goto die;
	leader = list_first_entry(&joined->threads, struct ckpt_rt, node);
	ckpt_rt_finish(ctx, leader);
	goto out;
die:
	ckpt_fail(ctx, -EINTR);
	spin_lock(&ctx->lock);
	if (ctx->turn == joined)
		ctx->turn = NULL;
	spin_unlock(&ctx->lock);
	wake_up(&ctx->wq);
	send_sig(SIGKILL, current, 1);
out:
	ckpt_left(ctx, leader);
}

/**
 * ckpt_join() - make the current process one of a restart
 * @ctx: the restart
 * @pid: which process of the image it becomes
 *
 * Called from a netlink handler; the restore runs when the current system call
 * returns.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_join(struct ckpt_ctx *ctx, u32 pid)
{
	struct ckpt_joined *joined;
	bool last = false;
	int err;

	if (!ctx->restart)
		return -EINVAL;
	if (current->flags & (PF_KTHREAD | PF_IO_WORKER))
		return -EINVAL;
	if (!thread_group_empty(current) || task_pid_vnr(current) != pid)
		return -EINVAL;
	joined = kzalloc(sizeof(*joined), GFP_KERNEL);
	if (!joined)
		return -ENOMEM;
	joined->ctx = ctx;
	joined->pid = pid;
	joined->task = get_task_struct(current);
	INIT_LIST_HEAD(&joined->threads);
	init_task_work(&joined->work, ckpt_joined_run);

	/* only the place: one that comes too late must not be found, as it goes away again */
	err = xa_insert(&ctx->joined_xa, pid, NULL, GFP_KERNEL);
	if (err) {
		err = err == -EBUSY ? -EEXIST : err;
		goto free;
	}
	spin_lock(&ctx->lock);
	if (ctx->err || ctx->aborted || ctx->njoined == ctx->rq.ntasks) {
		err = -ECANCELED;
	} else {
		xa_store(&ctx->joined_xa, pid, joined, GFP_ATOMIC);
		list_add_tail(&joined->node, &ctx->joined);
		last = ++ctx->njoined == ctx->rq.ntasks;
	}
	spin_unlock(&ctx->lock);
	if (err)
		goto erase;
	ckpt_entered(ctx);
	/* cannot fail: the task is in a system call, so not exiting */
	task_work_add(current, &joined->work, TWA_RESUME);
	if (last)
		wake_up(&ctx->wq);
	return 0;

erase:
	xa_erase(&ctx->joined_xa, pid);
free:
	put_task_struct(joined->task);
	kfree(joined);
	return err;
}

/**
 * ckpt_joined_free() - forget the processes of a restart
 * @ctx: the restart; no task runs for it any more
 */
void ckpt_joined_free(struct ckpt_ctx *ctx)
{
	struct ckpt_joined *joined, *next;
	struct ckpt_rt *rt, *rn;

	list_for_each_entry_safe(joined, next, &ctx->joined, node) {
		list_for_each_entry_safe(rt, rn, &joined->threads, node)
			ckpt_rt_free(rt);
		ckpt_mm_rt_free(joined);
		put_task_struct(joined->task);
		kfree(joined);
	}
	INIT_LIST_HEAD(&ctx->joined);
	xa_destroy(&ctx->joined_xa);
}

/* ---- the coordinator ---- */

/* gives the turn to a process; takes the record over */
static int ckpt_give_turn(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
			  struct ckpt_in *in)
{
	int err;

	spin_lock(&ctx->lock);
	/* one that has been killed notes an error before it gives its turn back */
	err = ctx->err;
	ctx->turn_in = in;
	if (!err)
		ctx->turn = joined;
	spin_unlock(&ctx->lock);
	if (err) {
		ckpt_in_free(in);
		ctx->turn_in = NULL;
		return err;
	}
	/* the others need not look; it waits for this, or will look before it sleeps */
	wake_up_process(joined->task);
	/*
	 * The one who has the turn reads the stream: even when this thread is
	 * killed it must wait until the turn comes back. ckpt_fail() ends it.
	 */
	if (wait_event_killable(ctx->wq, !READ_ONCE(ctx->turn) ||
				READ_ONCE(ctx->aborted)) ||
	    READ_ONCE(ctx->aborted))
		ckpt_fail(ctx, -ECANCELED);
	wait_event(ctx->wq, !READ_ONCE(ctx->turn));
	ckpt_in_free(ctx->turn_in);
	ctx->turn_in = NULL;
	return ckpt_restart_err(ctx);
}

static int ckpt_coordinate_task(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_task *rec = (const void *)in->fixed;
	struct ckpt_joined *joined = xa_load(&ctx->joined_xa, le32_to_cpu(rec->pid));

	if (joined && !joined->had_turn) {
		joined->had_turn = true;
		return ckpt_give_turn(ctx, joined, in);
	}
	ckpt_bad(ctx, in, "its pid is not in the tree, or it comes twice");
	ckpt_in_free(in);
	return -EBADMSG;
}

static int ckpt_coordinate_pages(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	struct ckpt_obj *obj = xa_load(&ctx->refs_xa, in->objref);
	int err;

	if (obj && obj->type == CKPT_OBJ_MM)
		return ckpt_give_turn(ctx, obj->ptr, in);
	if (obj && obj->type == CKPT_OBJ_INODE && in->type == CKPT_REC_PAGES)
		err = ckpt_shmem_fill(ctx, obj, in);
	else
		err = ckpt_bad(ctx, in, "refers to no memory");
	ckpt_in_free(in);
	return err;
}

static int ckpt_check_tail(struct ckpt_ctx *ctx, struct ckpt_in *in, u64 records,
			   u32 crc)
{
	const struct ckpt_tail *tail = (const void *)in->fixed;

	if (le64_to_cpu(tail->bytes) != in->offset)
		return ckpt_bad(ctx, in, "it counts another number of bytes");
	if (le64_to_cpu(tail->pages) != ctx->stats.pages)
		return ckpt_bad(ctx, in, "it counts another number of pages");
	if (le64_to_cpu(tail->records) != records)
		return ckpt_bad(ctx, in, "it counts another number of records");
	if (le32_to_cpu(tail->crc) != crc)
		return ckpt_bad(ctx, in, "the checksum of the whole image is wrong");
	return 0;
}

static int ckpt_coordinate(struct ckpt_ctx *ctx)
{
	const struct ckpt_rec_kind *kind;
	struct ckpt_joined *joined;
	struct ckpt_obj *obj;
	struct ckpt_in *in;
	u64 records;
	u32 crc;
	int err;

	/* the caller has read HEADER and TREE */
	ctx->records = 2;
	for (;;) {
		records = ctx->records;
		crc = ctx->crc;
		in = ckpt_in(ctx);
		if (IS_ERR(in))
			return PTR_ERR(in);
		kind = ckpt_rec_kind(in->type);
		if (in->type == CKPT_REC_TAIL)
			break;
		if (in->type == CKPT_REC_TASK) {
			err = ckpt_coordinate_task(ctx, in);
		} else if (in->type == CKPT_REC_PAGES || in->type == CKPT_REC_SAME) {
			err = ckpt_coordinate_pages(ctx, in);
		} else {
			if (kind->read)
				err = kind->read(ctx, in);
			else if (in->type == CKPT_REC_ERROR)
				err = ckpt_bad(ctx, in, "this image is of a checkpoint that failed");
			else
				err = ckpt_bad(ctx, in, "does not belong here");
			if (err)
				ckpt_where(ctx, in, err);
			ckpt_in_free(in);
		}
		if (err)
			return err;
	}
	err = ckpt_check_tail(ctx, in, records, crc);
	ckpt_in_free(in);
	if (err)
		return err;
	list_for_each_entry(joined, &ctx->joined, node)
		if (!joined->had_turn)
			return ckpt_err(ctx, -EBADMSG, "the image has no records of process %u",
					joined->pid);
	err = ckpt_inherit_unused(ctx);
	/* before anything watches them */
	if (!err)
		err = ckpt_tcp_connect_all(ctx);
	if (err)
		return err;
	list_for_each_entry(obj, &ctx->obj_list, node) {
		err = obj->late ? obj->late(ctx, obj) : 0;
		if (err)
			return err;
	}
	list_for_each_entry(obj, &ctx->obj_list, node) {
		err = obj->last ? obj->last(ctx, obj) : 0;
		if (err)
			return err;
	}
	return 0;
}

static int ckpt_wait_joined(struct ckpt_ctx *ctx)
{
	long left;

	left = wait_event_killable_timeout(ctx->wq,
					   READ_ONCE(ctx->njoined) == ctx->rq.ntasks ||
					   ckpt_restart_err(ctx),
					   msecs_to_jiffies(ctx->rq.timeout_ms));
	if (!left)
		return ckpt_err(ctx, -ETIMEDOUT, "only %u of %u processes were created",
				ctx->njoined, ctx->rq.ntasks);
	return left < 0 ? left : ckpt_restart_err(ctx);
}

/*
 * Zombies are dead, and known as their parents' children, before a parent runs.
 * First threads that have ended have handed their children to another one.
 */
static int ckpt_wait_zombies(struct ckpt_ctx *ctx)
{
	struct ckpt_joined *joined;
	struct ckpt_rt *leader;
	int err;

	list_for_each_entry(joined, &ctx->joined, node) {
		leader = list_first_entry(&joined->threads, struct ckpt_rt, node);
		if (!joined->zombie && !leader->ended)
			continue;
		while (!READ_ONCE(joined->task->exit_state)) {
			err = ckpt_restart_err(ctx);
			if (err)
				return err;
			schedule_timeout_killable(1);
		}
		if (joined->zombie)
			joined->task->exit_signal = joined->exit_signal;
	}
	return 0;
}

/* lets the threads run, or makes them die; none uses the operation afterwards */
static void ckpt_let_go(struct ckpt_ctx *ctx, int err)
{
	struct ckpt_obj *obj;

	ckpt_pty_spares_free(ctx);
	if (err) {
		ckpt_fail(ctx, err);
	} else {
		ckpt_groups_foreground(ctx);
		list_for_each_entry(obj, &ctx->obj_list, node)
			if (obj->go)
				obj->go(obj);
		WRITE_ONCE(ctx->stage, CKPT_STAGE_GO);
	}
	wake_up_all(&ctx->task_wq);
	wait_event(ctx->wq, !READ_ONCE(ctx->nrunning));
	if (err)
		ckpt_tcp_unmake(ctx);
	ckpt_groups_end(ctx);
	ckpt_cow_free(ctx);
	ckpt_objhash_free(ctx);
}

/**
 * ckpt_restart() - bring a tree of tasks back
 * @ctx: the operation; its err tells the result
 *
 * Runs in the caller of the restart, while the new processes join.
 */
void ckpt_restart(struct ckpt_ctx *ctx)
{
	enum ckpt_stage stage;
	int err;

	ckpt_groups_begin(ctx);
	err = ckpt_objhash_init(ctx);
	if (!err)
		err = ckpt_phase(ctx, "joining");
	if (!err)
		err = ckpt_wait_joined(ctx);
	if (!err)
		err = ckpt_phase(ctx, "reading");
	if (!err)
		err = ckpt_coordinate(ctx);
	if (!err)
		err = ckpt_phase(ctx, "late");
	for (stage = CKPT_STAGE_LATE; !err && stage < CKPT_STAGE_GO; stage++) {
		spin_lock(&ctx->lock);
		ctx->nready = 0;
		spin_unlock(&ctx->lock);
		WRITE_ONCE(ctx->stage, stage);
		wake_up_all(&ctx->task_wq);
		err = wait_event_killable(ctx->wq,
					  READ_ONCE(ctx->nready) == ctx->nthreads ||
					  ckpt_restart_err(ctx));
		if (!err)
			err = ckpt_restart_err(ctx);
	}
	if (!err)
		err = ckpt_wait_zombies(ctx);
	if (!err)
		err = ckpt_phase(ctx, "go");
	ctx->stats.tasks = ctx->njoined;
	ctx->stats.threads = ctx->nthreads;
	ctx->stats.bytes = ctx->pos;
	ckpt_let_go(ctx, err);
	if (err)
		ckpt_log(ctx, "restart failed with error %d; nothing is left of it", -ctx->err);
	else
		ckpt_log(ctx, "restart done: %llu tasks, %llu threads, %llu pages",
			 ctx->stats.tasks, ctx->stats.threads, ctx->stats.pages);
	ckpt_read_end(ctx);
}
