// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: the three interval timers, and POSIX timers with their ids, on wall
 * clocks and on CPU clocks; what is left of each.
 * Refuses: POSIX timers on the CPU clock of another process, and on dynamic
 * clocks.
 * Locks: siglock for the list, it_lock for each timer. At restart the kernel's
 * own calls make and arm them.
 */
#include <linux/alarmtimer.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/posix-timers.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "task.h"
#include "../arch/arch.h"
#include "../ksym.h"

/* CPU clocks of a process whose threads are all parked */
static void ckpt_cpu_clocks(struct task_struct *task, u64 *clocks)
{
	struct signal_struct *sig = task->signal;
	struct task_struct *t;

	clocks[CPUCLOCK_PROF] = sig->utime + sig->stime;
	clocks[CPUCLOCK_VIRT] = sig->utime;
	clocks[CPUCLOCK_SCHED] = sig->sum_sched_runtime;
	for_each_thread(task, t) {
		clocks[CPUCLOCK_PROF] += t->utime + t->stime;
		clocks[CPUCLOCK_VIRT] += t->utime;
		clocks[CPUCLOCK_SCHED] += t->se.sum_exec_runtime;
	}
}

static void ckpt_thread_clocks(struct task_struct *t, u64 *clocks)
{
	clocks[CPUCLOCK_PROF] = t->utime + t->stime;
	clocks[CPUCLOCK_VIRT] = t->utime;
	clocks[CPUCLOCK_SCHED] = t->se.sum_exec_runtime;
}

/* 0 is "disarmed": what is due now has a nanosecond left */
static u64 ckpt_left_of(u64 expires, u64 now)
{
	if (!expires)
		return 0;
	return expires > now ? expires - now : 1;
}

/* under its lock; returns why it cannot be saved, or NULL */
static const char *ckpt_posix_timer(struct task_struct *task, struct k_itimer *timr,
				    struct ckpt_posix_timer *rec)
{
	bool absolute, armed, queued = !list_empty(&timr->sigq->list);
	clockid_t clock = timr->it_clock;
	struct task_struct *of = NULL;
	u64 clocks[3], now;
	s64 left;

	rec->id = cpu_to_le32(timr->it_id);
	rec->clock = cpu_to_le32(clock);
	rec->notify = cpu_to_le32(timr->it_sigev_notify);
	rec->interval_ns = cpu_to_le64(ktime_to_ns(timr->it_interval));
	rec->overrun = cpu_to_le32(min_t(s64, timr->it_overrun, INT_MAX));
	rec->overrun_last = cpu_to_le32(min_t(s64, timr->it_overrun_last, INT_MAX));
	rec->signo = cpu_to_le32(timr->sigq->info.si_signo);
	rec->value = cpu_to_le64((unsigned long)timr->sigq->info.si_value.sival_ptr);
	if (timr->it_sigev_notify & SIGEV_THREAD_ID)
		rec->tid = cpu_to_le32(pid_vnr(timr->it_pid));
	if (queued)
		rec->flags = cpu_to_le32(CKPT_PTIMER_QUEUED);
	if (clock >= 0 && clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID) {
		if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
			left = ktime_to_ns(alarm_expires_remaining(&timr->it.alarm.alarmtimer));
		else
			left = ktime_to_ns(hrtimer_get_remaining(&timr->it.real.timer));
		/* relative ones of CLOCK_REALTIME count on the monotonic clock */
		absolute = clock == CLOCK_REALTIME &&
			   timr->it.real.timer.base->clockid == CLOCK_REALTIME;
		if (absolute)
			rec->flags |= cpu_to_le32(CKPT_PTIMER_ABSOLUTE);
		if (timr->it_sigev_notify == SIGEV_NONE) {
			/* never started; the time that is left is worked out when it is asked for */
			if (left <= 0 && timr->it_interval) {
				div64_u64_rem(-left, timr->it_interval, &now);
				left = timr->it_interval - now;
			}
			armed = left > 0;
		} else {
			armed = timr->it_active;
		}
		if (armed) {
			rec->flags |= cpu_to_le32(CKPT_PTIMER_ARMED);
			rec->left_ns = cpu_to_le64(absolute ? ktime_get_real_ns() + left :
						   left > 0 ? left : 1);
		} else if (queued && timr->it_interval) {
			rec->late_ns = cpu_to_le64(left < 0 ? -left : 0);
		}
		return NULL;
	}
	if (clock < 0 && (clock & 7) == 3)
		return "is on a device's clock";
	of = pid_task(timr->it.cpu.pid, PIDTYPE_PID);
	if (!of || !same_thread_group(of, task))
		return "is on the CPU clock of another process";
	if (clock == CLOCK_THREAD_CPUTIME_ID || (clock < 0 && CPUCLOCK_PERTHREAD(clock)))
		ckpt_thread_clocks(of, clocks);
	else
		ckpt_cpu_clocks(of, clocks);
	rec->clock_pid = cpu_to_le32(task_pid_vnr(of));
	now = clocks[clock < 0 ? CPUCLOCK_WHICH(clock) : CPUCLOCK_SCHED];
	if (!timr->it.cpu.node.expires)
		return NULL;
	/* the node leaves its queue when the timer expires */
	if (timr->it.cpu.head || timr->it_sigev_notify == SIGEV_NONE) {
		rec->flags |= cpu_to_le32(CKPT_PTIMER_ARMED);
		rec->left_ns = cpu_to_le64(ckpt_left_of(timr->it.cpu.node.expires, now));
	} else if (queued && timr->it_interval) {
		rec->late_ns = cpu_to_le64(timr->it.cpu.node.expires);
	}
	return NULL;
}

int ckpt_timers_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct signal_struct *sig = task->signal;
	struct ckpt_posix_timer *recs;
	struct ckpt_timers *rec;
	struct k_itimer *timr;
	unsigned int n = 0, i = 0;
	const char *why = NULL;
	u64 clocks[3];
	s64 left;
	int err = 0;

	rec = ckpt_out(ctx, CKPT_REC_TIMERS, 0, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	spin_lock_irq(&task->sighand->siglock);
	ckpt_cpu_clocks(task, clocks);
	left = ktime_to_ns(hrtimer_get_remaining(&sig->real_timer));
	if (hrtimer_active(&sig->real_timer))
		rec->real_left_ns = cpu_to_le64(left > 0 ? left : 1);
	else if (sig->it_real_incr)
		rec->real_late_ns = cpu_to_le64(left < 0 ? -left : 0);
	rec->next_id = cpu_to_le32(sig->next_posix_timer_id);
	rec->real_interval_ns = cpu_to_le64(ktime_to_ns(sig->it_real_incr));
	rec->prof_left_ns = cpu_to_le64(ckpt_left_of(sig->it[CPUCLOCK_PROF].expires,
						     clocks[CPUCLOCK_PROF]));
	rec->prof_interval_ns = cpu_to_le64(sig->it[CPUCLOCK_PROF].incr);
	rec->virt_left_ns = cpu_to_le64(ckpt_left_of(sig->it[CPUCLOCK_VIRT].expires,
						     clocks[CPUCLOCK_VIRT]));
	rec->virt_interval_ns = cpu_to_le64(sig->it[CPUCLOCK_VIRT].incr);
	ckpt_for_each_timer(timr, sig)
		n++;
	spin_unlock_irq(&task->sighand->siglock);
	if (!n)
		return 0;
	recs = kvcalloc(n, sizeof(*recs), GFP_KERNEL);
	if (!recs)
		return -ENOMEM;
	/* the owners are parked: nobody makes or deletes one */
	rcu_read_lock();
	ckpt_for_each_timer(timr, sig) {
		if (i == n || why)
			break;
		spin_lock_irq(&timr->it_lock);
		why = ckpt_posix_timer(task, timr, &recs[i++]);
		spin_unlock_irq(&timr->it_lock);
	}
	rcu_read_unlock();
	if (why) {
		ckpt_refuse(ctx, task, "posix-timer", "timer %d %s",
			    le32_to_cpu(recs[i - 1].id), why);
		n = 0;
	}
	for (i = 0; !err && i < n; i++) {
		struct ckpt_posix_timer *out;

		out = ckpt_out(ctx, CKPT_REC_POSIX_TIMER, 0, sizeof(*out), 0);
		if (out)
			*out = recs[i];
		else
			err = -ENOMEM;
	}
	kvfree(recs);
	return err;
}

/* ---- restart ---- */

/* a time that is safe to add to any clock */
static u64 ckpt_ns(__le64 ns)
{
	return min_t(u64, le64_to_cpu(ns), S64_MAX / 4);
}

static int ckpt_itimer_set(unsigned long page, int which, __le64 left, __le64 interval)
{
	struct __kernel_old_itimerval v;
	u64 us;

	if (!left)
		return 0;
	us = DIV_ROUND_UP_ULL(ckpt_ns(left), 1000);
	v.it_value.tv_sec = div_u64_rem(us, 1000000, (u32 *)&v.it_value.tv_usec);
	v.it_value.tv_usec = us - v.it_value.tv_sec * 1000000ULL;
	us = div_u64(ckpt_ns(interval), 1000);
	v.it_interval.tv_sec = div_u64(us, 1000000);
	v.it_interval.tv_usec = us - v.it_interval.tv_sec * 1000000ULL;
	if (copy_to_user((void __user *)page, &v, sizeof(v)))
		return -EFAULT;
	return ckpt_arch_syscall(__NR_setitimer, which, page, 0, 0, 0, 0);
}

int ckpt_timers_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_timers *rec = (const void *)in->fixed;
	struct hrtimer *real = &current->signal->real_timer;
	unsigned long page;
	int err;

	if ((s32)le32_to_cpu(rec->next_id) < 0)
		return ckpt_bad(ctx, in, "the id of the next timer is out of range");
	/* has expired: taking the pending SIGALRM arms it again */
	if (!rec->real_left_ns && rec->real_interval_ns) {
		spin_lock_irq(&current->sighand->siglock);
		hrtimer_set_expires(real, ns_to_ktime(ktime_get_ns() - ckpt_ns(rec->real_late_ns)));
		current->signal->it_real_incr = ns_to_ktime(ckpt_ns(rec->real_interval_ns));
		spin_unlock_irq(&current->sighand->siglock);
	}
	if (!rec->real_left_ns && !rec->virt_left_ns && !rec->prof_left_ns)
		return 0;
	page = ckpt_user_mem(PAGE_SIZE);
	if (IS_ERR_VALUE(page))
		return page;
	err = ckpt_itimer_set(page, ITIMER_REAL, rec->real_left_ns, rec->real_interval_ns);
	if (!err)
		err = ckpt_itimer_set(page, ITIMER_VIRTUAL, rec->virt_left_ns, rec->virt_interval_ns);
	if (!err)
		err = ckpt_itimer_set(page, ITIMER_PROF, rec->prof_left_ns, rec->prof_interval_ns);
	vm_munmap(page, PAGE_SIZE);
	return err;
}

/* the id that names a CPU clock also to a thread that is not its owner */
static clockid_t ckpt_timer_clock(const struct ckpt_posix_timer *rec)
{
	clockid_t clock = le32_to_cpu(rec->clock);

	if (clock == CLOCK_THREAD_CPUTIME_ID)
		return make_thread_cpuclock(le32_to_cpu(rec->clock_pid), CPUCLOCK_SCHED);
	if (clock < 0 && CPUCLOCK_PERTHREAD(clock))
		return make_thread_cpuclock(le32_to_cpu(rec->clock_pid), CPUCLOCK_WHICH(clock));
	return clock;
}

/* has expired and was not armed again, because its signal is still pending */
static int ckpt_timer_expired(struct k_itimer *timr, u64 late)
{
	struct alarm *alarm = &timr->it.alarm.alarmtimer;
	struct hrtimer *timer = &timr->it.real.timer;
	clockid_t clock = timr->it_clock;
	u64 now;

	if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID) {
		/* the clock goes on from where it was; not armed by any call yet */
		timr->it.cpu.node.expires = late;
	} else if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) {
		if (alarm_try_to_cancel(alarm) < 0)
			return -EAGAIN;
		now = clock == CLOCK_REALTIME_ALARM ? ktime_get_real_ns() : ktime_get_boottime_ns();
		alarm->node.expires = ns_to_ktime(now - late);
	} else {
		if (hrtimer_try_to_cancel(timer) < 0)
			return -EAGAIN;
		now = ktime_to_ns(hrtimer_cb_get_time(timer));
		hrtimer_set_expires(timer, ns_to_ktime(now - late));
	}
	timr->it_active = 0;
	return 0;
}

static int ckpt_timer_set(int id, int flags, unsigned long page, u64 left, u64 interval)
{
	struct __kernel_itimerspec spec;

	spec.it_value.tv_sec = div_u64(left, NSEC_PER_SEC);
	spec.it_value.tv_nsec = left - spec.it_value.tv_sec * NSEC_PER_SEC;
	spec.it_interval.tv_sec = div_u64(interval, NSEC_PER_SEC);
	spec.it_interval.tv_nsec = interval - spec.it_interval.tv_sec * NSEC_PER_SEC;
	if (copy_to_user((void __user *)page, &spec, sizeof(spec)))
		return -EFAULT;
	return ckpt_arch_syscall(__NR_timer_settime, id, flags, page, 0, 0, 0);
}

static struct k_itimer *ckpt_timer_find(int id)
{
	struct k_itimer *timr;

	/* only the current thread runs: none is made or deleted meanwhile */
	ckpt_for_each_timer(timr, current->signal)
		if (timr->it_id == id)
			return timr;
	return NULL;
}

/**
 * ckpt_timer_requeue() - put the signal of an expired timer into its queue
 * @info: as it was saved
 *
 * The signal must be the timer's own, so that taking it arms the timer again
 * and counts what it has missed.
 *
 * Return: whether there is such a timer.
 */
bool ckpt_timer_requeue(const struct kernel_siginfo *info)
{
	struct k_itimer *timr;
	int private = 0;
	bool ours;

	timr = ckpt_timer_find(info->si_tid);
	if (!timr)
		return false;
	spin_lock_irq(&timr->it_lock);
	ours = timr->sigq && timr->it_sigev_notify != SIGEV_NONE &&
	       timr->sigq->info.si_signo == info->si_signo && list_empty(&timr->sigq->list);
	if (ours) {
		if (timr->it_interval && !timr->it_active)
			private = ++timr->it_requeue_pending;
		timr->sigq->info.si_sys_private = private;
		K(send_sigqueue)(timr->sigq, timr->it_pid, timr->it_sigev_notify & SIGEV_THREAD_ID ?
				 PIDTYPE_PID : PIDTYPE_TGID);
		timr->sigq->info.si_overrun = info->si_overrun;
	}
	spin_unlock_irq(&timr->it_lock);
	return ours;
}

/* when all timers are there: the next one gets the id that it would have got */
int ckpt_timers_last(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_timers *rec = (const void *)in->fixed;

	ckpt_timer_next_id(current->signal, le32_to_cpu(rec->next_id));
	return 0;
}

static int ckpt_posix_timer_make(struct ckpt_ctx *ctx, struct ckpt_in *in, unsigned long page)
{
	const struct ckpt_posix_timer *rec = (const void *)in->fixed;
	u64 left = ckpt_ns(rec->left_ns), interval = ckpt_ns(rec->interval_ns);
	u32 flags = le32_to_cpu(rec->flags);
	bool expired = flags & CKPT_PTIMER_QUEUED && !(flags & CKPT_PTIMER_ARMED) && interval;
	int abs = flags & CKPT_PTIMER_ABSOLUTE ? TIMER_ABSTIME : 0;
	int id = le32_to_cpu(rec->id), got, err;
	clockid_t clock = ckpt_timer_clock(rec);
	struct sigevent ev = {};
	struct k_itimer *timr;

	if (id < 0 || id == INT_MAX)
		return ckpt_bad(ctx, in, "its id is out of range");
	ev.sigev_notify = le32_to_cpu(rec->notify);
	ev.sigev_signo = le32_to_cpu(rec->signo);
	ev.sigev_value.sival_ptr = (void __user *)le64_to_cpu(rec->value);
	if (ev.sigev_notify & SIGEV_THREAD_ID)
		ev._sigev_un._tid = le32_to_cpu(rec->tid);
	if (copy_to_user((void __user *)page, &ev, sizeof(ev)))
		return -EFAULT;
	ckpt_timer_next_id(current->signal, id);
	err = ckpt_arch_syscall(__NR_timer_create, clock, page, page + 512, 0, 0, 0);
	if (err)
		return ckpt_err(ctx, err, "image offset %llu: cannot make timer %d", in->offset, id);
	if (get_user(got, (int __user *)(page + 512)))
		return -EFAULT;
	if (got != id)
		return ckpt_bad(ctx, in, "its id comes twice");
	err = 0;
	if (flags & CKPT_PTIMER_ARMED)
		err = ckpt_timer_set(id, abs, page, left ?: 1, interval);
	else if (expired && clock >= 0 && clock != CLOCK_PROCESS_CPUTIME_ID)
		/* makes the timer know its function; it is taken back below */
		err = ckpt_timer_set(id, abs, page, S64_MAX / 4, interval);
	if (err)
		return ckpt_err(ctx, err, "image offset %llu: cannot arm timer %d", in->offset, id);
	timr = ckpt_timer_find(id);
	if (!timr)
		return -ESRCH;
	/* one whose function runs right now has to end first */
	do {
		spin_lock_irq(&timr->it_lock);
		err = expired ? ckpt_timer_expired(timr, ckpt_ns(rec->late_ns)) : 0;
		if (!err) {
			timr->it_interval = ns_to_ktime(interval);
			timr->it_overrun = (s32)le32_to_cpu(rec->overrun);
			timr->it_overrun_last = (s32)le32_to_cpu(rec->overrun_last);
			/* as the program named it */
			if (clock != (clockid_t)le32_to_cpu(rec->clock))
				timr->it_clock = make_thread_cpuclock(0, CPUCLOCK_WHICH(clock));
		}
		spin_unlock_irq(&timr->it_lock);
		if (err)
			cpu_relax();
	} while (err);
	return 0;
}

int ckpt_posix_timer_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	unsigned long page = ckpt_user_mem(PAGE_SIZE);
	int err;

	if (IS_ERR_VALUE(page))
		return page;
	err = ckpt_posix_timer_make(ctx, in, page);
	vm_munmap(page, PAGE_SIZE);
	return err;
}
