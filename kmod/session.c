// SPDX-License-Identifier: GPL-2.0-only
/*
 * One operation is one session: a descriptor in its caller's table. The work
 * runs in the caller, as a task work of the send call that started it, so that
 * it has the caller's rights, limits and memory cgroup and ends when the
 * caller is killed. Whoever closes the last copy of the descriptor ends it too.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "private.h"

static char ckpt_stop_at[32];
module_param_string(stop_at, ckpt_stop_at, sizeof(ckpt_stop_at), 0600);
MODULE_PARM_DESC(stop_at, "debugging: stop at the phase of this name until it is cleared");

static const struct file_operations ckpt_session_fops;

void ckpt_ctx_get(struct ckpt_ctx *ctx)
{
	refcount_inc(&ctx->refs);
}

/**
 * ckpt_request_put() - release what a request holds
 * @rq: the request
 */
void ckpt_request_put(struct ckpt_request *rq)
{
	unsigned int i;

	if (rq->image)
		fput(rq->image);
	if (rq->log)
		fput(rq->log);
	if (rq->root)
		put_task_struct(rq->root);
	for (i = 0; i < rq->ninherit; i++)
		fput(rq->inherit[i].file);
	kfree(rq->inherit);
	kfree(rq->leaks);
}

void ckpt_ctx_put(struct ckpt_ctx *ctx)
{
	if (!refcount_dec_and_test(&ctx->refs))
		return;
	ckpt_joined_free(ctx);
	ckpt_objhash_free(ctx);
	ckpt_log_free(ctx);
	ckpt_request_put(&ctx->rq);
	put_net(ctx->rq.net);
	put_cred(ctx->cred);
	kfree(ctx);
}

/**
 * ckpt_fail() - note the result of an operation that fails
 * @ctx: the operation
 * @err: negative errno; only the first counts
 *
 * Wakes everybody who waits for the operation. The tasks of a restart that has
 * not let them go are killed.
 */
void ckpt_fail(struct ckpt_ctx *ctx, int err)
{
	struct ckpt_joined *joined;

	spin_lock(&ctx->lock);
	if (!ctx->err)
		ctx->err = err;
	/* one may be asleep in a read of the image */
	if (READ_ONCE(ctx->stage) != CKPT_STAGE_GO)
		list_for_each_entry(joined, &ctx->joined, node)
			send_sig(SIGKILL, joined->task, 1);
	spin_unlock(&ctx->lock);
	wake_up_all(&ctx->wq);
	wake_up_all(&ctx->task_wq);
}

/**
 * ckpt_aborted() - ask whether to go on
 * @ctx: the operation
 *
 * Return: 0, or the negative errno that ends the operation.
 */
int ckpt_aborted(struct ckpt_ctx *ctx)
{
	if (READ_ONCE(ctx->aborted))
		return -ECANCELED;
	if (fatal_signal_pending(current))
		return -EINTR;
	return 0;
}

/**
 * ckpt_phase() - a new phase begins
 * @ctx: the operation
 * @name: of the phase
 *
 * Outside the window the log is written and the event sent: its receiver would
 * take a CPU from the tasks that are to park and from the capture.
 * With the module's parameter stop_at the operation waits here until it is
 * cleared, aborted or killed.
 *
 * Return: 0, or a negative errno when the operation is to end.
 */
int ckpt_phase(struct ckpt_ctx *ctx, const char *name)
{
	ctx->phase = name;
	if (!ctx->frozen || !strcmp(name, ckpt_stop_at))
		ckpt_event_phase(ctx, name);
	ckpt_log_flush(ctx);
	while (!strcmp(name, ckpt_stop_at)) {
		schedule_timeout_killable(HZ / 100 + 1);
		if (ckpt_aborted(ctx))
			break;
	}
	return ckpt_aborted(ctx);
}

static void ckpt_session_run(struct callback_head *work)
{
	struct ckpt_ctx *ctx = container_of(work, struct ckpt_ctx, work);
	sigset_t saved;

	/*
	 * Only SIGKILL may cut short the reads and writes of the stream. From
	 * exit_task_work() nothing is started.
	 */
	if (current->flags & PF_EXITING) {
		ckpt_fail(ctx, -EINTR);
	} else {
		spin_lock_irq(&current->sighand->siglock);
		saved = current->blocked;
		sigfillset(&current->blocked);
		sigdelsetmask(&current->blocked, sigmask(SIGKILL) | sigmask(SIGSTOP));
		recalc_sigpending();
		spin_unlock_irq(&current->sighand->siglock);

		if (ctx->restart)
			ckpt_restart(ctx);
		else
			ckpt_checkpoint(ctx);

		spin_lock_irq(&current->sighand->siglock);
		current->blocked = saved;
		recalc_sigpending();
		spin_unlock_irq(&current->sighand->siglock);
	}
	ctx->stats.total_ns = ktime_get_ns() - ctx->begin_ns;
	ckpt_log_flush(ctx);
	WRITE_ONCE(ctx->done, true);
	wake_up_all(&ctx->wq);
	ckpt_event_done(ctx);
	ckpt_ctx_put(ctx);
	module_put(THIS_MODULE);
}

/*
 * Runs for every close of a copy. That of the caller's own table ends the
 * operation; the new processes of a restart have copies, too, in tables of
 * their own.
 */
static int ckpt_session_flush(struct file *file, fl_owner_t id)
{
	struct ckpt_ctx *ctx = file->private_data;

	if (id != ctx->owner || READ_ONCE(ctx->done))
		return 0;
	WRITE_ONCE(ctx->aborted, true);
	if (ctx->restart)
		ckpt_fail(ctx, -ECANCELED);
	wake_up_all(&ctx->wq);
	wake_up_all(&ctx->task_wq);
	return 0;
}

static int ckpt_session_release(struct inode *inode, struct file *file)
{
	struct ckpt_ctx *ctx = file->private_data;

	WRITE_ONCE(ctx->aborted, true);
	if (ctx->restart && !READ_ONCE(ctx->done))
		ckpt_fail(ctx, -ECANCELED);
	wake_up_all(&ctx->wq);
	wake_up_all(&ctx->task_wq);
	ckpt_ctx_put(ctx);
	return 0;
}

static const struct file_operations ckpt_session_fops = {
	.owner = THIS_MODULE,
	.flush = ckpt_session_flush,
	.release = ckpt_session_release,
	.llseek = noop_llseek,
};

/**
 * ckpt_session_start() - begin an operation for the current task
 * @rq: what to do; its references are taken over, also on failure
 * @restart: whether it is a restart
 * @fd: set to the session's descriptor
 *
 * The work begins when the current system call returns.
 *
 * Return: the operation, without a reference for the caller, or an ERR_PTR.
 */
struct ckpt_ctx *ckpt_session_start(struct ckpt_request *rq, bool restart,
				    int *fd)
{
	struct ckpt_ctx *ctx;
	int err;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx) {
		ckpt_request_put(rq);
		return ERR_PTR(-ENOMEM);
	}
	ctx->rq = *rq;
	get_net(rq->net);
	if (!ctx->rq.timeout_ms)
		ctx->rq.timeout_ms = 10000;
	if (!ctx->rq.unlinked_max)
		ctx->rq.unlinked_max = 64 << 20;
	ctx->restart = restart;
	ctx->owner = current->files;
	ctx->cred = get_current_cred();
	ctx->begin_ns = ktime_get_ns();
	ctx->pos = rq->stream_pos;
	ctx->crc = rq->stream_crc;
	ctx->phase = "start";
	refcount_set(&ctx->refs, 1);
	spin_lock_init(&ctx->lock);
	init_waitqueue_head(&ctx->wq);
	init_waitqueue_head(&ctx->task_wq);
	INIT_LIST_HEAD(&ctx->log_lines);
	INIT_LIST_HEAD(&ctx->obj_list);
	INIT_LIST_HEAD(&ctx->out);
	INIT_LIST_HEAD(&ctx->procs);
	INIT_LIST_HEAD(&ctx->mms);
	INIT_LIST_HEAD(&ctx->joined);
	INIT_LIST_HEAD(&ctx->groups.ghosts);
	xa_init(&ctx->joined_xa);
	xa_init(&ctx->spare_ptys);
	hash_init(ctx->threads);

	/* one reference for the descriptor, one for the work */
	ckpt_ctx_get(ctx);
	*fd = anon_inode_getfd("[ckpt]", &ckpt_session_fops, ctx, O_RDWR | O_CLOEXEC);
	if (*fd < 0) {
		err = *fd;
		ckpt_ctx_put(ctx);
		ckpt_ctx_put(ctx);
		return ERR_PTR(err);
	}
	__module_get(THIS_MODULE);
	init_task_work(&ctx->work, ckpt_session_run);
	err = task_work_add(current, &ctx->work, TWA_RESUME);
	if (err) {
		/* exiting: the descriptor goes with the table */
		module_put(THIS_MODULE);
		ckpt_ctx_put(ctx);
		return ERR_PTR(err);
	}
	return ctx;
}

/**
 * ckpt_session_get() - find a session by its descriptor
 * @fd: in the current task's table
 *
 * Return: the operation with a reference, or an ERR_PTR.
 */
struct ckpt_ctx *ckpt_session_get(int fd)
{
	struct file *file = fget(fd);
	struct ckpt_ctx *ctx;

	if (!file)
		return ERR_PTR(-EBADF);
	ctx = ERR_PTR(-EINVAL);
	if (file->f_op == &ckpt_session_fops) {
		ctx = file->private_data;
		ckpt_ctx_get(ctx);
	}
	fput(file);
	return ctx;
}

/**
 * ckpt_session_status() - how a session stands
 * @fd: its descriptor
 * @state: set to a CKPT_STATE_*
 * @err: set to its result
 * @stats: set to its figures
 *
 * Return: 0, or a negative errno when there is no such session.
 */
int ckpt_session_status(int fd, int *state, int *err, struct ckpt_stats *stats)
{
	struct ckpt_ctx *ctx = ckpt_session_get(fd);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	*state = READ_ONCE(ctx->done) ? CKPT_STATE_DONE : CKPT_STATE_RUNNING;
	*err = READ_ONCE(ctx->err);
	*stats = ctx->stats;
	ckpt_ctx_put(ctx);
	return 0;
}
