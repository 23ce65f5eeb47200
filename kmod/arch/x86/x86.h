/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_X86_H
#define _CKPT_X86_H

#include "../../private.h"

/* may change regs->ax of the image: what the system call returns to */
int ckpt_arch_checkpoint_syscall(struct ckpt_ctx *ctx, struct ckpt_thread *t,
				 struct ckpt_regs *r);
/* syscall.c: the current task makes the call of these registers */
long ckpt_call_again(const struct pt_regs *regs);

/* rest.c: calls that are cut short in the middle */
u64 ckpt_rest_total(void);
void ckpt_resume_rest(u64 done);

#endif /* _CKPT_X86_H */
