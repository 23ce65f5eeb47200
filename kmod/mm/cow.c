// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: which mappings of several address spaces share pages since a fork,
 * until one of them writes: those whose anon_vma has the same root, a family.
 *
 * At restart they become a family again when they are made, so that reverse
 * mapping finds the pages that same.c shares between them. All that is filled
 * belongs to the root meanwhile, for any of them may come to share it; a
 * mapping gets its own anon_vma back when all pages are there.
 *
 * Locks: the mmap_lock of the first of a family, then that of the current
 * process; the root's lock inside.
 */
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "mm.h"
#include "../ksym.h"

/* restart: where the first mapping of a family, or of an anon_vma, is */
struct ckpt_anon {
	struct ckpt_joined *joined;
	unsigned long start;
};

/* ---- checkpoint ---- */

/**
 * ckpt_cow_collect() - find out whether an address space shares pages
 * @ctx: the checkpoint
 * @task: one of its users
 * @save: the address space
 * @vma: one of its mappings
 *
 * Return: 0 or a negative errno.
 */
int ckpt_cow_collect(struct ckpt_ctx *ctx, struct task_struct *task,
		     struct ckpt_mm_save *save, struct vm_area_struct *vma)
{
	struct anon_vma *anon = vma->anon_vma;
	struct ckpt_mm_save *other;
	struct ckpt_obj *obj;
	bool new;

	/* a root counts itself among its children */
	if (!ckpt_vma_has_pages(vma) || (anon->root == anon && anon->num_children < 2))
		return 0;
	if (anon != anon->root && !ckpt_obj_add(ctx, anon, CKPT_OBJ_ANON, task, NULL))
		return -ENOMEM;
	obj = ckpt_obj_add(ctx, anon->root, CKPT_OBJ_ANON, task, &new);
	if (!obj)
		return -ENOMEM;
	if (!obj->owner)
		obj->owner = save;
	other = obj->owner;
	if (other != save) {
		/* more than one has it */
		obj->written = true;
		other->shares = true;
		save->shares = true;
	}
	return 0;
}

/**
 * ckpt_cow_ids() - tell the family of a mapping
 * @ctx: the checkpoint; all mappings are collected
 * @vma: the mapping
 * @rec: its record
 */
void ckpt_cow_ids(struct ckpt_ctx *ctx, struct vm_area_struct *vma,
		  struct ckpt_vma *rec)
{
	struct ckpt_obj *root, *anon;

	if (!ckpt_vma_has_pages(vma))
		return;
	root = ckpt_obj_find(ctx, vma->anon_vma->root, CKPT_OBJ_ANON);
	anon = ckpt_obj_find(ctx, vma->anon_vma, CKPT_OBJ_ANON);
	if (!root || !anon || !root->written)
		return;
	rec->anon_root = cpu_to_le32(root->objref);
	rec->anon = cpu_to_le32(anon->objref);
}

/* ---- restart ---- */

/* makes another anon_vma of its chain the one that a mapping's new pages get */
static void ckpt_anon_switch(struct vm_area_struct *vma, struct anon_vma *to)
{
	struct anon_vma *from = vma->anon_vma;

	if (from == to)
		return;
	anon_vma_lock_write(from);
	from->num_active_vmas--;
	to->num_active_vmas++;
	WRITE_ONCE(vma->anon_vma, to);
	anon_vma_unlock_write(from);
}

static int ckpt_anon_join(struct vm_area_struct *vma, struct vm_area_struct *first,
			  bool same)
{
	int err;

	/* merged with a neighbour that has one: its pages are copied */
	if (vma->anon_vma)
		return 0;
	if (!first)
		return K(__anon_vma_prepare)(vma);
	ckpt_vma_start_write(vma);
	ckpt_vma_start_write(first);
	if (same) {
		/* two parts of one mapping, as when it is split */
		vma->anon_vma = first->anon_vma;
		return K(anon_vma_clone)(vma, first);
	}
	err = K(anon_vma_fork)(vma, first);
	if (!err && vma->anon_vma)
		ckpt_anon_switch(vma, vma->anon_vma->root);
	return err;
}

static int ckpt_anon_note(struct ckpt_ctx *ctx, u32 id, struct ckpt_joined *joined,
			  unsigned long start)
{
	struct ckpt_anon *a;
	int err;

	if (xa_load(&ctx->anons, id))
		return 0;
	a = kmalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return -ENOMEM;
	a->joined = joined;
	a->start = start;
	err = xa_err(xa_store(&ctx->anons, id, a, GFP_KERNEL_ACCOUNT));
	if (err)
		kfree(a);
	return err;
}

/**
 * ckpt_lock_both() - lock the memory of a process, then that of the current one
 * @mm: the memory; may be that of the current process
 *
 * Return: 0, or -EINTR.
 */
int ckpt_lock_both(struct mm_struct *mm)
{
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (mm != current->mm)
		mmap_write_lock_nested(current->mm, SINGLE_DEPTH_NESTING);
	return 0;
}

void ckpt_unlock_both(struct mm_struct *mm)
{
	if (mm != current->mm)
		mmap_write_unlock(current->mm);
	mmap_write_unlock(mm);
}

/**
 * ckpt_cow_link() - make a new mapping one of its family
 * @ctx: the restart; the current task has the turn
 * @joined: the current process
 * @in: the record of the mapping
 *
 * Return: 0 or a negative errno.
 */
int ckpt_cow_link(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		  struct ckpt_in *in)
{
	const struct ckpt_vma *rec = (const void *)in->fixed;
	u32 root = le32_to_cpu(rec->anon_root), anon = le32_to_cpu(rec->anon);
	struct vm_area_struct *vma, *first = NULL;
	unsigned long start = le64_to_cpu(rec->start);
	struct ckpt_anon *a;
	struct mm_struct *mm;
	bool same;
	int err;

	if (!root && !anon)
		return 0;
	if (!root || !anon || le64_to_cpu(rec->flags) & CKPT_VMA_SHARED ||
	    le32_to_cpu(rec->kind) == CKPT_VMAK_VDSO)
		return ckpt_bad(ctx, in, "it shares no private memory");
	a = xa_load(&ctx->anons, anon);
	same = a && a->joined == joined;
	if (!same)
		a = xa_load(&ctx->anons, root);
	mm = get_task_mm(a ? a->joined->task : current);
	if (!mm)
		return -EINTR;
	err = ckpt_lock_both(mm);
	if (err)
		goto put;
	vma = vma_lookup(current->mm, start);
	if (a)
		first = vma_lookup(mm, a->start);
	err = -EINTR;
	if (vma && vma != first && (!a || (first && first->anon_vma)))
		err = ckpt_anon_join(vma, first, same);
	else if (vma && vma == first)
		err = 0;
	ckpt_unlock_both(mm);
	if (!err)
		err = ckpt_anon_note(ctx, root, joined, start);
	if (!err)
		err = ckpt_anon_note(ctx, anon, joined, start);
put:
	mmput(mm);
	return err;
}

/**
 * ckpt_cow_late() - let what is new belong to each process alone
 *
 * All pages are there. A chain begins with what was added last: the mapping's
 * own.
 */
void ckpt_cow_late(void)
{
	struct anon_vma_chain *avc;
	struct vm_area_struct *vma;
	VMA_ITERATOR(vmi, current->mm, 0);

	mmap_write_lock(current->mm);
	for_each_vma(vmi, vma) {
		if (!vma->anon_vma || list_is_singular(&vma->anon_vma_chain))
			continue;
		ckpt_vma_start_write(vma);
		avc = list_first_entry(&vma->anon_vma_chain, struct anon_vma_chain, same_vma);
		ckpt_anon_switch(vma, avc->anon_vma);
	}
	mmap_write_unlock(current->mm);
}

/**
 * ckpt_cow_free() - forget the families
 * @ctx: the restart
 */
void ckpt_cow_free(struct ckpt_ctx *ctx)
{
	struct ckpt_anon *a;
	unsigned long id;

	xa_for_each(&ctx->anons, id, a)
		kfree(a);
	xa_destroy(&ctx->anons);
}
