/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_IPC_H
#define _CKPT_IPC_H

#include "../private.h"

/* shm.c: SysV shared memory */
extern const struct ckpt_file_kind ckpt_file_shm;
int ckpt_shm_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
void ckpt_shm_put(struct ckpt_obj *obj);

/* mqueue.c: POSIX message queues */
extern const struct ckpt_file_kind ckpt_file_mqueue;
int ckpt_mqueue_read(struct ckpt_ctx *ctx, struct ckpt_in *in);

#endif /* _CKPT_IPC_H */
