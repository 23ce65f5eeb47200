// SPDX-License-Identifier: GPL-2.0-only
/*
 * A checkpoint, phase by phase. Between ckpt_park() and ckpt_release() lies
 * the frozen window: no I/O there, only memory. The image is written after it,
 * from the captured records and the snapshots of memory; with CKPT_F_KILL or
 * CKPT_F_STOP the tasks wait until it is complete, so no snapshot is made.
 */
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/utsname.h>
#include <linux/workqueue.h>

#include "private.h"
#include "ksym.h"
#include "arch/arch.h"
#include "files/files.h"
#include "ipc/ipc.h"
#include "mm/mm.h"
#include "net/net.h"
#include "task/task.h"

/* how often the capture is begun again when a thread parked in place moves */
#define CKPT_TRIES	20

static int ckpt_checkpoint_header(struct ckpt_ctx *ctx, u32 ntasks)
{
	struct timespec64 mono, boot;
	struct ckpt_header *h;

	/* as the tasks see them, whose time namespace is the caller's */
	ktime_get_ts64(&mono);
	timens_add_monotonic(&mono);
	ktime_get_boottime_ts64(&boot);
	timens_add_boottime(&boot);
	h = ckpt_out(ctx, CKPT_REC_HEADER, 0, sizeof(*h), 0);
	if (!h)
		return -ENOMEM;
	h->version = cpu_to_le32(CKPT_IMAGE_VERSION);
	h->page_size = cpu_to_le32(PAGE_SIZE);
	h->wall_ns = cpu_to_le64(ktime_get_real_ns());
	h->mono_ns = cpu_to_le64(timespec64_to_ns(&mono));
	h->boot_ns = cpu_to_le64(timespec64_to_ns(&boot));
	h->ntasks = cpu_to_le32(ntasks);
	ckpt_arch_header(h);
	strscpy(h->release, utsname()->release, sizeof(h->release));
	strscpy(h->build, utsname()->version, sizeof(h->build));
	strscpy(h->module, CKPT_VERSION, sizeof(h->module));
	return 0;
}

static int ckpt_checkpoint_tree(struct ckpt_ctx *ctx, u32 ntasks)
{
	struct ckpt_tree_task *e;
	struct ckpt_proc *proc, *root;
	struct ckpt_tree *tree;

	if (ntasks > (CKPT_REC_MAX - sizeof(*tree)) / sizeof(*e))
		return ckpt_err(ctx, -E2BIG, "%u processes are more than an image can hold", ntasks);
	tree = ckpt_out(ctx, CKPT_REC_TREE, 0, sizeof(*tree), ntasks * sizeof(*e));
	if (!tree)
		return -ENOMEM;
	root = list_first_entry(&ctx->procs, struct ckpt_proc, node);
	tree->ntasks = cpu_to_le32(ntasks);
	tree->entry_size = cpu_to_le32(sizeof(*e));
	tree->root_pid = cpu_to_le32(root->pid);
	e = (void *)(tree + 1);
	list_for_each_entry(proc, &ctx->procs, node) {
		ckpt_task_tree_entry(proc, e, proc == root);
		le32_add_cpu(&tree->nthreads, proc->nthreads);
		e++;
	}
	return 0;
}

static int ckpt_capture(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc;
	struct ckpt_obj *obj;
	u32 ntasks = 0, nthreads = 0;
	int err;

	list_for_each_entry(proc, &ctx->procs, node) {
		ntasks++;
		nthreads += proc->nthreads;
	}
	ctx->stats.tasks = ntasks;
	ctx->stats.threads = nthreads;
	ckpt_sleep_times(ctx);

	list_for_each_entry(proc, &ctx->procs, node) {
		err = ckpt_task_collect(ctx, proc);
		if (err)
			return err;
	}
	err = ckpt_unix_collect(ctx);
	if (!err)
		err = ckpt_files_leaks(ctx);
	if (!err)
		err = ckpt_share_leaks(ctx);
	if (err)
		return err;

	err = ckpt_checkpoint_header(ctx, ntasks);
	if (!err)
		err = ckpt_checkpoint_tree(ctx, ntasks);
	if (err)
		return err;
	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type == CKPT_OBJ_FILE)
			err = ckpt_file_checkpoint(ctx, obj);
		else if (obj->type == CKPT_OBJ_FS)
			err = ckpt_fs_object(ctx, obj);
		else if (obj->type == CKPT_OBJ_CRED)
			err = ckpt_cred_checkpoint(ctx, obj);
		else if (obj->type == CKPT_OBJ_UNIX)
			err = ckpt_unix_checkpoint(ctx, obj);
		else if (obj->type == CKPT_OBJ_SECCOMP)
			err = ckpt_seccomp_checkpoint(ctx, obj);
		if (err)
			return err;
	}
	/* these may refer to any file, so they stand after all of them */
	err = ckpt_unix_queues(ctx);
	if (err)
		return err;
	list_for_each_entry(proc, &ctx->procs, node) {
		err = ckpt_task_checkpoint(ctx, proc);
		if (err)
			return err;
	}
	return 0;
}

struct ckpt_again {
	struct work_struct work;
	struct ckpt_ctx *ctx;
};

static void ckpt_again_run(struct work_struct *work)
{
	ckpt_mm_drop(container_of(work, struct ckpt_again, work)->ctx);
	flush_delayed_fput();
}

/*
 * The files of a snapshot must be gone before users are counted again. This
 * thread would close them when it returns to user mode; one of the kernel can
 * at once.
 */
static void ckpt_capture_drop(struct ckpt_ctx *ctx)
{
	struct ckpt_again again = { .ctx = ctx };

	INIT_WORK_ONSTACK(&again.work, ckpt_again_run);
	schedule_work(&again.work);
	flush_work(&again.work);
	destroy_work_on_stack(&again.work);
	ckpt_out_drop(ctx);
	ckpt_objhash_free(ctx);
	ctx->refused = 0;
}

static int ckpt_window(struct ckpt_ctx *ctx, bool keep)
{
	int err, tries;

	for (tries = 0; tries < CKPT_TRIES; tries++) {
		err = ckpt_park(ctx);
		if (!err && !tries)
			err = ckpt_phase(ctx, "parked");
		if (!err)
			err = ckpt_objhash_init(ctx);
		if (err)
			return err;
		err = ckpt_capture(ctx);
		if (!err && !ctx->refused)
			err = ckpt_mm_capture(ctx, !keep);
		if (!err)
			err = ckpt_phase(ctx, "captured");
		if (err)
			return err;
		if (!ckpt_parked_moved(ctx)) {
			ckpt_captured(ctx);
			return 0;
		}
		ckpt_capture_drop(ctx);
	}
	return ckpt_err(ctx, -EBUSY, "system calls keep finishing while the tasks are captured; try again");
}

static int ckpt_commit(struct ckpt_ctx *ctx)
{
	int err;

	err = ckpt_phase(ctx, "writing");
	if (!err)
		err = ckpt_write_magic(ctx);
	if (!err)
		err = ckpt_out_flush(ctx);
	if (!err)
		err = ckpt_phase(ctx, "pages");
	if (!err)
		err = ckpt_mm_write(ctx);
	if (!err)
		err = ckpt_phase(ctx, "tail");
	if (!err)
		err = ckpt_write_tail(ctx);
	return err;
}

static int ckpt_wait_dead(struct ckpt_ctx *ctx)
{
	unsigned long end = jiffies + msecs_to_jiffies(ctx->rq.timeout_ms);
	struct ckpt_proc *proc;

	list_for_each_entry(proc, &ctx->procs, node) {
		/* a leader may have ended long before its threads */
		while (!READ_ONCE(proc->leader->exit_state) || !thread_group_empty(proc->leader)) {
			if (ckpt_aborted(ctx))
				return 0;
			if (time_after(jiffies, end))
				return ckpt_err(ctx, -EBUSY, "process %d does not die", proc->pid);
			schedule_timeout_killable(1);
		}
	}
	return 0;
}

/**
 * ckpt_checkpoint() - save a tree of tasks
 * @ctx: the operation; its err tells the result
 *
 * Runs in the caller of the checkpoint. Whatever happens, the tasks run on as
 * if nothing had been, unless the image is complete and they are to be killed.
 */
void ckpt_checkpoint(struct ckpt_ctx *ctx)
{
	bool keep = ctx->rq.flags & (CKPT_F_KILL | CKPT_F_STOP);
	u64 begin;
	int err;

	ckpt_log(ctx, "checkpoint of process %d (%s)", task_pid_vnr(ctx->rq.root),
		 ctx->rq.root->comm);
	err = ckpt_phase(ctx, "parking");
	if (err)
		goto out;
	begin = ktime_get_ns();
	ctx->frozen = true;
	err = ckpt_window(ctx, keep);
	if (!err && ctx->refused) {
		err = -EOPNOTSUPP;
		ckpt_fail(ctx, err);
	}
	keep |= ctx->no_snapshot;
	if (err || !keep || (ctx->rq.flags & CKPT_F_CHECK)) {
		ckpt_release(ctx);
		ctx->stats.frozen_ns = ktime_get_ns() - begin;
	}
	ctx->frozen = false;
	if (!err && !(ctx->rq.flags & CKPT_F_CHECK))
		err = ckpt_commit(ctx);
	if (!err && (ctx->rq.flags & CKPT_F_KILL) && !(ctx->rq.flags & CKPT_F_CHECK))
		ckpt_tcp_silence(ctx);
	if (!err && (ctx->rq.flags & (CKPT_F_KILL | CKPT_F_STOP)) &&
	    !(ctx->rq.flags & CKPT_F_CHECK))
		ckpt_kill(ctx, ctx->rq.flags & CKPT_F_KILL ? SIGKILL : SIGSTOP);
	if (!ctx->stats.frozen_ns) {
		ckpt_release(ctx);
		ctx->stats.frozen_ns = ktime_get_ns() - begin;
	}
	if (!err && (ctx->rq.flags & CKPT_F_KILL) && !(ctx->rq.flags & CKPT_F_CHECK))
		err = ckpt_wait_dead(ctx);
	ckpt_sem_undo(ctx);
out:
	if (err) {
		ckpt_fail(ctx, err);
		if (!(ctx->rq.flags & CKPT_F_CHECK))
			ckpt_write_error(ctx);
		ckpt_log(ctx, "checkpoint failed in phase \"%s\" with error %d; the tasks run on",
			 ctx->phase, -ctx->err);
	} else {
		ckpt_log(ctx, "checkpoint done: %llu tasks, %llu threads, %llu pages, %llu bytes, frozen %llu us",
			 ctx->stats.tasks, ctx->stats.threads, ctx->stats.pages,
			 ctx->stats.bytes, div_u64(ctx->stats.frozen_ns, 1000));
	}
	ckpt_capture_drop(ctx);
	ckpt_procs_free(ctx);
	kvfree(ctx->buf);
	ctx->buf = NULL;
}
