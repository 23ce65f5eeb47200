/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_MM_H
#define _CKPT_MM_H

#include "../private.h"

struct ckpt_batch;
struct ckpt_obj;

/* mappings that page data cannot be for */
#define CKPT_VM_NOFILL	(VM_MAYSHARE | VM_PFNMAP | VM_IO | VM_MIXEDMAP)

/* an address space whose pages are still to be written */
struct ckpt_mm_save {
	struct list_head node;		/* of ctx->mms */
	struct mm_struct *mm;		/* referenced */
	struct mm_struct *snap;		/* its pages at the capture, or NULL: mm is at rest */
	u32 objref;
	bool shares;			/* pages with another one, since a fork */
	bool huge;			/* has private mappings of huge pages of the pool */
	/* shared memory: its inode object and, unless at rest, a copy */
	struct file *file;
	struct list_head copies;
};

/* mm.c: address spaces */
int ckpt_mm_collect(struct ckpt_ctx *ctx, struct task_struct *task, u32 *ref);
int ckpt_mm_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task, u32 ref);
int ckpt_mm_restart(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		    struct ckpt_in *in);
int ckpt_mm_empty(void);
void ckpt_mm_rt_free(struct ckpt_joined *joined);
int ckpt_mm_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt);
void ckpt_mm_dumpable(struct ckpt_rt *rt);

/* vma.c: mappings */
int ckpt_vma_collect(struct ckpt_ctx *ctx, struct task_struct *task,
		     struct vm_area_struct *vma);
int ckpt_vma_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task,
			struct vm_area_struct *vma, u32 mm_ref);
int ckpt_vma_restart(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_vma_advise(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_vma_late(struct ckpt_ctx *ctx, struct ckpt_in *in);
bool ckpt_vma_has_pages(struct vm_area_struct *vma);

/* aio.c: contexts of asynchronous I/O */
bool ckpt_vma_is_aio(struct vm_area_struct *vma);
bool ckpt_aio_vma(struct ckpt_ctx *ctx, struct task_struct *task, struct vm_area_struct *vma);
int ckpt_aio_collect(struct ckpt_ctx *ctx, struct task_struct *task, struct mm_struct *mm);
int ckpt_aio_checkpoint(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 ref);
int ckpt_aio_restart(struct ckpt_ctx *ctx, struct ckpt_in *in);

/* hugetlb.c: huge pages of the pool */
bool ckpt_file_is_huge(struct file *file);
bool ckpt_huge_match(struct file *file);
bool ckpt_vma_huge_anon(struct vm_area_struct *vma);
bool ckpt_vma_huge(struct ckpt_ctx *ctx, struct task_struct *task, struct vm_area_struct *vma);
u64 ckpt_vma_huge_flags(struct vm_area_struct *vma, struct ckpt_vma *rec);
int ckpt_huge_write(struct ckpt_ctx *ctx, struct mm_struct *mm, struct ckpt_batch *b);
int ckpt_huge_write_file(struct ckpt_ctx *ctx, struct file *file, struct ckpt_batch *b);
unsigned long ckpt_huge_map(struct ckpt_ctx *ctx, struct ckpt_in *in, struct file *file,
			    unsigned long prot, unsigned long flags);
struct file *ckpt_huge_setup(struct ckpt_ctx *ctx, struct ckpt_in *in, const char *name);
int ckpt_huge_fault(struct ckpt_ctx *ctx, struct ckpt_in *in, unsigned long size);
int ckpt_huge_fill(struct ckpt_ctx *ctx, struct file *file, struct ckpt_in *in);

/* snapshot.c: copy-on-write copies of address spaces */
struct mm_struct *ckpt_snapshot(struct mm_struct *mm);

/* pages.c: page data */
int ckpt_mm_capture(struct ckpt_ctx *ctx, bool snapshot);
int ckpt_mm_write(struct ckpt_ctx *ctx);
void ckpt_mm_drop(struct ckpt_ctx *ctx);
int ckpt_pages_check(struct ckpt_ctx *ctx, struct ckpt_in *in, u64 limit);
int ckpt_pages_write(struct ckpt_ctx *ctx, struct mm_struct *mm,
		     struct ckpt_batch *b);
int ckpt_batch_add(struct ckpt_batch *b, u64 start, struct page *page);
int ckpt_batch_write(struct ckpt_ctx *ctx, struct ckpt_batch *b);
void ckpt_batch_put(struct ckpt_batch *b);

/* fill.c: page data of private memory */
int ckpt_mm_fill(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		 struct ckpt_in *in);

/* cow.c: mappings that share pages since a fork */
int ckpt_cow_collect(struct ckpt_ctx *ctx, struct task_struct *task,
		     struct ckpt_mm_save *save, struct vm_area_struct *vma);
void ckpt_cow_ids(struct ckpt_ctx *ctx, struct vm_area_struct *vma,
		  struct ckpt_vma *rec);
int ckpt_cow_link(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		  struct ckpt_in *in);
void ckpt_cow_late(void);
void ckpt_cow_free(struct ckpt_ctx *ctx);
int ckpt_lock_both(struct mm_struct *mm);
void ckpt_unlock_both(struct mm_struct *mm);

/* same.c: those pages */
int ckpt_cow_begin(struct ckpt_ctx *ctx);
void ckpt_cow_end(struct ckpt_ctx *ctx);
void ckpt_cow_note(struct ckpt_ctx *ctx, const struct ckpt_batch *b);
int ckpt_cow_match(struct ckpt_ctx *ctx, struct ckpt_batch *b);
unsigned long ckpt_cow_skip(struct ckpt_ctx *ctx, unsigned int *at,
			    unsigned long start, unsigned long *end);
int ckpt_cow_same(struct ckpt_ctx *ctx, struct ckpt_mm_save *save,
		  struct ckpt_batch *b);
int ckpt_same_fill(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		   struct ckpt_in *in);

/* shmem.c: shared memory and memfd */
extern const struct ckpt_file_kind ckpt_file_shmem;
int ckpt_shmem_save(struct ckpt_ctx *ctx, struct ckpt_obj *inode, struct file *file);
int ckpt_shmem_capture(struct ckpt_ctx *ctx, struct ckpt_mm_save *save);
int ckpt_shmem_write(struct ckpt_ctx *ctx, struct ckpt_mm_save *save,
		     struct ckpt_batch *b);
void ckpt_shmem_drop(struct ckpt_mm_save *save);
int ckpt_shmem_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_shmem_fill(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
		    struct ckpt_in *in);

struct ckpt_batch {
	struct page *pages[CKPT_PAGES_MAX];
	struct ckpt_run runs[CKPT_PAGES_MAX];
	u32 npages, nruns;
	u32 objref;
	bool shares;		/* notes where its pages are stored */
	bool matching;		/* looks for those that are, stores none */
};

#endif /* _CKPT_MM_H */
