// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: the session and the process group of a process by their numbers, also
 * of those whose leader has ended or is outside of the tree (ghosts).
 * Refuses: a restart where such a number belongs to somebody else by now.
 * Locks: tasklist_lock. At restart each process sets its own, in its turn.
 *
 * A ghost needs no process: its number is allocated, and belongs to whoever is
 * in that session or group, as it did when the leader had ended.
 */
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/tty.h>

#include "task.h"
#include "../ksym.h"
#include "../files/files.h"

/**
 * ckpt_group_flags() - what a process has of a terminal outside of the tree
 * @proc: the process
 *
 * Return: CKPT_TASK_* for its records.
 */
u32 ckpt_group_flags(struct ckpt_proc *proc)
{
	struct task_struct *task = proc->leader;
	struct tty_struct *tty;
	unsigned long flags;
	u32 f = 0;

	/* a process that has ended has no handlers, nor a terminal */
	if (proc->zombie)
		return 0;
	spin_lock_irqsave(&task->sighand->siglock, flags);
	tty = tty_kref_get(task->signal->tty);
	spin_unlock_irqrestore(&task->sighand->siglock, flags);
	if (!tty)
		return 0;
	f = CKPT_TASK_TTY;
	spin_lock_irqsave(&tty->ctrl.lock, flags);
	if (tty->ctrl.pgrp && tty->ctrl.pgrp == task_pgrp(task))
		f |= CKPT_TASK_FOREGROUND;
	spin_unlock_irqrestore(&tty->ctrl.lock, flags);
	tty_kref_put(tty);
	return f;
}

/* ---- restart ---- */

struct ckpt_ghost {
	struct list_head node;
	struct pid *pid;
};

/**
 * ckpt_groups_begin() - note the session and group of the caller
 * @ctx: the restart
 */
void ckpt_groups_begin(struct ckpt_ctx *ctx)
{
	rcu_read_lock();
	ctx->groups.sid = get_pid(task_session(current));
	ctx->groups.pgrp = get_pid(task_pgrp(current));
	rcu_read_unlock();
}

/**
 * ckpt_groups_end() - forget them
 * @ctx: the restart; no process uses it any more
 */
void ckpt_groups_end(struct ckpt_ctx *ctx)
{
	struct ckpt_ghost *g, *next;

	list_for_each_entry_safe(g, next, &ctx->groups.ghosts, node) {
		put_pid(g->pid);
		kfree(g);
	}
	INIT_LIST_HEAD(&ctx->groups.ghosts);
	put_pid(ctx->groups.sid);
	put_pid(ctx->groups.pgrp);
	ctx->groups.sid = NULL;
	ctx->groups.pgrp = NULL;
}

/* a process of the tree, or a ghost that was made before */
static bool ckpt_group_ours(struct ckpt_ctx *ctx, struct pid *pid, enum pid_type type)
{
	struct ckpt_joined *joined;
	struct ckpt_ghost *g;
	bool ours = false;

	list_for_each_entry(g, &ctx->groups.ghosts, node)
		if (g->pid == pid)
			return true;
	rcu_read_lock();
	list_for_each_entry(joined, &ctx->joined, node) {
		if (task_pid(joined->task) != pid)
			continue;
		/* the number of a session is for ever its leader's */
		ours = type == PIDTYPE_PGID || task_session(joined->task) == pid;
	}
	rcu_read_unlock();
	return ours;
}

/* one of the caller's session, which everybody there may join */
static bool ckpt_group_callers(struct ckpt_ctx *ctx, struct pid *pid, struct pid *sid)
{
	struct task_struct *p;
	bool same;

	rcu_read_lock();
	p = pid_task(pid, PIDTYPE_PGID);
	same = p && task_session(p) == ctx->groups.sid && sid == ctx->groups.sid;
	rcu_read_unlock();
	return same;
}

static struct pid *ckpt_ghost_new(struct ckpt_ctx *ctx, pid_t nr)
{
	struct ckpt_ghost *g = kmalloc(sizeof(*g), GFP_KERNEL);
	struct pid *pid;

	if (!g)
		return ERR_PTR(-ENOMEM);
	pid = K(alloc_pid)(task_active_pid_ns(current), &nr, 1);
	if (IS_ERR(pid)) {
		kfree(g);
		return pid;
	}
	g->pid = get_pid(pid);
	list_add(&g->node, &ctx->groups.ghosts);
	return pid;
}

/*
 * Finds what a number stands for, with a reference. *ghost is set to one that
 * was made: it has no task yet, so whoever does not use it frees it.
 */
static struct pid *ckpt_group_find(struct ckpt_ctx *ctx, u32 me, u32 nr, enum pid_type type,
				   struct pid *sid, struct pid **ghost)
{
	const char *what = type == PIDTYPE_SID ? "session" : "process group";
	struct pid *pid;

	rcu_read_lock();
	pid = get_pid(find_vpid(nr));
	rcu_read_unlock();
	if (!pid) {
		pid = ckpt_ghost_new(ctx, nr);
		if (!IS_ERR(pid)) {
			*ghost = pid;
			return get_pid(pid);
		}
		ckpt_err(ctx, PTR_ERR(pid), "cannot make %s %u of process %u, whose leader is not in the tree",
			 what, nr, me);
		return pid;
	}
	if (ckpt_group_ours(ctx, pid, type) ||
	    (type == PIDTYPE_SID && pid == ctx->groups.sid) ||
	    (type == PIDTYPE_PGID && ckpt_group_callers(ctx, pid, sid)))
		return pid;
	put_pid(pid);
	ckpt_err(ctx, -EEXIST, "%s %u of process %u is in use outside of the tree; join the caller's with --shell-job, or use --pidns",
		 what, nr, me);
	return ERR_PTR(-EEXIST);
}

static bool ckpt_group_in_tree(struct ckpt_ctx *ctx, u32 nr)
{
	struct ckpt_joined *joined;

	list_for_each_entry(joined, &ctx->joined, node)
		if (joined->pid == nr)
			return true;
	return false;
}

static void ckpt_tty_drop(void)
{
	struct tty_struct *tty;

	spin_lock_irq(&current->sighand->siglock);
	tty = current->signal->tty;
	current->signal->tty = NULL;
	spin_unlock_irq(&current->sighand->siglock);
	tty_kref_put(tty);
}

/**
 * ckpt_group_apply() - put the current process into its session and group
 * @ctx: the restart
 * @in: its TASK record; all processes of the tree exist
 *
 * Return: 0 or a negative errno.
 */
int ckpt_group_apply(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_task *rec = (const void *)in->fixed;
	struct pid *sid = NULL, *pgrp = NULL, *ghost_sid = NULL, *ghost_pgrp = NULL;
	u32 me = le32_to_cpu(rec->pid);
	u32 s = le32_to_cpu(rec->sid), g = le32_to_cpu(rec->pgid);
	struct ckpt_groups *groups = &ctx->groups;
	bool job = ctx->rq.flags & CKPT_F_SHELL_JOB;
	int err = 0;

	/* the root's record is the first */
	if (!groups->root_pid) {
		groups->root_pid = me;
		groups->root_sid = s;
		groups->root_pgid = g;
		groups->foreground = le32_to_cpu(rec->flags) & CKPT_TASK_FOREGROUND;
	}
	/* 0 is outside of the pid namespace: what the creator has */
	if (s == me)
		sid = get_pid(task_pid(current));
	else if (!s || (job && s == groups->root_sid && s != groups->root_pid))
		sid = get_pid(s ? groups->sid : task_session(current));
	else
		sid = ckpt_group_find(ctx, me, s, PIDTYPE_SID, NULL, &ghost_sid);
	if (IS_ERR(sid))
		return PTR_ERR(sid);
	if (current->signal->leader ? sid != task_pid(current) : s == me) {
		err = ckpt_bad(ctx, in, "its session is not what TREE has");
		goto out;
	}
	if (g == me)
		pgrp = get_pid(task_pid(current));
	else if (g && g == s)
		pgrp = get_pid(job && g == groups->root_pgid && sid == groups->sid ?
			       groups->pgrp : sid);
	else if (!g)
		pgrp = get_pid(task_pgrp(current));
	else if (job && g == groups->root_pgid && !ckpt_group_in_tree(ctx, g))
		pgrp = get_pid(groups->pgrp);
	else
		pgrp = ckpt_group_find(ctx, me, g, PIDTYPE_PGID, sid, &ghost_pgrp);
	if (IS_ERR(pgrp)) {
		err = PTR_ERR(pgrp);
		pgrp = NULL;
		goto out;
	}
	write_lock_irq(KD(tasklist_lock));
	if (task_session(current) != sid)
		K(change_pid)(current, PIDTYPE_SID, sid);
	if (task_pgrp(current) != pgrp)
		K(change_pid)(current, PIDTYPE_PGID, pgrp);
	write_unlock_irq(KD(tasklist_lock));
	ghost_sid = NULL;
	/* a terminal of the caller's session is inherited; no other can be */
	if (sid != groups->sid || rec->tty || !(le32_to_cpu(rec->flags) & CKPT_TASK_TTY))
		ckpt_tty_drop();
	if (le32_to_cpu(rec->flags) & CKPT_TASK_TTY && !rec->tty && !current->signal->tty)
		ckpt_log(ctx, "process %u has no controlling terminal any more; --shell-job gives it the caller's",
			 me);
out:
	if (ghost_sid)
		K(free_pid)(ghost_sid);
	put_pid(sid);
	put_pid(pgrp);
	return err;
}

/**
 * ckpt_groups_foreground() - let a job have the terminal that the caller has
 * @ctx: the restart; nothing can fail any more
 *
 * As a shell does: only if the caller's group has it now.
 */
void ckpt_groups_foreground(struct ckpt_ctx *ctx)
{
	struct ckpt_joined *joined;
	struct tty_struct *tty;
	struct pid *pgrp = NULL;

	if (!(ctx->rq.flags & CKPT_F_FOREGROUND) || !ctx->groups.foreground)
		return;
	rcu_read_lock();
	list_for_each_entry(joined, &ctx->joined, node)
		if (joined->pid == ctx->groups.root_pid &&
		    task_session(joined->task) == ctx->groups.sid)
			pgrp = get_pid(task_pgrp(joined->task));
	rcu_read_unlock();
	tty = pgrp ? get_current_tty() : NULL;
	if (tty) {
		spin_lock_irq(&tty->ctrl.lock);
		if (tty->ctrl.session == ctx->groups.sid && tty->ctrl.pgrp == ctx->groups.pgrp) {
			put_pid(tty->ctrl.pgrp);
			tty->ctrl.pgrp = get_pid(pgrp);
		}
		spin_unlock_irq(&tty->ctrl.lock);
		tty_kref_put(tty);
	}
	put_pid(pgrp);
}
