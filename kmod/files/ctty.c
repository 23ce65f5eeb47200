// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: the controlling terminals of processes, a pseudo terminal each, with
 * its session and its foreground group.
 * Refuses: terminals of other drivers, unless they may be left behind; a
 * restart where the number of the foreground group belongs to somebody else.
 * Locks: ctrl.lock, siglock.
 */
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/tty.h>

#include "pty.h"
#include "../ksym.h"

/**
 * ckpt_tty_collect() - make the controlling terminal of a process known
 * @ctx: the checkpoint
 * @task: its leader
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tty_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct tty_struct *tty = task->signal->tty;

	if (!tty)
		return 0;
	if (ckpt_is_pty(tty))
		return ckpt_pty_add(ctx, tty, task) ? 0 : -ENOMEM;
	if (!ckpt_leak_allowed(ctx, "tty"))
		ckpt_refuse(ctx, task, "tty",
			    "has %s as controlling terminal; save it as a job of its shell with --shell-job, which the restart takes, too",
			    tty->name);
	return 0;
}

/**
 * ckpt_tty_session_here() - whether a terminal is nobody's outside of the tree
 * @ctx: the checkpoint
 * @tty: the slave's end
 *
 * Return: true if its session, if any, has a process in the tree.
 */
bool ckpt_tty_session_here(struct ckpt_ctx *ctx, struct tty_struct *tty)
{
	struct ckpt_proc *proc;
	bool here;

	spin_lock_irq(&tty->ctrl.lock);
	here = !tty->ctrl.session;
	list_for_each_entry(proc, &ctx->procs, node)
		here |= task_session(proc->leader) == tty->ctrl.session;
	spin_unlock_irq(&tty->ctrl.lock);
	return here;
}

/**
 * ckpt_tty_ref() - which object is the controlling terminal of a process
 * @ctx: the checkpoint, terminals written
 * @task: its leader
 *
 * Return: its objref, 0: none, or left behind.
 */
u32 ckpt_tty_ref(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct tty_struct *tty = task->signal->tty;
	struct ckpt_obj *obj;
	struct ckpt_pty *pty;

	if (!ckpt_is_pty(tty))
		return 0;
	obj = ckpt_obj_find(ctx, ckpt_pty_master(tty), CKPT_OBJ_TTY);
	pty = obj ? obj->priv : NULL;
	return pty && !pty->left && obj->written ? obj->objref : 0;
}

/* ---- restart ---- */

/* a group that still has a member, in the session; or the number of one that has none */
static struct pid *ckpt_tty_pgrp(struct ckpt_ctx *ctx, u32 nr)
{
	struct task_struct *p;
	struct pid *pid;
	pid_t set = nr;
	bool here;

	if (!nr)
		return NULL;
	rcu_read_lock();
	pid = get_pid(find_vpid(nr));
	p = pid ? pid_task(pid, PIDTYPE_PGID) : NULL;
	here = p && task_session(p) == task_session(current);
	rcu_read_unlock();
	if (here)
		return pid;
	if (pid) {
		put_pid(pid);
		ckpt_err(ctx, -EEXIST, "process group %u, which had the terminal, is in use", nr);
		return ERR_PTR(-EEXIST);
	}
	pid = K(alloc_pid)(task_active_pid_ns(current), &set, 1);
	if (!IS_ERR(pid)) {
		get_pid(pid);
		K(free_pid)(pid);
	}
	return pid;
}

/**
 * ckpt_tty_late() - give the current process its controlling terminal
 * @ctx: the restart; all sessions and groups are there
 * @in: its TASK record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tty_late(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_task *rec = (const void *)in->fixed;
	struct ckpt_pty_rt *rt;
	struct tty_struct *tty;
	struct ckpt_obj *obj;
	struct pid *pgrp, *old_pgrp = NULL;
	bool ours;

	if (!rec->tty)
		return 0;
	obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->tty), CKPT_OBJ_TTY);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rt = obj->priv;
	tty = rt->slave;
	if (!tty || rt->session != le32_to_cpu(rec->sid))
		return ckpt_bad(ctx, in, "its terminal is hung up, or that of another session");
	pgrp = ckpt_tty_pgrp(ctx, rt->pgrp);
	if (IS_ERR(pgrp))
		return PTR_ERR(pgrp);
	spin_lock_irq(&tty->ctrl.lock);
	if (!tty->ctrl.session) {
		tty->ctrl.session = get_pid(task_session(current));
		old_pgrp = tty->ctrl.pgrp;
		tty->ctrl.pgrp = get_pid(pgrp);
	}
	ours = tty->ctrl.session == task_session(current);
	spin_unlock_irq(&tty->ctrl.lock);
	put_pid(old_pgrp);
	put_pid(pgrp);
	if (!ours)
		return ckpt_err(ctx, -EBUSY, "/dev/pts/%d is another session's terminal now",
				tty->index);
	spin_lock_irq(&current->sighand->siglock);
	swap(current->signal->tty, tty);
	if (current->signal->tty)
		tty_kref_get(current->signal->tty);
	spin_unlock_irq(&current->sighand->siglock);
	/* group.c has taken away what it had of its creator */
	tty_kref_put(tty);
	return 0;
}
