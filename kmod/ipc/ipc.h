/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_IPC_H
#define _CKPT_IPC_H

#include "../private.h"

/* shm.c: SysV shared memory */
extern const struct ckpt_file_kind ckpt_file_shm;
int ckpt_shm_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
void ckpt_shm_put(struct ckpt_obj *obj);

/* sem.c: SysV semaphore operations to undo */
void ckpt_sem_collect(struct ckpt_ctx *ctx, struct ckpt_proc *proc);
int ckpt_sem_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task);
void ckpt_sem_detach(struct ckpt_ctx *ctx);
void ckpt_sem_undo(struct ckpt_ctx *ctx);
int ckpt_sem_undo_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);

/* mqueue.c: POSIX message queues */
extern const struct ckpt_file_kind ckpt_file_mqueue;
int ckpt_mqueue_read(struct ckpt_ctx *ctx, struct ckpt_in *in);

#endif /* _CKPT_IPC_H */
