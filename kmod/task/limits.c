// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: resource limits, and what getrusage() counts of dead threads and
 * children.
 * Locks: task_lock of the leader for the limits, siglock and stats_lock for
 * the counters. A restart sets limits as prlimit() does.
 */
#include <linux/resource.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "task.h"
#include "../arch/arch.h"
#include "../ksym.h"

int ckpt_rlimits_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_rlimits *rec;
	unsigned int i;

	BUILD_BUG_ON(RLIM_NLIMITS > ARRAY_SIZE(rec->limit));
	rec = ckpt_out(ctx, CKPT_REC_RLIMITS, 0, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	rec->n = cpu_to_le32(RLIM_NLIMITS);
	task_lock(task->group_leader);
	for (i = 0; i < RLIM_NLIMITS; i++) {
		rec->limit[i][0] = cpu_to_le64(task->signal->rlim[i].rlim_cur);
		rec->limit[i][1] = cpu_to_le64(task->signal->rlim[i].rlim_max);
	}
	task_unlock(task->group_leader);
	return 0;
}

int ckpt_rusage_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct signal_struct *sig = task->signal;
	struct ckpt_rusage *rec;

	rec = ckpt_out(ctx, CKPT_REC_RUSAGE, 0, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	spin_lock_irq(&task->sighand->siglock);
#define CKPT_SIG(field, from) rec->field = cpu_to_le64(sig->from)
	CKPT_SIG(utime_ns, utime); CKPT_SIG(stime_ns, stime);
	CKPT_SIG(cutime_ns, cutime); CKPT_SIG(cstime_ns, cstime);
	CKPT_SIG(nvcsw, nvcsw); CKPT_SIG(nivcsw, nivcsw);
	CKPT_SIG(cnvcsw, cnvcsw); CKPT_SIG(cnivcsw, cnivcsw);
	CKPT_SIG(min_flt, min_flt); CKPT_SIG(maj_flt, maj_flt);
	CKPT_SIG(cmin_flt, cmin_flt); CKPT_SIG(cmaj_flt, cmaj_flt);
	CKPT_SIG(inblock, inblock); CKPT_SIG(oublock, oublock);
	CKPT_SIG(cinblock, cinblock); CKPT_SIG(coublock, coublock);
	CKPT_SIG(maxrss, maxrss); CKPT_SIG(cmaxrss, cmaxrss);
	CKPT_SIG(sum_sched_runtime, sum_sched_runtime);
	CKPT_SIG(seen_utime_ns, prev_cputime.utime);
	CKPT_SIG(seen_stime_ns, prev_cputime.stime);
#undef CKPT_SIG
	spin_unlock_irq(&task->sighand->siglock);
	return 0;
}

/* ---- restart ---- */

/*
 * The call checks the rights, and arms what a limit needs. The memory that it
 * reads was mapped before the limits of memory hold.
 */
int ckpt_rlimits_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_rlimits *rec = (const void *)in->fixed;
	unsigned int i, n = le32_to_cpu(rec->n);
	struct rlimit64 lim;
	unsigned long page = 0;
	int err = 0;

	if (n > RLIM_NLIMITS)
		return ckpt_bad(ctx, in, "it has limits that this kernel does not know");
	for (i = 0; !err && i < n; i++) {
		lim.rlim_cur = le64_to_cpu(rec->limit[i][0]);
		lim.rlim_max = le64_to_cpu(rec->limit[i][1]);
		if (lim.rlim_cur > lim.rlim_max) {
			err = ckpt_bad(ctx, in, "a limit is above its maximum");
			break;
		}
		/* only what takes rights is done here */
		if (lim.rlim_max <= current->signal->rlim[i].rlim_max)
			continue;
		lim.rlim_cur = current->signal->rlim[i].rlim_cur;
		if (!page) {
			page = ckpt_user_mem(PAGE_SIZE);
			if (IS_ERR_VALUE(page))
				return page;
		}
		if (copy_to_user((void __user *)page, &lim, sizeof(lim)))
			err = -EFAULT;
		else
			err = ckpt_arch_syscall(__NR_prlimit64, 0, i, page, 0, 0, 0);
		if (err)
			err = ckpt_err(ctx, err, "process %u had limit %u with the maximum %llu, which the caller may not set%s",
				       rt->joined->pid, i, lim.rlim_max,
				       err == -EPERM ? "; it needs CAP_SYS_RESOURCE" : "");
	}
	if (page)
		vm_munmap(page, PAGE_SIZE);
	return err;
}

/* last of all: a restart itself maps memory and queues signals; what is left is to lower limits */
int ckpt_rlimits_end(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_rlimits *rec = (const void *)in->fixed;
	struct rlimit *rlim = current->signal->rlim;
	u64 cpu = rlim[RLIMIT_CPU].rlim_cur;
	unsigned int i;

	task_lock(current->group_leader);
	for (i = 0; i < le32_to_cpu(rec->n); i++) {
		rlim[i].rlim_cur = le64_to_cpu(rec->limit[i][0]);
		rlim[i].rlim_max = le64_to_cpu(rec->limit[i][1]);
	}
	task_unlock(current->group_leader);
	if (cpu != rlim[RLIMIT_CPU].rlim_cur && rlim[RLIMIT_CPU].rlim_cur != RLIM_INFINITY)
		K(update_rlimit_cpu)(current, rlim[RLIMIT_CPU].rlim_cur ?: 1);
	return 0;
}

int ckpt_rusage_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_rusage *rec = (const void *)in->fixed;
	struct signal_struct *sig = current->signal;

	if (ckpt_cpu_time(rt, le64_to_cpu(rec->utime_ns)) ||
	    ckpt_cpu_time(rt, le64_to_cpu(rec->stime_ns)) ||
	    ckpt_cpu_time(rt, le64_to_cpu(rec->sum_sched_runtime)) ||
	    le64_to_cpu(rec->cutime_ns) > CKPT_CPU_MAX || le64_to_cpu(rec->cstime_ns) > CKPT_CPU_MAX)
		return ckpt_bad(ctx, in, "its CPU time is out of range");
	spin_lock_irq(&current->sighand->siglock);
	write_seqlock(&sig->stats_lock);
#define CKPT_SIG(field, to) sig->to = le64_to_cpu(rec->field)
	CKPT_SIG(utime_ns, utime); CKPT_SIG(stime_ns, stime);
	CKPT_SIG(cutime_ns, cutime); CKPT_SIG(cstime_ns, cstime);
	CKPT_SIG(nvcsw, nvcsw); CKPT_SIG(nivcsw, nivcsw);
	CKPT_SIG(cnvcsw, cnvcsw); CKPT_SIG(cnivcsw, cnivcsw);
	CKPT_SIG(min_flt, min_flt); CKPT_SIG(maj_flt, maj_flt);
	CKPT_SIG(cmin_flt, cmin_flt); CKPT_SIG(cmaj_flt, cmaj_flt);
	CKPT_SIG(inblock, inblock); CKPT_SIG(oublock, oublock);
	CKPT_SIG(cinblock, cinblock); CKPT_SIG(coublock, coublock);
	CKPT_SIG(maxrss, maxrss); CKPT_SIG(cmaxrss, cmaxrss);
	CKPT_SIG(sum_sched_runtime, sum_sched_runtime);
	write_sequnlock(&sig->stats_lock);
	raw_spin_lock(&sig->prev_cputime.lock);
	CKPT_SIG(seen_utime_ns, prev_cputime.utime);
	CKPT_SIG(seen_stime_ns, prev_cputime.stime);
	raw_spin_unlock(&sig->prev_cputime.lock);
#undef CKPT_SIG
	spin_unlock_irq(&current->sighand->siglock);
	return 0;
}
