// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: an address space: its mappings (vma.c), the places of code, data,
 * heap, stack, arguments, environment and auxiliary vector, the executable,
 * mmap_base, dumpability, core dump filter, THP, mlockall and membarrier
 * settings, protection keys.
 * Refuses: userfaultfd (vma.c), an LDT, a vDSO of its own.
 * Locks: mmap_lock for reading at checkpoint; at restart the current task's
 * own, for writing.
 */
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/membarrier.h>
#include <linux/mm.h>
#include <linux/pkeys.h>
#include <linux/prctl.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <asm/mmu.h>

#include "mm.h"
#include "../arch/arch.h"
#include "../files/files.h"
#include "../ksym.h"

#define CKPT_AUXV_MAX	(sizeof(((struct mm_struct *)0)->saved_auxv))
#define CKPT_MEMBARRIER_READY (MEMBARRIER_STATE_PRIVATE_EXPEDITED_READY |	\
	MEMBARRIER_STATE_GLOBAL_EXPEDITED_READY |				\
	MEMBARRIER_STATE_PRIVATE_EXPEDITED_SYNC_CORE_READY |			\
	MEMBARRIER_STATE_PRIVATE_EXPEDITED_RSEQ_READY |				\
	MEMBARRIER_STATE_PRIVATE_EXPEDITED | MEMBARRIER_STATE_GLOBAL_EXPEDITED |	\
	MEMBARRIER_STATE_PRIVATE_EXPEDITED_SYNC_CORE |				\
	MEMBARRIER_STATE_PRIVATE_EXPEDITED_RSEQ)

/* the CKPT_MM_* that this kernel can have */
static const u64 ckpt_mm_flags_known = CKPT_MM_THP_DISABLE
#ifdef MMF_VM_MERGE_ANY
	| CKPT_MM_KSM
#endif
#ifdef MMF_HAS_MDWE
	| CKPT_MM_MDWE
#endif
#ifdef MMF_HAS_MDWE_NO_INHERIT
	| CKPT_MM_MDWE_NO_INHERIT
#endif
	;

/* what is known of an address space between its records and the end */
struct ckpt_mm_rt {
	unsigned int nvmas;
	unsigned int nrings;		/* of asynchronous I/O that have no context yet */
	struct ckpt_in **vmas;
	u32 dumpable;
	u64 def_flags;
	u64 flags;
};

/* ---- checkpoint ---- */

static int ckpt_mm_refuse(struct ckpt_ctx *ctx, struct task_struct *task,
			  struct mm_struct *mm)
{
#ifdef CONFIG_MODIFY_LDT_SYSCALL
	if (mm->context.ldt)
		return ckpt_refuse(ctx, task, "ldt", "has a local descriptor table (modify_ldt)");
#endif
	return 0;
}

/**
 * ckpt_mm_collect() - make an address space and its files known
 * @ctx: the checkpoint
 * @task: one of its users
 * @ref: set to its objref
 *
 * Return: 0 or a negative errno.
 */
int ckpt_mm_collect(struct ckpt_ctx *ctx, struct task_struct *task, u32 *ref)
{
	struct mm_struct *mm = task->mm;
	struct ckpt_mm_save *save;
	struct vm_area_struct *vma;
	struct ckpt_obj *obj;
	VMA_ITERATOR(vmi, mm, 0);
	bool new;
	int err;

	obj = ckpt_obj_add(ctx, mm, CKPT_OBJ_MM, task, &new);
	if (!obj)
		return -ENOMEM;
	*ref = obj->objref;
	if (!new)
		return 0;
	save = kzalloc(sizeof(*save), GFP_KERNEL);
	if (!save)
		return -ENOMEM;
	mmget(mm);
	save->mm = mm;
	save->objref = obj->objref;
	INIT_LIST_HEAD(&save->copies);
	list_add_tail(&save->node, &ctx->mms);

	err = ckpt_mm_refuse(ctx, task, mm);
	if (!err)
		err = ckpt_aio_collect(ctx, task, mm);
	if (err)
		return err;
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		err = ckpt_vma_collect(ctx, task, vma);
		if (!err)
			err = ckpt_cow_collect(ctx, task, save, vma);
		save->huge |= is_vm_hugetlb_page(vma) && !(vma->vm_flags & VM_MAYSHARE);
		if (err)
			break;
	}
	mmap_read_unlock(mm);
	if (!err && rcu_access_pointer(mm->exe_file))
		err = ckpt_file_collect(ctx, rcu_access_pointer(mm->exe_file), task);
	return err;
}

static u64 ckpt_mm_flags(struct mm_struct *mm)
{
	u64 flags = 0;

	if (test_bit(MMF_DISABLE_THP, &mm->flags))
		flags |= CKPT_MM_THP_DISABLE;
#ifdef MMF_VM_MERGE_ANY
	if (test_bit(MMF_VM_MERGE_ANY, &mm->flags))
		flags |= CKPT_MM_KSM;
#endif
#ifdef MMF_HAS_MDWE
	if (test_bit(MMF_HAS_MDWE, &mm->flags))
		flags |= CKPT_MM_MDWE;
#endif
#ifdef MMF_HAS_MDWE_NO_INHERIT
	if (test_bit(MMF_HAS_MDWE_NO_INHERIT, &mm->flags))
		flags |= CKPT_MM_MDWE_NO_INHERIT;
#endif
	return flags;
}

/**
 * ckpt_mm_checkpoint() - save an address space
 * @ctx: the checkpoint
 * @task: one of its users
 * @ref: its objref
 *
 * Return: 0 or a negative errno.
 */
int ckpt_mm_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task, u32 ref)
{
	struct mm_struct *mm = task->mm;
	struct ckpt_obj *obj = ckpt_obj_find(ctx, mm, CKPT_OBJ_MM), *exe;
	struct vm_area_struct *vma;
	struct ckpt_mm *rec;
	VMA_ITERATOR(vmi, mm, 0);
	unsigned int auxv = 0;
	int err = 0;

	if (obj->written)
		return 0;
	obj->written = true;
	/* up to and with AT_NULL */
	while (auxv < CKPT_AUXV_MAX / sizeof(long) && mm->saved_auxv[auxv])
		auxv += 2;
	auxv = min_t(unsigned int, (auxv + 2) * sizeof(long), CKPT_AUXV_MAX);
	rec = ckpt_out(ctx, CKPT_REC_MM, ref, sizeof(*rec), auxv);
	if (!rec)
		return -ENOMEM;
#define CKPT_MM(name) rec->name = cpu_to_le64(mm->name)
	CKPT_MM(start_code); CKPT_MM(end_code);
	CKPT_MM(start_data); CKPT_MM(end_data);
	CKPT_MM(start_brk); CKPT_MM(brk); CKPT_MM(start_stack);
	CKPT_MM(arg_start); CKPT_MM(arg_end);
	CKPT_MM(env_start); CKPT_MM(env_end);
	CKPT_MM(mmap_base);
#undef CKPT_MM
	rec->vdso = cpu_to_le64(ckpt_arch_vdso(mm));
	rec->flags = cpu_to_le64(ckpt_mm_flags(mm));
	rec->def_flags = cpu_to_le64((mm->def_flags & VM_LOCKED ? CKPT_VMA_LOCKED : 0) |
				     (mm->def_flags & VM_LOCKONFAULT ? CKPT_VMA_LOCKONFAULT : 0));
	rec->dumpable = cpu_to_le32(mm->flags & MMF_DUMPABLE_MASK);
	rec->coredump_filter = cpu_to_le32((mm->flags & MMF_DUMP_FILTER_MASK) >>
					   MMF_DUMP_FILTER_SHIFT);
#ifdef CONFIG_MEMBARRIER
	rec->membarrier = cpu_to_le32(atomic_read(&mm->membarrier_state));
#endif
#ifdef CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS
	rec->pkey_map = cpu_to_le32(mm->context.pkey_allocation_map);
	rec->exec_pkey = cpu_to_le32(max_t(int, mm->context.execute_only_pkey, 0));
#endif
	rec->nvmas = cpu_to_le32(mm->map_count);
	rec->auxv_bytes = cpu_to_le32(auxv);
	memcpy(rec + 1, mm->saved_auxv, auxv);
	exe = ckpt_obj_find(ctx, rcu_access_pointer(mm->exe_file), CKPT_OBJ_FILE);
	rec->exe = cpu_to_le32(exe ? exe->objref : 0);

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma) {
		err = ckpt_vma_checkpoint(ctx, task, vma, ref);
		if (err)
			break;
	}
	mmap_read_unlock(mm);
	if (!err)
		err = ckpt_aio_checkpoint(ctx, mm, ref);
	if (!err && !ckpt_out(ctx, CKPT_REC_MM_END, ref, 0, 0))
		err = -ENOMEM;
	return err;
}

/* ---- restart, in the task whose memory it is ---- */

static int ckpt_mm_check(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_mm *rec = (const void *)in->fixed;
	static const struct {
		u16 low, high;
	} pairs[] = {
#define CKPT_PAIR(a, b) { offsetof(struct ckpt_mm, a), offsetof(struct ckpt_mm, b) }
		CKPT_PAIR(start_code, end_code), CKPT_PAIR(start_data, end_data),
		CKPT_PAIR(start_brk, brk), CKPT_PAIR(arg_start, arg_end),
		CKPT_PAIR(env_start, env_end), CKPT_PAIR(start_stack, start_stack),
		CKPT_PAIR(mmap_base, mmap_base), CKPT_PAIR(vdso, vdso),
#undef CKPT_PAIR
	};
	unsigned int i;
	u64 low, high;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		low = le64_to_cpup((const __le64 *)(in->fixed + pairs[i].low));
		high = le64_to_cpup((const __le64 *)(in->fixed + pairs[i].high));
		if (low > high || high >= TASK_SIZE_MAX)
			return ckpt_bad(ctx, in, "an address is out of range");
	}
	if (le64_to_cpu(rec->vdso) & (PAGE_SIZE - 1) ||
	    le64_to_cpu(rec->mmap_base) & (PAGE_SIZE - 1))
		return ckpt_bad(ctx, in, "an address is not that of a page");
	if (le32_to_cpu(rec->auxv_bytes) != in->var_len ||
	    in->var_len > CKPT_AUXV_MAX || in->var_len % 16)
		return ckpt_bad(ctx, in, "the size of the auxiliary vector is out of range");
	if (le64_to_cpu(rec->flags) & ~ckpt_mm_flags_known)
		return ckpt_bad(ctx, in, "it has flags that this kernel does not know");
	if (le64_to_cpu(rec->def_flags) & ~(u64)(CKPT_VMA_LOCKED | CKPT_VMA_LOCKONFAULT) ||
	    le32_to_cpu(rec->dumpable) > 2 ||
	    le32_to_cpu(rec->coredump_filter) > MMF_DUMP_FILTER_MASK >> MMF_DUMP_FILTER_SHIFT ||
	    le32_to_cpu(rec->exec_pkey) > 15 ||
	    le32_to_cpu(rec->membarrier) & ~CKPT_MEMBARRIER_READY)
		return ckpt_bad(ctx, in, "a setting is out of range");
	if (le32_to_cpu(rec->nvmas) > INT_MAX / 2)
		return ckpt_bad(ctx, in, "the number of mappings is out of range");
	return 0;
}

static void ckpt_mm_fields(const struct ckpt_mm *rec, const u8 *auxv, u32 auxv_bytes)
{
	struct mm_struct *mm = current->mm;

	mmap_write_lock(mm);
	spin_lock(&mm->arg_lock);
#define CKPT_MM(name) mm->name = le64_to_cpu(rec->name)
	CKPT_MM(start_code); CKPT_MM(end_code);
	CKPT_MM(start_data); CKPT_MM(end_data);
	CKPT_MM(start_brk); CKPT_MM(brk); CKPT_MM(start_stack);
	CKPT_MM(arg_start); CKPT_MM(arg_end);
	CKPT_MM(env_start); CKPT_MM(env_end);
	CKPT_MM(mmap_base);
#undef CKPT_MM
	spin_unlock(&mm->arg_lock);
	memset(mm->saved_auxv, 0, sizeof(mm->saved_auxv));
	memcpy(mm->saved_auxv, auxv, auxv_bytes);
	mm->saved_auxv[CKPT_AUXV_MAX / sizeof(long) - 2] = 0;
	set_mask_bits(&mm->flags, MMF_DUMP_FILTER_MASK,
		      (unsigned long)le32_to_cpu(rec->coredump_filter) << MMF_DUMP_FILTER_SHIFT);
	if (le64_to_cpu(rec->flags) & CKPT_MM_THP_DISABLE)
		set_bit(MMF_DISABLE_THP, &mm->flags);
	else
		clear_bit(MMF_DISABLE_THP, &mm->flags);
#ifdef CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS
	/* key 0 always exists */
	mm->context.pkey_allocation_map = le32_to_cpu(rec->pkey_map) | 1;
	mm->context.execute_only_pkey = rec->exec_pkey ? le32_to_cpu(rec->exec_pkey) : -1;
#endif
	mmap_write_unlock(mm);
}

/* registrations are made by asking for them, so that every CPU learns of them */
static void ckpt_mm_membarrier(u32 state)
{
#ifdef CONFIG_MEMBARRIER
	static const struct {
		u32 state;
		int cmd;
	} cmds[] = {
		{ MEMBARRIER_STATE_GLOBAL_EXPEDITED, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED },
		{ MEMBARRIER_STATE_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED },
		{ MEMBARRIER_STATE_PRIVATE_EXPEDITED_SYNC_CORE,
		  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE },
		{ MEMBARRIER_STATE_PRIVATE_EXPEDITED_RSEQ,
		  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++)
		if (state & cmds[i].state)
			ckpt_arch_syscall(__NR_membarrier, cmds[i].cmd, 0, 0, 0, 0, 0);
#endif
}

static int ckpt_mm_exe(struct ckpt_ctx *ctx, struct ckpt_in *in, u32 ref)
{
	struct ckpt_obj *obj;
	struct file *file;

	if (!ref)
		return 0;
	obj = ckpt_obj_get(ctx, in, ref, CKPT_OBJ_FILE);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	file = obj->ptr;
	/* what execve() would ask of it */
	if (!S_ISREG(file_inode(file)->i_mode) || K(path_noexec)(&file->f_path) ||
	    file_permission(file, MAY_EXEC))
		return ckpt_bad(ctx, in, "its executable may not be executed");
	return K(replace_mm_exe_file)(current->mm, file);
}

/**
 * ckpt_mm_empty() - unmap all that the current task has from its creator
 *
 * Return: 0 or a negative errno.
 */
int ckpt_mm_empty(void)
{
	int err;

	/* before the memory goes that these point to */
	current->rseq = NULL;
	current->rseq_sig = 0;
	ckpt_set_rseq_len(current, 0);
	current->rseq_event_mask = 0;
	current->robust_list = NULL;
	current->clear_child_tid = NULL;
	current->set_child_tid = NULL;
	err = vm_munmap(0, TASK_SIZE);
	ckpt_arch_forget_vdso();
	current->mm->def_flags = 0;
	return err;
}

void ckpt_mm_rt_free(struct ckpt_joined *joined)
{
	struct ckpt_mm_rt *rt = joined->mm;
	unsigned int i;

	if (!rt)
		return;
	for (i = 0; i < rt->nvmas; i++)
		ckpt_in_free(rt->vmas[i]);
	kvfree(rt->vmas);
	kfree(rt);
	joined->mm = NULL;
}

/* keeps the record of a mapping for what is done when its pages are there */
static int ckpt_mm_keep(struct ckpt_mm_rt *rt, struct ckpt_in *in)
{
	struct ckpt_in **vmas;

	if (!(rt->nvmas & (rt->nvmas - 1))) {
		vmas = kvmalloc_array(rt->nvmas ? rt->nvmas * 2 : 1, sizeof(*vmas), GFP_KERNEL);
		if (!vmas)
			return -ENOMEM;
		if (rt->nvmas)
			memcpy(vmas, rt->vmas, rt->nvmas * sizeof(*vmas));
		kvfree(rt->vmas);
		rt->vmas = vmas;
	}
	rt->vmas[rt->nvmas++] = in;
	return 0;
}

/* a context of asynchronous I/O takes the place that was kept for its ring */
static int ckpt_mm_aio(struct ckpt_ctx *ctx, struct ckpt_mm_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_aio *rec = (const void *)in->fixed;
	const struct ckpt_vma *vma;
	unsigned int i;
	int made;

	for (i = 0; i < rt->nvmas; i++) {
		vma = (const void *)rt->vmas[i]->fixed;
		if (le32_to_cpu(vma->kind) == CKPT_VMAK_AIO && vma->start == rec->start &&
		    le64_to_cpu(vma->end) == le64_to_cpu(rec->start) + le64_to_cpu(rec->size))
			break;
	}
	if (i == rt->nvmas || (!rec->first && !rt->nrings))
		return ckpt_bad(ctx, in, "there is no mapping for its ring");
	made = ckpt_aio_restart(ctx, in);
	if (made <= 0)
		return made;
	rt->nrings--;
	return ckpt_vma_advise(ctx, rt->vmas[i]);
}

/* reads up to and with MM_END */
static int ckpt_mm_vmas(struct ckpt_ctx *ctx, struct ckpt_joined *joined, struct ckpt_in *mm)
{
	const struct ckpt_mm *rec = (const void *)mm->fixed;
	struct ckpt_mm_rt *rt = joined->mm;
	bool kept, end = false;
	struct ckpt_in *in;
	int err = 0;

	while (!err && !end) {
		in = ckpt_in(ctx);
		if (IS_ERR(in))
			return PTR_ERR(in);
		kept = false;
		if (in->type == CKPT_REC_MM_END) {
			end = true;
		} else if (in->type == CKPT_REC_AIO) {
			err = ckpt_mm_aio(ctx, rt, in);
		} else if (in->type != CKPT_REC_VMA) {
			err = ckpt_bad(ctx, in, "stands among the mappings");
		} else if (rt->nvmas == le32_to_cpu(rec->nvmas)) {
			err = ckpt_bad(ctx, mm, "it counts another number of mappings");
		} else {
			err = ckpt_vma_restart(ctx, in);
			if (!err)
				err = ckpt_cow_link(ctx, joined, in);
			if (!err)
				err = ckpt_mm_keep(rt, in);
			kept = !err;
			if (kept && le32_to_cpu(((struct ckpt_vma *)in->fixed)->kind) == CKPT_VMAK_AIO)
				rt->nrings++;
		}
		if (!kept)
			ckpt_in_free(in);
	}
	if (!err && rt->nvmas != le32_to_cpu(rec->nvmas))
		err = ckpt_bad(ctx, mm, "it counts another number of mappings");
	if (!err && rt->nrings)
		err = ckpt_bad(ctx, mm, "a ring of asynchronous I/O has no context");
	return err;
}

/**
 * ckpt_mm_restart() - replace the current address space
 * @ctx: the restart; the current task has the turn
 * @joined: the current process
 * @in: the MM record
 *
 * Return: 0 or a negative errno, after which the task can only die.
 */
int ckpt_mm_restart(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		    struct ckpt_in *in)
{
	const struct ckpt_mm *rec = (const void *)in->fixed;
	struct ckpt_mm_rt *rt;
	struct ckpt_obj *obj;
	int err;

	if (joined->mm)
		return ckpt_bad(ctx, in, "the process has an address space already");
	err = ckpt_mm_check(ctx, in);
	if (err)
		return err;
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	joined->mm = rt;
	rt->dumpable = le32_to_cpu(rec->dumpable);
	rt->def_flags = le64_to_cpu(rec->def_flags);
	rt->flags = le64_to_cpu(rec->flags);
	err = ckpt_mm_empty();
	if (err)
		return ckpt_err(ctx, err, "process %u: cannot unmap the memory of its creator", joined->pid);
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_MM, joined, NULL);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	ckpt_mm_fields(rec, in->var, in->var_len);
	err = ckpt_mm_vmas(ctx, joined, in);
	if (err)
		return err;
	if (rec->vdso) {
		err = ckpt_arch_map_vdso(ctx, le64_to_cpu(rec->vdso));
		if (err)
			return ckpt_err(ctx, err, "image offset %llu: the vDSO cannot be put at its address",
					in->offset);
	}
	/* mapping the heap and the vDSO may have moved these */
	ckpt_mm_fields(rec, in->var, in->var_len);
	ckpt_mm_membarrier(le32_to_cpu(rec->membarrier));
	return ckpt_mm_exe(ctx, in, le32_to_cpu(rec->exe));
}

/* what would be in the way of restoring mappings */
static int ckpt_mm_late_flags(struct ckpt_ctx *ctx, u64 flags)
{
	int err = 0;

#ifdef MMF_VM_MERGE_ANY
	if (flags & CKPT_MM_KSM)
		err = ckpt_arch_syscall(__NR_prctl, PR_SET_MEMORY_MERGE, 1, 0, 0, 0, 0);
	if (err)
		return ckpt_err(ctx, err, "memory cannot be merged (PR_SET_MEMORY_MERGE)");
#endif
#ifdef MMF_HAS_MDWE
	if (flags & CKPT_MM_MDWE)
		set_bit(MMF_HAS_MDWE, &current->mm->flags);
#endif
#ifdef MMF_HAS_MDWE_NO_INHERIT
	if (flags & CKPT_MM_MDWE_NO_INHERIT)
		set_bit(MMF_HAS_MDWE_NO_INHERIT, &current->mm->flags);
#endif
	return err;
}

/**
 * ckpt_mm_late() - what an address space needs when its pages are there
 * @ctx: the restart
 * @rt: a thread; the leader's call does it
 *
 * Return: 0 or a negative errno.
 */
int ckpt_mm_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt)
{
	struct ckpt_mm_rt *mm = rt->joined->mm;
	unsigned int i;
	int err;

	if (!mm)
		return 0;
	ckpt_cow_late();
	for (i = 0; i < mm->nvmas; i++) {
		err = ckpt_vma_late(ctx, mm->vmas[i]);
		if (err)
			return err;
	}
	mmap_write_lock(current->mm);
	if (mm->def_flags & CKPT_VMA_LOCKED)
		current->mm->def_flags |= VM_LOCKED;
	if (mm->def_flags & CKPT_VMA_LOCKONFAULT)
		current->mm->def_flags |= VM_LOCKONFAULT;
	mmap_write_unlock(current->mm);
	return ckpt_mm_late_flags(ctx, mm->flags);
}

/**
 * ckpt_mm_dumpable() - set again what changing the credentials resets
 * @rt: a thread
 */
void ckpt_mm_dumpable(struct ckpt_rt *rt)
{
	const struct ckpt_joined *joined = rt->joined->mm_from ?: rt->joined;

	if (joined->mm)
		set_mask_bits(&current->mm->flags, MMF_DUMPABLE_MASK,
			      (unsigned long)joined->mm->dumpable);
}
