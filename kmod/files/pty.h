/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_FILES_PTY_H
#define _CKPT_FILES_PTY_H

#include "files.h"

#define CKPT_TTY_BUF		4096	/* N_TTY_BUF_SIZE */
#define CKPT_TTY_FLIP_MAX	65536	/* drivers stop at an eighth of it */

/* ldisc.c: what the two ends of a pseudo terminal hold */
u32 ckpt_ldisc_size(struct tty_struct *tty);
u8 *ckpt_ldisc_checkpoint(struct tty_struct *tty, struct ckpt_ldisc *rec, u8 *p);
long ckpt_ldisc_check(const struct ckpt_ldisc *rec);
int ckpt_ldisc_restart(struct tty_struct *tty, const struct ckpt_ldisc *rec, const u8 *p);
void ckpt_ldisc_go(struct tty_struct *tty);

#endif /* _CKPT_FILES_PTY_H */
