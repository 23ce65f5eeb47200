// SPDX-License-Identifier: GPL-2.0-only
/*
 * A copy-on-write copy of an address space: a second mm that no task runs on,
 * with just the mappings that have private pages. The tasks go on at once and
 * the copy keeps the pages as they were.
 *
 * Not copied: shared mappings and hugetlb (read while frozen), PFN maps.
 * Locks: mmap_lock of both for writing. The caller has all users parked.
 */
#include <linux/hugetlb.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/userfaultfd_k.h>

#include "mm.h"
#include "../ksym.h"

/* flags that only matter to an address space that somebody runs on */
#define CKPT_SNAP_CLEAR	(VM_ACCOUNT | VM_LOCKED | VM_LOCKONFAULT | VM_EXEC | \
			 VM_MAYEXEC | VM_MERGEABLE | VM_UFFD_MISSING | VM_UFFD_WP)

static int ckpt_snapshot_vma(struct mm_struct *n, struct vm_area_struct *v)
{
	struct vm_area_struct *t;
	struct address_space *mapping;
	MA_STATE(mas, &n->mm_mt, v->vm_start, v->vm_end - 1);
	int err;

	ckpt_vma_start_write(v);
	t = K(vm_area_dup)(v);
	if (!t)
		return -ENOMEM;
	err = K(vma_dup_policy)(v, t);
	if (err) {
		K(vm_area_free)(t);
		return err;
	}
	t->vm_mm = n;
	t->vm_userfaultfd_ctx = NULL_VM_UFFD_CTX;
	ckpt_vm_flags_clear(t, CKPT_SNAP_CLEAR);
	err = K(anon_vma_fork)(t, v);
	if (err)
		goto free_policy;
	err = mas_store_gfp(&mas, t, GFP_KERNEL);
	if (err)
		goto unlink;
	/* from here exit_mmap() undoes it */
	n->map_count++;
	n->total_vm += vma_pages(t);
	if (t->vm_ops && t->vm_ops->open)
		t->vm_ops->open(t);
	if (t->vm_file) {
		get_file(t->vm_file);
		mapping = t->vm_file->f_mapping;
		i_mmap_lock_write(mapping);
		flush_dcache_mmap_lock(mapping);
		K(vma_interval_tree_insert_after)(t, v, &mapping->i_mmap);
		flush_dcache_mmap_unlock(mapping);
		i_mmap_unlock_write(mapping);
	}
	return K(copy_page_range)(t, v);

unlink:
	K(unlink_anon_vmas)(t);
free_policy:
	if (vma_policy(t))
		K(__mpol_put)(vma_policy(t));
	K(vm_area_free)(t);
	return err;
}

/**
 * ckpt_snapshot() - copy an address space
 * @mm: the address space; all its users are parked
 *
 * Return: the copy, to be dropped with mmput(), or an ERR_PTR.
 */
struct mm_struct *ckpt_snapshot(struct mm_struct *mm)
{
	struct mm_struct *n = K(mm_alloc)();
	struct vm_area_struct *v;
	VMA_ITERATOR(vmi, mm, 0);
	int err = 0;

	if (!n)
		return ERR_PTR(-ENOMEM);
#ifdef CONFIG_MEMCG
	/* would be left dangling when this task ends */
	n->owner = NULL;
#endif
	if (mmap_write_lock_killable(mm)) {
		mmput(n);
		return ERR_PTR(-EINTR);
	}
	mmap_write_lock_nested(n, SINGLE_DEPTH_NESTING);
	for_each_vma(vmi, v) {
		if (!ckpt_vma_has_pages(v))
			continue;
		err = ckpt_snapshot_vma(n, v);
		if (err)
			break;
	}
	mmap_write_unlock(n);
	/* write-protected entries may be cached, also after a failure */
	K(flush_tlb_mm_range)(mm, 0, TLB_FLUSH_ALL, 0, true);
	mmap_write_unlock(mm);
	if (err) {
		mmput(n);
		return ERR_PTR(err);
	}
	return n;
}
