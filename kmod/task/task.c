// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: a process: what its threads share, and the order in which the parts
 * come: memory, descriptors, directories, limits, signals, timers, threads.
 * Refuses: namespaces other than the caller's, tracing, io_uring.
 * Locks: siglock and RCU for single fields; the threads are parked.
 */
#include <linux/cgroup.h>
#include <linux/fdtable.h>
#include <linux/iocontext.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/oom.h>
#include <linux/perf_event.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/user_namespace.h>
#include <linux/utsname.h>

#include "task.h"
#include "../arch/arch.h"
#include "../files/files.h"
#include "../ipc/ipc.h"
#include "../ksym.h"
#include "../mm/mm.h"

/* a thread that still has its files and memory; NULL for a zombie */
struct ckpt_thread *ckpt_proc_thread(struct ckpt_proc *proc)
{
	struct ckpt_thread *t;

	list_for_each_entry(t, &proc->threads, node)
		if (t->state != CKPT_GONE)
			return t;
	return NULL;
}

static void ckpt_refuse_namespaces(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct nsproxy *ns = task->nsproxy, *mine = current->nsproxy;
	const char *which = NULL;

	if (ns->mnt_ns != mine->mnt_ns)
		which = "mount";
	else if (ns->uts_ns != mine->uts_ns)
		which = "UTS";
	else if (ns->ipc_ns != mine->ipc_ns)
		which = "IPC";
	else if (ns->net_ns != mine->net_ns)
		which = "network";
	else if (ns->pid_ns_for_children != mine->pid_ns_for_children ||
		 task_active_pid_ns(task) != task_active_pid_ns(current))
		which = "pid";
	else if (ns->cgroup_ns != mine->cgroup_ns)
		which = "cgroup";
	else if (ns->time_ns != mine->time_ns ||
		 ns->time_ns_for_children != mine->time_ns_for_children)
		which = "time";
	else if (task_cred_xxx(task, user_ns) != current_user_ns())
		which = "user";
	if (which)
		ckpt_refuse(ctx, task, "namespace",
			    "is in another %s namespace than the caller; run crctl inside of it", which);
}

static void ckpt_refuse_thread(struct ckpt_ctx *ctx, struct ckpt_thread *t)
{
	struct task_struct *task = t->task, *first = ckpt_proc_thread(t->proc)->task;
	bool shared_io;

	if (task->ptrace)
		ckpt_refuse(ctx, task, "ptrace", "is traced; detach the tracer first");
#ifdef CONFIG_IO_URING
	if (task->io_uring)
		ckpt_refuse(ctx, task, "io_uring", "has an io_uring");
#endif
	task_lock(task);
	shared_io = task->io_context && atomic_read(&task->io_context->active_ref) > 1;
	task_unlock(task);
	if (shared_io)
		ckpt_refuse(ctx, task, "io-context", "shares its I/O context (CLONE_IO)");
	if (task->nsproxy != first->nsproxy)
		ckpt_refuse(ctx, task, "namespace", "is in other namespaces than its process");
	if (task->policy > SCHED_DEADLINE)
		ckpt_refuse(ctx, task, "sched-ext", "is scheduled by a BPF program (SCHED_EXT)");
	if (test_task_syscall_work(task, SYSCALL_USER_DISPATCH))
		ckpt_refuse(ctx, task, "syscall-dispatch",
			    "has system call user dispatch (PR_SET_SYSCALL_USER_DISPATCH)");
#ifdef CONFIG_SCHED_CORE
	if (task->core_cookie)
		ckpt_refuse(ctx, task, "core-sched", "has a core scheduling cookie (PR_SCHED_CORE)");
#endif
}

/**
 * ckpt_task_collect() - make known all that a process may share
 * @ctx: the checkpoint
 * @proc: the process
 *
 * Return: 0 or a negative errno.
 */
int ckpt_task_collect(struct ckpt_ctx *ctx, struct ckpt_proc *proc)
{
	struct ckpt_thread *t = ckpt_proc_thread(proc);
	struct task_struct *task;
	int err;

	if (!t)
		return 0;
	task = t->task;
	ckpt_refuse_namespaces(ctx, task);
	ckpt_sem_collect(ctx, proc);
	err = ckpt_tty_collect(ctx, task);
	if (err)
		return err;
	list_for_each_entry(t, &proc->threads, node)
		if (t->state != CKPT_GONE)
			ckpt_refuse_thread(ctx, t);
	err = ckpt_sighand_collect(ctx, task, &proc->sighand_ref);
	if (!err)
		err = ckpt_fdtable_collect(ctx, task, &proc->files_ref);
	if (!err)
		err = ckpt_fs_collect(ctx, task, &proc->fs_ref);
	if (!err)
		err = ckpt_mm_collect(ctx, task, &proc->mm_ref);
	list_for_each_entry(t, &proc->threads, node) {
		if (!err)
			err = ckpt_cred_collect(ctx, t->task);
		if (err || t->state == CKPT_GONE)
			continue;
		err = ckpt_seccomp_collect(ctx, t->task);
		if (!err)
			err = ckpt_unshared_collect(ctx, t);
	}
	return err;
}

/* what wait() tells of a zombie */
static u32 ckpt_exit_code(struct ckpt_proc *proc)
{
	struct task_struct *task = proc->leader;

	if (!proc->zombie)
		return 0;
	return task->signal->flags & SIGNAL_GROUP_EXIT ? task->signal->group_exit_code :
							 task->exit_code;
}

/* a zombie has nothing but how it ended and what it used */
static int ckpt_zombie_checkpoint(struct ckpt_ctx *ctx, struct ckpt_proc *proc)
{
	struct task_struct *task = proc->leader;
	struct ckpt_thread_rec *thread;
	struct ckpt_task *rec;
	int err;

	rec = ckpt_out(ctx, CKPT_REC_TASK, 0, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	rec->pid = cpu_to_le32(proc->pid);
	rec->nthreads = cpu_to_le32(1);
	rec->flags = cpu_to_le32(CKPT_TASK_ZOMBIE);
	rec->sid = cpu_to_le32(task_session_vnr(task));
	rec->pgid = cpu_to_le32(task_pgrp_vnr(task));
	rec->exit_signal = cpu_to_le32(task->exit_signal);
	rec->exit_code = cpu_to_le32(ckpt_exit_code(proc));
	err = ckpt_rusage_checkpoint(ctx, task);
	if (err)
		return err;
	thread = ckpt_out(ctx, CKPT_REC_THREAD, 0, sizeof(*thread), 0);
	if (!thread)
		return -ENOMEM;
	thread->tid = cpu_to_le32(proc->pid);
	thread->utime_ns = cpu_to_le64(task->utime);
	thread->stime_ns = cpu_to_le64(task->stime);
	thread->runtime_ns = cpu_to_le64(task->se.sum_exec_runtime);
	memcpy(thread->comm, task->comm, sizeof(thread->comm));
	return ckpt_out(ctx, CKPT_REC_TASK_END, 0, 0, 0) ? 0 : -ENOMEM;
}

void ckpt_task_tree_entry(struct ckpt_proc *proc, struct ckpt_tree_task *e, bool root)
{
	struct task_struct *task = proc->leader;

	e->flags = cpu_to_le32((proc->zombie ? CKPT_TASK_ZOMBIE : 0) | ckpt_group_flags(proc));
	e->exit_code = cpu_to_le32(ckpt_exit_code(proc));
	e->pid = cpu_to_le32(proc->pid);
	e->ppid = cpu_to_le32(root ? 0 : task_tgid_vnr(rcu_dereference_raw(task->real_parent)));
	e->pgid = cpu_to_le32(task_pgrp_vnr(task));
	e->sid = cpu_to_le32(task_session_vnr(task));
	e->nthreads = cpu_to_le32(proc->nthreads);
	e->exit_signal = cpu_to_le32(task->exit_signal);
	memcpy(e->comm, task->comm, sizeof(e->comm));
}

/* job control: stopped, or a stop is under way, and what the parent knows of it */
static void ckpt_stop_checkpoint(struct ckpt_proc *proc, struct ckpt_task *rec)
{
	struct signal_struct *sig = proc->leader->signal;
	struct ckpt_thread *t;

	spin_lock_irq(&proc->leader->sighand->siglock);
	if (sig->flags & SIGNAL_STOP_STOPPED) {
		rec->sig_flags |= cpu_to_le32(CKPT_SIG_STOPPED);
		rec->stop_signal = cpu_to_le32(sig->group_exit_code & 0x7f);
	} else if (sig->group_stop_count) {
		rec->sig_flags |= cpu_to_le32(CKPT_SIG_STOPPING);
		list_for_each_entry(t, &proc->threads, node)
			if (t->task->jobctl & (JOBCTL_STOP_PENDING | JOBCTL_STOPPED))
				rec->stop_signal = cpu_to_le32(t->task->jobctl &
							       JOBCTL_STOP_SIGMASK & 0x7f);
	}
	if (sig->flags & SIGNAL_STOP_CONTINUED)
		rec->sig_flags |= cpu_to_le32(CKPT_SIG_CONTINUED);
	spin_unlock_irq(&proc->leader->sighand->siglock);
}

int ckpt_task_checkpoint(struct ckpt_ctx *ctx, struct ckpt_proc *proc)
{
	u32 shared = ckpt_seccomp_shared(ctx, proc);
	struct ckpt_thread *t = ckpt_proc_thread(proc);
	struct task_struct *task;
	struct signal_struct *sig;
	struct ckpt_task *rec;
	int err;

	if (!t)
		return ckpt_zombie_checkpoint(ctx, proc);
	/* refused when it was collected */
	if (!proc->mm_ref)
		return 0;
	task = t->task;
	sig = task->signal;
	rec = ckpt_out(ctx, CKPT_REC_TASK, 0, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	rec->pid = cpu_to_le32(proc->pid);
	rec->nthreads = cpu_to_le32(proc->nthreads);
	rec->mm = cpu_to_le32(proc->mm_ref);
	rec->files = cpu_to_le32(proc->files_ref);
	rec->fs = cpu_to_le32(proc->fs_ref);
	rec->flags = cpu_to_le32(ckpt_group_flags(proc));
	rec->tty = cpu_to_le32(ckpt_tty_ref(ctx, proc->leader));
	rec->sid = cpu_to_le32(task_session_vnr(proc->leader));
	rec->pgid = cpu_to_le32(task_pgrp_vnr(proc->leader));
	rec->sighand = cpu_to_le32(proc->sighand_ref);
	rec->exit_signal = cpu_to_le32(proc->leader->exit_signal);
	rec->oom_score_adj = cpu_to_le32(sig->oom_score_adj);
	rec->oom_score_adj_min = cpu_to_le32(sig->oom_score_adj_min);
	rec->sig_flags = cpu_to_le32((sig->is_child_subreaper ? CKPT_SIG_SUBREAPER : 0) |
				     (sig->has_child_subreaper ? CKPT_SIG_HAS_SUBREAPER : 0));
	ckpt_stop_checkpoint(proc, rec);
	err = ckpt_mm_checkpoint(ctx, task, proc->mm_ref);
	if (!err)
		err = ckpt_fdtable_checkpoint(ctx, task, proc->files_ref);
	if (!err)
		err = ckpt_fs_checkpoint(ctx, task, proc->fs_ref);
	if (!err)
		err = ckpt_sigaction_checkpoint(ctx, task);
	/* CPU timers are relative to the times, signals of timers follow the timers */
	if (!err)
		err = ckpt_rusage_checkpoint(ctx, task);
	if (!err)
		err = ckpt_sem_checkpoint(ctx, task);
	if (!err)
		err = ckpt_timers_checkpoint(ctx, task);
	if (!err)
		err = ckpt_sigpending_checkpoint(ctx, task, true);
	if (!err)
		err = ckpt_rlimits_checkpoint(ctx, task);
	list_for_each_entry(t, &proc->threads, node)
		if (!err)
			err = ckpt_thread_checkpoint(ctx, t, shared);
	if (!err && !ckpt_out(ctx, CKPT_REC_TASK_END, 0, 0, 0))
		err = -ENOMEM;
	return err;
}

/* ---- restart ---- */

/**
 * ckpt_task_empty() - drop what the new process has from its creator
 * @ctx: the restart
 *
 * Descriptors, the session's among them; memory goes when the new one comes.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_task_empty(struct ckpt_ctx *ctx)
{
	/* all threads are new, nothing is pending: every signal is blocked */
	if (!thread_group_empty(current))
		return ckpt_err(ctx, -EINVAL, "a process that joins has several threads");
	return ckpt_arch_syscall(__NR_close_range, 0, ~0U, 0, 0, 0, 0);
}

int ckpt_task_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_task *rec = (const void *)in->fixed;
	s32 adj = le32_to_cpu(rec->oom_score_adj);
	s32 min = le32_to_cpu(rec->oom_score_adj_min);
	int err;

	if (le32_to_cpu(rec->exit_signal) > _NSIG)
		return ckpt_bad(ctx, in, "its exit signal is out of range");
	err = ckpt_group_apply(ctx, in);
	if (err)
		return err;
	if (le32_to_cpu(rec->flags) & CKPT_TASK_ZOMBIE) {
		if (le32_to_cpu(rec->exit_code) > 0xffff)
			return ckpt_bad(ctx, in, "its exit code is out of range");
		rt->joined->zombie = true;
		rt->joined->exit_code = le32_to_cpu(rec->exit_code);
		rt->joined->exit_signal = le32_to_cpu(rec->exit_signal);
		return 0;
	}

	if (adj < OOM_SCORE_ADJ_MIN || adj > OOM_SCORE_ADJ_MAX ||
	    min < OOM_SCORE_ADJ_MIN || min > OOM_SCORE_ADJ_MAX)
		return ckpt_bad(ctx, in, "its oom_score_adj is out of range");
	if (le32_to_cpu(rec->stop_signal) > SIGRTMIN)
		return ckpt_bad(ctx, in, "its stop signal is out of range");
	if ((adj < current->signal->oom_score_adj_min || min < current->signal->oom_score_adj_min) &&
	    !capable(CAP_SYS_RESOURCE))
		return ckpt_err(ctx, -EPERM, "process %u had a lower oom_score_adj, which needs CAP_SYS_RESOURCE",
				rt->joined->pid);
	current->signal->oom_score_adj = adj;
	current->signal->oom_score_adj_min = min;
	current->signal->is_child_subreaper = le32_to_cpu(rec->sig_flags) & CKPT_SIG_SUBREAPER;
	return 0;
}

int ckpt_task_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	int err;

	if (rt->joined->zombie)
		return 0;
	err = ckpt_mm_late(ctx, rt);
	if (!err)
		err = ckpt_tty_late(ctx, in);
	if (!err)
		err = ckpt_epoll_signals(ctx, rt->joined->pid);
	return err;
}

int ckpt_task_end(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_task *rec = (const void *)in->fixed;
	bool stop = ctx->rq.flags & CKPT_F_STOPPED;
	u32 flags = le32_to_cpu(rec->sig_flags);

	if (rt->joined->zombie)
		return 0;
	spin_lock_irq(&current->sighand->siglock);
	/*
	 * Each thread stops by itself, see ckpt_thread_end(); the parent is not
	 * told again. Without a signal of the image wait() does not see the stop.
	 */
	if (flags & CKPT_SIG_STOPPED || stop) {
		current->signal->flags |= SIGNAL_STOP_STOPPED;
		current->signal->group_exit_code = le32_to_cpu(rec->stop_signal);
	} else if (flags & CKPT_SIG_CONTINUED) {
		current->signal->flags |= SIGNAL_STOP_CONTINUED;
	}
	spin_unlock_irq(&current->sighand->siglock);
	if (flags & CKPT_SIG_STOPPING && !stop)
		K(group_send_sig_info)(SIGSTOP, SEND_SIG_PRIV, current, PIDTYPE_TGID);
	return 0;
}
