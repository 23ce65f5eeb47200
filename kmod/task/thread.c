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
#include <linux/sched/signal.h>
#include <linux/sched/cputime.h>
#include <linux/sched/task.h>
#include <linux/timekeeping.h>

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

int ckpt_thread_checkpoint(struct ckpt_ctx *ctx, struct ckpt_thread *t)
{
	struct task_struct *task = t->task;
	struct ckpt_thread_rec *rec;
	struct ckpt_obj *cred;
	u32 flags = 0;
	int err;

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
	spin_unlock_irq(&task->sighand->siglock);
	if (task_no_new_privs(task))
		flags |= CKPT_THREAD_NO_NEW_PRIVS;
	if (test_tsk_thread_flag(task, TIF_NOTSC))
		flags |= CKPT_THREAD_TSC_SIGSEGV;
	if (task->flags & PF_MCE_PROCESS)
		flags |= task->flags & PF_MCE_EARLY ? CKPT_THREAD_MCE_EARLY : CKPT_THREAD_MCE_KILL;
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
	rec->utime_ns = cpu_to_le64(task->utime);
	rec->stime_ns = cpu_to_le64(task->stime);
	rec->runtime_ns = cpu_to_le64(task->se.sum_exec_runtime);
	rec->start_ns = cpu_to_le64(task->start_time);
	rec->start_boot_ns = cpu_to_le64(task->start_boottime);
	rec->nvcsw = cpu_to_le64(task->nvcsw);
	rec->nivcsw = cpu_to_le64(task->nivcsw);
	rec->min_flt = cpu_to_le64(task->min_flt);
	rec->maj_flt = cpu_to_le64(task->maj_flt);
	rec->pdeath_signal = cpu_to_le32(task->pdeath_signal);
	task_lock(task);
	if (task->io_context)
		rec->ioprio = cpu_to_le32(task->io_context->ioprio);
	task_unlock(task);
	memcpy(rec->comm, task->comm, sizeof(rec->comm));

	err = ckpt_arch_checkpoint_thread(ctx, t);
	if (!err)
		err = ckpt_sched_checkpoint(ctx, task);
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

int ckpt_thread_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_thread_rec *rec = (const void *)in->fixed;
	char comm[TASK_COMM_LEN];

	if (task_pid_vnr(current) != le32_to_cpu(rec->tid))
		return ckpt_bad(ctx, in, "its tid is another one");
	if (le32_to_cpu(rec->pdeath_signal) > _NSIG)
		return ckpt_bad(ctx, in, "its parent-death signal is out of range");
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
	preempt_enable();
	return 0;
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
	current->default_timer_slack_ns = le64_to_cpu(rec->default_timer_slack_ns);
	current->timer_slack_ns = le64_to_cpu(rec->timer_slack_ns);
	if (flags & CKPT_THREAD_TSC_SIGSEGV)
		ckpt_arch_syscall(__NR_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0, 0);
	if (flags & (CKPT_THREAD_MCE_EARLY | CKPT_THREAD_MCE_KILL))
		ckpt_arch_syscall(__NR_prctl, PR_MCE_KILL, PR_MCE_KILL_SET,
				  flags & CKPT_THREAD_MCE_EARLY ? PR_MCE_KILL_EARLY :
				  PR_MCE_KILL_LATE, 0, 0, 0);
	if (le32_to_cpu(rec->ioprio)) {
		err = ckpt_arch_syscall(__NR_ioprio_set, 1, 0, le32_to_cpu(rec->ioprio), 0, 0, 0);
		if (err)
			return ckpt_err(ctx, err, "thread %d: cannot set its I/O priority", rt->tid);
	}
	if (rec->cred) {
		err = ckpt_cred_set(ctx, in, le32_to_cpu(rec->cred));
		if (err)
			return err;
	}
	/* both are reset by a change of credentials */
	current->pdeath_signal = le32_to_cpu(rec->pdeath_signal);
	ckpt_mm_dumpable(rt);
	if (flags & CKPT_THREAD_NO_NEW_PRIVS)
		task_set_no_new_privs(current);

	spin_lock_irq(&current->sighand->siglock);
	ckpt_sigset_from(&current->blocked, rec->blocked);
	if (flags & CKPT_THREAD_SAVED_SIGMASK) {
		ckpt_sigset_from(&current->saved_sigmask, rec->saved_sigmask);
		set_restore_sigmask();
	}
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
	return ckpt_arch_restart_syscall(ctx, in, &rt->resume);
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
	/* one that is resumed must not think that a signal came */
	if (!rt->resume.how)
		set_thread_flag(TIF_NOTIFY_SIGNAL);
}
