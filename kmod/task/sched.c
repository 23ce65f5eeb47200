// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: scheduling policy, nice value, real-time priority, deadline
 * parameters, reset-on-fork, CPU affinity.
 * Locks: none; the thread is parked, and at restart the kernel's own calls
 * check the rights.
 */
#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/sched/rt.h>
#include <linux/slab.h>
#include <uapi/linux/sched/types.h>

#include "task.h"
#include "../ksym.h"

#define CKPT_DL_FLAGS	(SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN)

int ckpt_sched_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	bool all = cpumask_subset(cpu_possible_mask, &task->cpus_mask);
	size_t bytes = all ? 0 : DIV_ROUND_UP(nr_cpu_ids, 64) * 8;
	struct ckpt_sched *rec;
	unsigned int cpu;
	u8 *mask;

	rec = ckpt_out(ctx, CKPT_REC_SCHED, 0, sizeof(*rec), bytes);
	if (!rec)
		return -ENOMEM;
	rec->policy = cpu_to_le32(task->policy);
	rec->nice = cpu_to_le32(task_nice(task));
	rec->rt_priority = cpu_to_le32(task->rt_priority);
	rec->flags = cpu_to_le32(task->sched_reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0);
	if (task->policy == SCHED_DEADLINE) {
		rec->runtime = cpu_to_le64(task->dl.dl_runtime);
		rec->deadline = cpu_to_le64(task->dl.dl_deadline);
		rec->period = cpu_to_le64(task->dl.dl_period);
	}
	rec->flags |= cpu_to_le32(task->policy == SCHED_DEADLINE ? task->dl.flags & CKPT_DL_FLAGS : 0);
	rec->util_min = cpu_to_le32(~0);
	rec->util_max = cpu_to_le32(~0);
#ifdef CONFIG_UCLAMP_TASK
	if (task->uclamp_req[UCLAMP_MIN].user_defined)
		rec->util_min = cpu_to_le32(task->uclamp_req[UCLAMP_MIN].value);
	if (task->uclamp_req[UCLAMP_MAX].user_defined)
		rec->util_max = cpu_to_le32(task->uclamp_req[UCLAMP_MAX].value);
#endif
	rec->mask_bytes = cpu_to_le32(bytes);
	mask = (u8 *)(rec + 1);
	if (!all)
		for_each_cpu(cpu, &task->cpus_mask)
			if (cpu < nr_cpu_ids)
				mask[cpu / 8] |= 1 << cpu % 8;
	return 0;
}

int ckpt_sched_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_sched *rec = (const void *)in->fixed;
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = le32_to_cpu(rec->policy),
		.sched_nice = le32_to_cpu(rec->nice),
		.sched_priority = le32_to_cpu(rec->rt_priority),
		.sched_flags = le32_to_cpu(rec->flags) & SCHED_FLAG_RESET_ON_FORK,
		.sched_util_min = le32_to_cpu(rec->util_min),
		.sched_util_max = le32_to_cpu(rec->util_max),
		.sched_runtime = le64_to_cpu(rec->runtime),
		.sched_deadline = le64_to_cpu(rec->deadline),
		.sched_period = le64_to_cpu(rec->period),
	};
	cpumask_var_t mask;
	unsigned int cpu;
	int err;

	if (le32_to_cpu(rec->mask_bytes) != in->var_len)
		return ckpt_bad(ctx, in, "the size of its CPU mask is out of range");
	if (attr.sched_nice < MIN_NICE || attr.sched_nice > MAX_NICE ||
	    attr.sched_policy > SCHED_DEADLINE)
		return ckpt_bad(ctx, in, "a scheduling parameter is out of range");
	if (attr.sched_policy == SCHED_DEADLINE)
		attr.sched_flags |= le32_to_cpu(rec->flags) & CKPT_DL_FLAGS;
	if (rec->util_min != cpu_to_le32(~0))
		attr.sched_flags |= SCHED_FLAG_UTIL_CLAMP_MIN;
	if (rec->util_max != cpu_to_le32(~0))
		attr.sched_flags |= SCHED_FLAG_UTIL_CLAMP_MAX;
	if (attr.sched_policy != current->policy || attr.sched_nice != task_nice(current) ||
	    attr.sched_priority != current->rt_priority ||
	    !!attr.sched_flags != current->sched_reset_on_fork) {
		err = K(sched_setattr)(current, &attr);
		if (err)
			return ckpt_err(ctx, err, "thread %d: cannot set scheduling policy %u, nice %d, priority %u",
					rt->tid, attr.sched_policy, attr.sched_nice,
					attr.sched_priority);
	}
	/* a kernel policy of "all" needs no call unless the caller has less */
	if (!in->var_len && cpumask_subset(cpu_possible_mask, &current->cpus_mask))
		return 0;
	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	if (!in->var_len)
		cpumask_copy(mask, cpu_possible_mask);
	else
		for_each_possible_cpu(cpu)
			if (cpu / 8 < in->var_len && in->var[cpu / 8] & 1 << cpu % 8)
				cpumask_set_cpu(cpu, mask);
	err = K(sched_setaffinity)(0, mask);
	free_cpumask_var(mask);
	if (err)
		return ckpt_err(ctx, err, "thread %d: none of the CPUs it was bound to can be used here",
				rt->tid);
	return 0;
}
