// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts page data into the private memory of the current process. A page of
 * ordinary size is filled before it is mapped: nothing is cleared only to be
 * written over, and there is no fault for each. Whether memory has huge pages
 * is decided by a fault, at the first page of each page table; the first page
 * of a mapping gives it the anon_vma that the others need.
 *
 * Of a large batch in a regular file a worker does the second half meanwhile,
 * as the process's other CPUs have nothing to do yet. It is free to stop
 * anywhere: what it has not done is done, or refused, by the process. No signal
 * reaches it, so it does nothing that may wait for somebody else: an image or a
 * mapped file of a server, memory in short supply.
 * Refuses: memory that is not private.
 * Locks: mmap_lock for reading; never while the image is read.
 */
#include <linux/bvec.h>
#include <linux/cpuset.h>
#include <linux/cred.h>
#include <linux/fadvise.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/kthread.h>
#include <linux/magic.h>
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/userfaultfd_k.h>
#include <linux/workqueue.h>

#include "mm.h"
#include "../ksym.h"

/* pages that are read together */
#define CKPT_FILL_MAX	64

/* what less pages than these cost is not worth a worker */
#define CKPT_FILL_HELP	256

struct ckpt_fill {
	struct page *pages[CKPT_FILL_MAX];	/* NULL: mapped, or none */
	struct bio_vec bvec[CKPT_FILL_MAX];
	unsigned int n;
	struct task_struct *helps;	/* it is the worker's, of this process; then: */
	bool stop;		/* nobody wants more */
	loff_t pos;		/* of the image, in its file */
	u32 done;		/* pages that are in place */
};

struct ckpt_fill_help {
	struct work_struct work;
	struct ckpt_ctx *ctx;
	struct ckpt_in *in;
	struct mm_struct *mm;	/* of the process, which waits for the work */
	u32 first;		/* page of the batch */
	struct ckpt_fill fill;
};

enum ckpt_fill_how {
	CKPT_FILL_FAULT,	/* as the kernel does it */
	CKPT_FILL_FIRST,	/* one page like that, then ask again */
	CKPT_FILL_MAP,		/* there is a page table to put pages in */
	CKPT_FILL_NOT,		/* that is for the process */
};

/* memory that cannot be written by its owner is written by force, page by page */
static int ckpt_fill_forced(struct ckpt_ctx *ctx, struct ckpt_in *in,
			    unsigned long addr, unsigned long len)
{
	void *buf = (void *)__get_free_page(GFP_KERNEL);
	int err = buf ? 0 : -ENOMEM;

	while (len && !err) {
		err = ckpt_read_kernel(ctx, buf, PAGE_SIZE);
		if (err)
			break;
		if (access_process_vm(current, addr, buf, PAGE_SIZE,
				      FOLL_WRITE | FOLL_FORCE) != PAGE_SIZE)
			err = ckpt_bad(ctx, in, "a page is not in memory that can be filled");
		addr += PAGE_SIZE;
		len -= PAGE_SIZE;
	}
	free_page((unsigned long)buf);
	return err;
}

/* The table that maps an address; NULL if there is none, or a huge page. */
static pmd_t *ckpt_fill_pmd(struct mm_struct *mm, unsigned long addr, bool *huge)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd, val;

	*huge = false;
	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud) || pud_bad(*pud))
		return NULL;
	pmd = pmd_offset(pud, addr);
	val = READ_ONCE(*pmd);
	if (pmd_none(val))
		return NULL;
	*huge = !pmd_present(val) || pmd_trans_huge(val) || pmd_bad(val);
	return *huge ? NULL : pmd;
}

/* The memory was checked before the lock was given up: somebody may have changed it from outside. */
static struct vm_area_struct *ckpt_fill_vma(unsigned long addr, unsigned long end)
{
	struct vm_area_struct *vma = vma_lookup(current->mm, addr);

	if (!vma || vma->vm_end < end || !vma_is_anonymous(vma) || userfaultfd_armed(vma) ||
	    vma->vm_flags & CKPT_VM_NOFILL || !(vma->vm_flags & VM_WRITE))
		return NULL;
	return vma;
}

static int ckpt_fill_charge(struct page *page, gfp_t gfp)
{
#ifdef CONFIG_MEMCG
	if (!mem_cgroup_disabled())
		return K(__mem_cgroup_charge)(page_folio(page), current->mm, gfp);
#endif
	return 0;
}

static void ckpt_fill_put(struct ckpt_fill *b)
{
	while (b->n)
		if (b->pages[--b->n])
			put_page(b->pages[b->n]);
}

/* Finds out how, and allocates the pages that are to be mapped: by the policy of the memory, in its cgroup. */
static enum ckpt_fill_how ckpt_fill_begin(struct ckpt_fill *b, unsigned long addr,
					  unsigned long end)
{
	gfp_t gfp = b->helps ? __GFP_RETRY_MAYFAIL | __GFP_NOWARN : 0;
	enum ckpt_fill_how how = b->helps ? CKPT_FILL_NOT : CKPT_FILL_FAULT;
	struct vm_area_struct *vma;
	struct page *page;
	bool huge;

	b->n = 0;
	mmap_read_lock(current->mm);
	vma = ckpt_fill_vma(addr, end);
	if (!vma)
		goto out;
	if (!ckpt_fill_pmd(current->mm, addr, &huge) || !vma->anon_vma) {
		how = huge ? CKPT_FILL_FAULT : CKPT_FILL_FIRST;
		goto out;
	}
	for (; addr < end && b->n < CKPT_FILL_MAX; addr += PAGE_SIZE) {
		page = alloc_page_vma(GFP_HIGHUSER_MOVABLE | gfp, vma, addr);
		if (!page)
			break;
		b->pages[b->n] = page;
		b->bvec[b->n].bv_page = page;
		b->bvec[b->n].bv_offset = 0;
		b->bvec[b->n++].bv_len = PAGE_SIZE;
		if (ckpt_fill_charge(page, GFP_KERNEL | gfp)) {
			put_page(b->pages[--b->n]);
			break;
		}
	}
	/* without memory the fault says so, and to whom it has to */
	if (b->n)
		how = CKPT_FILL_MAP;
out:
	mmap_read_unlock(current->mm);
	return how;
}

static bool ckpt_fill_stop(struct ckpt_ctx *ctx, const struct ckpt_fill *b)
{
	return b->helps && (READ_ONCE(b->stop) || READ_ONCE(ctx->aborted) || READ_ONCE(ctx->err) ||
			    fatal_signal_pending(b->helps));
}

/* The worker says nothing of what goes wrong: it will do so again, in the process. */
static int ckpt_fill_read(struct ckpt_ctx *ctx, struct ckpt_fill *b, struct iov_iter *iter)
{
	ssize_t n;

	if (!b->helps)
		return ckpt_read_iter(ctx, iter);
	while (iov_iter_count(iter)) {
		n = vfs_iter_read(ctx->rq.image, iter, &b->pos, 0);
		if (n <= 0)
			return -EIO;
		cond_resched();
	}
	return 0;
}

/* Maps the pages that have been read. One whose place is taken is copied there. */
static int ckpt_fill_map(struct ckpt_ctx *ctx, struct ckpt_fill *b, unsigned long addr)
{
	unsigned long len = b->n * PAGE_SIZE, left;
	struct vm_area_struct *vma;
	pmd_t *pmd = NULL;
	unsigned int i;
	void *data;
	bool huge;

	mmap_read_lock(current->mm);
	vma = ckpt_fill_vma(addr, addr + len);
	if (vma && vma->anon_vma)
		pmd = ckpt_fill_pmd(current->mm, addr, &huge);
	for (i = 0; pmd && i < b->n; i++) {
		__SetPageUptodate(b->pages[i]);
		/* the mapping takes over the reference */
		if (!ckpt_install_page(pmd, vma, addr + i * PAGE_SIZE, b->pages[i]))
			b->pages[i] = NULL;
	}
	mmap_read_unlock(current->mm);
	for (i = 0; i < b->n; i++) {
		if (!b->pages[i])
			continue;
		data = kmap_local_page(b->pages[i]);
		left = copy_to_user((void __user *)(addr + i * PAGE_SIZE), data, PAGE_SIZE);
		kunmap_local(data);
		if (left)
			return b->helps ? -EFAULT :
			       ckpt_err(ctx, -EFAULT, "cannot put a page at 0x%lx in place",
					addr + i * PAGE_SIZE);
	}
	return 0;
}

/* fills memory that its owner may write */
static int ckpt_fill_range(struct ckpt_ctx *ctx, struct ckpt_fill *b,
			   unsigned long addr, unsigned long end)
{
	enum ckpt_fill_how how;
	struct iov_iter iter;
	unsigned long stop;
	struct iovec iov;
	int err = 0;

	for (; addr < end; addr = stop) {
		if (ckpt_fill_stop(ctx, b))
			return -ECANCELED;
		stop = min(end, round_down(addr, PMD_SIZE) + PMD_SIZE);
		how = ckpt_fill_begin(b, addr, stop);
		if (how == CKPT_FILL_MAP) {
			stop = addr + b->n * PAGE_SIZE;
			iov_iter_bvec(&iter, READ, b->bvec, b->n, stop - addr);
			err = ckpt_fill_read(ctx, b, &iter);
			if (!err)
				err = ckpt_fill_map(ctx, b, addr);
			ckpt_fill_put(b);
		} else if (how == CKPT_FILL_NOT) {
			err = -ENOMEM;
		} else {
			if (how == CKPT_FILL_FIRST)
				stop = addr + PAGE_SIZE;
			err = ckpt_import_ubuf(true, (void __user *)addr, stop - addr, &iov, &iter);
			if (!err)
				err = ckpt_fill_read(ctx, b, &iter);
		}
		if (err)
			break;
		b->done += (stop - addr) / PAGE_SIZE;
	}
	return err;
}

/* fills memory of any kind that can be filled */
static int ckpt_fill_any(struct ckpt_ctx *ctx, struct ckpt_in *in, struct ckpt_fill *b,
			 unsigned long addr, unsigned long end)
{
	unsigned long stop, flags, size;
	struct vm_area_struct *vma;
	bool plain;
	int err = 0;

	for (; addr < end && !err; addr = stop) {
		mmap_read_lock(current->mm);
		vma = find_vma(current->mm, addr);
		if (!vma || vma->vm_start > addr || vma->vm_flags & CKPT_VM_NOFILL) {
			mmap_read_unlock(current->mm);
			return b->helps ? -EFAULT :
			       ckpt_bad(ctx, in, "a page is outside of private memory");
		}
		stop = min(end, vma->vm_end);
		flags = vma->vm_flags;
		size = vma_kernel_pagesize(vma);
		plain = vma_is_anonymous(vma) && flags & VM_WRITE;
		mmap_read_unlock(current->mm);
		if (b->helps && !plain)
			return -EFAULT;
		if (flags & VM_WRITE)
			err = ckpt_fill_range(ctx, b, addr, stop);
		else if (flags & VM_HUGETLB)
			err = ckpt_bad(ctx, in, "a page is in memory that cannot be filled");
		else
			err = ckpt_fill_forced(ctx, in, addr, stop - addr);
		if (err == -EFAULT && flags & VM_HUGETLB)
			err = ckpt_huge_fault(ctx, in, size);
	}
	return err;
}

/* Fills some of the pages of a batch, counted over its runs. */
static int ckpt_fill_some(struct ckpt_ctx *ctx, struct ckpt_in *in, struct ckpt_fill *b,
			  u32 first, u32 end)
{
	const struct ckpt_run *run = (const void *)in->var;
	unsigned long addr;
	u32 n, at = 0;
	int err = 0;

	for (; first < end && !err; at += le32_to_cpu(run++->npages)) {
		n = le32_to_cpu(run->npages);
		if (first >= at + n)
			continue;
		n = min(end, at + n) - first;
		addr = le64_to_cpu(run->start) + (first - at) * PAGE_SIZE;
		err = ckpt_fill_any(ctx, in, b, addr, addr + n * PAGE_SIZE);
		first += n;
	}
	return err;
}

static void ckpt_fill_work(struct work_struct *work)
{
	struct ckpt_fill_help *h = container_of(work, struct ckpt_fill_help, work);
	u32 npages = le32_to_cpu(((const struct ckpt_pages *)h->in->fixed)->npages);
	const struct cred *old = override_creds(h->ctx->cred);

	kthread_use_mm(h->mm);
	ckpt_fill_some(h->ctx, h->in, &h->fill, h->first, npages);
	kthread_unuse_mm(h->mm);
	revert_creds(old);
}

/* The page table border next to the middle of a batch, if the run there has one. */
static u32 ckpt_fill_middle(const struct ckpt_in *in, u32 npages)
{
	const struct ckpt_run *run = (const void *)in->var;
	u32 mid = npages / 2, at = 0, border;

	for (; at + le32_to_cpu(run->npages) <= mid; run++)
		at += le32_to_cpu(run->npages);
	border = mid + PTRS_PER_PTE / 2;
	border -= (le64_to_cpu(run->start) / PAGE_SIZE + border - at) % PTRS_PER_PTE;
	return border > at && border < at + le32_to_cpu(run->npages) ? border : mid;
}

/* A worker has neither the CPUs nor the memory policy of the process. */
static bool ckpt_fill_may_help(struct file *image)
{
#ifdef CONFIG_NUMA
	if (current->mempolicy)
		return false;
#endif
	if (!(image->f_mode & FMODE_NOWAIT) && file_inode(image)->i_sb->s_magic != TMPFS_MAGIC)
		return false;	/* who knows who reads it */
	return num_online_cpus() > 1 && cpumask_subset(cpu_online_mask, current->cpus_ptr) &&
	       nodes_equal(cpuset_current_mems_allowed, node_states[N_MEMORY]);
}

/* Has a part of a batch done by a worker. NULL: the process does it all. */
static struct ckpt_fill_help *ckpt_fill_help(struct ckpt_ctx *ctx, struct ckpt_in *in, u32 npages)
{
	loff_t pos = ckpt_read_pos(ctx);
	struct ckpt_fill_help *h;

	if (npages < CKPT_FILL_HELP || pos < 0 || !ckpt_fill_may_help(ctx->rq.image))
		return NULL;
	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return NULL;
	/* one reader after the other would be taken for reads at random */
	if (!(ctx->rq.image->f_flags & O_DIRECT))
		vfs_fadvise(ctx->rq.image, pos, npages * PAGE_SIZE, POSIX_FADV_WILLNEED);
	INIT_WORK(&h->work, ckpt_fill_work);
	h->ctx = ctx;
	h->in = in;
	h->mm = current->mm;
	h->first = ckpt_fill_middle(in, npages);
	h->fill.helps = current;
	h->fill.pos = pos + h->first * PAGE_SIZE;
	queue_work_node(numa_node_id(), system_unbound_wq, &h->work);
	return h;
}

/**
 * ckpt_mm_fill() - fill the current address space with a batch of pages
 * @ctx: the restart; the current task has the turn
 * @joined: the current process
 * @in: the PAGES record
 *
 * Only private mappings take page data: a page for anything else is an error.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_mm_fill(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		 struct ckpt_in *in)
{
	u32 npages = le32_to_cpu(((const struct ckpt_pages *)in->fixed)->npages), first = 0;
	struct ckpt_fill_help *h;
	struct ckpt_fill *b;
	int err;

	b = kzalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return -ENOMEM;
	err = ckpt_pages_check(ctx, in, TASK_SIZE_MAX);
	if (err)
		goto out;
	h = ckpt_fill_help(ctx, in, npages);
	if (h) {
		err = ckpt_fill_some(ctx, in, b, 0, h->first);
		WRITE_ONCE(h->fill.stop, err);
		/* one that has not begun is taken back */
		cancel_work_sync(&h->work);
		first = h->first + h->fill.done;
		ckpt_read_skip(ctx, h->fill.done * PAGE_SIZE);
		kfree(h);
	}
	if (!err)
		err = ckpt_fill_some(ctx, in, b, first, npages);
out:
	kfree(b);
	return err;
}
