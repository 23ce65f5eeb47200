// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: huge pages of the pool: MAP_HUGETLB, memfd with MFD_HUGETLB, removed
 * files of hugetlbfs (which become files of no mount), and what was written to
 * private mappings of any of them. Only pages that are there are stored; whether
 * the others are reserved is a matter of the mapping. shmem.c has the objects.
 *
 * The pool may have no page for a copy-on-write snapshot, so this memory is
 * always written while the tasks are stopped. Pages that processes share since a
 * fork are stored for each of them.
 * Refuses: SysV segments of huge pages; pages that cannot be read.
 * Locks: mmap_lock for reading and the page table's while page tables are walked.
 */
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/pagewalk.h>
#include <linux/sched/signal.h>
#include <linux/swapops.h>

#include "mm.h"
#include "../arch/arch.h"
#include "../ksym.h"

#define CKPT_HUGE_OWNER	1UL	/* HPAGE_RESV_OWNER of mm/hugetlb.c */

/**
 * ckpt_file_is_huge() - whether a file is of huge pages
 * @file: the file
 *
 * Return: true for files of hugetlbfs, mounted or not.
 */
bool ckpt_file_is_huge(struct file *file)
{
	return file_inode(file)->i_sb->s_magic == HUGETLBFS_MAGIC;
}

static bool ckpt_huge_named(struct file *file, const char *begin)
{
	return file_inode(file)->i_sb->s_flags & SB_KERNMOUNT &&
	       !strncmp(file->f_path.dentry->d_name.name, begin, strlen(begin));
}

/**
 * ckpt_huge_match() - whether a file of huge pages is known by no name
 * @file: the file
 *
 * Return: true of those that are saved with their content.
 */
bool ckpt_huge_match(struct file *file)
{
	return ckpt_file_is_huge(file) && S_ISREG(file_inode(file)->i_mode) &&
	       !(file->f_mode & FMODE_PATH) && !file_inode(file)->i_nlink &&
	       !ckpt_huge_named(file, "SYSV");
}

/**
 * ckpt_vma_huge_anon() - whether a mapping is private and anonymous
 * @vma: a mapping of huge pages
 *
 * It has a file in the kernel, but that has no pages and nobody sees it.
 *
 * Return: true if it is.
 */
bool ckpt_vma_huge_anon(struct vm_area_struct *vma)
{
	return is_vm_hugetlb_page(vma) && !(vma->vm_flags & VM_MAYSHARE) &&
	       ckpt_huge_named(vma->vm_file, "anon_hugepage");
}

/**
 * ckpt_vma_huge() - save or refuse a mapping of huge pages
 * @ctx: the checkpoint
 * @task: who has it
 * @vma: the mapping
 *
 * Return: whether it can be saved.
 */
bool ckpt_vma_huge(struct ckpt_ctx *ctx, struct task_struct *task, struct vm_area_struct *vma)
{
	if (!ckpt_huge_named(vma->vm_file, "SYSV"))
		return true;
	ckpt_refuse(ctx, task, "hugetlb", "memory at %#lx is a SysV segment of huge pages (SHM_HUGETLB)",
		    vma->vm_start);
	return false;
}

/**
 * ckpt_vma_huge_flags() - what a mapping of huge pages has beside its flags
 * @vma: the mapping
 * @rec: its record
 *
 * Return: more CKPT_VMA_* flags.
 */
u64 ckpt_vma_huge_flags(struct vm_area_struct *vma, struct ckpt_vma *rec)
{
	rec->huge_size = cpu_to_le64(vma_kernel_pagesize(vma));
	/* a fork leaves the child without what was reserved */
	if (!(vma->vm_flags & VM_MAYSHARE) &&
	    !((unsigned long)vma->vm_private_data & CKPT_HUGE_OWNER))
		return CKPT_VMA_NORESERVE;
	return 0;
}

/* ---- checkpoint ---- */

struct ckpt_huge_walk {
	struct page *page;	/* referenced */
	unsigned long addr, next;
	bool moves;		/* is being migrated */
};

static int ckpt_huge_entry(pte_t *pte, unsigned long hmask, unsigned long addr,
			   unsigned long next, struct mm_walk *walk)
{
	struct ckpt_huge_walk *w = walk->private;
	spinlock_t *ptl;	/* of the page table */
	swp_entry_t swap;
	pte_t entry;
	int ret = 0;

	w->addr = addr & hmask;
	ptl = huge_pte_lock(hstate_vma(walk->vma), walk->mm, pte);
	entry = *pte;
	if (pte_present(entry)) {
		/* of a file's private mapping only what was written is ours */
		if (PageAnon(pte_page(entry))) {
			w->page = pte_page(entry);
			get_page(w->page);
			ret = 1;
		}
	} else if (!pte_none(entry)) {
		swap = pte_to_swp_entry(entry);
		w->moves = is_migration_entry(swap);
		if (w->moves)
			ret = 1;
		else if (!is_pte_marker_entry(swap))
			ret = -EHWPOISON;
	}
	spin_unlock(ptl);
	if (ret <= 0 || !w->moves)
		w->next = next;
	return ret;
}

static const struct mm_walk_ops ckpt_huge_ops = {
	.hugetlb_entry = ckpt_huge_entry,
	CKPT_WALK_RDLOCK
};

static int ckpt_huge_add(struct ckpt_ctx *ctx, struct ckpt_batch *b, u64 start,
			 struct page *head, unsigned long n)
{
	unsigned long i;
	int err;

	for (i = 0; i < n; i++) {
		get_page(head);
		if (!ckpt_batch_add(b, start + i * PAGE_SIZE, nth_page(head, i)))
			continue;
		err = ckpt_batch_write(ctx, b);
		if (err)
			return err;
	}
	cond_resched();
	return 0;
}

/**
 * ckpt_huge_write() - write the private huge pages of an address space
 * @ctx: the checkpoint, its tasks stopped
 * @mm: the address space
 * @b: an empty batch
 *
 * Return: 0 or a negative errno.
 */
int ckpt_huge_write(struct ckpt_ctx *ctx, struct mm_struct *mm, struct ckpt_batch *b)
{
	struct ckpt_huge_walk w = {};
	struct vm_area_struct *vma;
	unsigned long size, end;
	int ret = 0;

	for (;;) {
		w.page = NULL;
		w.moves = false;
		size = 0;
		mmap_read_lock(mm);
		vma = find_vma(mm, w.next);
		if (vma) {
			end = vma->vm_end;
			w.next = max(w.next, vma->vm_start);
			if (is_vm_hugetlb_page(vma) && !(vma->vm_flags & VM_MAYSHARE)) {
				size = vma_kernel_pagesize(vma);
				ret = K(walk_page_range)(mm, w.next, end, &ckpt_huge_ops, &w);
			}
			if (!w.page && !w.moves)
				w.next = end;
		}
		mmap_read_unlock(mm);
		if (!vma)
			return ckpt_batch_write(ctx, b);
		if (ret < 0)
			return ckpt_err(ctx, ret, "cannot read huge page at %#lx: bad memory", w.addr);
		if (w.page) {
			ret = ckpt_huge_add(ctx, b, w.addr, w.page, size >> PAGE_SHIFT);
			put_page(w.page);
			if (ret)
				return ret;
		}
		if (w.moves && schedule_timeout_killable(1) && fatal_signal_pending(current))
			return -EINTR;
	}
}

/**
 * ckpt_huge_write_file() - write the content of a file of huge pages
 * @ctx: the checkpoint, its tasks stopped
 * @file: the file
 * @b: an empty batch
 *
 * Return: 0 or a negative errno.
 */
int ckpt_huge_write_file(struct ckpt_ctx *ctx, struct file *file, struct ckpt_batch *b)
{
	struct hstate *h = hstate_file(file);
	loff_t size = i_size_read(file_inode(file)), pos;
	struct folio_batch fb;
	pgoff_t index = 0;
	unsigned int i;
	int err = 0;

	folio_batch_init(&fb);
	while (!err && filemap_get_folios(file->f_mapping, &index, ULONG_MAX - 1, &fb)) {
		for (i = 0; !err && i < folio_batch_count(&fb); i++) {
			pos = ckpt_huge_pos(fb.folios[i], h);
			/* what fallocate() has put beyond the end is not content */
			if (pos >= size)
				continue;
			if (folio_test_hwpoison(fb.folios[i]))
				err = ckpt_err(ctx, -EHWPOISON, "cannot read a huge page of %pD: bad memory", file);
			else
				err = ckpt_huge_add(ctx, b, pos, folio_page(fb.folios[i], 0),
						    pages_per_huge_page(h));
		}
		folio_batch_release(&fb);
	}
	return err ? err : ckpt_batch_write(ctx, b);
}

/* ---- restart ---- */

/* says what is missing; returns -ENOMEM */
static int ckpt_huge_missing(struct ckpt_ctx *ctx, struct ckpt_in *in, struct hstate *h,
			     unsigned long need)
{
	unsigned long kb = huge_page_size(h) >> 10;
	long free = READ_ONCE(h->free_huge_pages) - READ_ONCE(h->resv_huge_pages);

	free += max_t(long, READ_ONCE(h->nr_overcommit_huge_pages) - READ_ONCE(h->surplus_huge_pages), 0);
	return ckpt_err(ctx, -ENOMEM, "image offset %llu: %lu huge pages of %lu kB are needed and %ld are free; raise /sys/kernel/mm/hugepages/hugepages-%lukB/nr_hugepages",
			in->offset, need, kb, max(free, 0L), kb);
}

static struct hstate *ckpt_huge_state(struct ckpt_ctx *ctx, struct ckpt_in *in, u64 size)
{
	struct hstate *h = size >= PMD_SIZE && is_power_of_2(size) ? K(size_to_hstate)(size) : NULL;

	if (!h)
		ckpt_err(ctx, -ENODEV, "image offset %llu: this machine has no huge pages of %llu kB",
			 in->offset, size >> 10);
	return h;
}

/**
 * ckpt_huge_map() - map huge pages in the current address space
 * @ctx: the restart
 * @in: the VMA record
 * @file: what to map, or NULL
 * @prot: the protection
 * @flags: for mmap()
 *
 * A private mapping can be written until ckpt_vma_late(): huge pages cannot be
 * filled by force.
 *
 * Return: the address, or a negative errno as such.
 */
unsigned long ckpt_huge_map(struct ckpt_ctx *ctx, struct ckpt_in *in, struct file *file,
			    unsigned long prot, unsigned long flags)
{
	const struct ckpt_vma *rec = (const void *)in->fixed;
	unsigned long start = le64_to_cpu(rec->start), len = le64_to_cpu(rec->end) - start;
	struct hstate *h = file ? hstate_file(file) :
			   ckpt_huge_state(ctx, in, le64_to_cpu(rec->huge_size));
	unsigned long addr;

	if (!h)
		return -ENODEV;
	if (huge_page_size(h) != le64_to_cpu(rec->huge_size))
		return ckpt_bad(ctx, in, "its huge pages have another size than the file's");
	if (!(flags & MAP_SHARED))
		prot |= PROT_READ | PROT_WRITE;
	if (file)
		addr = vm_mmap(file, start, len, prot, flags, le64_to_cpu(rec->offset));
	else
		addr = ckpt_arch_syscall(__NR_mmap, start, len, prot, flags | MAP_HUGETLB |
					 huge_page_shift(h) << MAP_HUGE_SHIFT, -1, 0);
	if (addr == -ENOMEM)
		ckpt_huge_missing(ctx, in, h, len >> huge_page_shift(h));
	return addr;
}

/**
 * ckpt_huge_setup() - make a file of huge pages that has no name
 * @ctx: the restart
 * @in: its SHMEM record
 * @name: for /proc
 *
 * Return: the file or an ERR_PTR.
 */
struct file *ckpt_huge_setup(struct ckpt_ctx *ctx, struct ckpt_in *in, const char *name)
{
	const struct ckpt_shmem *s = (const void *)in->fixed;
	u32 shift = le32_to_cpu(s->huge_shift);
	struct hstate *h;

	h = ckpt_huge_state(ctx, in, shift < 48 ? 1ULL << shift : 0);
	if (!h)
		return ERR_PTR(-ENODEV);
	if (le64_to_cpu(s->size) & ~huge_page_mask(h))
		return ERR_PTR(ckpt_bad(ctx, in, "its size is that of no huge pages"));
	/* mappings reserve for themselves */
	return K(hugetlb_file_setup)(name, le64_to_cpu(s->size), VM_NORESERVE,
				     HUGETLB_ANONHUGE_INODE, shift);
}

/**
 * ckpt_huge_fault() - say why a huge page cannot be filled
 * @ctx: the restart
 * @in: the PAGES record
 * @size: of the huge page
 *
 * Return: a negative errno.
 */
int ckpt_huge_fault(struct ckpt_ctx *ctx, struct ckpt_in *in, unsigned long size)
{
	struct hstate *h = ckpt_huge_state(ctx, in, size);

	return h ? ckpt_huge_missing(ctx, in, h, 1) : -ENODEV;
}

/**
 * ckpt_huge_fill() - fill a file of huge pages with a batch of pages
 * @ctx: the restart
 * @file: the file
 * @in: the PAGES record
 *
 * There is no other way to write to such a file than a mapping of it, for a
 * moment in the memory of the coordinator.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_huge_fill(struct ckpt_ctx *ctx, struct file *file, struct ckpt_in *in)
{
	const struct ckpt_pages *p = (const void *)in->fixed;
	const struct ckpt_run *runs = (const void *)in->var;
	struct hstate *h = hstate_file(file);
	unsigned long addr, len;
	u64 start, end, first;
	int err;
	u32 i;

	err = ckpt_pages_check(ctx, in, i_size_read(file_inode(file)));
	for (i = 0; !err && i < le32_to_cpu(p->nruns); i++) {
		start = le64_to_cpu(runs[i].start);
		end = start + (u64)le32_to_cpu(runs[i].npages) * PAGE_SIZE;
		first = round_down(start, huge_page_size(h));
		len = round_up(end, huge_page_size(h)) - first;
		addr = vm_mmap(file, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, first);
		if (IS_ERR_VALUE(addr))
			return ckpt_err(ctx, addr, "image offset %llu: cannot map huge pages to fill them",
					in->offset);
		err = ckpt_read_user(ctx, (void __user *)(addr + (start - first)), end - start);
		vm_munmap(addr, len);
		if (err == -EFAULT)
			err = ckpt_huge_missing(ctx, in, h, 1);
	}
	return err;
}
