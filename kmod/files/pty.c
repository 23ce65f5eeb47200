// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: pseudo terminals with all their open ends in the tree: number, owner
 * and mode, settings, window size, packet mode, lock, queued bytes of both
 * directions (ldisc.c), whose controlling terminal it is, what is hung up.
 * Refuses: one that is open outside, too, unless it may be left behind; other
 * line disciplines; a reader that waits for several bytes and has some of them.
 * Locks: ctrl.lock, flow.lock, the driver's queues (ldisc.c).
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <linux/mount.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/tty.h>
#include <linux/tty_driver.h>
#include <linux/tty_flip.h>
#include <linux/wait.h>

#include "pty.h"
#include "../ksym.h"

static bool ckpt_pty_match(struct file *file)
{
	return !(file->f_mode & FMODE_PATH) && ckpt_is_pty(ckpt_file_tty(file));
}

static void ckpt_pty_drop(struct ckpt_obj *obj)
{
	kfree(obj->priv);
}

/* all files of a pair change to what the caller of the restart gives */
static void ckpt_pty_leave(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_pty *pty = obj->priv;
	struct ckpt_obj *file;

	pty->left = true;
	list_for_each_entry(file, &ctx->obj_list, node)
		if (file->type == CKPT_OBJ_FILE && file->kind == &ckpt_file_pty &&
		    file->priv == obj)
			file->kind = &ckpt_file_inherit;
}

/* a reader that has consumed bytes which nobody can see, see n_tty_read() */
static bool ckpt_pty_half_read(struct tty_struct *tty)
{
	wait_queue_entry_t *w;
	bool found = false;

	if (tty->termios.c_lflag & ICANON || tty->termios.c_cc[VMIN] < 2)
		return false;
	spin_lock_irq(&tty->read_wait.lock);
	list_for_each_entry(w, &tty->read_wait.head, entry)
		found |= w->func == woken_wake_function;
	spin_unlock_irq(&tty->read_wait.lock);
	return found;
}

static int ckpt_pty_leak(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct tty_struct *m = obj->ptr, *s = m->link;
	struct ckpt_pty *pty = obj->priv;
	const char *why = NULL;

	/* an open master counts as one more of its slave, see pty_common_install() */
	if (m->count > pty->masters || s->count - !!m->count > pty->slaves ||
	    !ckpt_tty_session_here(ctx, s)) {
		if (!ckpt_leak_allowed(ctx, "tty"))
			return ckpt_refuse(ctx, obj->task, "tty",
					   "/dev/pts/%d is also open outside of the tree, or the terminal of a session there; save it as a job of its shell with --shell-job, which the restart takes, too, or leave it behind with --allow-leak tty",
					   m->index);
		ckpt_pty_leave(ctx, obj);
		return 0;
	}
	/* a hangup takes it away until the next opening */
	if ((s->ldisc && s->ldisc->ops->num != N_TTY) || (m->ldisc && m->ldisc->ops->num != N_TTY))
		why = "has a line discipline of its own";
	else if (ckpt_pty_half_read(s))
		why = "is read with VMIN > 1 by a process that waits; try again when it has them";
	if (why)
		return ckpt_refuse(ctx, obj->task, "tty", "/dev/pts/%d %s", m->index, why);
	return 0;
}

/**
 * ckpt_pty_add() - make a pair known
 * @ctx: the checkpoint
 * @tty: one of its ends
 * @task: who has it
 *
 * Return: the object, or NULL without memory.
 */
struct ckpt_obj *ckpt_pty_add(struct ckpt_ctx *ctx, struct tty_struct *tty,
			      struct task_struct *task)
{
	struct ckpt_pty *pty;
	struct ckpt_obj *obj;
	bool new;

	obj = ckpt_obj_add(ctx, ckpt_pty_master(tty), CKPT_OBJ_TTY, task, &new);
	if (!obj || !new)
		return obj;
	pty = kzalloc(sizeof(*pty), GFP_KERNEL);
	if (!pty)
		return NULL;
	obj->priv = pty;
	obj->drop = ckpt_pty_drop;
	obj->leak = ckpt_pty_leak;
	return obj;
}

static int ckpt_pty_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct tty_struct *tty = ckpt_file_tty(obj->ptr);
	struct ckpt_obj *pair = ckpt_pty_add(ctx, tty, obj->task);
	struct ckpt_pty *pty;

	if (!pair)
		return -ENOMEM;
	pty = pair->priv;
	if (tty == pair->ptr)
		pty->masters++;
	else
		pty->slaves++;
	obj->priv = pair;
	return 0;
}

/* an end that is open outside, too, is not all ours; see ckpt_pty_leak() */
static void ckpt_pty_outside(struct ckpt_obj *obj)
{
	struct ckpt_obj *pair = obj->priv;
	struct ckpt_pty *pty = pair->priv;

	if (ckpt_file_tty(obj->ptr) == pair->ptr)
		pty->masters--;
	else
		pty->slaves--;
}

static void ckpt_pty_settings(struct ckpt_tty *rec, struct tty_struct *m, struct tty_struct *s)
{
	const struct ktermios *t = &s->termios;
	struct dentry *dentry;

	BUILD_BUG_ON(sizeof(rec->cc) < NCCS);
	rec->index = cpu_to_le32(m->index);
	rec->iflag = cpu_to_le32(t->c_iflag);
	rec->oflag = cpu_to_le32(t->c_oflag);
	rec->cflag = cpu_to_le32(t->c_cflag);
	rec->lflag = cpu_to_le32(t->c_lflag);
	rec->ispeed = cpu_to_le32(t->c_ispeed);
	rec->ospeed = cpu_to_le32(t->c_ospeed);
	memcpy(rec->cc, t->c_cc, NCCS);
	rec->rows = cpu_to_le16(s->winsize.ws_row);
	rec->cols = cpu_to_le16(s->winsize.ws_col);
	rec->xpixel = cpu_to_le16(s->winsize.ws_xpixel);
	rec->ypixel = cpu_to_le16(s->winsize.ws_ypixel);
	rec->pktstatus = cpu_to_le32(s->ctrl.pktstatus);
	rec->flags = cpu_to_le32((test_bit(TTY_PTY_LOCK, &m->flags) ? CKPT_TTY_LOCKED : 0) |
				 (m->ctrl.packet ? CKPT_TTY_PACKET : 0) |
				 (test_bit(TTY_EXCLUSIVE, &s->flags) ? CKPT_TTY_EXCLUSIVE : 0) |
				 (test_bit(TTY_OTHER_CLOSED, &m->flags) ? CKPT_TTY_CLOSED : 0) |
				 (m->count ? 0 : CKPT_TTY_HUNGUP));
	dentry = m->count ? s->driver_data : NULL;
	if (dentry) {
		rec->uid = cpu_to_le32(from_kuid(&init_user_ns, d_inode(dentry)->i_uid));
		rec->gid = cpu_to_le32(from_kgid(&init_user_ns, d_inode(dentry)->i_gid));
		rec->mode = cpu_to_le32(d_inode(dentry)->i_mode & 07777);
	}
	spin_lock_irq(&s->ctrl.lock);
	rec->session = cpu_to_le32(pid_vnr(s->ctrl.session));
	rec->pgrp = cpu_to_le32(pid_vnr(s->ctrl.pgrp));
	spin_unlock_irq(&s->ctrl.lock);
}

static int ckpt_pty_pair(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct file *file)
{
	struct tty_struct *m = obj->ptr, *s = m->link;
	struct ckpt_tty *rec;
	u8 *p;

	/* a signal key makes the slave's worker flush what the master has queued */
	tty_buffer_lock_exclusive(s->port);
	tty_buffer_lock_exclusive(m->port);
	rec = ckpt_out(ctx, CKPT_REC_TTY, obj->objref, sizeof(*rec),
		       m->count ? ckpt_ldisc_size(m) + ckpt_ldisc_size(s) : 0);
	if (rec) {
		ckpt_pty_settings(rec, m, s);
		p = (u8 *)(rec + 1);
		if (m->count) {
			p = ckpt_ldisc_checkpoint(m, &rec->master, p);
			ckpt_ldisc_checkpoint(s, &rec->slave, p);
		}
	}
	tty_buffer_unlock_exclusive(m->port);
	tty_buffer_unlock_exclusive(s->port);
	return rec ? 0 : -ENOMEM;
}

static int ckpt_pty_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct tty_struct *tty = ckpt_file_tty(file);
	struct ckpt_obj *pair = obj->priv;
	struct ckpt_file_pty *rec;
	u32 flags = 0;

	rec = ckpt_file_of_inode(ctx, obj, sizeof(*rec), ckpt_pty_pair);
	if (IS_ERR_OR_NULL(rec))
		return PTR_ERR_OR_ZERO(rec);
	if (tty == pair->ptr)
		flags = CKPT_PTY_MASTER;
	else if ((unsigned long)file->f_op->read_iter == KD(hung_up_tty_read))
		flags = CKPT_PTY_HUNGUP;
	if (file_inode(file)->i_rdev == MKDEV(TTYAUX_MAJOR, 0))
		flags |= CKPT_PTY_DEV_TTY;
	rec->flags = cpu_to_le32(flags);
	return 0;
}

/* ---- restart ---- */

static void ckpt_pty_rt_drop(struct ckpt_obj *obj)
{
	struct ckpt_pty_rt *rt = obj->priv;

	if (!rt)
		return;
	if (rt->held)
		fput(rt->held);
	if (rt->master)
		fput(rt->master);
	kfree(rt);
}

/*
 * The lowest free number is given out, so those below it are taken, and kept
 * for terminals that may want them.
 */
static struct file *ckpt_ptmx_open(struct ckpt_ctx *ctx, u32 index)
{
	struct tty_struct *tty;
	struct file *file;
	int err;

	if (index >= NR_UNIX98_PTY_DEFAULT)
		return ERR_PTR(-ENOSPC);
	file = xa_erase(&ctx->spare_ptys, index);
	while (!file) {
		file = filp_open("/dev/ptmx", O_RDWR | O_NOCTTY, 0);
		if (IS_ERR(file))
			return file;
		tty = ckpt_file_tty(file);
		if (!ckpt_is_pty(tty) || tty != ckpt_pty_master(tty)) {
			fput(file);
			return ERR_PTR(-ENODEV);
		}
		if (tty->index == index)
			break;
		if (tty->index > index || fatal_signal_pending(current)) {
			ckpt_err(ctx, -EEXIST, "/dev/pts/%u is in use; close it, or restart where it is free",
				 index);
			ckpt_fput_now(file);
			return ERR_PTR(-EEXIST);
		}
		err = xa_insert(&ctx->spare_ptys, tty->index, file, GFP_KERNEL);
		if (err) {
			ckpt_fput_now(file);
			return ERR_PTR(err);
		}
		file = NULL;
	}
	return file;
}

/**
 * ckpt_pty_spares_free() - give pseudo terminals back that nobody wanted
 * @ctx: the restart
 */
void ckpt_pty_spares_free(struct ckpt_ctx *ctx)
{
	struct file *file;
	unsigned long i;

	xa_for_each(&ctx->spare_ptys, i, file)
		ckpt_fput_now(file);
	xa_destroy(&ctx->spare_ptys);
}

static struct file *ckpt_pts_open(struct file *master, u32 flags)
{
	/* the argument of this one is no pointer */
	return ckpt_file_take(master->f_op->unlocked_ioctl(master, TIOCGPTPEER,
							   flags | O_NOCTTY));
}

static int ckpt_pts_owner(const struct ckpt_tty *rec, struct file *master,
			  struct tty_struct *tty)
{
	struct dentry *dentry = tty->link->driver_data;
	struct inode *inode = d_inode(dentry);
	struct path path = { .dentry = dentry };
	struct file *file;
	int err = 0;

	path.mnt = K(devpts_mntget)(master, tty->driver_data);
	if (IS_ERR(path.mnt))
		return PTR_ERR(path.mnt);
	file = dentry_open(&path, O_PATH, current_cred());
	mntput(path.mnt);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (from_kuid(&init_user_ns, inode->i_uid) != le32_to_cpu(rec->uid) ||
	    from_kgid(&init_user_ns, inode->i_gid) != le32_to_cpu(rec->gid))
		err = K(vfs_fchown)(file, le32_to_cpu(rec->uid), le32_to_cpu(rec->gid));
	if (!err && (inode->i_mode & 07777) != (le32_to_cpu(rec->mode) & 07777))
		err = K(vfs_fchmod)(file, le32_to_cpu(rec->mode) & 07777);
	fput(file);
	return err;
}

static void ckpt_pty_set(const struct ckpt_tty *rec, struct tty_struct *m)
{
	struct tty_struct *s = m->link;
	struct ktermios t = s->termios;
	u32 flags = le32_to_cpu(rec->flags);

	t.c_iflag = le32_to_cpu(rec->iflag);
	t.c_oflag = le32_to_cpu(rec->oflag);
	t.c_cflag = le32_to_cpu(rec->cflag);
	t.c_lflag = le32_to_cpu(rec->lflag);
	t.c_ispeed = le32_to_cpu(rec->ispeed);
	t.c_ospeed = le32_to_cpu(rec->ospeed);
	memcpy(t.c_cc, rec->cc, NCCS);
	tty_set_termios(s, &t);
	mutex_lock(&s->winsize_mutex);
	s->winsize.ws_row = le16_to_cpu(rec->rows);
	s->winsize.ws_col = le16_to_cpu(rec->cols);
	s->winsize.ws_xpixel = le16_to_cpu(rec->xpixel);
	s->winsize.ws_ypixel = le16_to_cpu(rec->ypixel);
	m->winsize = s->winsize;
	mutex_unlock(&s->winsize_mutex);
	spin_lock_irq(&m->ctrl.lock);
	m->ctrl.packet = !!(flags & CKPT_TTY_PACKET);
	spin_unlock_irq(&m->ctrl.lock);
}

/* all files are open: what must come after the last opening */
static int ckpt_pty_last(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_pty_rt *rt = obj->priv;
	struct tty_struct *m = ckpt_file_tty(rt->master);

	/* the last one to close an end tells the other */
	if (rt->held) {
		ckpt_fput_now(rt->held);
		rt->held = NULL;
	}
	if (!(rt->flags & CKPT_TTY_CLOSED))
		clear_bit(TTY_OTHER_CLOSED, &m->flags);
	if (rt->flags & CKPT_TTY_EXCLUSIVE)
		set_bit(TTY_EXCLUSIVE, &rt->slave->flags);
	if (rt->flags & CKPT_TTY_LOCKED)
		set_bit(TTY_PTY_LOCK, &m->flags);
	spin_lock_irq(&rt->slave->ctrl.lock);
	rt->slave->ctrl.pktstatus = rt->pktstatus;
	spin_unlock_irq(&rt->slave->ctrl.lock);
	if (!rt->taken) {
		struct file *master = rt->master;

		rt->master = NULL;
		rt->slave = NULL;
		ckpt_fput_now(master);
	}
	return 0;
}

static void ckpt_pty_go(struct ckpt_obj *obj)
{
	struct ckpt_pty_rt *rt = obj->priv;

	if (!rt->slave)
		return;
	ckpt_ldisc_go(rt->slave);
	ckpt_ldisc_go(rt->slave->link);
}

static int ckpt_pty_make(struct ckpt_ctx *ctx, struct ckpt_in *in, struct ckpt_pty_rt *rt,
			 long master_bytes)
{
	const struct ckpt_tty *rec = (const void *)in->fixed;
	struct tty_struct *m;
	struct file *file;
	int err;

	file = ckpt_ptmx_open(ctx, le32_to_cpu(rec->index));
	if (IS_ERR(file))
		return PTR_ERR(file);
	rt->master = file;
	m = ckpt_file_tty(file);
	rt->slave = m->link;
	clear_bit(TTY_PTY_LOCK, &m->flags);
	if (!(rt->flags & CKPT_TTY_HUNGUP)) {
		err = ckpt_pts_owner(rec, file, m);
		if (err)
			return err;
	}
	rt->held = ckpt_pts_open(file, O_RDWR);
	if (IS_ERR(rt->held)) {
		err = PTR_ERR(rt->held);
		rt->held = NULL;
		return err;
	}
	ckpt_pty_set(rec, m);
	err = ckpt_ldisc_restart(m, &rec->master, in->var);
	if (!err)
		err = ckpt_ldisc_restart(rt->slave, &rec->slave, in->var + master_bytes);
	return err;
}

/**
 * ckpt_tty_read() - make a pseudo terminal again
 * @ctx: the restart
 * @in: its TTY record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tty_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_tty *rec = (const void *)in->fixed;
	long m = ckpt_ldisc_check(&rec->master), s = ckpt_ldisc_check(&rec->slave);
	struct ckpt_pty_rt *rt;
	struct ckpt_obj *obj;

	if (m < 0 || s < 0 || m + s != in->var_len)
		return ckpt_bad(ctx, in, "the number of its bytes is out of range");
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_TTY, NULL, ckpt_pty_rt_drop);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	obj->priv = rt;
	rt->flags = le32_to_cpu(rec->flags);
	rt->session = le32_to_cpu(rec->session);
	rt->pgrp = le32_to_cpu(rec->pgrp);
	rt->pktstatus = le32_to_cpu(rec->pktstatus) & 0xff;
	obj->last = ckpt_pty_last;
	obj->go = ckpt_pty_go;
	return ckpt_pty_make(ctx, in, rt, m);
}

/* /dev/tty is opened on the terminal, which is not the caller's */
static struct file *ckpt_dev_tty_open(struct tty_struct *tty, u32 flags)
{
	struct tty_struct *old;
	struct file *file;

	spin_lock_irq(&current->sighand->siglock);
	old = current->signal->tty;
	current->signal->tty = tty_kref_get(tty);
	spin_unlock_irq(&current->sighand->siglock);
	file = filp_open("/dev/tty", flags | O_NOCTTY, 0);
	spin_lock_irq(&current->sighand->siglock);
	/* a hangup may have taken it away */
	if (current->signal->tty == tty)
		swap(current->signal->tty, old);
	spin_unlock_irq(&current->sighand->siglock);
	tty_kref_put(old);
	return file;
}

static struct file *ckpt_pty_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_pty *rec = (const void *)in->fixed;
	struct ckpt_obj *obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->f.inode), CKPT_OBJ_TTY);
	u32 flags = le32_to_cpu(rec->flags), mode = le32_to_cpu(rec->f.flags) & O_ACCMODE;
	struct ckpt_pty_rt *rt;
	struct file *file;

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	rt = obj->priv;
	if (flags & CKPT_PTY_MASTER) {
		if (rt->taken || rt->flags & CKPT_TTY_HUNGUP)
			return ERR_PTR(ckpt_bad(ctx, in, "a second or a closed master"));
		rt->taken = true;
		return get_file(rt->master);
	}
	if (flags & CKPT_PTY_DEV_TTY)
		file = ckpt_dev_tty_open(rt->slave, mode);
	else
		file = ckpt_pts_open(rt->master, mode);
	/* where the master is closed all become so by themselves */
	if (!IS_ERR(file) && flags & CKPT_PTY_HUNGUP && !(rt->flags & CKPT_TTY_HUNGUP))
		file->f_op = KD(hung_up_tty_fops);
	return file;
}

const struct ckpt_file_kind ckpt_file_pty = {
	.name = "pty",
	.rec = CKPT_REC_FILE_PTY,
	.match = ckpt_pty_match,
	.collect = ckpt_pty_collect,
	.outside = ckpt_pty_outside,
	.checkpoint = ckpt_pty_checkpoint,
	.restart = ckpt_pty_restart,
};
