/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_TASK_H
#define _CKPT_TASK_H

#include "../private.h"

/* task.c: processes */
int ckpt_task_collect(struct ckpt_ctx *ctx, struct ckpt_proc *proc);
int ckpt_task_checkpoint(struct ckpt_ctx *ctx, struct ckpt_proc *proc);
void ckpt_task_tree_entry(struct ckpt_proc *proc, struct ckpt_tree_task *e, bool root);
int ckpt_task_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_task_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_task_end(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_task_empty(struct ckpt_ctx *ctx);
struct ckpt_thread *ckpt_proc_thread(struct ckpt_proc *proc);

/* group.c: sessions and process groups */
u32 ckpt_group_flags(struct ckpt_proc *proc);
void ckpt_groups_begin(struct ckpt_ctx *ctx);
void ckpt_groups_end(struct ckpt_ctx *ctx);
int ckpt_group_apply(struct ckpt_ctx *ctx, struct ckpt_in *in);
void ckpt_groups_foreground(struct ckpt_ctx *ctx);

/* thread.c: threads */
int ckpt_thread_checkpoint(struct ckpt_ctx *ctx, struct ckpt_thread *t, u32 seccomp_shared);
int ckpt_thread_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_thread_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_thread_last(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_thread_end(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_regs_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_regs_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_fpu_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_syscall_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
void ckpt_thread_go(struct ckpt_ctx *ctx, struct ckpt_rt *rt);
bool ckpt_thread_ended(struct ckpt_rt *rt);

/* share.c: what processes share, and vfork() */
int ckpt_share_leaks(struct ckpt_ctx *ctx);
int ckpt_unshared_collect(struct ckpt_ctx *ctx, struct ckpt_thread *t);
int ckpt_unshared_checkpoint(struct ckpt_ctx *ctx, struct ckpt_thread *t);
void ckpt_unshared_refs(struct ckpt_ctx *ctx, struct ckpt_thread *t, struct ckpt_thread_rec *rec);
int ckpt_unshared_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_share_restart(struct ckpt_ctx *ctx, struct ckpt_joined *joined,
		       const struct ckpt_in *task);
int ckpt_vfork_restart(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in, u32 tid);
void ckpt_vfork_wait(struct ckpt_vfork *v);
void ckpt_vfork_free(struct ckpt_vfork *v);

/* cred.c: credentials */
int ckpt_cred_collect(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_cred_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
int ckpt_cred_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_cred_set(struct ckpt_ctx *ctx, struct ckpt_in *in, u32 ref);

/* sched.c: scheduling */
int ckpt_sched_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_sched_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);

/* signal.c: handlers, masks and queues of signals */
void ckpt_signals_block(void);
int ckpt_sighand_collect(struct ckpt_ctx *ctx, struct task_struct *task, u32 *ref);
int ckpt_sigaction_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_sigaction_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_sigpending_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task, bool shared);
int ckpt_sigpending_last(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);

/* timer.c: interval and POSIX timers */
int ckpt_timers_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_timers_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_timers_last(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
bool ckpt_timer_requeue(const struct kernel_siginfo *info);
int ckpt_posix_timer_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);

/* limits.c: resource limits and usage */
int ckpt_rlimits_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_rlimits_end(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_rlimits_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
int ckpt_rusage_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_rusage_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);

#define CKPT_CPU_MAX	(1000000000000000000ULL)
bool ckpt_cpu_time(struct ckpt_rt *rt, u64 ns);
/* seccomp.c: filters of system calls */
int ckpt_seccomp_collect(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_seccomp_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
u32 ckpt_seccomp_ref(struct ckpt_ctx *ctx, struct task_struct *task);
u32 ckpt_seccomp_shared(struct ckpt_ctx *ctx, struct ckpt_proc *proc);
int ckpt_seccomp_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_seccomp_install(struct ckpt_ctx *ctx, struct ckpt_in *in, u32 ref, u32 from, u32 to,
			 bool sync);
int ckpt_seccomp_strict(void);

/* mempolicy.c: NUMA memory policy */
int ckpt_mempolicy_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task);
void ckpt_mempolicy_reset(void);
int ckpt_mempolicy_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);

#endif /* _CKPT_TASK_H */
