// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page data: private pages of address spaces, from their snapshots or, when
 * the tasks stay parked, from themselves. Zero pages are not stored where
 * memory is zero at restart anyway. Pages in swap are brought in one run at a
 * time.
 * Refuses: pages that cannot be read (poisoned memory).
 * Locks: mmap_lock for reading while page tables are walked; never during a
 * write of the image.
 */
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagewalk.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/swapops.h>

#include "mm.h"
#include "../ksym.h"

/* entries that are brought in together */
#define CKPT_SWAP_RUN	64

struct ckpt_walk {
	struct ckpt_batch *b;
	unsigned long next;		/* where to go on */
	unsigned long swap_start;	/* a run of entries that are not present */
	unsigned int swap_pages;
};

/* ---- a batch of pages ---- */

int ckpt_batch_add(struct ckpt_batch *b, u64 start, struct page *page)
{
	struct ckpt_run *r = b->nruns ? &b->runs[b->nruns - 1] : NULL;

	if (r && le64_to_cpu(r->start) + le32_to_cpu(r->npages) * PAGE_SIZE == start) {
		le32_add_cpu(&r->npages, 1);
	} else {
		r = &b->runs[b->nruns++];
		r->start = cpu_to_le64(start);
		r->npages = cpu_to_le32(1);
		r->flags = 0;
	}
	b->pages[b->npages++] = page;
	return b->npages == CKPT_PAGES_MAX;
}

void ckpt_batch_put(struct ckpt_batch *b)
{
	while (b->npages)
		put_page(b->pages[--b->npages]);
	b->nruns = 0;
}

/* writes, or looks for, and empties a batch */
int ckpt_batch_write(struct ckpt_ctx *ctx, struct ckpt_batch *b)
{
	int err = 0;

	if (b->npages && b->matching) {
		err = ckpt_cow_match(ctx, b);
	} else if (b->npages) {
		err = ckpt_write_pages(ctx, b->objref, b->runs, b->nruns,
				       b->pages, b->npages);
		if (!err && b->shares)
			ckpt_cow_note(ctx, b);
	}
	ckpt_batch_put(b);
	return err;
}

/* ---- walking ---- */

static bool ckpt_page_is_zero(struct page *page)
{
	void *p = kmap_local_page(page);
	bool zero = !*(u64 *)p && !memchr_inv(p, 0, PAGE_SIZE);

	kunmap_local(p);
	return zero;
}

/* returns 1 when the batch is full */
static int ckpt_walk_page(struct ckpt_walk *w, struct vm_area_struct *vma,
			  unsigned long addr, struct page *page)
{
	int full = 0;

	/* of a file's private mapping only what was written is ours */
	if (page && PageAnon(page) &&
	    (vma->vm_file || w->b->matching || !ckpt_page_is_zero(page))) {
		get_page(page);
		full = ckpt_batch_add(w->b, addr, page);
	}
	w->next = addr + PAGE_SIZE;
	return full;
}

static int ckpt_walk_swap(struct ckpt_walk *w, unsigned long addr)
{
	if (!w->swap_pages)
		w->swap_start = addr;
	else if (w->swap_start + w->swap_pages * PAGE_SIZE != addr)
		return 1;
	w->swap_pages++;
	w->next = addr + PAGE_SIZE;
	return w->swap_pages == CKPT_SWAP_RUN;
}

static int ckpt_walk_pte(pte_t *pte, unsigned long addr, unsigned long next,
			 struct mm_walk *walk)
{
	struct ckpt_walk *w = walk->private;
	pte_t entry = *pte;

	if (pte_none(entry) || (!pte_present(entry) &&
				is_pte_marker_entry(pte_to_swp_entry(entry)))) {
		w->next = addr + PAGE_SIZE;
		return w->swap_pages ? 1 : 0;
	}
	if (!pte_present(entry))
		return ckpt_walk_swap(w, addr);
	if (w->swap_pages)
		return 1;
	return ckpt_walk_page(w, walk->vma, addr,
			      K(vm_normal_page)(walk->vma, addr, entry));
}

static int ckpt_walk_pmd(pmd_t *pmd, unsigned long addr, unsigned long next,
			 struct mm_walk *walk)
{
	struct ckpt_walk *w = walk->private;
	spinlock_t *ptl;	/* of the page table */
	struct page *page;
	int ret = 0;

	if (!pmd_trans_huge(*pmd) && !is_swap_pmd(*pmd) && !pmd_devmap(*pmd))
		return 0;
	ptl = pmd_lock(walk->mm, pmd);
	if (is_swap_pmd(*pmd)) {
		/* under migration: wait for it page by page */
		for (; !ret && addr < next; addr += PAGE_SIZE)
			ret = ckpt_walk_swap(w, addr);
		walk->action = ACTION_CONTINUE;
	} else if (pmd_trans_huge(*pmd)) {
		page = pmd_page(*pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
		if (w->swap_pages)
			ret = 1;
		for (; !ret && addr < next; addr += PAGE_SIZE, page++)
			ret = ckpt_walk_page(w, walk->vma, addr, page);
		walk->action = ACTION_CONTINUE;
	}
	spin_unlock(ptl);
	return ret;
}

static const struct mm_walk_ops ckpt_walk_ops = {
	.pmd_entry = ckpt_walk_pmd,
	.pte_entry = ckpt_walk_pte,
	CKPT_WALK_RDLOCK
};

/* brings a run of pages in and adds it to the batch */
static int ckpt_swap_in(struct ckpt_ctx *ctx, struct mm_struct *mm,
			struct ckpt_walk *w)
{
	struct page *pages[CKPT_SWAP_RUN];
	unsigned long addr = w->swap_start;
	unsigned int left = w->swap_pages, i;
	long n;
	int err = 0;

	w->swap_pages = 0;
	if (w->b->npages + left > CKPT_PAGES_MAX)
		err = ckpt_batch_write(ctx, w->b);
	while (left && !err) {
		mmap_read_lock(mm);
		n = ckpt_gup_remote(mm, addr, left, FOLL_FORCE | FOLL_GET, pages);
		mmap_read_unlock(mm);
		if (n <= 0)
			return ckpt_err(ctx, n ? n : -EFAULT,
					"cannot read memory at address %#lx: bad memory or a failing swap device",
					addr);
		for (i = 0; i < n; i++)
			ckpt_batch_add(w->b, addr + i * PAGE_SIZE, pages[i]);
		addr += n * PAGE_SIZE;
		left -= n;
	}
	return err;
}

/**
 * ckpt_pages_write() - write the pages of an address space at rest
 * @ctx: the checkpoint
 * @mm: the address space
 * @b: an empty batch, which tells what is done with the pages
 *
 * Return: 0 or a negative errno.
 */
int ckpt_pages_write(struct ckpt_ctx *ctx, struct mm_struct *mm,
		     struct ckpt_batch *b)
{
	struct vm_area_struct *vma;
	struct ckpt_walk w = { .b = b };
	unsigned long end, skip;
	unsigned int run = 0;
	int err, ret;

	for (;;) {
		mmap_read_lock(mm);
		vma = find_vma(mm, w.next);
		while (vma && !ckpt_vma_has_pages(vma)) {
			w.next = vma->vm_end;
			vma = find_vma(mm, w.next);
		}
		if (!vma) {
			mmap_read_unlock(mm);
			break;
		}
		w.next = max(w.next, vma->vm_start);
		end = vma->vm_end;
		skip = b->matching ? 0 : ckpt_cow_skip(ctx, &run, w.next, &end);
		if (skip) {
			mmap_read_unlock(mm);
			w.next = skip;
			continue;
		}
		ret = K(walk_page_range)(mm, w.next, end, &ckpt_walk_ops, &w);
		if (!ret && !w.swap_pages)
			w.next = end;
		mmap_read_unlock(mm);
		if (ret < 0)
			return ret;
		if (w.swap_pages) {
			w.next = w.swap_start + w.swap_pages * PAGE_SIZE;
			err = ckpt_swap_in(ctx, mm, &w);
			if (err)
				return err;
		}
		if (b->npages >= CKPT_PAGES_MAX - CKPT_SWAP_RUN) {
			err = ckpt_batch_write(ctx, b);
			if (err)
				return err;
		}
		cond_resched();
	}
	return ckpt_batch_write(ctx, b);
}

/* ---- checkpoint ---- */

/*
 * The pages that the tasks write while the snapshot lives are charged to them
 * a second time: without room for that in their cgroup they would be killed.
 * need is that of all address spaces, which may well be of one cgroup.
 */
static bool ckpt_has_headroom(struct mm_struct *mm, unsigned long need)
{
#ifdef CONFIG_MEMCG
	struct mem_cgroup *memcg, *m;
	bool fits = need <= si_mem_available();

	memcg = get_mem_cgroup_from_mm(mm);
	for (m = memcg; m && fits; m = parent_mem_cgroup(m))
		if (READ_ONCE(m->memory.max) != PAGE_COUNTER_MAX &&
		    page_counter_read(&m->memory) + need > READ_ONCE(m->memory.max))
			fits = false;
	if (memcg)
		css_put(&memcg->css);
	return fits;
#else
	return need <= si_mem_available();
#endif
}

/**
 * ckpt_mm_capture() - keep the memory of all collected address spaces
 * @ctx: the checkpoint, in its window
 * @snapshot: the tasks go on before the image is written
 *
 * Return: 0 or a negative errno.
 */
int ckpt_mm_capture(struct ckpt_ctx *ctx, bool snapshot)
{
	struct ckpt_mm_save *save;
	unsigned long need = 0;
	int err;

	if (!snapshot || (ctx->rq.flags & CKPT_F_CHECK))
		return 0;
	list_for_each_entry(save, &ctx->mms, node)
		if (save->mm)
			need += get_mm_counter(save->mm, MM_ANONPAGES);
	list_for_each_entry(save, &ctx->mms, node) {
		if (save->file) {
			err = ckpt_shmem_capture(ctx, save);
			if (err)
				return err;
			continue;
		}
		if (save->huge) {
			ckpt_log(ctx, "huge pages of the pool are written while the tasks are stopped");
			ctx->no_snapshot = true;
		}
		if (ckpt_has_headroom(save->mm, need)) {
			save->snap = ckpt_snapshot(save->mm);
			if (!IS_ERR(save->snap))
				continue;
			err = PTR_ERR(save->snap);
			save->snap = NULL;
			if (err == -EINTR)
				return err;
			ckpt_log(ctx, "no snapshot of memory (error %d): it is written while the tasks are stopped",
				 -err);
		} else {
			ckpt_log(ctx, "there is no room for a snapshot, here or in the memory cgroup: memory is written while the tasks are stopped");
		}
		ctx->no_snapshot = true;
	}
	return 0;
}

/**
 * ckpt_mm_write() - write the pages of all address spaces and shared memory
 * @ctx: the checkpoint
 *
 * Return: 0 or a negative errno.
 */
int ckpt_mm_write(struct ckpt_ctx *ctx)
{
	struct ckpt_mm_save *save, *next;
	struct ckpt_batch *b;
	int err = 0;

	b = kvzalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return -ENOMEM;
	err = ckpt_cow_begin(ctx);
	if (err) {
		kvfree(b);
		return err;
	}
	list_for_each_entry_safe(save, next, &ctx->mms, node) {
		b->objref = save->objref;
		b->shares = save->shares;
		if (save->file) {
			err = ckpt_shmem_write(ctx, save, b);
		} else {
			err = ckpt_cow_same(ctx, save, b);
			if (!err)
				err = ckpt_pages_write(ctx, save->snap ? save->snap : save->mm, b);
			b->shares = false;
			if (!err && save->huge)
				err = ckpt_huge_write(ctx, save->mm, b);
		}
		if (err)
			break;
		/*
		 * The application stops paying for its copy-on-write as soon as
		 * can be: when no other is to be compared with it.
		 */
		if (save->snap && !save->shares) {
			mmput(save->snap);
			save->snap = NULL;
		}
	}
	ckpt_batch_put(b);
	ckpt_cow_end(ctx);
	kvfree(b);
	return err;
}

/**
 * ckpt_mm_drop() - forget all address spaces and shared memory
 * @ctx: the checkpoint
 */
void ckpt_mm_drop(struct ckpt_ctx *ctx)
{
	struct ckpt_mm_save *save, *next;

	list_for_each_entry_safe(save, next, &ctx->mms, node) {
		list_del(&save->node);
		if (save->snap)
			mmput(save->snap);
		if (save->mm)
			mmput(save->mm);
		if (save->file)
			ckpt_shmem_drop(save);
		kfree(save);
	}
	ctx->no_snapshot = false;
}

/* ---- restart ---- */

/**
 * ckpt_pages_check() - check a PAGES record and skip what pads it
 * @ctx: the restart
 * @in: the record
 * @limit: first address or offset beyond what its runs may name
 *
 * Return: 0, the stream standing at the first page, or a negative errno.
 */
int ckpt_pages_check(struct ckpt_ctx *ctx, struct ckpt_in *in, u64 limit)
{
	const struct ckpt_pages *p = (const void *)in->fixed;
	const struct ckpt_run *runs = (const void *)in->var;
	u32 nruns = le32_to_cpu(p->nruns), npages = le32_to_cpu(p->npages);
	u32 pad = le32_to_cpu(p->pad_bytes), i;
	u64 start, sum = 0;
	void *zeros;
	int err;

	if (!nruns || nruns > CKPT_PAGES_MAX || npages > CKPT_PAGES_MAX ||
	    in->var_len != nruns * sizeof(*runs))
		return ckpt_bad(ctx, in, "the number of its pages or runs is out of range");
	for (i = 0; i < nruns; i++) {
		start = le64_to_cpu(runs[i].start);
		sum += le32_to_cpu(runs[i].npages);
		if (!runs[i].npages || le32_to_cpu(runs[i].npages) > CKPT_PAGES_MAX ||
		    start & (PAGE_SIZE - 1) || start >= limit ||
		    limit - start < le32_to_cpu(runs[i].npages) * PAGE_SIZE)
			return ckpt_bad(ctx, in, "a run of pages is out of range");
	}
	if (sum != npages)
		return ckpt_bad(ctx, in, "its runs do not add up to its pages");
	if (pad >= PAGE_SIZE || (ctx->pos + pad) & (PAGE_SIZE - 1))
		return ckpt_bad(ctx, in, "its data does not begin at a page");
	zeros = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!zeros)
		return -ENOMEM;
	err = ckpt_read_kernel(ctx, zeros, pad);
	if (!err && memchr_inv(zeros, 0, pad))
		err = ckpt_bad(ctx, in, "its padding is not zero");
	kfree(zeros);
	if (!err)
		ctx->stats.pages += npages;
	return err;
}
