// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: resource limits, and what getrusage() counts of dead threads and
 * children.
 * Locks: task_lock of the leader for the limits, siglock and stats_lock for
 * the counters.
 */
#include <linux/resource.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "task.h"

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
#undef CKPT_SIG
	spin_unlock_irq(&task->sighand->siglock);
	return 0;
}

/* ---- restart ---- */

int ckpt_rlimits_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_rlimits *rec = (const void *)in->fixed;
	struct rlimit *rlim = current->signal->rlim;
	u64 cur, max;
	unsigned int i;

	if (le32_to_cpu(rec->n) > RLIM_NLIMITS)
		return ckpt_bad(ctx, in, "it has limits that this kernel does not know");
	for (i = 0; i < le32_to_cpu(rec->n); i++) {
		cur = le64_to_cpu(rec->limit[i][0]);
		max = le64_to_cpu(rec->limit[i][1]);
		if (cur > max)
			return ckpt_bad(ctx, in, "a limit is above its maximum");
		if (max > rlim[i].rlim_max && !capable(CAP_SYS_RESOURCE))
			return ckpt_err(ctx, -EPERM, "process %u had a higher limit %u than the caller has, which needs CAP_SYS_RESOURCE",
					rt->joined->pid, i);
		task_lock(current->group_leader);
		rlim[i].rlim_cur = cur;
		rlim[i].rlim_max = max;
		task_unlock(current->group_leader);
	}
	return 0;
}

int ckpt_rusage_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_rusage *rec = (const void *)in->fixed;
	struct signal_struct *sig = current->signal;

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
#undef CKPT_SIG
	write_sequnlock(&sig->stats_lock);
	spin_unlock_irq(&current->sighand->siglock);
	return 0;
}
