// SPDX-License-Identifier: GPL-2.0-only
/*
 * Brings every thread of a tree to the edge of user mode and keeps it there,
 * so that registers, signals and system calls are at rest.
 *
 * First each thread gets a task work that a kick makes it run when it next
 * returns to user mode. Then those that sleep in a system call are looked at,
 * and once a tick those that fell asleep since. A call that restarts by itself is woken and goes on later. The
 * others (epoll_wait, semop, sigtimedwait, partial reads and writes ...) would
 * return EINTR or a short count, so their threads stay asleep: they are parked
 * in place, as is a parent in vfork(). If one of them wakes meanwhile it parks before user mode, and what
 * was captured is captured again (ckpt_parked_moved).
 *
 * From the moment that all are at rest until they are captured (ctx->capturing)
 * no thread ends, not even by SIGKILL: one that is killed waits in its work,
 * which it runs before it exits. So all that a task has stays there.
 *
 * Locks: tasklist_lock for the tree, ctx->lock for the states, ckpt_busy_lock
 * for the processes of all checkpoints. A queued work holds its thread, the
 * operation and the module.
 */
#include <linux/cgroup.h>
#include <linux/hrtimer.h>
#include <linux/pid_namespace.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <asm/syscall.h>

#include "private.h"
#include "ksym.h"
#include "arch/arch.h"
#include "ipc/ipc.h"
#include "task/task.h"

/* processes under a checkpoint: each belongs to one operation only */
static DEFINE_HASHTABLE(ckpt_busy, 8);
static DEFINE_SPINLOCK(ckpt_busy_lock);

static void ckpt_thread_put(struct ckpt_thread *t)
{
	if (!refcount_dec_and_test(&t->refs))
		return;
	put_task_struct(t->task);
	kfree(t);
}

static bool ckpt_unsettled(enum ckpt_park_state state)
{
	return state == CKPT_QUEUED || state == CKPT_LATER;
}

/* the only way to change a state; with ctx->lock */
static void ckpt_set_state(struct ckpt_thread *t, enum ckpt_park_state state)
{
	lockdep_assert_held(&t->ctx->lock);
	if (ckpt_unsettled(t->state))
		t->ctx->nunsettled--;
	if (ckpt_unsettled(state))
		t->ctx->nunsettled++;
	WRITE_ONCE(t->state, state);
}

static void ckpt_thread_state(struct ckpt_thread *t, enum ckpt_park_state state)
{
	struct ckpt_ctx *ctx = t->ctx;
	bool last;

	spin_lock(&ctx->lock);
	ckpt_set_state(t, state);
	last = !ctx->nunsettled;
	spin_unlock(&ctx->lock);
	/* one wake-up for all: each would take a CPU from those still to come */
	if (last)
		wake_up(&ctx->wq);
}

/* borrows the address space of a parent outside of the tree until it execs */
static bool ckpt_in_vfork(struct ckpt_ctx *ctx)
{
	struct task_struct *parent;
	bool borrowed;

	if (!READ_ONCE(current->vfork_done))
		return false;
	rcu_read_lock();
	parent = rcu_dereference(current->real_parent);
	borrowed = READ_ONCE(parent->mm) == current->mm && !ckpt_proc_has(ctx, parent);
	rcu_read_unlock();
	return borrowed;
}

/* a thread that is to die: false while it must wait for the end of the capture */
static bool ckpt_thread_gone(struct ckpt_thread *t)
{
	struct ckpt_ctx *ctx = t->ctx;
	bool gone;

	spin_lock(&ctx->lock);
	gone = !ctx->capturing;
	if (gone)
		ckpt_set_state(t, CKPT_GONE);
	spin_unlock(&ctx->lock);
	if (gone)
		wake_up(&ctx->wq);
	return gone;
}

static void ckpt_thread_die(struct ckpt_thread *t)
{
	struct ckpt_ctx *ctx = t->ctx;

	while (!ckpt_thread_gone(t))
		wait_event_state(ctx->task_wq, !READ_ONCE(ctx->capturing),
				 (TASK_IDLE | TASK_FREEZABLE));
}

static void ckpt_park_fn(struct callback_head *work)
{
	struct ckpt_thread *t = container_of(work, struct ckpt_thread, work);
	struct ckpt_resume resume = {};
	struct ckpt_ctx *ctx = t->ctx;
	bool nested = t->nested;

	/*
	 * The newest work runs first: let those behind it close their files, or
	 * these would be open, but in no table.
	 */
	if (!t->last && !nested && !(current->flags & PF_EXITING) && !READ_ONCE(ctx->released)) {
		t->last = true;
		if (!task_work_add(current, work, TWA_RESUME))
			return;
	}
	/*
	 * A call that was cut short to park is finished afterwards. When a
	 * signal is pending as well the application has to see it.
	 */
	if (READ_ONCE(t->cut_short) && !nested && !task_sigpending(current))
		t->done = ckpt_arch_done();
	if (t->done && !nested) {
		resume.how = CKPT_SYSCALL_REST;
		resume.done = t->done;
	}
	if (current->flags & PF_EXITING) {
		ckpt_thread_state(t, CKPT_GONE);
	} else if (fatal_signal_pending(current)) {
		ckpt_thread_die(t);
	} else if (READ_ONCE(ctx->released)) {
		/* came too late: nothing to wait for */
	} else if (ckpt_in_vfork(ctx)) {
		ckpt_thread_state(t, CKPT_LATER);
	} else {
		ckpt_arch_save_current();
		ckpt_thread_state(t, CKPT_PARKED);
		wait_event_state(ctx->task_wq, READ_ONCE(ctx->released),
				 (TASK_KILLABLE | TASK_NOLOAD | TASK_FREEZABLE));
		if (!READ_ONCE(ctx->released))
			ckpt_thread_die(t);
	}
	ckpt_thread_put(t);
	ckpt_ctx_put(ctx);
	/* the call that it is nested in goes on by itself */
	if (!nested && !(current->flags & PF_EXITING))
		ckpt_arch_resume(&resume);
	module_put(THIS_MODULE);
}

static bool ckpt_work_is_park(struct callback_head *work, void *data)
{
	return work->func == ckpt_park_fn;
}

/**
 * ckpt_park_nested() - park inside a system call that this module finishes
 * @done: bytes of it that are done
 *
 * For a thread that was woken while ckpt_arch_resume() had it asleep.
 *
 * Return: whether it was asked to park; then it has been released again.
 */
bool ckpt_park_nested(u64 done)
{
	struct callback_head *work;
	struct ckpt_thread *t;

	work = K(task_work_cancel_match)(current, ckpt_work_is_park, NULL);
	if (!work)
		return false;
	t = container_of(work, struct ckpt_thread, work);
	t->nested = true;
	t->done = done;
	ckpt_park_fn(work);
	return true;
}

static bool ckpt_queue_work(struct ckpt_thread *t)
{
	ckpt_thread_state(t, CKPT_QUEUED);
	t->in_place = false;
	t->cut_short = false;
	t->nudged = false;
	t->nested = false;
	t->last = false;
	t->vfork = 0;
	t->done = 0;
	refcount_inc(&t->refs);
	ckpt_ctx_get(t->ctx);
	__module_get(THIS_MODULE);
	init_task_work(&t->work, ckpt_park_fn);
	if (!task_work_add(t->task, &t->work, TWA_RESUME))
		return true;
	ckpt_thread_state(t, CKPT_GONE);
	module_put(THIS_MODULE);
	ckpt_ctx_put(t->ctx);
	ckpt_thread_put(t);
	return false;
}

static bool ckpt_work_match(struct callback_head *work, void *data)
{
	return work == data;
}

static struct ckpt_thread *ckpt_thread_find(struct ckpt_ctx *ctx,
					    const struct task_struct *task)
{
	struct ckpt_thread *t;

	hash_for_each_possible(ctx->threads, t, hash, (unsigned long)task)
		if (t->task == task)
			return t;
	return NULL;
}

/* the leaders of the tree, parents first; referenced */
static struct task_struct **ckpt_tree_leaders(struct ckpt_ctx *ctx, size_t *count)
{
	struct task_struct **procs, *t, *child;
	size_t cap = 64, n, i;

again:
	procs = kvmalloc_array(cap, sizeof(*procs), GFP_KERNEL);
	if (!procs)
		return NULL;
	n = 0;
	read_lock(KD(tasklist_lock));
	if (ctx->rq.root->exit_state != EXIT_DEAD)
		procs[n++] = get_task_struct(ctx->rq.root);
	for (i = 0; i < n; i++) {
		for_each_thread(procs[i], t) {
			list_for_each_entry(child, &t->children, sibling) {
				if (child->exit_state == EXIT_DEAD)
					continue;
				if (n == cap)
					goto grow;
				procs[n++] = get_task_struct(child);
			}
		}
	}
	read_unlock(KD(tasklist_lock));
	*count = n;
	return procs;
grow:
	read_unlock(KD(tasklist_lock));
	while (n--)
		put_task_struct(procs[n]);
	kvfree(procs);
	cap *= 4;
	goto again;
}

static void ckpt_proc_drop(struct ckpt_proc *proc)
{
	spin_lock(&ckpt_busy_lock);
	hash_del(&proc->busy);
	spin_unlock(&ckpt_busy_lock);
	put_task_struct(proc->leader);
	kfree(proc);
}

/* a process of this checkpoint; all its threads have the same signal_struct */
static struct ckpt_proc *ckpt_proc_find(struct ckpt_ctx *ctx,
					const struct task_struct *leader)
{
	struct ckpt_proc *proc, *found = NULL;

	spin_lock(&ckpt_busy_lock);
	hash_for_each_possible(ckpt_busy, proc, busy, (unsigned long)leader->signal)
		if (proc->ctx == ctx && proc->leader->signal == leader->signal)
			found = proc;
	spin_unlock(&ckpt_busy_lock);
	return found;
}

/**
 * ckpt_proc_has() - whether a process is one of the tree
 * @ctx: the checkpoint
 * @task: any of its threads, which does not go away meanwhile
 *
 * Return: true if it is known, as all are when the tree is parked.
 */
bool ckpt_proc_has(struct ckpt_ctx *ctx, const struct task_struct *task)
{
	return ckpt_proc_find(ctx, task);
}

/* takes a process for this checkpoint, unless another one has it */
static bool ckpt_proc_claim(struct ckpt_proc *proc)
{
	unsigned long key = (unsigned long)proc->leader->signal;
	struct ckpt_proc *other;
	bool free = true;

	spin_lock(&ckpt_busy_lock);
	hash_for_each_possible(ckpt_busy, other, busy, key)
		if (other->leader->signal == proc->leader->signal)
			free = false;
	if (free)
		hash_add(ckpt_busy, &proc->busy, key);
	spin_unlock(&ckpt_busy_lock);
	return free;
}

static struct ckpt_proc *ckpt_proc_add(struct ckpt_ctx *ctx,
				       struct task_struct *leader)
{
	struct ckpt_thread *t = ckpt_thread_find(ctx, leader);
	struct ckpt_proc *proc;

	if (t) {
		/* another thread than before has called exec */
		if (t->proc->leader != leader) {
			put_task_struct(t->proc->leader);
			t->proc->leader = get_task_struct(leader);
		}
		return t->proc;
	}
	/* a leader by exec that was not known as a thread */
	proc = ckpt_proc_find(ctx, leader);
	if (proc) {
		put_task_struct(proc->leader);
		proc->leader = get_task_struct(leader);
		return proc;
	}
	if (same_thread_group(leader, current)) {
		ckpt_err(ctx, -EINVAL, "the tree contains the caller of the checkpoint: run it from outside");
		return ERR_PTR(-EINVAL);
	}
	if (is_global_init(leader) || (leader->flags & PF_KTHREAD)) {
		ckpt_err(ctx, -EINVAL, "process %d (%s) is init or a kernel thread",
			 task_pid_vnr(leader), leader->comm);
		return ERR_PTR(-EINVAL);
	}
	if (!leader->exit_state &&
	    !K(ptrace_may_access)(leader, PTRACE_MODE_ATTACH_REALCREDS)) {
		/* an exiting one has no mm and is nobody's to attach to */
		if (!(READ_ONCE(leader->flags) & PF_EXITING)) {
			ckpt_err(ctx, -EPERM, "no ptrace access to process %d (%s)",
				 task_pid_vnr(leader), leader->comm);
			return ERR_PTR(-EPERM);
		}
	}
	proc = kzalloc(sizeof(*proc), GFP_KERNEL);
	if (!proc)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&proc->threads);
	proc->ctx = ctx;
	proc->leader = get_task_struct(leader);
	proc->pid = task_pid_vnr(leader);
	if (!ckpt_proc_claim(proc)) {
		ckpt_err(ctx, -EBUSY, "process %d (%s) is being saved by another checkpoint; wait for its end",
			 proc->pid, leader->comm);
		ckpt_proc_drop(proc);
		return ERR_PTR(-EBUSY);
	}
	list_add_tail(&proc->node, &ctx->procs);
	return proc;
}

/* adds the threads that are not known yet; returns how many, or an error */
static int ckpt_threads_add(struct ckpt_ctx *ctx, struct ckpt_proc *proc)
{
	struct task_struct *task;
	struct ckpt_thread *t, *next;
	LIST_HEAD(fresh);
	int n = 0;

	rcu_read_lock();
	for_each_thread(proc->leader, task) {
		if (ckpt_thread_find(ctx, task))
			continue;
		t = kzalloc(sizeof(*t), GFP_ATOMIC);
		if (!t) {
			n = -ENOMEM;
			break;
		}
		t->task = get_task_struct(task);
		t->state = CKPT_GONE;	/* until its work is queued */
		t->ctx = ctx;
		t->proc = proc;
		refcount_set(&t->refs, 1);
		list_add_tail(&t->node, &fresh);
		hash_add(ctx->threads, &t->hash, (unsigned long)task);
		n++;
	}
	rcu_read_unlock();
	list_for_each_entry_safe(t, next, &fresh, node) {
		list_move_tail(&t->node, &proc->threads);
		if (!t->task->exit_state)
			ckpt_queue_work(t);
	}
	return n;
}

/* finds new tasks and gives each its work; returns how many, or an error */
static int ckpt_enumerate(struct ckpt_ctx *ctx)
{
	struct task_struct **leaders;
	struct ckpt_proc *proc;
	size_t n, i;
	int found = 0, err = 0;

	leaders = ckpt_tree_leaders(ctx, &n);
	if (!leaders)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		if (err >= 0) {
			proc = ckpt_proc_add(ctx, leaders[i]);
			err = IS_ERR(proc) ? PTR_ERR(proc) : ckpt_threads_add(ctx, proc);
			if (err > 0)
				found += err;
		}
		put_task_struct(leaders[i]);
	}
	kvfree(leaders);
	return err < 0 ? err : found;
}

static unsigned long ckpt_switches(const struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/* by a signal, or by a tracer: who has one is refused later, by name */
#define CKPT_TASK_HALTED	(__TASK_STOPPED | __TASK_TRACED)

static bool ckpt_asleep_in(struct task_struct *task, unsigned int states)
{
	return (READ_ONCE(task->__state) & states) &&
	       /* pairs with finish_task(): its registers are saved */
	       !smp_load_acquire(&task->on_cpu) && !READ_ONCE(task->on_rq);
}

static bool ckpt_asleep(struct task_struct *task)
{
	return ckpt_asleep_in(task, TASK_INTERRUPTIBLE | CKPT_TASK_HALTED);
}

/* whether @task sleeps until @child runs a program or ends */
static bool ckpt_waits_for(struct task_struct *task, struct task_struct *child)
{
	struct swait_queue *wait;
	bool waits = false;

	if (!READ_ONCE(child->vfork_done))
		return false;
	/* while it is set the one who waits has not gone on */
	task_lock(child);
	if (child->vfork_done) {
		raw_spin_lock_irq(&child->vfork_done->wait.lock);
		list_for_each_entry(wait, &child->vfork_done->wait.task_list, task_list)
			waits |= wait->task == task;
		raw_spin_unlock_irq(&child->vfork_done->wait.lock);
	}
	task_unlock(child);
	return waits;
}

/* the child of the tree that a thread waits for in vfork(), or 0 */
static pid_t ckpt_vfork_child(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;

	if (!(READ_ONCE(task->__state) & TASK_WAKEKILL) ||
	    !ckpt_asleep_in(task, TASK_UNINTERRUPTIBLE))
		return 0;
	list_for_each_entry(proc, &ctx->procs, node)
		list_for_each_entry(t, &proc->threads, node)
			if (ckpt_waits_for(task, t->task))
				return task_pid_vnr(t->task);
	return 0;
}

/* a thread that sleeps in place needs no more to be done to it */
static void ckpt_stay(struct ckpt_thread *t, unsigned long switches, pid_t vfork)
{
	spin_lock(&t->ctx->lock);
	if (t->state == CKPT_QUEUED) {
		ckpt_set_state(t, CKPT_IN_PLACE);
		t->in_place = true;
		t->switches = switches;
		t->vfork = vfork;
	}
	spin_unlock(&t->ctx->lock);
}

/* deals with a thread that has not come by itself */
static void ckpt_nudge(struct ckpt_thread *t)
{
	struct task_struct *task = t->task;
	unsigned long switches = ckpt_switches(task);
	pid_t vfork = ckpt_vfork_child(t->ctx, task);
	/* in the signal code: its call is over, and it comes when it is woken */
	bool frozen = cgroup_task_frozen(task);

	if (vfork) {
		ckpt_stay(t, switches, vfork);
		return;
	}
	if (!ckpt_asleep(task))
		return;
	if ((READ_ONCE(task->__state) & CKPT_TASK_HALTED) ||
	    (!frozen && ckpt_arch_sleeps_in_place(task))) {
		ckpt_stay(t, switches, 0);
		return;
	}
	if (!frozen && ckpt_arch_can_rest(task))
		WRITE_ONCE(t->cut_short, true);
	t->nudged = true;
	set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL);
	K(wake_up_state)(task, TASK_INTERRUPTIBLE);
}

static bool ckpt_all_settled(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;
	bool settled;

	spin_lock(&ctx->lock);
	settled = !ctx->nunsettled;
	list_for_each_entry(proc, &ctx->procs, node) {
		if (!settled)
			break;
		list_for_each_entry(t, &proc->threads, node)
			if (t->state == CKPT_GONE && !READ_ONCE(t->task->exit_state))
				settled = false;
	}
	spin_unlock(&ctx->lock);
	return settled;
}

static void ckpt_name_laggards(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;

	list_for_each_entry(proc, &ctx->procs, node)
		list_for_each_entry(t, &proc->threads, node)
			if (ckpt_unsettled(t->state))
				ckpt_err(ctx, -EBUSY,
					 "task %d (%s) cannot be stopped: %s in system call %d, state %#x; try again later or with a longer --timeout",
					 task_pid_vnr(t->task), t->task->comm,
					 t->state == CKPT_LATER ?
					 "a vfork child before its exec, whose parent is outside of the tree" :
					 "busy",
					 ckpt_arch_syscall_nr(t->task),
					 READ_ONCE(t->task->__state));
}

static void ckpt_thread_del(struct ckpt_thread *t)
{
	hash_del(&t->hash);
	list_del(&t->node);
	ckpt_thread_put(t);
}

static void ckpt_proc_del(struct ckpt_proc *proc)
{
	list_del(&proc->node);
	ckpt_proc_drop(proc);
}

/*
 * Once all have settled nobody may go any more: ends the parking, unless a
 * thread has begun to die in between.
 */
static bool ckpt_hold(struct ckpt_ctx *ctx)
{
	bool settled;

	spin_lock(&ctx->lock);
	settled = !ctx->nunsettled;
	ctx->capturing = settled;
	ctx->partial_known = false;
	spin_unlock(&ctx->lock);
	return settled;
}

/**
 * ckpt_captured() - the tasks stay parked, but may die
 * @ctx: the checkpoint
 *
 * What is still to be written of them is held by references.
 */
void ckpt_captured(struct ckpt_ctx *ctx)
{
	spin_lock(&ctx->lock);
	ctx->capturing = false;
	spin_unlock(&ctx->lock);
	wake_up_all(&ctx->task_wq);
}

/* an exec meanwhile may have given a task rights that the caller does not have */
static int ckpt_check_access(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;

	list_for_each_entry(proc, &ctx->procs, node)
		list_for_each_entry(t, &proc->threads, node)
			if (t->state != CKPT_GONE &&
			    !K(ptrace_may_access)(t->task, PTRACE_MODE_ATTACH_REALCREDS))
				return ckpt_err(ctx, -EPERM, "no ptrace access to task %d (%s)",
						task_pid_vnr(t->task), t->task->comm);
	return 0;
}

/* exec by another thread or the end of a thread changes who the leader is */
static void ckpt_forget_gone(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc, *next;
	struct ckpt_thread *t, *tn;

	list_for_each_entry_safe(proc, next, &ctx->procs, node) {
		list_for_each_entry_safe(t, tn, &proc->threads, node) {
			/* a dead leader stays: it is the process's zombie */
			if (t->state != CKPT_GONE || t->task == proc->leader)
				continue;
			ckpt_thread_del(t);
		}
		/* released between the two searches */
		if (list_empty(&proc->threads)) {
			ckpt_proc_del(proc);
			continue;
		}
		/* its parent has taken the status */
		t = list_first_entry(&proc->threads, struct ckpt_thread, node);
		if (list_is_singular(&proc->threads) && t->state == CKPT_GONE &&
		    READ_ONCE(proc->leader->exit_state) == EXIT_DEAD) {
			ckpt_thread_del(t);
			ckpt_proc_del(proc);
		}
	}
}

/**
 * ckpt_park() - stop every task of the tree at the edge of user mode
 * @ctx: the checkpoint
 *
 * Tasks that fork, exec and exit meanwhile are followed. Calling it again
 * settles tasks that have moved.
 *
 * Return: 0, or a negative errno; the tasks must be released in either case.
 */
int ckpt_park(struct ckpt_ctx *ctx)
{
	unsigned long end = jiffies + msecs_to_jiffies(ctx->rq.timeout_ms);
	struct ckpt_proc *proc;
	struct ckpt_thread *t;
	bool settled;
	int found, err;

	ckpt_captured(ctx);
	for (;;) {
		/* in this order: who has settled makes no more tasks */
		settled = ckpt_all_settled(ctx);
		found = ckpt_enumerate(ctx);
		if (found < 0)
			return found;
		if (!found && settled && ckpt_hold(ctx))
			break;
		list_for_each_entry(proc, &ctx->procs, node)
			list_for_each_entry(t, &proc->threads, node)
				if (READ_ONCE(t->state) == CKPT_QUEUED)
					ckpt_nudge(t);
		wait_event_killable_timeout(ctx->wq, ckpt_all_settled(ctx) ||
					    READ_ONCE(ctx->aborted), 1);
		err = ckpt_aborted(ctx);
		if (err)
			return err;
		if (time_after(jiffies, end)) {
			ckpt_name_laggards(ctx);
			return -EBUSY;
		}
		list_for_each_entry(proc, &ctx->procs, node)
			list_for_each_entry(t, &proc->threads, node)
				if (READ_ONCE(t->state) == CKPT_LATER)
					ckpt_queue_work(t);
	}
	ckpt_forget_gone(ctx);

	/* "parked" is announced a moment before the task is off its CPU */
	list_for_each_entry(proc, &ctx->procs, node) {
		proc->nthreads = 0;
		proc->zombie = true;
		list_for_each_entry(t, &proc->threads, node) {
			proc->nthreads++;
			if (t->state == CKPT_GONE)
				continue;
			proc->zombie = false;
			/* pairs with finish_task(): it has left its stack */
			while (smp_load_acquire(&t->task->on_cpu))
				cpu_relax();
		}
	}
	if (list_empty(&ctx->procs))
		return ckpt_err(ctx, -ESRCH, "the process has ended");
	proc = list_first_entry(&ctx->procs, struct ckpt_proc, node);
	if (proc->zombie)
		return ckpt_err(ctx, -ESRCH, "process %d has ended", proc->pid);
	return ckpt_check_access(ctx);
}

/**
 * ckpt_parked_moved() - whether a thread parked in place has gone on
 * @ctx: the checkpoint
 *
 * Return: true when what was captured is no longer one moment's state.
 */
bool ckpt_parked_moved(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;

	list_for_each_entry(proc, &ctx->procs, node) {
		list_for_each_entry(t, &proc->threads, node) {
			if (t->state == CKPT_GONE && t->task != proc->leader)
				return true;
			if (!t->in_place)
				continue;
			if (READ_ONCE(t->state) != CKPT_IN_PLACE ||
			    !ckpt_asleep_in(t->task, t->vfork ? TASK_UNINTERRUPTIBLE :
					    TASK_INTERRUPTIBLE | CKPT_TASK_HALTED) ||
			    ckpt_switches(t->task) != t->switches) {
				spin_lock(&ctx->lock);
				t->in_place = false;
				t->vfork = 0;
				if (t->state == CKPT_IN_PLACE)
					ckpt_set_state(t, CKPT_QUEUED);
				spin_unlock(&ctx->lock);
				return true;
			}
		}
	}
	return false;
}

/**
 * ckpt_sleep_times() - find when the threads parked in place would time out
 * @ctx: the checkpoint
 *
 * Looks through the timers of all CPUs once.
 */
void ckpt_sleep_times(struct ckpt_ctx *ctx)
{
	struct hrtimer_cpu_base *base;
	struct hrtimer_sleeper *sleeper;
	struct timerqueue_node *node;
	struct ckpt_proc *proc;
	struct ckpt_thread *t;
	struct hrtimer *timer;
	struct rb_node *rb;
	unsigned long flags;
	bool any = false;
	s64 left;
	int cpu, i;

	list_for_each_entry(proc, &ctx->procs, node) {
		list_for_each_entry(t, &proc->threads, node) {
			t->left_ns = ~0ULL;
			any |= t->in_place;
		}
	}
	if (!any)
		return;
	for_each_possible_cpu(cpu) {
		base = per_cpu_ptr((struct hrtimer_cpu_base __percpu __force *)
				   KD(hrtimer_bases), cpu);
		raw_spin_lock_irqsave(&base->lock, flags);
		for (i = 0; i < HRTIMER_MAX_CLOCK_BASES; i++) {
			struct hrtimer_clock_base *clock = &base->clock_base[i];

			for (rb = rb_first_cached(&clock->active.rb_root); rb; rb = rb_next(rb)) {
				node = rb_entry(rb, struct timerqueue_node, node);
				timer = container_of(node, struct hrtimer, node);
				if ((unsigned long)timer->function != KD(hrtimer_wakeup))
					continue;
				sleeper = container_of(timer, struct hrtimer_sleeper, timer);
				t = ckpt_thread_find(ctx, sleeper->task);
				if (!t)
					continue;
				left = ktime_to_ns(ktime_sub(hrtimer_get_expires(timer),
							     clock->get_time()));
				t->left_ns = left > 0 ? left : 0;
			}
		}
		raw_spin_unlock_irqrestore(&base->lock, flags);
	}
}

/**
 * ckpt_kill() - send a signal to every process of the tree
 * @ctx: the checkpoint, its tasks still parked
 * @sig: SIGKILL or SIGSTOP
 */
void ckpt_kill(struct ckpt_ctx *ctx, int sig)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;

	if (sig == SIGKILL) {
		/* none can end before the release, so what they have stays there */
		spin_lock(&ctx->lock);
		ctx->capturing = true;
		spin_unlock(&ctx->lock);
		ckpt_sem_detach(ctx);
	}
	/* a leader that has ended takes no signal; where all have, somebody was faster */
	list_for_each_entry(proc, &ctx->procs, node) {
		t = ckpt_proc_thread(proc);
		if (t)
			send_sig(sig, t->task, 1);
	}
}

/**
 * ckpt_release() - let the tasks go on
 * @ctx: the checkpoint
 *
 * Idempotent. The works of tasks that never came are taken back, but for those
 * that were woken: they come at once, and have a call to finish.
 */
void ckpt_release(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;

	WRITE_ONCE(ctx->released, true);
	ckpt_captured(ctx);
	list_for_each_entry(proc, &ctx->procs, node) {
		list_for_each_entry(t, &proc->threads, node) {
			if (READ_ONCE(t->state) != CKPT_QUEUED &&
			    READ_ONCE(t->state) != CKPT_IN_PLACE)
				continue;
			if (t->nudged)
				continue;
			if (!K(task_work_cancel_match)(t->task, ckpt_work_match, &t->work))
				continue;
			ckpt_thread_put(t);
			ckpt_ctx_put(ctx);
			module_put(THIS_MODULE);
		}
	}
}

/**
 * ckpt_procs_free() - forget the tasks
 * @ctx: the checkpoint, released
 */
void ckpt_procs_free(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc, *pn;
	struct ckpt_thread *t, *tn;

	list_for_each_entry_safe(proc, pn, &ctx->procs, node) {
		list_for_each_entry_safe(t, tn, &proc->threads, node)
			ckpt_thread_del(t);
		ckpt_proc_del(proc);
	}
}
