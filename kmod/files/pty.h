/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_FILES_PTY_H
#define _CKPT_FILES_PTY_H

#include <linux/major.h>
#include <linux/tty.h>
#include <linux/tty_driver.h>

#include "files.h"

#define CKPT_TTY_BUF		4096	/* N_TTY_BUF_SIZE */
#define CKPT_TTY_FLIP_MAX	65536	/* drivers stop at an eighth of it */

/* pty.c: pairs, as objects of type CKPT_OBJ_TTY whose ptr is the master */
/* checkpoint */
struct ckpt_pty {
	int masters, slaves;	/* open files in the tree */
	bool left;		/* left behind */
};

/* restart */
struct ckpt_pty_rt {
	struct file *master;	/* NULL: it was closed again */
	struct tty_struct *slave;
	struct file *held;	/* keeps the slave's end open until all others are */
	bool taken;		/* the master is among the files of the tree */
	u32 flags, session, pgrp, pktstatus;
};

static inline struct tty_struct *ckpt_pty_master(struct tty_struct *tty)
{
	return tty->driver->subtype == PTY_TYPE_MASTER ? tty : tty->link;
}

static inline bool ckpt_is_pty(struct tty_struct *tty)
{
	return tty && tty->driver->type == TTY_DRIVER_TYPE_PTY && tty->link &&
	       (tty->driver->major == UNIX98_PTY_MASTER_MAJOR ||
		tty->driver->major == UNIX98_PTY_SLAVE_MAJOR);
}

struct ckpt_obj *ckpt_pty_add(struct ckpt_ctx *ctx, struct tty_struct *tty,
			      struct task_struct *task);

/* ctty.c */
bool ckpt_tty_session_here(struct ckpt_ctx *ctx, struct tty_struct *tty);

/* ldisc.c: what the two ends of a pseudo terminal hold */
u32 ckpt_ldisc_size(struct tty_struct *tty);
u8 *ckpt_ldisc_checkpoint(struct tty_struct *tty, struct ckpt_ldisc *rec, u8 *p);
long ckpt_ldisc_check(const struct ckpt_ldisc *rec);
int ckpt_ldisc_restart(struct tty_struct *tty, const struct ckpt_ldisc *rec, const u8 *p);
void ckpt_ldisc_go(struct tty_struct *tty);

#endif /* _CKPT_FILES_PTY_H */
