// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: a thread: registers (arch/), signal mask and alternate stack, robust
 * list, child tid addresses, rseq, name, personality, timer slack, I/O
 * priority, parent-death signal, no_new_privs, CPU times and counters.
 * Locks: siglock for the masks; the thread is parked, and at restart it sets
 * its own state.
 */
#include <linux/ioprio.h>
#include <linux/iocontext.h>
#include <linux/prctl.h>
#include <linux/rseq.h>
#include <linux/seccomp.h>
#include <linux/sched/signal.h>
#include <linux/sched/cputime.h>
#include <linux/sched/jobctl.h>
#include <linux/sched/task.h>
#include <linux/timekeeping.h>
#include <asm/prctl.h>

#include "task.h"
#include "../arch/arch.h"
#include "../ksym.h"
#include "../mm/mm.h"

static u64 ckpt_sigset(const sigset_t *set)
{
	return set->sig[0];
}

static void ckpt_sigset_from(sigset_t *set, __le64 mask)
{
	set->sig[0] = le64_to_cpu(mask);
	sigdelsetmask(set, sigmask(SIGKILL) | sigmask(SIGSTOP));
}

/* prctl(): what is a bit of the task */
static u32 ckpt_thread_flags(struct task_struct *task)
{
	u32 flags = 0;

	if (task_no_new_privs(task))
		flags |= CKPT_THREAD_NO_NEW_PRIVS;
	if (task->seccomp.mode == SECCOMP_MODE_STRICT)
		flags |= CKPT_THREAD_SECCOMP_STRICT;
	if (test_tsk_thread_flag(task, TIF_NOTSC))
		flags |= CKPT_THREAD_TSC_SIGSEGV;
	if (test_tsk_thread_flag(task, TIF_NOCPUID))
		flags |= CKPT_THREAD_CPUID_FAULT;
	if (task->flags & PF_MCE_PROCESS)
		flags |= task->flags & PF_MCE_EARLY ? CKPT_THREAD_MCE_EARLY : CKPT_THREAD_MCE_KILL;
	if (task->flags & PF_MEMALLOC_NOIO && task->flags & PF_LOCAL_THROTTLE)
		flags |= CKPT_THREAD_IO_FLUSHER;
	if (task_spec_ssb_noexec(task))
		flags |= CKPT_THREAD_SSB_NOEXEC;
	else if (task_spec_ssb_force_disable(task))
		flags |= CKPT_THREAD_SSB_FORCE;
	else if (task_spec_ssb_disable(task))
		flags |= CKPT_THREAD_SSB_DISABLE;
	if (task_spec_ib_force_disable(task))
		flags |= CKPT_THREAD_IB_FORCE;
	else if (task_spec_ib_disable(task))
		flags |= CKPT_THREAD_IB_DISABLE;
	return flags;
}

static void ckpt_thread_counters(struct task_struct *task, struct ckpt_thread_rec *rec)
{
	rec->utime_ns = cpu_to_le64(task->utime);
	rec->stime_ns = cpu_to_le64(task->stime);
	rec->runtime_ns = cpu_to_le64(task->se.sum_exec_runtime);
	rec->start_ns = cpu_to_le64(task->start_time);
	rec->start_boot_ns = cpu_to_le64(task->start_boottime);
	rec->start_wall_ns = cpu_to_le64(ktime_get_real_ns() - ktime_get_boottime_ns() +
					 task->start_boottime);
	rec->seen_utime_ns = cpu_to_le64(task->prev_cputime.utime);
	rec->seen_stime_ns = cpu_to_le64(task->prev_cputime.stime);
	rec->nvcsw = cpu_to_le64(task->nvcsw);
	rec->nivcsw = cpu_to_le64(task->nivcsw);
	rec->min_flt = cpu_to_le64(task->min_flt);
	rec->maj_flt = cpu_to_le64(task->maj_flt);
	memcpy(rec->comm, task->comm, sizeof(rec->comm));
}

/*
 * A leader that has ended is all that others know of the process: its number,
 * name, rights and times. What its threads have in common is restored by it.
 */
static int ckpt_thread_ended_checkpoint(struct ckpt_ctx *ctx, struct ckpt_thread *t,
					u32 seccomp_shared)
{
	struct task_struct *task = t->task, *live = ckpt_proc_thread(t->proc)->task;
	u32 flags = CKPT_THREAD_ENDED;
	struct ckpt_thread_rec *rec;
	struct ckpt_obj *cred;

	rec = ckpt_out(ctx, CKPT_REC_THREAD, 0, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	cred = ckpt_obj_find(ctx, rcu_access_pointer(task->real_cred), CKPT_OBJ_CRED);
	if (seccomp_shared && task_no_new_privs(live))
		flags |= CKPT_THREAD_NO_NEW_PRIVS;
	rec->tid = cpu_to_le32(task_pid_vnr(task));
	rec->cred = cpu_to_le32(cred ? cred->objref : 0);
	rec->seccomp = cpu_to_le32(seccomp_shared ? ckpt_seccomp_ref(ctx, live) : 0);
	rec->seccomp_shared = cpu_to_le32(seccomp_shared);
	rec->flags = cpu_to_le32(flags);
	rec->exit_code = cpu_to_le32(task->exit_code);
	/* nothing is to be delivered to it */
	rec->blocked = cpu_to_le64(~0ULL);
	rec->altstack_flags = cpu_to_le32(SS_DISABLE);
	rec->personality = cpu_to_le32(task->personality);
	rec->timer_slack_ns = cpu_to_le64(task->timer_slack_ns);
	rec->default_timer_slack_ns = cpu_to_le64(task->default_timer_slack_ns);
	ckpt_thread_counters(task, rec);
	return 0;
}

int ckpt_thread_checkpoint(struct ckpt_ctx *ctx, struct ckpt_thread *t, u32 seccomp_shared)
{
	struct task_struct *task = t->task;
	struct ckpt_thread_rec *rec;
	struct ckpt_obj *cred;
	u32 flags = ckpt_thread_flags(t->task);
	int err;

	if (t->state == CKPT_GONE)
		return ckpt_thread_ended_checkpoint(ctx, t, seccomp_shared);
	rec = ckpt_out(ctx, CKPT_REC_THREAD, 0, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	rec->tid = cpu_to_le32(task_pid_vnr(task));
	cred = ckpt_obj_find(ctx, rcu_access_pointer(task->real_cred), CKPT_OBJ_CRED);
	rec->cred = cpu_to_le32(cred ? cred->objref : 0);
	spin_lock_irq(&task->sighand->siglock);
	/* sigtimedwait changes the mask while it sleeps */
	rec->blocked = cpu_to_le64(ckpt_sigset(sigisemptyset(&task->real_blocked) ?
					       &task->blocked : &task->real_blocked));
	if (test_tsk_restore_sigmask(task)) {
		flags |= CKPT_THREAD_SAVED_SIGMASK;
		rec->saved_sigmask = cpu_to_le64(ckpt_sigset(&task->saved_sigmask));
	}
	if (task->signal->flags & SIGNAL_STOP_STOPPED)
		rec->stop_pending = cpu_to_le32((task->jobctl & JOBCTL_STOP_SIGMASK & 0x7f) ?: SIGSTOP);
	spin_unlock_irq(&task->sighand->siglock);
	rec->seccomp = cpu_to_le32(ckpt_seccomp_ref(ctx, task));
	rec->seccomp_shared = cpu_to_le32(seccomp_shared);
	rec->flags = cpu_to_le32(flags);
	rec->altstack_sp = cpu_to_le64(task->sas_ss_sp);
	rec->altstack_size = cpu_to_le64(task->sas_ss_size);
	rec->altstack_flags = cpu_to_le32(task->sas_ss_flags);
	rec->personality = cpu_to_le32(task->personality);
	rec->robust_list = cpu_to_le64((unsigned long)task->robust_list);
	rec->clear_child_tid = cpu_to_le64((unsigned long)task->clear_child_tid);
	rec->set_child_tid = cpu_to_le64((unsigned long)task->set_child_tid);
#ifdef CONFIG_RSEQ
	rec->rseq = cpu_to_le64((unsigned long)task->rseq);
	rec->rseq_sig = cpu_to_le32(task->rseq_sig);
	rec->rseq_len = cpu_to_le32(task->rseq ? ckpt_rseq_len(task) : 0);
#endif
	rec->timer_slack_ns = cpu_to_le64(task->timer_slack_ns);
	rec->default_timer_slack_ns = cpu_to_le64(task->default_timer_slack_ns);
	ckpt_thread_counters(task, rec);
	rec->pdeath_signal = cpu_to_le32(task->pdeath_signal);
	task_lock(task);
	if (task->io_context)
		rec->ioprio = cpu_to_le32(task->io_context->ioprio);
	task_unlock(task);
	ckpt_unshared_refs(ctx, t, rec);

	err = ckpt_unshared_checkpoint(ctx, t);
	if (!err)
		err = ckpt_arch_checkpoint_thread(ctx, t);
	if (!err)
		err = ckpt_sched_checkpoint(ctx, task);
	if (!err)
		err = ckpt_mempolicy_checkpoint(ctx, task);
	if (!err)
		err = ckpt_sigpending_checkpoint(ctx, task, false);
	return err;
}

/* ---- restart, in the thread ---- */

/**
 * ckpt_cpu_time() - check a CPU time
 * @rt: whose it is
 * @ns: the time
 *
 * The kernel adds the times of a process up and divides by the sum, which traps
 * when it overflows. Thirty years of all together leave room for growth.
 *
 * Return: true when it is too much.
 */
bool ckpt_cpu_time(struct ckpt_rt *rt, u64 ns)
{
	if (ns > CKPT_CPU_MAX || rt->joined->cpu_ns + ns > CKPT_CPU_MAX)
		return true;
	rt->joined->cpu_ns += ns;
	return false;
}

/*
 * The start keeps its time of the wall clock. In the boot that the checkpoint
 * was taken in it is the same on the other clocks, too, to the nanosecond, for
 * programs that know a process by its pid and start.
 */
static void ckpt_thread_started(const struct ckpt_thread_rec *rec)
{
	s64 boot = le64_to_cpu(rec->start_wall_ns) - (ktime_get_real_ns() - ktime_get_boottime_ns());
	s64 saved = le64_to_cpu(rec->start_boot_ns);

	if (boot - saved < NSEC_PER_SEC / 100 && saved - boot < NSEC_PER_SEC / 100) {
		current->start_boottime = saved;
		current->start_time = le64_to_cpu(rec->start_ns);
		return;
	}
	/* from before this boot: as early as can be told */
	boot = clamp_t(s64, boot, 0, ktime_get_boottime_ns());
	current->start_boottime = boot;
	current->start_time = max_t(s64, 0, boot - (ktime_get_boottime_ns() - ktime_get_ns()));
}

/**
 * ckpt_thread_ended() - whether a thread is there only as a number
 * @rt: the thread, its records read
 *
 * Return: true for a leader that has ended while others run.
 */
bool ckpt_thread_ended(struct ckpt_rt *rt)
{
	const struct ckpt_thread_rec *rec;
	unsigned int i;

	for (i = 0; i < rt->nrecs; i++) {
		rec = (const void *)rt->recs[i]->fixed;
		if (rt->recs[i]->type == CKPT_REC_THREAD &&
		    le32_to_cpu(rec->flags) & CKPT_THREAD_ENDED)
			return true;
	}
	return false;
}

int ckpt_thread_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_thread_rec *rec = (const void *)in->fixed;
	char comm[TASK_COMM_LEN];

	if (task_pid_vnr(current) != le32_to_cpu(rec->tid))
		return ckpt_bad(ctx, in, "its tid is another one");
	if (le32_to_cpu(rec->pdeath_signal) > _NSIG)
		return ckpt_bad(ctx, in, "its parent-death signal is out of range");
	if (le32_to_cpu(rec->stop_pending) > SIGRTMIN)
		return ckpt_bad(ctx, in, "its stop signal is out of range");
	if (le64_to_cpu(rec->robust_list) >= TASK_SIZE_MAX ||
	    le64_to_cpu(rec->clear_child_tid) >= TASK_SIZE_MAX ||
	    le64_to_cpu(rec->set_child_tid) >= TASK_SIZE_MAX ||
	    le64_to_cpu(rec->rseq) >= TASK_SIZE_MAX)
		return ckpt_bad(ctx, in, "an address is out of range");
	if (le32_to_cpu(rec->altstack_flags) & ~(SS_FLAG_BITS | SS_DISABLE | SS_ONSTACK) ||
	    le64_to_cpu(rec->altstack_size) > TASK_SIZE_MAX)
		return ckpt_bad(ctx, in, "its alternate stack is out of range");
#ifdef CONFIG_RSEQ
	if (rec->rseq && (le64_to_cpu(rec->rseq) % 32 || le32_to_cpu(rec->rseq_len) < 32 ||
			  le32_to_cpu(rec->rseq_len) > PAGE_SIZE))
		return ckpt_bad(ctx, in, "its rseq area is out of range");
#endif
	if (ckpt_cpu_time(rt, le64_to_cpu(rec->utime_ns)) ||
	    ckpt_cpu_time(rt, le64_to_cpu(rec->stime_ns)) ||
	    ckpt_cpu_time(rt, le64_to_cpu(rec->runtime_ns)))
		return ckpt_bad(ctx, in, "its CPU time is out of range");
	if (le32_to_cpu(rec->exit_code) > 0xffff)
		return ckpt_bad(ctx, in, "its exit code is out of range");
	rt->ended = le32_to_cpu(rec->flags) & CKPT_THREAD_ENDED;
	rt->exit_code = le32_to_cpu(rec->exit_code);
	memcpy(comm, rec->comm, sizeof(comm));
	comm[sizeof(comm) - 1] = 0;
	K(__set_task_comm)(current, comm, false);
	/* times are read by others under no lock; a thread sets its own */
	preempt_disable();
	current->utime = le64_to_cpu(rec->utime_ns);
	current->stime = le64_to_cpu(rec->stime_ns);
	current->se.sum_exec_runtime = le64_to_cpu(rec->runtime_ns);
	current->se.prev_sum_exec_runtime = current->se.sum_exec_runtime;
	current->nvcsw = le64_to_cpu(rec->nvcsw);
	current->nivcsw = le64_to_cpu(rec->nivcsw);
	current->min_flt = le64_to_cpu(rec->min_flt);
	current->maj_flt = le64_to_cpu(rec->maj_flt);
	raw_spin_lock_irq(&current->prev_cputime.lock);
	current->prev_cputime.utime = le64_to_cpu(rec->seen_utime_ns);
	current->prev_cputime.stime = le64_to_cpu(rec->seen_stime_ns);
	raw_spin_unlock_irq(&current->prev_cputime.lock);
	preempt_enable();
	ckpt_thread_started(rec);
	return ckpt_unshared_apply(ctx, rt, in);
}

static int ckpt_thread_prctl(u32 flags)
{
	int err = 0;

	if (flags & CKPT_THREAD_TSC_SIGSEGV)
		err = ckpt_arch_syscall(__NR_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0, 0);
	if (!err && flags & CKPT_THREAD_CPUID_FAULT)
		err = ckpt_arch_syscall(__NR_arch_prctl, ARCH_SET_CPUID, 0, 0, 0, 0, 0);
	if (!err && flags & (CKPT_THREAD_MCE_EARLY | CKPT_THREAD_MCE_KILL))
		err = ckpt_arch_syscall(__NR_prctl, PR_MCE_KILL, PR_MCE_KILL_SET,
					flags & CKPT_THREAD_MCE_EARLY ? PR_MCE_KILL_EARLY :
					PR_MCE_KILL_LATE, 0, 0, 0);
	if (!err && flags & CKPT_THREAD_IO_FLUSHER)
		err = ckpt_arch_syscall(__NR_prctl, PR_SET_IO_FLUSHER, 1, 0, 0, 0, 0);
	if (!err && flags & (CKPT_THREAD_SSB_DISABLE | CKPT_THREAD_SSB_FORCE | CKPT_THREAD_SSB_NOEXEC))
		err = ckpt_arch_syscall(__NR_prctl, PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS,
					flags & CKPT_THREAD_SSB_NOEXEC ? PR_SPEC_DISABLE_NOEXEC :
					flags & CKPT_THREAD_SSB_FORCE ? PR_SPEC_FORCE_DISABLE :
					PR_SPEC_DISABLE, 0, 0, 0);
	if (!err && flags & (CKPT_THREAD_IB_DISABLE | CKPT_THREAD_IB_FORCE))
		err = ckpt_arch_syscall(__NR_prctl, PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH,
					flags & CKPT_THREAD_IB_FORCE ? PR_SPEC_FORCE_DISABLE :
					PR_SPEC_DISABLE, 0, 0, 0);
	return err;
}

/* user space addresses go in when the memory is there */
int ckpt_thread_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_thread_rec *rec = (const void *)in->fixed;
	u32 flags = le32_to_cpu(rec->flags);
	int err;

	current->sas_ss_sp = le64_to_cpu(rec->altstack_sp);
	current->sas_ss_size = le64_to_cpu(rec->altstack_size);
	current->sas_ss_flags = le32_to_cpu(rec->altstack_flags);
	current->personality = le32_to_cpu(rec->personality);
	current->robust_list = (void __user *)le64_to_cpu(rec->robust_list);
	current->clear_child_tid = (void __user *)le64_to_cpu(rec->clear_child_tid);
	current->set_child_tid = (void __user *)le64_to_cpu(rec->set_child_tid);
#ifdef CONFIG_RSEQ
	preempt_disable();
	current->rseq = (void __user *)le64_to_cpu(rec->rseq);
	current->rseq_sig = le32_to_cpu(rec->rseq_sig);
	ckpt_set_rseq_len(current, le32_to_cpu(rec->rseq_len));
	/* a critical section that was interrupted is aborted */
	if (current->rseq)
		rseq_preempt(current);
	preempt_enable();
#endif
	err = ckpt_thread_prctl(flags);
	if (err)
		return ckpt_err(ctx, err, "thread %d: this machine has not got what it had set with prctl (%#x)",
				rt->tid, flags);
	ckpt_mempolicy_reset();
	if (le32_to_cpu(rec->ioprio) || (current->io_context && current->io_context->ioprio)) {
		err = ckpt_arch_syscall(__NR_ioprio_set, IOPRIO_WHO_PROCESS, 0,
					le32_to_cpu(rec->ioprio), 0, 0, 0);
		if (err)
			return ckpt_err(ctx, err, "thread %d: cannot set its I/O priority", rt->tid);
	}
	/* a filter takes CAP_SYS_ADMIN, which may go with the credentials, or this bit */
	if (flags & CKPT_THREAD_NO_NEW_PRIVS && rec->seccomp &&
	    !ns_capable(current_user_ns(), CAP_SYS_ADMIN))
		task_set_no_new_privs(current);
	if (thread_group_leader(current) && le32_to_cpu(rec->seccomp_shared))
		return ckpt_seccomp_install(ctx, in, le32_to_cpu(rec->seccomp), 0,
					    le32_to_cpu(rec->seccomp_shared),
					    !thread_group_empty(current));
	return 0;
}

/* the root has another parent now, often one that ends at once */
static bool ckpt_parent_restored(struct ckpt_ctx *ctx)
{
	struct ckpt_joined *joined;
	bool found = false;

	rcu_read_lock();
	list_for_each_entry(joined, &ctx->joined, node)
		if (joined->task == rcu_dereference(current->real_parent)->group_leader)
			found = true;
	rcu_read_unlock();
	return found;
}

int ckpt_thread_last(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_thread_rec *rec = (const void *)in->fixed;
	u32 flags = le32_to_cpu(rec->flags);
	int err;

	/* scheduling sets the slack of real-time threads, so it comes after that */
	current->default_timer_slack_ns = le64_to_cpu(rec->default_timer_slack_ns);
	current->timer_slack_ns = le64_to_cpu(rec->timer_slack_ns);
	if (rec->seccomp && !rt->ended) {
		err = ckpt_seccomp_install(ctx, in, le32_to_cpu(rec->seccomp),
					   le32_to_cpu(rec->seccomp_shared), ~0, false);
		if (err)
			return err;
	}
	if (rec->cred) {
		err = ckpt_cred_set(ctx, in, le32_to_cpu(rec->cred));
		if (err)
			return err;
	}
	/* reset by a change of credentials, as is dumpable */
	if (ckpt_parent_restored(ctx))
		rt->pdeath_signal = le32_to_cpu(rec->pdeath_signal);
	else if (rec->pdeath_signal)
		ckpt_log(ctx, "note: thread %d was to get signal %u at the end of its parent, which is not part of the image",
			 rt->tid, le32_to_cpu(rec->pdeath_signal));
	ckpt_mm_dumpable(rt);
	if (flags & CKPT_THREAD_NO_NEW_PRIVS)
		task_set_no_new_privs(current);
	if (flags & CKPT_THREAD_SECCOMP_STRICT) {
		err = ckpt_seccomp_strict();
		if (err)
			return ckpt_err(ctx, err, "thread %d: cannot enter strict mode", rt->tid);
	}
	return 0;
}

int ckpt_thread_end(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_thread_rec *rec = (const void *)in->fixed;

	spin_lock_irq(&current->sighand->siglock);
	ckpt_sigset_from(&current->blocked, rec->blocked);
	if (le32_to_cpu(rec->flags) & CKPT_THREAD_SAVED_SIGMASK) {
		ckpt_sigset_from(&current->saved_sigmask, rec->saved_sigmask);
		set_restore_sigmask();
	}
	/* takes no part in the count of a stop that is complete */
	if (rec->stop_pending)
		current->jobctl |= le32_to_cpu(rec->stop_pending) | JOBCTL_STOP_PENDING;
	else if (ctx->rq.flags & CKPT_F_STOPPED)
		current->jobctl |= SIGSTOP | JOBCTL_STOP_PENDING;
	recalc_sigpending();
	spin_unlock_irq(&current->sighand->siglock);
	return 0;
}

int ckpt_regs_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	return ckpt_arch_check_regs(ctx, in);
}

int ckpt_regs_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	return ckpt_arch_restart_regs(ctx, in);
}

int ckpt_fpu_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	return ckpt_arch_restart_fpu(ctx, in);
}

int ckpt_syscall_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	int err = ckpt_arch_restart_syscall(ctx, in, &rt->resume);

	if (!err && rt->resume.how == CKPT_SYSCALL_VFORK)
		err = ckpt_vfork_restart(ctx, rt, in, rt->resume.done);
	return err;
}

/**
 * ckpt_thread_go() - the last step before user mode
 * @ctx: the restart
 * @rt: the current thread
 *
 * A system call that was interrupted restarts in the signal code, which this
 * makes the kernel enter once more.
 */
void ckpt_thread_go(struct ckpt_ctx *ctx, struct ckpt_rt *rt)
{
	/* first threads of parents have ended by now, of which nobody is to be told */
	current->pdeath_signal = rt->pdeath_signal;
	/* one that is resumed must not think that a signal came */
	if (!rt->resume.how)
		set_thread_flag(TIF_NOTIFY_SIGNAL);
}
