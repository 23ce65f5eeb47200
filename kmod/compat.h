/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that differs between the kernels that ckpt.ko is built for: 6.1 (Debian
 * 12) and 6.12 (its backports). No other file asks for a kernel version.
 */
#ifndef _CKPT_COMPAT_H
#define _CKPT_COMPAT_H

#include <linux/version.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/pagewalk.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/uio.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)

static inline void ckpt_vm_flags_clear(struct vm_area_struct *vma,
				       unsigned long flags)
{
	vma->vm_flags &= ~flags;
}

static inline void ckpt_vma_start_write(struct vm_area_struct *vma)
{
}

#define CKPT_WALK_RDLOCK

#else

static inline void ckpt_vm_flags_clear(struct vm_area_struct *vma,
				       unsigned long flags)
{
	vm_flags_clear(vma, flags);
}

static inline void ckpt_vma_start_write(struct vm_area_struct *vma)
{
	vma_start_write(vma);
}

#define CKPT_WALK_RDLOCK	.walk_lock = PGWALK_RDLOCK,

#endif

/* anon_vma_name() is not for modules where it checks the lock */
static inline struct anon_vma_name *ckpt_anon_vma_name(struct vm_area_struct *vma)
{
#ifdef CONFIG_ANON_VMA_NAME
	return vma->anon_name;
#else
	return NULL;
#endif
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define ckpt_gup_remote(mm, start, n, flags, pages) \
	get_user_pages_remote(mm, start, n, flags, pages, NULL, NULL)
#else
#define ckpt_gup_remote(mm, start, n, flags, pages) \
	get_user_pages_remote(mm, start, n, flags, pages, NULL)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define ckpt_rseq_len(t)	(sizeof(struct rseq))
#define ckpt_set_rseq_len(t, n)	((void)(n))
#define ckpt_import_ubuf(dest, buf, len, iov, iter) \
	import_single_range((dest) ? READ : WRITE, buf, len, iov, iter)
#else
#define ckpt_rseq_len(t)	((t)->rseq_len)
#define ckpt_set_rseq_len(t, n)	((t)->rseq_len = (n))
#define ckpt_import_ubuf(dest, buf, len, iov, iter) \
	((void)(iov), import_ubuf((dest) ? ITER_DEST : ITER_SOURCE, buf, len, iter))
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define ckpt_shstk_enabled(t)	false
#elif defined(CONFIG_X86_USER_SHADOW_STACK)
#define ckpt_shstk_enabled(t)	((t)->thread.features != 0)
#else
#define ckpt_shstk_enabled(t)	false
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define ckpt_path_permission(path, mask) \
	inode_permission(mnt_user_ns((path)->mnt), d_inode((path)->dentry), mask)
#else
#define ckpt_path_permission(path, mask) \
	inode_permission(mnt_idmap((path)->mnt), d_inode((path)->dentry), mask)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define ckpt_close_on_exec(fd, files, fdt)	close_on_exec(fd, fdt)
#else
#define ckpt_close_on_exec(fd, files, fdt)	close_on_exec(fd, files)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define ckpt_inode_mtime(inode)	((inode)->i_mtime)
#else
#define ckpt_inode_mtime(inode)	inode_get_mtime(inode)
#endif

/* 6.12 allocates the owner when one is set first */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
static inline struct fown_struct *ckpt_file_owner(struct file *file)
{
	return &file->f_owner;
}

static inline int ckpt_file_owner_alloc(struct file *file)
{
	return 0;
}
#else
static inline struct fown_struct *ckpt_file_owner(struct file *file)
{
	return READ_ONCE(file->f_owner);
}

static inline int ckpt_file_owner_alloc(struct file *file)
{
	return file_f_owner_allocate(file);
}
#endif

/* of a FIFO: equal to w_counter while nobody has written since it was opened */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define ckpt_pipe_version(file)	((file)->f_version)
#else
#define ckpt_pipe_version(file)	((file)->f_pipe)
#endif

#include <linux/fsnotify_backend.h>

/* the inode that a mark is on; with the mark's lock */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define ckpt_fsnotify_inode(conn) \
	container_of((conn)->obj, struct inode, i_fsnotify_marks)
#else
#define ckpt_fsnotify_inode(conn)	((struct inode *)(conn)->obj)
#endif

/* what a lock and a lease have in common */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
typedef struct file_lock ckpt_lease_t;
#define ckpt_fl(fl, field)	((fl)->fl_##field)
#define ckpt_fl_list		fl_list
#else
#include <linux/filelock.h>
typedef struct file_lease ckpt_lease_t;
#define ckpt_fl(fl, field)	((fl)->c.flc_##field)
#define ckpt_fl_list		c.flc_list
#endif

#include <linux/posix-timers.h>
#include <linux/sched/signal.h>

#define ckpt_timer_next_id(sig, id)	((sig)->next_posix_timer_id = (id))
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define ckpt_for_each_timer(timr, sig) \
	list_for_each_entry_rcu(timr, &(sig)->posix_timers, list, true)
#else
#define ckpt_for_each_timer(timr, sig) \
	hlist_for_each_entry_rcu(timr, &(sig)->posix_timers, list, true)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define ckpt_vfs_mknod(mnt, dir, dentry, mode) \
	vfs_mknod(mnt_user_ns(mnt), dir, dentry, mode, 0)
#define ckpt_vfs_mkdir(mnt, dir, dentry, mode) \
	vfs_mkdir(mnt_user_ns(mnt), dir, dentry, mode)
#define ckpt_vfs_rmdir(mnt, dir, dentry) \
	vfs_rmdir(mnt_user_ns(mnt), dir, dentry)
#define ckpt_notify_change(mnt, dentry, attr) \
	notify_change(mnt_user_ns(mnt), dentry, attr, NULL)
#define ckpt_owner_or_capable(mnt, inode) \
	inode_owner_or_capable(mnt_user_ns(mnt), inode)
#else
#define ckpt_vfs_mknod(mnt, dir, dentry, mode) \
	vfs_mknod(mnt_idmap(mnt), dir, dentry, mode, 0)
#define ckpt_vfs_mkdir(mnt, dir, dentry, mode) \
	vfs_mkdir(mnt_idmap(mnt), dir, dentry, mode)
#define ckpt_vfs_rmdir(mnt, dir, dentry) \
	vfs_rmdir(mnt_idmap(mnt), dir, dentry)
#define ckpt_notify_change(mnt, dentry, attr) \
	notify_change(mnt_idmap(mnt), dentry, attr, NULL)
#define ckpt_owner_or_capable(mnt, inode) \
	inode_owner_or_capable(mnt_idmap(mnt), inode)
#endif

/* false only of a page that is mapped once */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define ckpt_page_mapped_often(page)	(page_mapcount(page) > 1)
#else
#define ckpt_page_mapped_often(page)	(folio_mapcount(page_folio(page)) > 1)
#endif

/* what a TCP connection sends as its time; the lowest bit tells the unit */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define ckpt_tcp_tsval(tp)	(tcp_time_stamp_raw() + (tp)->tsoffset)
#else
#define ckpt_tcp_tsval(tp)	(((tcp_clock_ts((tp)->tcp_usec_ts) + (tp)->tsoffset) & ~1) | \
				 (tp)->tcp_usec_ts)
#endif

/* what is to be undone follows its structure, where a pointer tells so or not */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define CKPT_SEMADJ	short *semadj
#else
#define CKPT_SEMADJ	short semadj[]
#endif

/* how a futex wait that begins again was called (kernel/futex/futex.h) */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define CKPT_FLAGS_SIZE_32	0
#define CKPT_FLAGS_SHARED	0x01
#define CKPT_FLAGS_CLOCKRT	0x02
#define CKPT_FLAGS_HAS_TIMEOUT	0x04
#else
#define CKPT_FLAGS_SIZE_32	0x02
#define CKPT_FLAGS_SHARED	0x10
#define CKPT_FLAGS_CLOCKRT	0x20
#define CKPT_FLAGS_HAS_TIMEOUT	0x40
#endif

/* where in its file a page of hugetlbfs is */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define ckpt_huge_pos(folio, h)	((loff_t)(folio)->index << huge_page_shift(h))
#else
#define ckpt_huge_pos(folio, h)	folio_pos(folio)
#endif

/* maps a new page of private memory where nothing is mapped */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define ckpt_install_page(pmd, vma, addr, page) \
	K(mfill_atomic_install_pte)((vma)->vm_mm, pmd, vma, addr, page, true, false)
#else
#define ckpt_install_page(pmd, vma, addr, page) \
	K(mfill_atomic_install_pte)(pmd, vma, addr, page, true, 0)
#endif

/* functions for ksym.h that only some kernels have */
#ifdef CONFIG_SCHED_MM_CID
#define CKPT_KSYM_COMPAT(X)	X(sched_mm_cid_before_execve) X(sched_mm_cid_after_execve)
#define ckpt_mm_cid_leave()	K(sched_mm_cid_before_execve)(current)
#define ckpt_mm_cid_enter()	K(sched_mm_cid_after_execve)(current)
#else
#define CKPT_KSYM_COMPAT(X)
#define ckpt_mm_cid_leave()	do { } while (0)
#define ckpt_mm_cid_enter()	do { } while (0)
#endif

/* the current task counts some pages for itself till it leaves its memory */
static inline void ckpt_sync_rss(struct mm_struct *mm)
{
#ifdef SPLIT_RSS_COUNTING
	int i;

	for (i = 0; i < NR_MM_COUNTERS; i++) {
		if (current->rss_stat.count[i])
			atomic_long_add(current->rss_stat.count[i], &mm->rss_stat.count[i]);
		current->rss_stat.count[i] = 0;
	}
	current->rss_stat.events = 0;
#endif
}

#ifdef VM_DROPPABLE
#define CKPT_VM_DROPPABLE	VM_DROPPABLE
#else
#define CKPT_VM_DROPPABLE	0
#endif

#endif /* _CKPT_COMPAT_H */
