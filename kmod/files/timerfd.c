// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: timerfd: clock, what is left, interval, the ticks nobody has read,
 * and how it was set. An absolute time of the wall clock stays what it is;
 * others go on with the time that was left.
 * Locks: the lock of its wait queue.
 */
#include <linux/alarmtimer.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/timerfd.h>
#include <linux/uaccess.h>

#include "files.h"
#include "mirror.h"
#include "../ksym.h"
#include "../arch/arch.h"

static bool ckpt_timerfd_match(struct file *file)
{
	return file->f_op == KD(timerfd_fops);
}

static bool ckpt_timerfd_alarm(const struct ckpt_m_timerfd_ctx *t)
{
	return t->clockid == CLOCK_REALTIME_ALARM || t->clockid == CLOCK_BOOTTIME_ALARM;
}

static bool ckpt_timerfd_wall(int clock, u32 flags)
{
	return (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM) &&
	       flags & TFD_TIMER_ABSTIME;
}

static int ckpt_timerfd_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_m_timerfd_ctx *t = file->private_data;
	struct ckpt_file_timerfd *rec;
	u32 state = 0;
	s64 left;

	rec = ckpt_out(ctx, CKPT_REC_FILE_TIMERFD, obj->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	ckpt_file_common(ctx, obj, &rec->f);
	spin_lock_irq(&t->wqh.lock);
	/* of a periodic timer that has expired, left is negative: since when */
	if (ckpt_timerfd_alarm(t)) {
		left = ktime_to_ns(alarm_expires_remaining(&t->t.alarm));
		if (t->t.alarm.state & ALARMTIMER_STATE_ENQUEUED)
			state |= CKPT_TIMERFD_ARMED;
	} else {
		left = ktime_to_ns(hrtimer_expires_remaining(&t->t.tmr));
		/* a callback that waits for our lock will set expired */
		if (hrtimer_active(&t->t.tmr))
			state |= CKPT_TIMERFD_ARMED;
	}
	if (t->expired)
		state = CKPT_TIMERFD_EXPIRED;
	if (t->might_cancel && t->moffs == KTIME_MAX)
		state |= CKPT_TIMERFD_CANCELED;
	rec->clock = cpu_to_le32(t->clockid);
	rec->state = cpu_to_le32(state);
	rec->settime_flags = cpu_to_le32(t->settime_flags);
	rec->interval_ns = cpu_to_le64(ktime_to_ns(t->tintv));
	rec->ticks = cpu_to_le64(t->ticks);
	rec->left_ns = cpu_to_le64(state ? left : 0);
	if (ckpt_timerfd_wall(t->clockid, t->settime_flags))
		rec->expires_ns = cpu_to_le64(ckpt_timerfd_alarm(t) ?
					      ktime_to_ns(t->t.alarm.node.expires) :
					      ktime_to_ns(hrtimer_get_expires(&t->t.tmr)));
	spin_unlock_irq(&t->wqh.lock);
	return 0;
}

/* ---- restart ---- */

/* sets everything but the time: the kernel's own call chooses clock base and list */
static struct file *ckpt_timerfd_make(struct ckpt_ctx *ctx, struct ckpt_in *in, unsigned long page)
{
	const struct ckpt_file_timerfd *rec = (const void *)in->fixed;
	struct __kernel_itimerspec spec = {};
	u64 interval = le64_to_cpu(rec->interval_ns);
	long fd, err;

	spec.it_interval.tv_sec = div_u64(interval, NSEC_PER_SEC);
	spec.it_interval.tv_nsec = interval - spec.it_interval.tv_sec * NSEC_PER_SEC;
	if (copy_to_user((void __user *)page, &spec, sizeof(spec)))
		return ERR_PTR(-EFAULT);
	fd = ckpt_arch_syscall(__NR_timerfd_create, le32_to_cpu(rec->clock), TFD_CLOEXEC,
			       0, 0, 0, 0);
	if (fd < 0)
		return ERR_PTR(fd);
	err = ckpt_arch_syscall(__NR_timerfd_settime, fd, le32_to_cpu(rec->settime_flags),
				page, 0, 0, 0);
	if (err) {
		close_fd(fd);
		return ERR_PTR(err);
	}
	return ckpt_file_take(fd);
}

static struct file *ckpt_timerfd_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_timerfd *rec = (const void *)in->fixed;
	s64 left = le64_to_cpu(rec->left_ns);
	struct ckpt_m_timerfd_ctx *t;
	unsigned long page;
	struct file *file;

	if (le32_to_cpu(rec->state) & ~(CKPT_TIMERFD_ARMED | CKPT_TIMERFD_EXPIRED |
					CKPT_TIMERFD_CANCELED) ||
	    le32_to_cpu(rec->settime_flags) & ~TFD_SETTIME_FLAGS ||
	    le64_to_cpu(rec->interval_ns) > S64_MAX / 4 ||
	    le64_to_cpu(rec->expires_ns) > S64_MAX / 2 ||
	    left < -(S64_MAX / 4)) {
		ckpt_bad(ctx, in, "the times or flags of a timerfd are out of range");
		return ERR_PTR(-EBADMSG);
	}
	page = ckpt_user_mem(PAGE_SIZE);
	if (IS_ERR_VALUE(page))
		return ERR_PTR(page);
	file = ckpt_timerfd_make(ctx, in, page);
	vm_munmap(page, PAGE_SIZE);
	if (IS_ERR(file))
		return file;
	t = file->private_data;
	spin_lock_irq(&t->wqh.lock);
	t->ticks = le64_to_cpu(rec->ticks);
	t->expired = !!(le32_to_cpu(rec->state) & CKPT_TIMERFD_EXPIRED);
	if (le32_to_cpu(rec->state) & CKPT_TIMERFD_CANCELED && t->might_cancel)
		t->moffs = KTIME_MAX;
	spin_unlock_irq(&t->wqh.lock);
	return file;
}

static int ckpt_timerfd_last(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	const struct ckpt_file_timerfd *rec = obj->priv;
	struct file *file = obj->ptr;
	struct ckpt_m_timerfd_ctx *t = file->private_data;
	bool wall = ckpt_timerfd_wall(t->clockid, le32_to_cpu(rec->settime_flags));
	bool start = !(le32_to_cpu(rec->state) & CKPT_TIMERFD_EXPIRED);
	s64 left = min_t(s64, le64_to_cpu(rec->left_ns), S64_MAX / 4);
	ktime_t expires;

	spin_lock_irq(&t->wqh.lock);
	if (ckpt_timerfd_alarm(t)) {
		expires = ktime_sub(t->t.alarm.node.expires, alarm_expires_remaining(&t->t.alarm));
		expires = ktime_add(expires, left);
		if (wall)
			expires = le64_to_cpu(rec->expires_ns);
		if (start)
			alarm_start(&t->t.alarm, expires);
		else
			t->t.alarm.node.expires = expires;
	} else {
		expires = ktime_add(hrtimer_cb_get_time(&t->t.tmr), left);
		if (wall)
			expires = le64_to_cpu(rec->expires_ns);
		if (start)
			hrtimer_start(&t->t.tmr, expires, HRTIMER_MODE_ABS);
		else
			hrtimer_set_expires(&t->t.tmr, expires);
	}
	spin_unlock_irq(&t->wqh.lock);
	return 0;
}

/* nobody is to miss time, or an event, before the tasks go */
static int ckpt_timerfd_restored(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_file_timerfd *rec = (const void *)in->fixed;

	if (!(le32_to_cpu(rec->state) & (CKPT_TIMERFD_ARMED | CKPT_TIMERFD_EXPIRED)))
		return 0;
	obj->priv = kmemdup(rec, sizeof(*rec), GFP_KERNEL);
	if (!obj->priv)
		return -ENOMEM;
	obj->last = ckpt_timerfd_last;
	return 0;
}

static void ckpt_timerfd_drop(struct ckpt_obj *obj)
{
	kfree(obj->priv);
}

const struct ckpt_file_kind ckpt_file_timerfd = {
	.name = "timerfd",
	.rec = CKPT_REC_FILE_TIMERFD,
	.match = ckpt_timerfd_match,
	.checkpoint = ckpt_timerfd_checkpoint,
	.restart = ckpt_timerfd_restart,
	.restored = ckpt_timerfd_restored,
	.drop = ckpt_timerfd_drop,
};
