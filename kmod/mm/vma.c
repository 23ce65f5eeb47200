// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: mappings: anonymous, of files (private and shared), of shared memory,
 * the vDSO; protection, growth, mlock, madvise advice, names, protection keys.
 * Refuses: device memory, userfaultfd ranges, hugetlb pages, SysV segments,
 * AIO rings and other special mappings.
 * Locks: mmap_lock, held by the caller at checkpoint.
 */
#include <linux/hugetlb.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mman.h>
#include <linux/pkeys.h>
#include <linux/prctl.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "mm.h"
#include "../arch/arch.h"
#include "../files/files.h"
#include "../ksym.h"

#define CKPT_NAME_MAX	80	/* as prctl(PR_SET_VMA_ANON_NAME) has it, with the NUL */

/* flags that mean the same on both sides */
static const struct {
	unsigned long vm;
	u64 image;
	int advice;		/* for madvise(), or -1 */
} ckpt_vma_flags[] = {
	{ VM_READ,	CKPT_VMA_READ,		-1 },
	{ VM_WRITE,	CKPT_VMA_WRITE,		-1 },
	{ VM_EXEC,	CKPT_VMA_EXEC,		-1 },
	{ VM_SHARED,	CKPT_VMA_SHARED,	-1 },
	{ VM_MAYWRITE,	CKPT_VMA_MAYWRITE,	-1 },
	{ VM_GROWSDOWN,	CKPT_VMA_GROWSDOWN,	-1 },
	{ VM_LOCKED,	CKPT_VMA_LOCKED,	-1 },
	{ VM_LOCKONFAULT, CKPT_VMA_LOCKONFAULT,	-1 },
	{ VM_NORESERVE,	CKPT_VMA_NORESERVE,	-1 },
	{ VM_SYNC,	CKPT_VMA_SYNC,		-1 },
	{ VM_DONTCOPY,	CKPT_VMA_DONTFORK,	MADV_DONTFORK },
	{ VM_WIPEONFORK, CKPT_VMA_WIPEONFORK,	MADV_WIPEONFORK },
	{ VM_DONTDUMP,	CKPT_VMA_DONTDUMP,	MADV_DONTDUMP },
	{ VM_SEQ_READ,	CKPT_VMA_SEQ_READ,	MADV_SEQUENTIAL },
	{ VM_RAND_READ,	CKPT_VMA_RAND_READ,	MADV_RANDOM },
	{ VM_HUGEPAGE,	CKPT_VMA_HUGEPAGE,	MADV_HUGEPAGE },
	{ VM_NOHUGEPAGE, CKPT_VMA_NOHUGEPAGE,	MADV_NOHUGEPAGE },
	{ VM_MERGEABLE,	CKPT_VMA_MERGEABLE,	MADV_MERGEABLE },
};

/**
 * ckpt_vma_has_pages() - whether page data belongs to a mapping
 * @vma: the mapping
 *
 * Return: true for private memory that may have been written.
 */
bool ckpt_vma_has_pages(struct vm_area_struct *vma)
{
	return vma->anon_vma && !is_vm_hugetlb_page(vma) &&
	       !(vma->vm_flags & (VM_SHARED | VM_PFNMAP | VM_IO | CKPT_VM_DROPPABLE));
}

static bool ckpt_vma_is_vdso(struct vm_area_struct *vma)
{
	const char *name = NULL;

	if (vma->vm_file || !vma->vm_ops || !vma->vm_ops->name)
		return false;
	name = vma->vm_ops->name(vma);
	return name && (!strcmp(name, "[vdso]") || !strcmp(name, "[vvar]") ||
			!strcmp(name, "[vvar_vclock]"));
}

static bool ckpt_vma_supported(struct ckpt_ctx *ctx, struct task_struct *task,
			       struct vm_area_struct *vma)
{
	const char *name = NULL;

	if (ckpt_vma_is_vdso(vma))
		return true;
	if (userfaultfd_armed(vma)) {
		ckpt_refuse(ctx, task, "userfaultfd",
			    "memory at %#lx is registered with userfaultfd", vma->vm_start);
		return false;
	}
	if (is_vm_hugetlb_page(vma)) {
		ckpt_refuse(ctx, task, "hugetlb", "memory at %#lx is of huge pages (hugetlbfs)",
			    vma->vm_start);
		return false;
	}
	if (vma->vm_flags & (VM_PFNMAP | VM_IO | VM_MIXEDMAP)) {
		ckpt_refuse(ctx, task, "device-memory", "memory at %#lx is of a device",
			    vma->vm_start);
		return false;
	}
	if (vma->vm_ops && vma->vm_ops->name)
		name = vma->vm_ops->name(vma);
	if (name || (!vma->vm_file && vma->vm_ops)) {
		ckpt_refuse(ctx, task, "special-mapping", "memory at %#lx is a special mapping%s%s",
			    vma->vm_start, name ? ": " : "", name ? name : "");
		return false;
	}
	if (vma_policy(vma)) {
		ckpt_refuse(ctx, task, "mempolicy", "memory at %#lx has a NUMA policy of its own (mbind)",
			    vma->vm_start);
		return false;
	}
	return true;
}

int ckpt_vma_collect(struct ckpt_ctx *ctx, struct task_struct *task,
		     struct vm_area_struct *vma)
{
	if (!ckpt_vma_supported(ctx, task, vma) || !vma->vm_file)
		return 0;
	return ckpt_file_collect(ctx, vma->vm_file, task);
}

int ckpt_vma_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task,
			struct vm_area_struct *vma, u32 mm_ref)
{
	struct anon_vma_name *name = vma->vm_file ? NULL : ckpt_anon_vma_name(vma);
	size_t len = name ? strlen(name->name) : 0;
	struct ckpt_obj *file = NULL;
	struct ckpt_vma *rec;
	u64 flags = 0;
	unsigned int i;

	rec = ckpt_out(ctx, CKPT_REC_VMA, mm_ref, sizeof(*rec), len);
	if (!rec)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(ckpt_vma_flags); i++)
		if (vma->vm_flags & ckpt_vma_flags[i].vm)
			flags |= ckpt_vma_flags[i].image;
	rec->start = cpu_to_le64(vma->vm_start);
	rec->end = cpu_to_le64(vma->vm_end);
	rec->flags = cpu_to_le64(flags);
	rec->pkey = cpu_to_le32(vma_pkey(vma));
	if (name)
		memcpy(rec + 1, name->name, len);
	if (ckpt_vma_is_vdso(vma)) {
		rec->kind = cpu_to_le32(CKPT_VMAK_VDSO);
		return 0;
	}
	if (!vma->vm_file)
		return 0;
	file = ckpt_obj_find(ctx, vma->vm_file, CKPT_OBJ_FILE);
	rec->kind = cpu_to_le32(CKPT_VMAK_FILE);
	rec->file = cpu_to_le32(file ? file->objref : 0);
	rec->offset = cpu_to_le64((u64)vma->vm_pgoff << PAGE_SHIFT);
	return 0;
}

/* ---- restart ---- */

static int ckpt_vma_check(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_vma *rec = (const void *)in->fixed;
	u64 start = le64_to_cpu(rec->start), end = le64_to_cpu(rec->end);
	u64 flags = le64_to_cpu(rec->flags), known = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_vma_flags); i++)
		known |= ckpt_vma_flags[i].image;
	if (start >= end || end > TASK_SIZE_MAX ||
	    ((start | end | le64_to_cpu(rec->offset)) & (PAGE_SIZE - 1)) ||
	    le64_to_cpu(rec->offset) > S64_MAX - (end - start))
		return ckpt_bad(ctx, in, "its addresses are out of range");
	if (flags & ~known)
		return ckpt_bad(ctx, in, "it has flags that this kernel does not know");
	if (le32_to_cpu(rec->kind) > CKPT_VMAK_VDSO)
		return ckpt_bad(ctx, in, "its kind is not known");
	if ((le32_to_cpu(rec->kind) == CKPT_VMAK_FILE) != !!rec->file)
		return ckpt_bad(ctx, in, "its file does not fit its kind");
	if (le32_to_cpu(rec->kind) == CKPT_VMAK_ANON && flags & CKPT_VMA_SHARED)
		return ckpt_bad(ctx, in, "shared memory without an object");
	if (le32_to_cpu(rec->pkey) >= 16)
		return ckpt_bad(ctx, in, "its protection key is out of range");
	if (in->var_len >= CKPT_NAME_MAX ||
	    (in->var_len && memchr(in->var, 0, in->var_len)))
		return ckpt_bad(ctx, in, "its name is too long or has a NUL");
	return 0;
}

static unsigned long ckpt_vma_prot(u64 flags)
{
	return (flags & CKPT_VMA_READ ? PROT_READ : 0) |
	       (flags & CKPT_VMA_WRITE ? PROT_WRITE : 0) |
	       (flags & CKPT_VMA_EXEC ? PROT_EXEC : 0);
}

static int ckpt_vma_name(struct ckpt_in *in, unsigned long start, unsigned long len)
{
	unsigned long page;
	int err = 0;

	/* the kernel wants the name in user memory */
	page = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(page))
		return page;
	if (copy_to_user((void __user *)page, in->var, in->var_len))
		err = -EFAULT;
	if (!err)
		err = ckpt_arch_syscall(__NR_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME,
					start, len, page, 0);
	vm_munmap(page, PAGE_SIZE);
	return err;
}

/**
 * ckpt_vma_restart() - make a mapping in the current address space
 * @ctx: the restart
 * @in: its record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_vma_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_vma *rec = (const void *)in->fixed;
	unsigned long start, len, prot, flags, addr;
	struct ckpt_obj *obj;
	struct file *file = NULL;
	u64 vm;
	unsigned int i;
	int err;

	err = ckpt_vma_check(ctx, in);
	if (err)
		return err;
	if (le32_to_cpu(rec->kind) == CKPT_VMAK_VDSO)
		return 0;
	start = le64_to_cpu(rec->start);
	len = le64_to_cpu(rec->end) - start;
	vm = le64_to_cpu(rec->flags);
	prot = ckpt_vma_prot(vm);
	flags = MAP_FIXED_NOREPLACE | (vm & CKPT_VMA_SHARED ? MAP_SHARED : MAP_PRIVATE);
	if (vm & CKPT_VMA_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	if (vm & CKPT_VMA_NORESERVE)
		flags |= MAP_NORESERVE;
	if (rec->file) {
		obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->file), CKPT_OBJ_FILE);
		if (IS_ERR(obj))
			return PTR_ERR(obj);
		file = obj->ptr;
	} else {
		flags |= MAP_ANONYMOUS;
	}
	addr = vm_mmap(file, start, len, prot, flags, le64_to_cpu(rec->offset));
	if (addr != start)
		return ckpt_err(ctx, IS_ERR_VALUE(addr) ? (long)addr : -EEXIST,
				"image offset %llu: cannot map %#lx bytes at %#lx",
				in->offset, len, start);
	for (i = 0; i < ARRAY_SIZE(ckpt_vma_flags); i++) {
		if (ckpt_vma_flags[i].advice < 0 || !(vm & ckpt_vma_flags[i].image))
			continue;
		err = K(do_madvise)(current->mm, start, len, ckpt_vma_flags[i].advice);
		if (err)
			return ckpt_err(ctx, err, "image offset %llu: madvise %d of memory at %#lx fails",
					in->offset, ckpt_vma_flags[i].advice, start);
	}
	if (in->var_len && !rec->file) {
		err = ckpt_vma_name(in, start, len);
		if (err)
			return ckpt_err(ctx, err, "image offset %llu: cannot name memory at %#lx",
					in->offset, start);
	}
	return 0;
}

/**
 * ckpt_vma_late() - what a mapping needs when its pages are there
 * @ctx: the restart
 * @in: its record, checked before
 *
 * Return: 0 or a negative errno.
 */
int ckpt_vma_late(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_vma *rec = (const void *)in->fixed;
	unsigned long start = le64_to_cpu(rec->start);
	unsigned long len = le64_to_cpu(rec->end) - start;
	u64 vm = le64_to_cpu(rec->flags);
	long err;

	if (vm & (CKPT_VMA_LOCKED | CKPT_VMA_LOCKONFAULT)) {
		err = ckpt_arch_syscall(__NR_mlock2, start, len,
					vm & CKPT_VMA_LOCKONFAULT ? MLOCK_ONFAULT : 0,
					0, 0, 0);
		/* memory without access stays locked, though it cannot be brought in */
		if (err && (vm & (CKPT_VMA_READ | CKPT_VMA_WRITE | CKPT_VMA_EXEC)))
			return ckpt_err(ctx, err, "image offset %llu: cannot lock memory at %#lx",
					in->offset, start);
	}
	/* pkey 0 and execute-only memory come from the protection alone */
	if (rec->pkey && (vm & (CKPT_VMA_READ | CKPT_VMA_WRITE) ||
			  !(vm & CKPT_VMA_EXEC))) {
		err = ckpt_arch_syscall(__NR_pkey_mprotect, start, len, ckpt_vma_prot(vm),
					le32_to_cpu(rec->pkey), 0, 0);
		if (err)
			return ckpt_err(ctx, err, "image offset %llu: cannot set the protection key of memory at %#lx",
					in->offset, start);
	}
	return 0;
}
