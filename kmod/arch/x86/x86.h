/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_X86_H
#define _CKPT_X86_H

#include "../../private.h"

/* may change regs->ax of the image: what the system call returns to */
int ckpt_arch_checkpoint_syscall(struct ckpt_ctx *ctx, struct ckpt_thread *t,
				 struct ckpt_regs *r);

#endif /* _CKPT_X86_H */
