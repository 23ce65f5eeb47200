// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: signal handlers, and the queues of pending signals with their
 * siginfo, of the process and of each thread, in order.
 * Locks: siglock.
 */
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/slab.h>

#include "task.h"
#include "../ksym.h"

#define CKPT_SIGINFO	128	/* bytes of siginfo_t in the system call interface */
#define CKPT_SA_FLAGS	(UAPI_SA_FLAGS | SA_RESTORER)

/**
 * ckpt_signals_block() - let no signal but SIGKILL and SIGSTOP reach the task
 *
 * Until the mask of the image is set, so that none is delivered, or lost
 * because it is ignored, on the way.
 */
void ckpt_signals_block(void)
{
	spin_lock_irq(&current->sighand->siglock);
	sigfillset(&current->blocked);
	sigdelsetmask(&current->blocked, sigmask(SIGKILL) | sigmask(SIGSTOP));
	recalc_sigpending();
	spin_unlock_irq(&current->sighand->siglock);
}

int ckpt_sighand_collect(struct ckpt_ctx *ctx, struct task_struct *task, u32 *ref)
{
	struct ckpt_obj *obj = ckpt_obj_add(ctx, task->sighand, CKPT_OBJ_SIGHAND, task, NULL);

	if (!obj)
		return -ENOMEM;
	*ref = obj->objref;
	return 0;
}

int ckpt_sigaction_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_obj *obj = ckpt_obj_find(ctx, task->sighand, CKPT_OBJ_SIGHAND);
	struct ckpt_sigaction *rec;
	struct ckpt_sigact *a;
	struct sigaction *sa;
	int sig;

	if (obj->written)
		return 0;
	obj->written = true;
	rec = ckpt_out(ctx, CKPT_REC_SIGACTION, obj->objref, sizeof(*rec), _NSIG * sizeof(*a));
	if (!rec)
		return -ENOMEM;
	rec->n = cpu_to_le32(_NSIG);
	rec->entry_size = cpu_to_le32(sizeof(*a));
	a = (void *)(rec + 1);
	spin_lock_irq(&task->sighand->siglock);
	for (sig = 0; sig < _NSIG; sig++, a++) {
		sa = &task->sighand->action[sig].sa;
		a->handler = cpu_to_le64((unsigned long)sa->sa_handler);
		a->flags = cpu_to_le64(sa->sa_flags);
		a->restorer = cpu_to_le64((unsigned long)sa->sa_restorer);
		a->mask = cpu_to_le64(sa->sa_mask.sig[0]);
	}
	spin_unlock_irq(&task->sighand->siglock);
	return 0;
}

int ckpt_sigpending_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task, bool shared)
{
	struct sigpending *pending = shared ? &task->signal->shared_pending : &task->pending;
	struct ckpt_sigpending *rec;
	struct sigqueue *q;
	u32 n = 0, i = 0;
	u8 *info;

	if (sigisemptyset(&pending->signal))
		return 0;
	spin_lock_irq(&task->sighand->siglock);
	list_for_each_entry(q, &pending->list, list)
		n++;
	spin_unlock_irq(&task->sighand->siglock);
	if (n > (CKPT_REC_MAX - sizeof(*rec)) / CKPT_SIGINFO)
		return ckpt_refuse(ctx, task, "sigpending", "has %u signals queued, more than can be saved", n);
	rec = ckpt_out(ctx, CKPT_REC_SIGPENDING, 0, sizeof(*rec), (size_t)n * CKPT_SIGINFO);
	if (!rec)
		return -ENOMEM;
	info = (u8 *)(rec + 1);
	spin_lock_irq(&task->sighand->siglock);
	/* one that came since then belongs to the time after */
	list_for_each_entry(q, &pending->list, list) {
		if (i == n)
			break;
		memcpy(info + (size_t)i++ * CKPT_SIGINFO, &q->info, sizeof(kernel_siginfo_t));
	}
	rec->mask = cpu_to_le64(pending->signal.sig[0]);
	spin_unlock_irq(&task->sighand->siglock);
	rec->shared = cpu_to_le32(shared);
	rec->n = cpu_to_le32(n);
	return 0;
}

/* ---- restart ---- */

int ckpt_sigaction_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_sigaction *rec = (const void *)in->fixed;
	u32 size = le32_to_cpu(rec->entry_size);
	const struct ckpt_sigact *a;
	struct k_sigaction ka;
	int sig, err;

	if (le32_to_cpu(rec->n) != _NSIG || size < sizeof(*a) || size > 256 || size % 8 ||
	    in->var_len != _NSIG * size)
		return ckpt_bad(ctx, in, "the number of its handlers is out of range");
	for (sig = 1; sig <= _NSIG; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		a = (const void *)(in->var + (sig - 1) * size);
		memset(&ka, 0, sizeof(ka));
		ka.sa.sa_handler = (void __user *)le64_to_cpu(a->handler);
		ka.sa.sa_flags = le64_to_cpu(a->flags) & CKPT_SA_FLAGS;
		ka.sa.sa_restorer = (void __user *)le64_to_cpu(a->restorer);
		ka.sa.sa_mask.sig[0] = le64_to_cpu(a->mask);
		err = K(do_sigaction)(sig, &ka, NULL);
		if (err)
			return ckpt_err(ctx, err, "image offset %llu: cannot set the handler of signal %d",
					in->offset, sig);
	}
	return 0;
}

int ckpt_sigpending_last(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_sigpending *rec = (const void *)in->fixed;
	u32 n = le32_to_cpu(rec->n), i;
	u64 mask = le64_to_cpu(rec->mask);
	bool shared = le32_to_cpu(rec->shared);
	struct kernel_siginfo info;
	int sig, err = 0;

	if (n > CKPT_REC_MAX / CKPT_SIGINFO || in->var_len != n * CKPT_SIGINFO)
		return ckpt_bad(ctx, in, "the number of its signals is out of range");
	for (i = 0; !err && i < n; i++) {
		memcpy(&info, in->var + (size_t)i * CKPT_SIGINFO, sizeof(info));
		sig = info.si_signo;
		if (!valid_signal(sig) || !sig || sig == SIGKILL)
			return ckpt_bad(ctx, in, "a pending signal is out of range");
		mask &= ~(1ULL << (sig - 1));
		if (info.si_code == SI_TIMER) {
			if (ckpt_timer_requeue(&info))
				continue;
			info.si_sys_private = 0;
		}
		if (shared)
			err = K(group_send_sig_info)(sig, &info, current, PIDTYPE_TGID);
		else
			err = send_sig_info(sig, &info, current);
	}
	/* signals that had found no memory for a siginfo */
	for (sig = 1; !err && sig <= _NSIG; sig++) {
		if (!(mask & 1ULL << (sig - 1)) || sig == SIGKILL)
			continue;
		if (shared)
			err = K(group_send_sig_info)(sig, SEND_SIG_NOINFO, current, PIDTYPE_TGID);
		else
			err = send_sig_info(sig, SEND_SIG_NOINFO, current);
	}
	if (err)
		return ckpt_err(ctx, err, "thread %d: cannot queue a pending signal", rt->tid);
	return 0;
}
