/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel functions and data that are not exported. All are found when the
 * module is loaded; one that is missing fails the load by its name.
 *
 * Functions are called as K(name)(args), which is a static call, so a direct
 * jump: a kernel built with IBT seals these functions against indirect calls.
 * Data is reached as KD(name), a pointer.
 */
#ifndef _CKPT_KSYM_H
#define _CKPT_KSYM_H

#include <linux/static_call.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/sched/signal.h>
#include <linux/ptrace.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/uaccess.h>
#include <linux/devpts_fs.h>
#include <linux/eventpoll.h>
#include <linux/pagewalk.h>
#include <linux/pid.h>
#include <linux/fdtable.h>
#include <linux/fs_struct.h>
#include <linux/fsnotify_backend.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/hugetlb.h>
#include <linux/lsm_hooks.h>
#include <linux/memfd.h>
#include <linux/pipe_fs_i.h>
#include <linux/memcontrol.h>
#include <linux/posix-timers.h>
#include <linux/proc_ns.h>
#include <linux/seccomp.h>
#include <linux/sem.h>
#include <linux/userfaultfd_k.h>
#include <linux/syscalls.h>
#include <asm/syscall.h>
#include <asm/tlbflush.h>
#include <asm/mmu_context.h>
#include <asm/vdso.h>

/* prototypes that no header a module can include declares */
int anon_vma_fork(struct vm_area_struct *vma, struct vm_area_struct *pvma);
int anon_vma_clone(struct vm_area_struct *dst, struct vm_area_struct *src);
void unlink_anon_vmas(struct vm_area_struct *vma);
int map_vdso_once(const struct vdso_image *image, unsigned long addr);
int copy_uabi_from_kernel_to_xstate(struct fpstate *fpstate, const void *kbuf,
				    u32 *pkru);
void flush_tlb_mm_range(struct mm_struct *mm, unsigned long start,
			unsigned long end, unsigned int stride_shift,
			bool freed_tables);
#ifndef TLB_FLUSH_ALL
#define TLB_FLUSH_ALL	(-1UL)
#endif
long hrtimer_nanosleep_restart(struct restart_block *rb);
long do_restart_poll(struct restart_block *rb);
long futex_wait_restart(struct restart_block *rb);
long posix_cpu_nsleep_restart(struct restart_block *rb);
long alarm_timer_nsleep_restart(struct restart_block *rb);

#ifdef CONFIG_AUDIT
int auditd_test_task(struct task_struct *task);
#define CKPT_KSYM_AUDIT(X)	X(auditd_test_task)
#else
#define CKPT_KSYM_AUDIT(X)
#endif

#ifdef CONFIG_MEMCG
#define CKPT_KSYM_MEMCG(X)	X(mm_update_next_owner) X(__mem_cgroup_charge)
#else
#define CKPT_KSYM_MEMCG(X)
#endif

/* X(name): functions, with the prototype that a header or the above gives */
#define CKPT_KSYM_FUNCS(X)			\
	X(mm_alloc)				\
	X(vm_area_dup)				\
	X(vm_area_free)				\
	X(vma_dup_policy)			\
	X(anon_vma_fork)			\
	X(anon_vma_clone)			\
	X(__anon_vma_prepare)			\
	X(mfill_atomic_install_pte)		\
	X(unlink_anon_vmas)			\
	X(copy_page_range)			\
	X(flush_tlb_mm_range)			\
	X(walk_page_range)			\
	X(vm_normal_page)			\
	X(do_madvise)				\
	X(map_vdso_once)			\
	X(replace_mm_exe_file)			\
	X(access_remote_vm)			\
	X(devpts_mntget)			\
	X(kernel_clone)				\
	X(alloc_pid)				\
	X(free_pid)				\
	X(change_pid)				\
	X(current_save_fsgs)			\
	X(copy_uabi_from_kernel_to_xstate)	\
	X(ptrace_may_access)			\
	X(find_task_by_vpid)			\
	X(wake_up_state)			\
	X(task_work_cancel_match)		\
	X(task_work_run)			\
	X(__set_task_comm)			\
	X(put_files_struct)			\
	X(set_fs_pwd)				\
	X(set_fs_root)				\
	X(sched_setaffinity)			\
	X(do_sigaction)				\
	X(vma_interval_tree_insert_after)	\
	X(path_noexec)				\
	X(__mpol_put)				\
	X(do_group_exit)			\
	X(do_exit)				\
	X(memfd_fcntl)				\
	X(exit_sem)				\
	X(hugetlb_file_setup)			\
	X(size_to_hstate)			\
	X(create_pipe_files)			\
	X(pipe_fcntl)				\
	X(group_send_sig_info)			\
	X(sched_setattr)			\
	X(replace_fd)				\
	X(dup_fd)				\
	X(do_epoll_ctl)				\
	X(pidfd_pid)				\
	X(ns_get_path)				\
	X(fsnotify_insert_event)		\
	X(vfs_fchown)				\
	X(vfs_fchmod)				\
	X(vfs_utimes)				\
	X(pidfd_prepare)			\
	X(bpf_get_btf_vmlinux)			\
	X(btf_find_by_name_kind)		\
	X(btf_name_by_offset)			\
	X(seccomp_get_filter)			\
	X(seccomp_get_metadata)			\
	X(update_rlimit_cpu)			\
	X(send_sigqueue)			\
	X(switch_mm)				\
	X(membarrier_update_current_mm)		\
	CKPT_KSYM_AUDIT(X)			\
	CKPT_KSYM_MEMCG(X)			\
	CKPT_KSYM_COMPAT(X)			\
	X(free_fs_struct)			\
	X(__cleanup_sighand)			\
	X(x64_sys_call)

/* Y(type, name): data */
#define CKPT_KSYM_DATA(Y)			\
	Y(rwlock_t, tasklist_lock)				\
	Y(const struct file_operations, eventfd_fops)		\
	Y(const struct file_operations, signalfd_fops)		\
	Y(const struct file_operations, timerfd_fops)		\
	Y(const struct file_operations, eventpoll_fops)		\
	Y(const struct file_operations, hung_up_tty_fops)	\
	Y(const struct file_operations, inotify_fops)		\
	Y(const struct file_operations, shm_file_operations)	\
	Y(const struct proc_ns_operations, cgroupns_operations)	\
	Y(const struct proc_ns_operations, ipcns_operations)	\
	Y(const struct proc_ns_operations, mntns_operations)	\
	Y(const struct proc_ns_operations, netns_operations)	\
	Y(const struct proc_ns_operations, pidns_operations)	\
	Y(const struct proc_ns_operations, timens_operations)	\
	Y(const struct proc_ns_operations, userns_operations)	\
	Y(const struct proc_ns_operations, utsns_operations)	\
	Y(int, ipc_mni_shift)					\
	Y(const struct vdso_image, vdso_image_64)		\
	Y(struct lsm_blob_sizes, landlock_blob_sizes)		\
	Y(struct hrtimer_cpu_base, hrtimer_bases)		\
	Y(spinlock_t, bsd_socket_locks)				\
	Y(struct hlist_head, bsd_socket_buckets)

/* functions whose address alone matters: compared or stored, never called */
#define CKPT_KSYM_ADDRS(Z)			\
	Z(do_no_restart_syscall)		\
	Z(hrtimer_nanosleep_restart)		\
	Z(do_restart_poll)			\
	Z(futex_wait_restart)			\
	Z(posix_cpu_nsleep_restart)		\
	Z(alarm_timer_nsleep_restart)		\
	Z(hrtimer_wakeup)			\
	Z(tty_read)				\
	Z(hung_up_tty_read)

#define CKPT_KSYM_DECLARE(name)		\
	DECLARE_STATIC_CALL(ckpt_sc_##name, name);
CKPT_KSYM_FUNCS(CKPT_KSYM_DECLARE)
#undef CKPT_KSYM_DECLARE

struct ckpt_ksym_data {
#define CKPT_KSYM_FIELD(type, name) type(*name);
	CKPT_KSYM_DATA(CKPT_KSYM_FIELD)
#undef CKPT_KSYM_FIELD
#define CKPT_KSYM_FIELD(name) unsigned long name;
	CKPT_KSYM_ADDRS(CKPT_KSYM_FIELD)
#undef CKPT_KSYM_FIELD
};

extern struct ckpt_ksym_data ckpt_ksym_data;

#define K(name)		static_call(ckpt_sc_##name)
#define KD(name)	(ckpt_ksym_data.name)

int ckpt_ksym_init(void);
unsigned int ckpt_ksym_count(void);

#endif /* _CKPT_KSYM_H */
