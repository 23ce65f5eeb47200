// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: the NUMA memory policy of a thread (set_mempolicy).
 * Refuses: nothing at a checkpoint; a restart fails when none of the nodes is
 * there.
 * Locks: none; the thread is parked, and at restart the kernel's own call sets
 * the policy of the thread that makes it.
 */
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/nodemask.h>
#include <linux/uaccess.h>

#include "task.h"
#include "../arch/arch.h"

#define CKPT_NODES	DIV_ROUND_UP(MAX_NUMNODES, 8)

int ckpt_mempolicy_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
#ifdef CONFIG_NUMA
	struct mempolicy *pol = task->mempolicy;
	struct ckpt_mempolicy *rec;
	nodemask_t nodes;
	u8 *mask;
	int node;

	if (!pol)
		return 0;
	rec = ckpt_out(ctx, CKPT_REC_MEMPOLICY, 0, sizeof(*rec), CKPT_NODES);
	if (!rec)
		return -ENOMEM;
	rec->mode = cpu_to_le32(pol->mode);
	rec->flags = cpu_to_le32(pol->flags & MPOL_MODE_FLAGS);
	rec->mask_bytes = cpu_to_le32(CKPT_NODES);
	/* the one that was asked for, where the kernel remembers it */
	nodes = pol->flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES) ?
		pol->w.user_nodemask : pol->nodes;
	if (pol->mode == MPOL_LOCAL)
		nodes_clear(nodes);
	mask = (u8 *)(rec + 1);
	for_each_node_mask(node, nodes)
		mask[node / 8] |= 1 << node % 8;
#endif
	return 0;
}

/* ---- restart, in the thread ---- */

/* a policy of the caller of the restart is not the program's */
void ckpt_mempolicy_reset(void)
{
#ifdef CONFIG_NUMA
	if (current->mempolicy)
		ckpt_arch_syscall(__NR_set_mempolicy, MPOL_DEFAULT, 0, 0, 0, 0, 0);
#endif
}

int ckpt_mempolicy_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_mempolicy *rec = (const void *)in->fixed;
	u32 mode = le32_to_cpu(rec->mode), flags = le32_to_cpu(rec->flags);
	unsigned long page, bits = 0;
	u32 i;
	long err;

	if (le32_to_cpu(rec->mask_bytes) != in->var_len || in->var_len > PAGE_SIZE / 2 ||
	    in->var_len % 8)
		return ckpt_bad(ctx, in, "the size of its node mask is out of range");
	if (mode >= MPOL_MAX || flags & ~MPOL_MODE_FLAGS)
		return ckpt_bad(ctx, in, "a memory policy that this kernel does not know");
	page = ckpt_user_mem(PAGE_SIZE);
	if (IS_ERR_VALUE(page))
		return page;
	for (i = 0; i < in->var_len; i++)
		if (in->var[i])
			bits = (i + 1) * 8;
	err = 0;
	if (bits && copy_to_user((void __user *)page, in->var, in->var_len))
		err = -EFAULT;
	/* the call takes one less than the number of bits it is given */
	if (!err)
		err = ckpt_arch_syscall(__NR_set_mempolicy, mode | flags, bits ? page : 0,
					bits ? bits + 1 : 0, 0, 0, 0);
	vm_munmap(page, PAGE_SIZE);
	if (err)
		return ckpt_err(ctx, err, "thread %d: cannot set its memory policy; none of its nodes may be here",
				rt->tid);
	return 0;
}
