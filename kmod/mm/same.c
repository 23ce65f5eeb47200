// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: pages that several address spaces share, copy-on-write, since a fork.
 * Each is stored once, with the first of them; for the others a SAME record
 * tells where that is, and at restart they share it again as after a fork.
 *
 * At checkpoint a table by page frame tells where a page was stored. It is a
 * hint, for the frame may hold something else by now: the page tables of both
 * address spaces must have the same page at the same time.
 *
 * Copied at restart, not shared: pages that have moved (mremap) in one process
 * but not in the other, or that have another protection there.
 * Locks: the mmap_lock of who has the page, then that of the other.
 */
#include <linux/highmem.h>
#include <linux/ksm.h>
#include <linux/mm.h>
#include <linux/pagewalk.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "mm.h"
#include "../ksym.h"

/* runs in one record */
#define CKPT_SAME_MAX	4096

/* a hint: number of the page in its address space, above that the index of it */
#define CKPT_HINT_BITS	45
#define CKPT_HINT_MASK	(BIT(CKPT_HINT_BITS) - 1)
#define CKPT_HINT_MMS	BIT(17)

struct ckpt_cow {
	struct xarray hints;		/* by page frame */
	struct xarray saves;		/* address spaces that are written, by index */
	u32 nsaves;
	struct ckpt_same_run *runs;	/* of the address space at hand */
	unsigned int nruns, cap;
	struct page *pages[CKPT_PAGES_MAX];
};

/* ---- checkpoint ---- */

/**
 * ckpt_cow_begin() - before the first page is written
 * @ctx: the checkpoint
 *
 * Return: 0 or a negative errno.
 */
int ckpt_cow_begin(struct ckpt_ctx *ctx)
{
	ctx->cow = kvzalloc(sizeof(*ctx->cow), GFP_KERNEL);
	if (!ctx->cow)
		return -ENOMEM;
	xa_init(&ctx->cow->hints);
	xa_init(&ctx->cow->saves);
	return 0;
}

/**
 * ckpt_cow_end() - after the last page
 * @ctx: the checkpoint
 */
void ckpt_cow_end(struct ckpt_ctx *ctx)
{
	xa_destroy(&ctx->cow->hints);
	xa_destroy(&ctx->cow->saves);
	kvfree(ctx->cow->runs);
	kvfree(ctx->cow);
	ctx->cow = NULL;
}

/**
 * ckpt_cow_note() - remember where pages were stored
 * @ctx: the checkpoint
 * @b: the pages, of an address space that shares some
 *
 * Without memory for a hint the page is stored again.
 */
void ckpt_cow_note(struct ckpt_ctx *ctx, const struct ckpt_batch *b)
{
	struct ckpt_cow *cow = ctx->cow;
	unsigned long vpn, hint;
	unsigned int r, i = 0;
	u32 n;

	if (cow->nsaves > CKPT_HINT_MMS)
		return;
	/* the last one is that of these pages */
	hint = (unsigned long)(cow->nsaves - 1) << CKPT_HINT_BITS;
	for (r = 0; r < b->nruns; r++) {
		vpn = le64_to_cpu(b->runs[r].start) >> PAGE_SHIFT;
		for (n = le32_to_cpu(b->runs[r].npages); n; n--, vpn++, i++)
			if (ckpt_page_mapped_often(b->pages[i]) && !PageKsm(b->pages[i]))
				xa_store(&cow->hints, page_to_pfn(b->pages[i]),
					 xa_mk_value(hint | vpn),
					 GFP_KERNEL | __GFP_NOWARN);
	}
	cond_resched();
}

static int ckpt_cow_add(struct ckpt_cow *cow, u64 start, u64 from, u32 mm)
{
	struct ckpt_same_run *r = cow->nruns ? &cow->runs[cow->nruns - 1] : NULL;
	unsigned int cap;
	u64 len;

	if (r) {
		len = (u64)le32_to_cpu(r->npages) * PAGE_SIZE;
		if (le32_to_cpu(r->mm) == mm && le64_to_cpu(r->start) + len == start &&
		    le64_to_cpu(r->from) + len == from && len < SZ_1G) {
			le32_add_cpu(&r->npages, 1);
			return 0;
		}
	}
	if (cow->nruns == cow->cap) {
		cap = cow->cap ? cow->cap * 2 : 64;
		r = kvmalloc_array(cap, sizeof(*r), GFP_KERNEL);
		if (!r)
			return -ENOMEM;
		if (cow->nruns)
			memcpy(r, cow->runs, cow->nruns * sizeof(*r));
		kvfree(cow->runs);
		cow->runs = r;
		cow->cap = cap;
	}
	r = &cow->runs[cow->nruns++];
	r->start = cpu_to_le64(start);
	r->from = cpu_to_le64(from);
	r->mm = cpu_to_le32(mm);
	r->npages = cpu_to_le32(1);
	return 0;
}

/* adds those of n pages that another address space has at from; both at rest */
static int ckpt_cow_compare(struct ckpt_cow *cow, struct ckpt_mm_save *other, u64 from,
			    u64 addr, struct page **pages, unsigned int n)
{
	struct mm_struct *mm = other->snap ? other->snap : other->mm;
	long got, i;
	int err = 0;

	while (n && !err) {
		mmap_read_lock(mm);
		got = ckpt_gup_remote(mm, from, n, FOLL_FORCE | FOLL_GET, cow->pages);
		mmap_read_unlock(mm);
		if (got <= 0)
			return 0;
		for (i = 0; i < got; i++) {
			if (!err && cow->pages[i] == pages[i])
				err = ckpt_cow_add(cow, addr + i * PAGE_SIZE,
						   from + i * PAGE_SIZE, other->objref);
			put_page(cow->pages[i]);
		}
		pages += got;
		addr += got * PAGE_SIZE;
		from += got * PAGE_SIZE;
		n -= got;
	}
	return err;
}

/**
 * ckpt_cow_match() - find those of a batch of pages that are stored already
 * @ctx: the checkpoint
 * @b: the pages
 *
 * Return: 0 or a negative errno.
 */
int ckpt_cow_match(struct ckpt_ctx *ctx, struct ckpt_batch *b)
{
	struct ckpt_cow *cow = ctx->cow;
	unsigned int r, n, i = 0;
	unsigned long hint;
	void *entry;
	u32 left;
	u64 addr;
	int err;

	for (r = 0; r < b->nruns; r++) {
		addr = le64_to_cpu(b->runs[r].start);
		for (left = le32_to_cpu(b->runs[r].npages); left; left -= n) {
			n = 1;
			entry = xa_load(&cow->hints, page_to_pfn(b->pages[i]));
			if (entry) {
				hint = xa_to_value(entry);
				while (n < left && xa_load(&cow->hints,
							   page_to_pfn(b->pages[i + n])) ==
				       xa_mk_value(hint + n))
					n++;
				err = ckpt_cow_compare(cow, xa_load(&cow->saves,
								    hint >> CKPT_HINT_BITS),
						       (hint & CKPT_HINT_MASK) << PAGE_SHIFT,
						       addr, &b->pages[i], n);
				if (err)
					return err;
			}
			addr += n * PAGE_SIZE;
			i += n;
		}
	}
	cond_resched();
	return 0;
}

/**
 * ckpt_cow_skip() - leave out what is stored already
 * @ctx: the checkpoint
 * @at: first run that may matter; kept between calls
 * @start: of a range
 * @end: its end; cut where a run begins
 *
 * Return: 0, or the end of the run that the range begins in.
 */
unsigned long ckpt_cow_skip(struct ckpt_ctx *ctx, unsigned int *at,
			    unsigned long start, unsigned long *end)
{
	const struct ckpt_same_run *r;
	unsigned long first, last;

	for (; *at < ctx->cow->nruns; ++*at) {
		r = &ctx->cow->runs[*at];
		first = le64_to_cpu(r->start);
		last = first + le32_to_cpu(r->npages) * PAGE_SIZE;
		if (last <= start)
			continue;
		if (first <= start)
			return last;
		*end = min(*end, first);
		break;
	}
	return 0;
}

/**
 * ckpt_cow_same() - write which pages of an address space are stored already
 * @ctx: the checkpoint
 * @save: the address space
 * @b: an empty batch
 *
 * Stands before its other pages, so that huge pages for those do not take the
 * place of shared ones at restart.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_cow_same(struct ckpt_ctx *ctx, struct ckpt_mm_save *save,
		  struct ckpt_batch *b)
{
	struct ckpt_cow *cow = ctx->cow;
	struct ckpt_same *rec;
	unsigned int i, n;
	int err = 0;

	cow->nruns = 0;
	if (!save->shares)
		return 0;
	if (cow->nsaves) {
		b->matching = true;
		err = ckpt_pages_write(ctx, save->snap ? save->snap : save->mm, b);
		b->matching = false;
	}
	for (i = 0; !err && i < cow->nruns; i += n) {
		n = min_t(unsigned int, cow->nruns - i, CKPT_SAME_MAX);
		rec = ckpt_out(ctx, CKPT_REC_SAME, save->objref, sizeof(*rec),
			       n * sizeof(*cow->runs));
		if (!rec)
			return -ENOMEM;
		rec->n = cpu_to_le32(n);
		rec->entry_size = cpu_to_le32(sizeof(*cow->runs));
		memcpy(rec + 1, cow->runs + i, n * sizeof(*cow->runs));
		err = ckpt_out_flush(ctx);
	}
	if (err)
		return err;
	err = xa_err(xa_store(&cow->saves, cow->nsaves, save, GFP_KERNEL));
	if (!err)
		cow->nsaves++;
	return err;
}

/* ---- restart ---- */

static int ckpt_same_taken(pte_t *pte, unsigned long addr, unsigned long next,
			   struct mm_walk *walk)
{
	return pte_none(*pte) ? 0 : -EEXIST;
}

static int ckpt_same_nothing(pte_t *pte, unsigned long addr, unsigned long next,
			     struct mm_walk *walk)
{
	return 0;
}

/* with an entry for PTEs the walk splits huge pages on its way */
static const struct mm_walk_ops ckpt_same_taken_ops = {
	.pte_entry = ckpt_same_taken,
	CKPT_WALK_RDLOCK
};

static const struct mm_walk_ops ckpt_same_split_ops = {
	.pte_entry = ckpt_same_nothing,
	CKPT_WALK_RDLOCK
};

static unsigned long ckpt_vma_index(struct vm_area_struct *vma, unsigned long addr)
{
	return ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
}

/* whether a page can be found through both, and its entry is the same in both */
static bool ckpt_same_fits(struct vm_area_struct *to, unsigned long addr,
			   struct vm_area_struct *from, unsigned long src)
{
	struct anon_vma *root = from->anon_vma;

	if (addr != src || !root || root != root->root || !to->anon_vma ||
	    to->anon_vma->root != root)
		return false;
	if (!to->vm_file != !from->vm_file ||
	    (to->vm_file && to->vm_file->f_mapping != from->vm_file->f_mapping))
		return false;
	return ckpt_vma_index(to, addr) == ckpt_vma_index(from, src) &&
	       pgprot_val(to->vm_page_prot) == pgprot_val(from->vm_page_prot);
}

/*
 * Shares a range as fork does. The kernel's function takes whole mappings, so
 * it gets copies that are cut; it keeps none of them.
 */
static int ckpt_same_share(struct vm_area_struct *to, struct vm_area_struct *from,
			   unsigned long start, unsigned long end)
{
	struct vm_area_struct src, dst;
	struct mm_struct *mm = from->vm_mm;
	int err;

	/* fork looks at no entry of the child: there is none */
	err = K(walk_page_range)(to->vm_mm, start, end, &ckpt_same_taken_ops, NULL);
	if (err)
		return err;
	/* a huge page is shared as a whole or not at all */
	if (start & ~PMD_MASK)
		err = K(walk_page_range)(mm, start, start + PAGE_SIZE,
					 &ckpt_same_split_ops, NULL);
	if (!err && end & ~PMD_MASK)
		err = K(walk_page_range)(mm, end - PAGE_SIZE, end,
					 &ckpt_same_split_ops, NULL);
	if (err)
		return err;
	ckpt_vma_start_write(from);
	ckpt_vma_start_write(to);
	memcpy(&src, from, sizeof(src));
	memcpy(&dst, to, sizeof(dst));
	src.vm_pgoff = ckpt_vma_index(from, start);
	dst.vm_pgoff = src.vm_pgoff;
	src.vm_start = start;
	dst.vm_start = start;
	src.vm_end = end;
	dst.vm_end = end;
	err = K(copy_page_range)(&dst, &src);
	/* entries that could be written may be cached, also after a failure */
	K(flush_tlb_mm_range)(mm, start, end, PAGE_SHIFT, false);
	return err;
}

static int ckpt_same_copy(struct ckpt_ctx *ctx, struct ckpt_in *in,
			  struct mm_struct *mm, unsigned long src,
			  unsigned long addr, unsigned long len)
{
	void *buf = (void *)__get_free_page(GFP_KERNEL);
	struct page *page;
	int err = buf ? 0 : -ENOMEM;
	long n;

	for (; len && !err; len -= PAGE_SIZE, addr += PAGE_SIZE, src += PAGE_SIZE) {
		err = ckpt_aborted(ctx);
		if (err)
			break;
		mmap_read_lock(mm);
		n = ckpt_gup_remote(mm, src, 1, FOLL_FORCE | FOLL_GET, &page);
		mmap_read_unlock(mm);
		if (n != 1) {
			err = ckpt_bad(ctx, in, "it names a page that is not there");
			break;
		}
		memcpy_from_page(buf, page, 0, PAGE_SIZE);
		put_page(page);
		if (access_process_vm(current, addr, buf, PAGE_SIZE,
				      FOLL_WRITE | FOLL_FORCE) != PAGE_SIZE)
			err = ckpt_bad(ctx, in, "a page is not in memory that can be filled");
		cond_resched();
	}
	free_page((unsigned long)buf);
	return err;
}

static int ckpt_same_run(struct ckpt_ctx *ctx, struct ckpt_in *in,
			 struct mm_struct *mm, const struct ckpt_same_run *run)
{
	unsigned long addr = le64_to_cpu(run->start), src = le64_to_cpu(run->from);
	unsigned long left = le32_to_cpu(run->npages) * PAGE_SIZE, len;
	struct vm_area_struct *to, *from;
	bool fits;
	int err;

	for (; left; left -= len, addr += len, src += len) {
		err = ckpt_lock_both(mm);
		if (err)
			return err;
		to = vma_lookup(current->mm, addr);
		from = vma_lookup(mm, src);
		if (!to || !from || (to->vm_flags | from->vm_flags) & (CKPT_VM_NOFILL | VM_HUGETLB)) {
			ckpt_unlock_both(mm);
			return ckpt_bad(ctx, in, "a page is outside of private memory");
		}
		len = min3(left, to->vm_end - addr, from->vm_end - src);
		fits = ckpt_same_fits(to, addr, from, src);
		if (fits)
			err = ckpt_same_share(to, from, addr, addr + len);
		ckpt_unlock_both(mm);
		if (!fits)
			err = ckpt_same_copy(ctx, in, mm, src, addr, len);
		if (err == -EEXIST)
			return ckpt_bad(ctx, in, "a page is there already");
		if (err)
			return err;
	}
	return 0;
}

/**
 * ckpt_same_fill() - give the current address space pages that another one has
 * @ctx: the restart; the current task has the turn
 * @joined: the current process
 * @in: the SAME record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_same_fill(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		   struct ckpt_in *in)
{
	const struct ckpt_same *rec = (const void *)in->fixed;
	const struct ckpt_same_run *runs = (const void *)in->var;
	u64 start, from, len;
	struct ckpt_joined *other;
	struct mm_struct *mm;
	struct ckpt_obj *obj;
	u32 i;
	int err;

	if (le32_to_cpu(rec->entry_size) != sizeof(*runs) ||
	    le32_to_cpu(rec->n) > CKPT_SAME_MAX ||
	    in->var_len != le32_to_cpu(rec->n) * sizeof(*runs))
		return ckpt_bad(ctx, in, "the number of its runs is out of range");
	for (i = 0; i < le32_to_cpu(rec->n); i++) {
		start = le64_to_cpu(runs[i].start);
		from = le64_to_cpu(runs[i].from);
		len = (u64)le32_to_cpu(runs[i].npages) * PAGE_SIZE;
		if (!len || (start | from) & (PAGE_SIZE - 1) ||
		    start >= TASK_SIZE_MAX || TASK_SIZE_MAX - start < len ||
		    from >= TASK_SIZE_MAX || TASK_SIZE_MAX - from < len)
			return ckpt_bad(ctx, in, "a run of pages is out of range");
		obj = ckpt_obj_get(ctx, in, le32_to_cpu(runs[i].mm), CKPT_OBJ_MM);
		if (IS_ERR(obj))
			return PTR_ERR(obj);
		other = obj->ptr;
		if (other == joined)
			return ckpt_bad(ctx, in, "it refers to its own memory");
		mm = get_task_mm(other->task);
		if (!mm)
			return -EINTR;
		err = ckpt_same_run(ctx, in, mm, &runs[i]);
		mmput(mm);
		if (err)
			return err;
	}
	return 0;
}
