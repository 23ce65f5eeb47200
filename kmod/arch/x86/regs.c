// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: general registers, segment bases, thread-local storage descriptors,
 * the xstate (x87, SSE, AVX, AVX-512, PKRU) in the non-compacted user format,
 * as far as it is not zero.
 * Refuses: 32-bit tasks, hardware breakpoints, I/O permissions, user shadow
 * stacks, AMX (its buffer needs a permission that is not saved yet).
 * Locks: none; the thread is parked and off its CPU, and at restart it sets
 * its own registers.
 */
#include <linux/crc32c.h>
#include <linux/regset.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/regset.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/xstate.h>
#include <asm/msr.h>
#include <asm/pkru.h>
#include <asm/prctl.h>
#include <asm/processor.h>
#include <asm/syscall.h>

#include "../../private.h"
#include "../../ksym.h"
#include "../arch.h"
#include "x86.h"

#define CKPT_FPU_MAX	16384
#define CKPT_FLAGS_USER	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_TF | \
			 X86_EFLAGS_DF | X86_EFLAGS_OF | X86_EFLAGS_RF | \
			 X86_EFLAGS_NT | X86_EFLAGS_AC)

void ckpt_arch_save_current(void)
{
	K(current_save_fsgs)();
}

void ckpt_arch_header(struct ckpt_header *h)
{
	const struct vdso_image *image = KD(vdso_image_64);

	h->machine = cpu_to_le32(EM_X86_64);
	h->vdso_pages = cpu_to_le32(image->size / PAGE_SIZE);
	h->vvar_pages = cpu_to_le32(-image->sym_vvar_start / (long)PAGE_SIZE);
	h->vdso_crc = cpu_to_le32(~crc32c(~0U, image->data, image->size));
}

static int ckpt_refuse_regs(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct thread_struct *thread = &task->thread;
	int i;

	/* the second is also true of x32 programs, which have 64-bit registers */
	if (task_pt_regs(task)->cs != __USER_CS || test_tsk_thread_flag(task, TIF_ADDR32))
		return ckpt_refuse(ctx, task, "compat",
				   "runs 32-bit code; only 64-bit programs can be saved");
	for (i = 0; i < HBP_NUM; i++)
		if (thread->ptrace_bps[i])
			return ckpt_refuse(ctx, task, "debugreg",
					   "has hardware breakpoints; detach the debugger first");
#ifdef CONFIG_X86_IOPL_IOPERM
	if (thread->io_bitmap || thread->iopl_emul)
		return ckpt_refuse(ctx, task, "ioperm",
				   "has access to I/O ports (ioperm or iopl)");
#endif
	if (thread->ds || thread->es || thread->fsindex || thread->gsindex)
		return ckpt_refuse(ctx, task, "ldt",
				   "has a segment selector in use (ds, es, fs or gs is not 0)");
	if (ckpt_shstk_enabled(task))
		return ckpt_refuse(ctx, task, "shadow-stack",
				   "has a user shadow stack; start the program without it");
	return 1;
}

/* where the format has PKRU; asking the processor may be an exit to a hypervisor */
static u32 ckpt_pkru_offset(void)
{
	static u32 offset;
	u32 at = READ_ONCE(offset), eax, ecx, edx;

	if (!at) {
		cpuid_count(XSTATE_CPUID, XFEATURE_PKRU, &eax, &at, &ecx, &edx);
		WRITE_ONCE(offset, at);
	}
	return at;
}

/*
 * Most threads use little of what the processor has. The rest is zero at the
 * end, once PKRU is gone, which has a field of its own.
 *
 * Return: bytes to be saved.
 */
static int ckpt_trim_fpu(struct xregs_state *xs, int size)
{
	int min = sizeof(struct fxregs_state) + sizeof(struct xstate_header);
	u32 pkru;

	if (xs->header.xfeatures & XFEATURE_MASK_PKRU) {
		pkru = ckpt_pkru_offset();
		if (pkru <= size - sizeof(u64)) {
			memset((void *)xs + pkru, 0, sizeof(u64));
			xs->header.xfeatures &= ~XFEATURE_MASK_PKRU;
		}
	}
	while (size > min && !*(u64 *)((void *)xs + size - sizeof(u64)))
		size -= sizeof(u64);
	return size;
}

static int ckpt_checkpoint_fpu(struct ckpt_ctx *ctx, struct task_struct *task)
{
	const struct user_regset_view *view = task_user_regset_view(task);
	const struct user_regset *set = NULL;
	struct ckpt_fpu *rec;
	struct xregs_state *xs;
	unsigned int i;
	u64 xfeatures;
	int size, err;

	for (i = 0; i < view->n; i++)
		if (view->regsets[i].core_note_type == NT_X86_XSTATE)
			set = &view->regsets[i];
	if (!set)
		return ckpt_refuse(ctx, task, "fpu", "this processor has no XSAVE");
	size = set->n * set->size;
	xs = kvmalloc(size, GFP_KERNEL);
	if (!xs)
		return -ENOMEM;
	err = regset_get(task, set, size, xs);
	if (err < 0)
		goto out;
	err = 0;
	xfeatures = xs->header.xfeatures;
	if (xfeatures & (XFEATURE_MASK_XTILE_CFG | XFEATURE_MASK_XTILE_DATA)) {
		err = ckpt_refuse(ctx, task, "amx", "has AMX tile state in use");
		goto out;
	}
	size = ckpt_trim_fpu(xs, size);
	rec = ckpt_out(ctx, CKPT_REC_FPU, 0, sizeof(*rec), size);
	if (!rec) {
		err = -ENOMEM;
		goto out;
	}
	rec->xfeatures = cpu_to_le64(xfeatures);
	rec->pkru = cpu_to_le32(task->thread.pkru);
	rec->size = cpu_to_le32(size);
	memcpy(rec + 1, xs, size);
out:
	kvfree(xs);
	return err;
}

int ckpt_arch_checkpoint_thread(struct ckpt_ctx *ctx, struct ckpt_thread *t)
{
	struct task_struct *task = t->task;
	struct pt_regs *regs = task_pt_regs(task);
	struct ckpt_regs *r;
	int i, err;

	if (ckpt_refuse_regs(ctx, task) != 1)
		return 0;
	r = ckpt_out(ctx, CKPT_REC_REGS, 0, sizeof(*r), 0);
	if (!r)
		return -ENOMEM;
#define CKPT_REG(name) r->name = cpu_to_le64(regs->name)
	CKPT_REG(r15); CKPT_REG(r14); CKPT_REG(r13); CKPT_REG(r12);
	CKPT_REG(bp); CKPT_REG(bx); CKPT_REG(r11); CKPT_REG(r10);
	CKPT_REG(r9); CKPT_REG(r8); CKPT_REG(ax); CKPT_REG(cx);
	CKPT_REG(dx); CKPT_REG(si); CKPT_REG(di); CKPT_REG(orig_ax);
	CKPT_REG(ip); CKPT_REG(cs); CKPT_REG(flags); CKPT_REG(sp);
	CKPT_REG(ss);
#undef CKPT_REG
	r->fs_base = cpu_to_le64(task->thread.fsbase);
	r->gs_base = cpu_to_le64(task->thread.gsbase);
	r->ds = cpu_to_le64(task->thread.ds);
	r->es = cpu_to_le64(task->thread.es);
	r->fs = cpu_to_le64(task->thread.fsindex);
	r->gs = cpu_to_le64(task->thread.gsindex);
	for (i = 0; i < 3; i++)
		memcpy(&r->tls[i], &task->thread.tls_array[i], 8);
	err = ckpt_arch_checkpoint_syscall(ctx, t, r);
	if (!err)
		err = ckpt_checkpoint_fpu(ctx, task);
	return err;
}

/* ---- restart ---- */

int ckpt_arch_check_regs(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_regs *r = (const void *)in->fixed;
	struct desc_struct desc;
	int i;

	/* a program may have any instruction pointer below the end of its space */
	if (le64_to_cpu(r->ip) >= TASK_SIZE_MAX)
		return ckpt_bad(ctx, in, "the instruction pointer is not an address of a program");
	if (le64_to_cpu(r->fs_base) >= TASK_SIZE_MAX ||
	    le64_to_cpu(r->gs_base) >= TASK_SIZE_MAX)
		return ckpt_bad(ctx, in, "a segment base is not an address of a program");
	if ((r->ds | r->es | r->fs | r->gs) & ~cpu_to_le64(0xffff))
		return ckpt_bad(ctx, in, "a segment selector is out of range");
	if (r->ds || r->es || r->fs || r->gs)
		return ckpt_bad(ctx, in, "segment selectors other than 0 cannot be restored");
	for (i = 0; i < 3; i++) {
		memcpy(&desc, &r->tls[i], 8);
		/*
		 * What set_thread_area() makes: present 32-bit data segments of
		 * user mode. "Accessed", since the processor would set that bit
		 * in a table that is read-only.
		 */
		if (r->tls[i] && (desc.dpl != 3 || !desc.s || (desc.type & 9) != 1 ||
				  !desc.p || !desc.d || desc.l))
			return ckpt_bad(ctx, in, "a thread-local segment is not a data segment");
	}
	return 0;
}

int ckpt_arch_restart_regs(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_regs *r = (const void *)in->fixed;
	struct pt_regs *regs = current_pt_regs();
	struct thread_struct *thread = &current->thread;
	int i;

#define CKPT_REG(name) regs->name = le64_to_cpu(r->name)
	CKPT_REG(r15); CKPT_REG(r14); CKPT_REG(r13); CKPT_REG(r12);
	CKPT_REG(bp); CKPT_REG(bx); CKPT_REG(r11); CKPT_REG(r10);
	CKPT_REG(r9); CKPT_REG(r8); CKPT_REG(ax); CKPT_REG(cx);
	CKPT_REG(dx); CKPT_REG(si); CKPT_REG(di); CKPT_REG(orig_ax);
	CKPT_REG(ip); CKPT_REG(sp);
#undef CKPT_REG
	regs->cs = __USER_CS;
	regs->ss = __USER_DS;
	regs->flags = (le64_to_cpu(r->flags) & CKPT_FLAGS_USER) |
		      X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	/* a return through SYSRET takes these from there */
	regs->orig_ax = (long)(int)regs->orig_ax;
	current_thread_info()->status &= ~TS_COMPAT;

	preempt_disable();
	loadsegment(fs, 0);
	loadsegment(ds, 0);
	loadsegment(es, 0);
	load_gs_index(0);
	thread->fsindex = 0;
	thread->gsindex = 0;
	thread->ds = 0;
	thread->es = 0;
	thread->fsbase = le64_to_cpu(r->fs_base);
	thread->gsbase = le64_to_cpu(r->gs_base);
	wrmsrl(MSR_FS_BASE, thread->fsbase);
	wrmsrl(MSR_KERNEL_GS_BASE, thread->gsbase);
	for (i = 0; i < 3; i++)
		memcpy(&thread->tls_array[i], &r->tls[i], 8);
	load_TLS(thread, smp_processor_id());
	preempt_enable();
	return 0;
}

int ckpt_arch_restart_fpu(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_fpu *rec = (const void *)in->fixed;
	struct fpu *fpu = &current->thread.fpu;
	u32 size = le32_to_cpu(rec->size), pkru;
	struct xregs_state *xs;
	void *buf;
	int err;

	if (size != in->var_len || size > CKPT_FPU_MAX ||
	    size < sizeof(struct fxregs_state) + sizeof(struct xstate_header))
		return ckpt_bad(ctx, in, "the size of the processor state is out of range");
	/* the kernel copies by its own layout, whatever the image's size is */
	buf = kvzalloc(CKPT_FPU_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	memcpy(buf, in->var, size);
	xs = buf;
	err = 0;
	if (xs->header.xfeatures & (XFEATURE_MASK_XTILE_CFG | XFEATURE_MASK_XTILE_DATA))
		err = ckpt_bad(ctx, in, "it has AMX state, which cannot be restored");
	else if (le64_to_cpu(rec->xfeatures) & XFEATURE_MASK_PKRU &&
		 !cpu_feature_enabled(X86_FEATURE_OSPKE))
		err = ckpt_bad(ctx, in, "this processor has no protection keys");
	if (!err) {
		/*
		 * Save what this CPU holds and forget that it does: the new
		 * contents are loaded on the way to user mode.
		 */
		kernel_fpu_begin();
		kernel_fpu_end();
		fpu->last_cpu = -1;
		pkru = le32_to_cpu(rec->pkru);
		err = K(copy_uabi_from_kernel_to_xstate)(fpu->fpstate, buf, &pkru);
		if (err)
			ckpt_bad(ctx, in, "this processor cannot take the saved processor state");
	}
	if (!err && cpu_feature_enabled(X86_FEATURE_OSPKE)) {
		preempt_disable();
		current->thread.pkru = le32_to_cpu(rec->pkru);
		write_pkru(current->thread.pkru);
		preempt_enable();
	}
	kvfree(buf);
	return err;
}

void ckpt_arch_switch_mm(struct mm_struct *prev, struct mm_struct *next)
{
	K(switch_mm)(prev, next, NULL);
}
