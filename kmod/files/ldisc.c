// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: what the line discipline of an end of a pseudo terminal holds: input
 * that was not read, with the ends of its lines; echoes that were not written;
 * what the driver has queued before it.
 * Refuses: nothing; pty.c does.
 * Locks: the exclusive lock of the driver's queue keeps the kernel's worker
 * out; the processes of the tree are parked. At restart termios_rwsem, too.
 *
 * All positions are told relative to the first byte that was not read.
 */
#include <linux/slab.h>
#include <linux/tty.h>
#include <linux/tty_flip.h>

#include "pty.h"
#include "mirror.h"

#define CKPT_TTY_MASK	(CKPT_TTY_BUF - 1)

/* what the driver has queued: the worker is kept out */
static u32 ckpt_flip_bytes(struct tty_port *port, u8 *dst)
{
	struct tty_buffer *b, *next;
	u32 n = 0;

	for (b = port->buf.head; b; b = next) {
		/* as in flush_to_ldisc(): with this one all of its bytes are there */
		int len = smp_load_acquire(&b->commit) - b->read;

		/* and so is what the next one holds */
		next = smp_load_acquire(&b->next);
		if (dst)
			memcpy(dst + n, char_buf_ptr(b, b->read), len);
		n += len;
	}
	return n;
}

/**
 * ckpt_ldisc_size() - bytes that ckpt_ldisc_checkpoint() will add
 * @tty: an end
 *
 * Return: their number.
 */
u32 ckpt_ldisc_size(struct tty_struct *tty)
{
	struct ckpt_m_n_tty *l = tty->disc_data;

	/* none since a hangup */
	if (!l)
		return 0;
	return 2 * (l->read_head - l->read_tail) + (l->echo_head - l->echo_tail) +
	       ckpt_flip_bytes(tty->port, NULL);
}

/* a position that may lie behind what was read, where it means nothing */
static u32 ckpt_ahead(size_t pos, size_t tail)
{
	return (ssize_t)(pos - tail) > 0 ? pos - tail : 0;
}

/**
 * ckpt_ldisc_checkpoint() - save one end
 * @tty: the end
 * @rec: to be filled
 * @p: where the bytes go
 *
 * Return: behind the bytes.
 */
u8 *ckpt_ldisc_checkpoint(struct tty_struct *tty, struct ckpt_ldisc *rec, u8 *p)
{
	struct ckpt_m_n_tty *l = tty->disc_data;
	u32 n, i;

	if (!l)
		return p;
	n = l->read_head - l->read_tail;
	rec->read = cpu_to_le32(n);
	rec->canon = cpu_to_le32(ckpt_ahead(l->canon_head, l->read_tail));
	rec->commit = cpu_to_le32(ckpt_ahead(l->commit_head, l->read_tail));
	rec->line_start = cpu_to_le32(min_t(size_t, l->read_tail - l->line_start, CKPT_TTY_BUF));
	rec->column = cpu_to_le32(l->column);
	rec->canon_column = cpu_to_le32(l->canon_column);
	rec->flags = cpu_to_le32((l->lnext ? CKPT_LDISC_LNEXT : 0) |
				 (l->erasing ? CKPT_LDISC_ERASING : 0) |
				 (l->push ? CKPT_LDISC_PUSH : 0) |
				 (l->no_room ? CKPT_LDISC_NO_ROOM : 0) |
				 (tty->flow.stopped ? CKPT_LDISC_STOPPED : 0) |
				 (tty->flow.tco_stopped ? CKPT_LDISC_TCO_STOPPED : 0));
	for (i = 0; i < n; i++)
		*p++ = l->read_buf[(l->read_tail + i) & CKPT_TTY_MASK];
	for (i = 0; i < n; i++)
		*p++ = test_bit((l->read_tail + i) & CKPT_TTY_MASK, l->read_flags);
	n = l->echo_head - l->echo_tail;
	rec->echo = cpu_to_le32(n);
	rec->echo_commit = cpu_to_le32(ckpt_ahead(l->echo_commit, l->echo_tail));
	rec->echo_mark = cpu_to_le32(ckpt_ahead(l->echo_mark, l->echo_tail));
	for (i = 0; i < n; i++)
		*p++ = l->echo_buf[(l->echo_tail + i) & CKPT_TTY_MASK];
	n = ckpt_flip_bytes(tty->port, p);
	rec->flip = cpu_to_le32(n);
	/* a flush may have left more in the count than there is */
	rec->lookahead = cpu_to_le32(min_t(size_t, l->lookahead_count, n));
	return p + n;
}

/* ---- restart ---- */

/**
 * ckpt_ldisc_check() - how many bytes an end has in an image
 * @rec: the end
 *
 * Return: the number, or -1 if something is out of range.
 */
long ckpt_ldisc_check(const struct ckpt_ldisc *rec)
{
	u32 read = le32_to_cpu(rec->read), echo = le32_to_cpu(rec->echo);
	u32 flip = le32_to_cpu(rec->flip);

	if (read > CKPT_TTY_BUF || echo > CKPT_TTY_BUF || flip > CKPT_TTY_FLIP_MAX ||
	    le32_to_cpu(rec->canon) > read || le32_to_cpu(rec->commit) > read ||
	    le32_to_cpu(rec->echo_commit) > echo || le32_to_cpu(rec->echo_mark) > echo ||
	    le32_to_cpu(rec->lookahead) > flip || le32_to_cpu(rec->line_start) > CKPT_TTY_BUF)
		return -1;
	return 2 * read + echo + flip;
}

/**
 * ckpt_ldisc_restart() - fill an end that was just made
 * @tty: the end; its terminal settings are made
 * @rec: what was checked
 * @p: its bytes
 *
 * What the driver had queued is only put there; ckpt_ldisc_go() makes it go on.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_ldisc_restart(struct tty_struct *tty, const struct ckpt_ldisc *rec, const u8 *p)
{
	u32 flags = le32_to_cpu(rec->flags), n = le32_to_cpu(rec->read), i;
	struct ckpt_m_n_tty *l;
	struct tty_buffer *b;
	int limit;

	/* in the order of the worker */
	tty_buffer_lock_exclusive(tty->port);
	down_write(&tty->termios_rwsem);
	l = tty->disc_data;
	/* somebody outside may have opened it by its name and written */
	l->read_tail = 0;
	bitmap_zero(l->read_flags, CKPT_TTY_BUF);
	for (i = 0; i < n; i++)
		l->read_buf[i] = *p++;
	for (i = 0; i < n; i++)
		if (*p++)
			__set_bit(i, l->read_flags);
	l->read_head = n;
	l->canon_head = le32_to_cpu(rec->canon);
	l->commit_head = le32_to_cpu(rec->commit);
	l->line_start = -(size_t)le32_to_cpu(rec->line_start);
	l->lookahead_count = le32_to_cpu(rec->lookahead);
	l->column = le32_to_cpu(rec->column);
	l->canon_column = le32_to_cpu(rec->canon_column);
	l->lnext = !!(flags & CKPT_LDISC_LNEXT);
	l->erasing = !!(flags & CKPT_LDISC_ERASING);
	l->push = !!(flags & CKPT_LDISC_PUSH);
	l->no_room = !!(flags & CKPT_LDISC_NO_ROOM);
	n = le32_to_cpu(rec->echo);
	memcpy(l->echo_buf, p, n);
	p += n;
	l->echo_tail = 0;
	l->echo_head = n;
	l->echo_commit = le32_to_cpu(rec->echo_commit);
	l->echo_mark = le32_to_cpu(rec->echo_mark);
	up_write(&tty->termios_rwsem);
	tty_buffer_unlock_exclusive(tty->port);
	spin_lock_irq(&tty->flow.lock);
	tty->flow.stopped = !!(flags & CKPT_LDISC_STOPPED);
	tty->flow.tco_stopped = !!(flags & CKPT_LDISC_TCO_STOPPED);
	spin_unlock_irq(&tty->flow.lock);
	n = le32_to_cpu(rec->flip);
	if (!n)
		return 0;
	/* it may be cut into other pieces than it was, with more waste */
	limit = tty->port->buf.mem_limit;
	tty_buffer_set_limit(tty->port, limit + 2 * CKPT_TTY_FLIP_MAX);
	i = tty_insert_flip_string(tty->port, p, n);
	tty_buffer_set_limit(tty->port, limit);
	/* nor are keys obeyed twice that were seen before their turn */
	n = le32_to_cpu(rec->lookahead);
	for (b = tty->port->buf.head; b && n; b = b->next) {
		b->lookahead = b->read + min_t(u32, n, b->used - b->read);
		n -= b->lookahead - b->read;
	}
	n = le32_to_cpu(rec->flip);
	return i == n ? 0 : -ENOMEM;
}

/**
 * ckpt_ldisc_go() - let the worker go on with what is queued
 * @tty: an end
 */
void ckpt_ldisc_go(struct tty_struct *tty)
{
	tty_flip_buffer_push(tty->port);
}
