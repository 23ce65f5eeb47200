/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a processor must provide. All that knows registers, system call numbers
 * of sleeping calls and the vDSO is behind these.
 */
#ifndef _CKPT_ARCH_H
#define _CKPT_ARCH_H

#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/unistd.h>

struct ckpt_ctx;
struct ckpt_header;
struct ckpt_in;
struct ckpt_thread;

/* runs in a task that is about to park: saves what only it can read */
void ckpt_arch_save_current(void);

/*
 * A system call that goes on where it was, in kernel mode and by the thread
 * itself: with the time that is left, or after the bytes that are done.
 */
struct ckpt_resume {
	u32 how;		/* CKPT_SYSCALL_LEFT, _REST or _VFORK; 0: nothing to resume */
	u64 left_ns;
	u64 done;		/* or the child of a vfork */
};

void ckpt_arch_resume(const struct ckpt_resume *resume);

/* whether the call it sleeps in may be cut short: ckpt_arch_done() tells where */
bool ckpt_arch_can_rest(struct task_struct *task);

/* bytes that the current task's call had done when it was cut short, or 0 */
u64 ckpt_arch_done(void);

/* whether the system call that it sleeps in must not be woken */
bool ckpt_arch_sleeps_in_place(struct task_struct *task);
/* the descriptor of a call that may have moved a part and does not say so, or -1 */
int ckpt_arch_partial_fd(struct task_struct *task, bool lowat);
int ckpt_arch_syscall_nr(struct task_struct *task);

/* whether it sleeps in io_getevents() until more than one event is there */
bool ckpt_arch_waits_for_several(struct task_struct *task);

/* REGS, FPU and SYSCALL of one thread */
int ckpt_arch_checkpoint_thread(struct ckpt_ctx *ctx, struct ckpt_thread *t);

/* at restart, in the thread itself; the records are read first, and set last */
int ckpt_arch_check_regs(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_arch_restart_fpu(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_arch_restart_regs(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_arch_restart_syscall(struct ckpt_ctx *ctx, struct ckpt_in *in,
			      struct ckpt_resume *resume);

/* the processor's part of giving the current task another memory; interrupts are off */
void ckpt_arch_switch_mm(struct mm_struct *prev, struct mm_struct *next);

/* fills in the processor's part of the HEADER */
void ckpt_arch_header(struct ckpt_header *h);

/* a system call made by the current task for itself */
long ckpt_arch_syscall(unsigned int nr, unsigned long a0, unsigned long a1,
		       unsigned long a2, unsigned long a3, unsigned long a4,
		       unsigned long a5);

/* memory for its arguments, to be given to vm_munmap(); zeros; an address, or a negative errno as such */
static inline unsigned long ckpt_user_mem(unsigned long size)
{
	/* as a system call, so that the thread's registers do not limit where it is */
	return ckpt_arch_syscall(__NR_mmap, 0, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* the vDSO: where it is, and at restart putting it back there */
unsigned long ckpt_arch_vdso(struct mm_struct *mm);
void ckpt_arch_forget_vdso(void);
int ckpt_arch_map_vdso(struct ckpt_ctx *ctx, unsigned long vvar_start);

#endif /* _CKPT_ARCH_H */
