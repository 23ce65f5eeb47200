// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: mappings: anonymous, of files (private and shared), of shared memory,
 * the vDSO; protection, growth, mlock, madvise advice, names, protection keys,
 * NUMA policy, seals of mseal().
 * Refuses: device memory, userfaultfd ranges, special mappings, and flags that
 * are not known.
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

#define CKPT_MASK_MAX	1024	/* bytes of a node mask */
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
	/* VM_SHARED is missing where nobody can write */
	{ VM_MAYSHARE,	CKPT_VMA_SHARED,	-1 },
	{ VM_MAYWRITE,	CKPT_VMA_MAYWRITE,	-1 },
	{ VM_GROWSDOWN,	CKPT_VMA_GROWSDOWN,	-1 },
	{ VM_LOCKED,	CKPT_VMA_LOCKED,	-1 },
	{ VM_LOCKONFAULT, CKPT_VMA_LOCKONFAULT,	-1 },
	{ VM_NORESERVE,	CKPT_VMA_NORESERVE,	-1 },
	{ VM_ACCOUNT,	CKPT_VMA_ACCOUNT,	-1 },
	{ VM_DONTCOPY,	CKPT_VMA_DONTFORK,	MADV_DONTFORK },
	{ VM_WIPEONFORK, CKPT_VMA_WIPEONFORK,	MADV_WIPEONFORK },
	{ VM_DONTDUMP,	CKPT_VMA_DONTDUMP,	MADV_DONTDUMP },
	{ VM_SEQ_READ,	CKPT_VMA_SEQ_READ,	MADV_SEQUENTIAL },
	{ VM_RAND_READ,	CKPT_VMA_RAND_READ,	MADV_RANDOM },
	{ VM_HUGEPAGE,	CKPT_VMA_HUGEPAGE,	MADV_HUGEPAGE },
	{ VM_NOHUGEPAGE, CKPT_VMA_NOHUGEPAGE,	MADV_NOHUGEPAGE },
	{ VM_MERGEABLE,	CKPT_VMA_MERGEABLE,	MADV_MERGEABLE },
#ifdef VM_DROPPABLE
	{ VM_DROPPABLE,	CKPT_VMA_DROPPABLE,	-1 },
#endif
#ifdef VM_SEALED
	{ VM_SEALED,	CKPT_VMA_SEALED,	-1 },
#endif
};

/* flags that the kernel sets by itself when a mapping is made again */
#define CKPT_VM_IMPLIED	(VM_MAYREAD | VM_MAYEXEC | VM_SHARED | VM_SOFTDIRTY | ARCH_VM_PKEY_FLAGS)

static unsigned long ckpt_vma_unknown(struct vm_area_struct *vma)
{
	unsigned long flags = vma->vm_flags & ~CKPT_VM_IMPLIED;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_vma_flags); i++)
		flags &= ~ckpt_vma_flags[i].vm;
	if (is_vm_hugetlb_page(vma))
		flags &= ~(VM_HUGETLB | VM_DONTEXPAND);
	return flags;
}

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
	if (ckpt_vma_is_aio(vma))
		return ckpt_aio_vma(ctx, task, vma);
	if (is_vm_hugetlb_page(vma) && !ckpt_vma_huge(ctx, task, vma))
		return false;
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
#ifdef CONFIG_NUMA
	if (vma_policy(vma) && vma_policy(vma)->home_node != NUMA_NO_NODE) {
		ckpt_refuse(ctx, task, "mempolicy", "memory at %#lx has a home node (set_mempolicy_home_node)",
			    vma->vm_start);
		return false;
	}
#endif
	if (ckpt_vma_unknown(vma)) {
		ckpt_refuse(ctx, task, "vma-flags", "memory at %#lx has flags %#lx, which are not known",
			    vma->vm_start, ckpt_vma_unknown(vma));
		return false;
	}
	return true;
}

int ckpt_vma_collect(struct ckpt_ctx *ctx, struct task_struct *task,
		     struct vm_area_struct *vma)
{
	if (!ckpt_vma_supported(ctx, task, vma) || !vma->vm_file || ckpt_vma_is_aio(vma) ||
	    ckpt_vma_huge_anon(vma))
		return 0;
	return ckpt_file_collect(ctx, vma->vm_file, task);
}

/* a node mask as mbind() takes it; returns its size */
static u32 ckpt_vma_policy(struct vm_area_struct *vma, __le32 *mode, nodemask_t *mask)
{
#ifdef CONFIG_NUMA
	struct mempolicy *pol = vma_policy(vma);

	if (pol) {
		*mode = cpu_to_le32(pol->mode | (pol->flags & MPOL_MODE_FLAGS));
		*mask = pol->flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES) ?
			pol->w.user_nodemask : pol->nodes;
		return pol->mode == MPOL_LOCAL ? 0 :
			BITS_TO_LONGS(nr_node_ids) * sizeof(long);
	}
#endif
	return 0;
}

int ckpt_vma_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task,
			struct vm_area_struct *vma, u32 mm_ref)
{
	struct anon_vma_name *name = vma->vm_file ? NULL : ckpt_anon_vma_name(vma);
	size_t len = name ? strlen(name->name) : 0;
	struct ckpt_obj *file = NULL;
	struct ckpt_vma *rec;
	nodemask_t mask;
	__le32 policy = 0;
	u32 mask_bytes;
	u64 flags = 0;
	unsigned int i;

	mask_bytes = ckpt_vma_policy(vma, &policy, &mask);
	rec = ckpt_out(ctx, CKPT_REC_VMA, mm_ref, sizeof(*rec), len + mask_bytes);
	if (!rec)
		return -ENOMEM;
	rec->mempolicy_mode = policy;
	rec->mask_bytes = cpu_to_le32(mask_bytes);
	/* x86 is little endian: the longs are the mask in bytes */
	memcpy((u8 *)(rec + 1) + len, &mask, mask_bytes);
	for (i = 0; i < ARRAY_SIZE(ckpt_vma_flags); i++)
		if (vma->vm_flags & ckpt_vma_flags[i].vm)
			flags |= ckpt_vma_flags[i].image;
	if (is_vm_hugetlb_page(vma))
		flags |= ckpt_vma_huge_flags(vma, rec);
	rec->start = cpu_to_le64(vma->vm_start);
	rec->end = cpu_to_le64(vma->vm_end);
	rec->flags = cpu_to_le64(flags);
	rec->pkey = cpu_to_le32(vma_pkey(vma));
	ckpt_cow_ids(ctx, vma, rec);
	if (name)
		memcpy(rec + 1, name->name, len);
	if (ckpt_vma_is_vdso(vma)) {
		rec->kind = cpu_to_le32(CKPT_VMAK_VDSO);
		return 0;
	}
	if (!vma->vm_file)
		return 0;
	if (ckpt_vma_is_aio(vma) || ckpt_vma_huge_anon(vma)) {
		rec->kind = cpu_to_le32(ckpt_vma_is_aio(vma) ? CKPT_VMAK_AIO : CKPT_VMAK_HUGETLB);
		return 0;
	}
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
	u32 mask_bytes = le32_to_cpu(rec->mask_bytes);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_vma_flags); i++)
		known |= ckpt_vma_flags[i].image;
	if (start >= end || end > TASK_SIZE_MAX ||
	    ((start | end | le64_to_cpu(rec->offset)) & (PAGE_SIZE - 1)) ||
	    le64_to_cpu(rec->offset) > S64_MAX - (end - start))
		return ckpt_bad(ctx, in, "its addresses are out of range");
	if (flags & ~known)
		return ckpt_bad(ctx, in, "it has flags that this kernel does not know");
	if (le32_to_cpu(rec->kind) > CKPT_VMAK_AIO)
		return ckpt_bad(ctx, in, "its kind is not known");
	if ((le32_to_cpu(rec->kind) == CKPT_VMAK_FILE) != !!rec->file)
		return ckpt_bad(ctx, in, "its file does not fit its kind");
	if (le32_to_cpu(rec->kind) == CKPT_VMAK_ANON && flags & CKPT_VMA_SHARED)
		return ckpt_bad(ctx, in, "shared memory without an object");
	if ((le32_to_cpu(rec->kind) == CKPT_VMAK_AIO || rec->huge_size) && rec->anon_root)
		return ckpt_bad(ctx, in, "rings and huge pages have no family");
	if (rec->huge_size && le32_to_cpu(rec->kind) != CKPT_VMAK_HUGETLB &&
	    le32_to_cpu(rec->kind) != CKPT_VMAK_FILE)
		return ckpt_bad(ctx, in, "its kind has no huge pages");
	if (le32_to_cpu(rec->kind) == CKPT_VMAK_HUGETLB &&
	    (!rec->huge_size || flags & CKPT_VMA_SHARED))
		return ckpt_bad(ctx, in, "huge pages without a size, or shared without an object");
	if (le32_to_cpu(rec->pkey) >= 16)
		return ckpt_bad(ctx, in, "its protection key is out of range");
	if (mask_bytes > in->var_len || mask_bytes > CKPT_MASK_MAX ||
	    (mask_bytes && !rec->mempolicy_mode))
		return ckpt_bad(ctx, in, "the size of its node mask is out of range");
	if (in->var_len - mask_bytes >= CKPT_NAME_MAX ||
	    (in->var_len && memchr(in->var, 0, in->var_len - mask_bytes)))
		return ckpt_bad(ctx, in, "its name is too long or has a NUL");
	return 0;
}

static unsigned long ckpt_vma_prot(u64 flags)
{
	return (flags & CKPT_VMA_READ ? PROT_READ : 0) |
	       (flags & CKPT_VMA_WRITE ? PROT_WRITE : 0) |
	       (flags & CKPT_VMA_EXEC ? PROT_EXEC : 0);
}

/* gives a mapping its name and NUMA policy, which must stand in user memory for that */
static int ckpt_vma_extra(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_vma *rec = (const void *)in->fixed;
	unsigned long start = le64_to_cpu(rec->start), page = 0;
	unsigned long len = le64_to_cpu(rec->end) - start;
	u32 mask = le32_to_cpu(rec->mask_bytes), name = in->var_len - mask;
	int err = 0;

	if (in->var_len) {
		page = ckpt_user_mem(PAGE_SIZE);
		if (IS_ERR_VALUE(page))
			return page;
		/* the name ends with a NUL, since the page is new */
		if (copy_to_user((void __user *)page, in->var, name) ||
		    copy_to_user((void __user *)(page + CKPT_NAME_MAX), in->var + name, mask))
			err = -EFAULT;
	}
	if (!err && name) {
		err = ckpt_arch_syscall(__NR_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME,
					start, len, page, 0);
		if (err == -EINVAL) {
			ckpt_log(ctx, "this kernel keeps no names of memory: the one at %#lx is lost",
				 start);
			err = 0;
		}
	}
	if (!err && rec->mempolicy_mode) {
		err = ckpt_arch_syscall(__NR_mbind, start, len, le32_to_cpu(rec->mempolicy_mode),
					mask ? page + CKPT_NAME_MAX : 0,
					mask ? mask * BITS_PER_BYTE + 1 : 0, 0);
		if (err)
			ckpt_err(ctx, err, "image offset %llu: the NUMA policy of memory at %#lx cannot be set",
				 in->offset, start);
	}
	if (page)
		vm_munmap(page, PAGE_SIZE);
	return err;
}

/*
 * A seal or an old kernel's rule has made a shared mapping read-only for good,
 * though its file can be written: it is made from a file that cannot.
 */
static struct file *ckpt_vma_file(struct file *file, u64 vm)
{
	if ((vm & (CKPT_VMA_SHARED | CKPT_VMA_MAYWRITE)) == CKPT_VMA_SHARED &&
	    file->f_mode & FMODE_WRITE && S_ISREG(file_inode(file)->i_mode))
		return dentry_open(&file->f_path, O_RDONLY | O_LARGEFILE, file->f_cred);
	return get_file(file);
}

/* advice that does not change what a program sees may be missing in a kernel */
static bool ckpt_vma_advice_lost(int advice, int err)
{
	return err == -EINVAL && (advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE ||
				  advice == MADV_MERGEABLE);
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
	bool account;
	u64 vm;
	int err;

	err = ckpt_vma_check(ctx, in);
	if (err)
		return err;
	if (le32_to_cpu(rec->kind) == CKPT_VMAK_VDSO)
		return 0;
	start = le64_to_cpu(rec->start);
	len = le64_to_cpu(rec->end) - start;
	vm = le64_to_cpu(rec->flags);
	/* keeps the place, till its context is made: see aio.c */
	if (le32_to_cpu(rec->kind) == CKPT_VMAK_AIO)
		vm = CKPT_VMA_NORESERVE;
	prot = ckpt_vma_prot(vm);
	flags = MAP_FIXED_NOREPLACE | (vm & CKPT_VMA_SHARED ? MAP_SHARED : MAP_PRIVATE);
#ifdef MAP_DROPPABLE
	if (vm & CKPT_VMA_DROPPABLE)
		flags = MAP_FIXED_NOREPLACE | MAP_DROPPABLE;
#endif
	if (vm & CKPT_VMA_GROWSDOWN)
		flags |= MAP_GROWSDOWN;
	if (vm & CKPT_VMA_NORESERVE)
		flags |= MAP_NORESERVE;
	if (rec->file) {
		obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->file), CKPT_OBJ_FILE);
		if (IS_ERR(obj))
			return PTR_ERR(obj);
		file = ckpt_vma_file(obj->ptr, vm);
		if (IS_ERR(file))
			return PTR_ERR(file);
	} else {
		flags |= MAP_ANONYMOUS;
	}
	/* memory that was once writable counts as committed for ever */
	account = (vm & CKPT_VMA_ACCOUNT) && !(vm & (CKPT_VMA_WRITE | CKPT_VMA_SHARED));
	if (file && ckpt_file_is_huge(file) != !!rec->huge_size)
		addr = ckpt_bad(ctx, in, "its file and the size of its pages do not fit");
	else if (rec->huge_size)
		addr = ckpt_huge_map(ctx, in, file, prot, flags);
	else
		addr = vm_mmap(file, start, len, account ? PROT_READ | PROT_WRITE : prot, flags,
			       le64_to_cpu(rec->offset));
	if (file)
		fput(file);
	if (addr != start)
		return ckpt_err(ctx, IS_ERR_VALUE(addr) ? (long)addr : -EEXIST,
				"image offset %llu: cannot map %#lx bytes at %#lx",
				in->offset, len, start);
	if (account) {
		err = ckpt_arch_syscall(__NR_mprotect, start, len, prot, 0, 0, 0);
		if (err)
			return ckpt_err(ctx, err, "image offset %llu: cannot protect memory at %#lx",
					in->offset, start);
	}
	return le32_to_cpu(rec->kind) == CKPT_VMAK_AIO ? 0 : ckpt_vma_advise(ctx, in);
}

/**
 * ckpt_vma_advise() - give a mapping its advice, name and NUMA policy
 * @ctx: the restart
 * @in: its record, checked before
 *
 * Return: 0 or a negative errno.
 */
int ckpt_vma_advise(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_vma *rec = (const void *)in->fixed;
	unsigned long start = le64_to_cpu(rec->start);
	unsigned long len = le64_to_cpu(rec->end) - start;
	u64 vm = le64_to_cpu(rec->flags);
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(ckpt_vma_flags); i++) {
		if (ckpt_vma_flags[i].advice < 0 || !(vm & ckpt_vma_flags[i].image))
			continue;
		err = K(do_madvise)(current->mm, start, len, ckpt_vma_flags[i].advice);
		if (ckpt_vma_advice_lost(ckpt_vma_flags[i].advice, err)) {
			ckpt_log(ctx, "this kernel knows no madvise %d: that of memory at %#lx is lost",
				 ckpt_vma_flags[i].advice, start);
			continue;
		}
		if (err)
			return ckpt_err(ctx, err, "image offset %llu: madvise %d of memory at %#lx fails",
					in->offset, ckpt_vma_flags[i].advice, start);
	}
	return ckpt_vma_extra(ctx, in);
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

	if (rec->huge_size && !(vm & (CKPT_VMA_SHARED | CKPT_VMA_WRITE))) {
		err = ckpt_arch_syscall(__NR_mprotect, start, len, ckpt_vma_prot(vm), 0, 0, 0);
		if (err)
			return ckpt_err(ctx, err, "image offset %llu: cannot protect memory at %#lx",
					in->offset, start);
	}
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
#ifdef VM_SEALED
	/* last of all: nothing can change it any more */
	if (vm & CKPT_VMA_SEALED)
		return ckpt_arch_syscall(__NR_mseal, start, len, 0, 0, 0, 0);
#endif
	return 0;
}
