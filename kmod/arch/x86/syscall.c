// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: the system call that a thread sleeps in, so that it goes on after a
 * restart with the time that was left.
 *
 * A thread that was woken for parking has one of the -ERESTART codes in ax and
 * perhaps a restart block, whose absolute times are saved relative. A thread
 * parked in place is still inside: it is made to begin the call again, with
 * the rest of its timeout.
 * Locks: none; see regs.c.
 */
#include <linux/alarmtimer.h>
#include <linux/cgroup.h>
#include <linux/futex.h>
#include <linux/hrtimer.h>
#include <linux/restart_block.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/socket.h>
#include <linux/uaccess.h>
#include <linux/syscalls.h>
#include <linux/task_work.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#include "../../private.h"
#include "../../ksym.h"
#include "../arch.h"
#include "x86.h"

/*
 * The calls that return EINTR or a short count when they are woken, or that
 * give the time of parking away. Where the timeout is, if there is one:
 */
enum ckpt_timeout {
	CKPT_NO_TIMEOUT,
	CKPT_TIMEOUT_MS,	/* argument in milliseconds */
	CKPT_TIMEOUT_TS,	/* argument points to a struct timespec */
	CKPT_TIMEOUT_TS_BACK,	/* and the kernel writes there what is left */
	CKPT_TIMEOUT_TV_BACK,	/* the same with a struct timeval */
};

static const struct ckpt_call {
	u16 nr;
	u8 timeout;		/* enum ckpt_timeout */
	u8 arg;
	bool ends;		/* by any handler, with SA_RESTART or not */
} ckpt_calls[] = {
	{ __NR_read }, { __NR_readv }, { __NR_pread64 }, { __NR_preadv }, { __NR_preadv2 },
	{ __NR_pwritev },
	{ __NR_copy_file_range }, { __NR_getrandom },
	{ __NR_accept }, { __NR_accept4 }, { __NR_connect },
	{ __NR_recvfrom }, { __NR_recvmsg }, { __NR_recvmmsg, CKPT_TIMEOUT_TS, 4 },
	{ __NR_sendmmsg },
	{ __NR_epoll_wait, CKPT_TIMEOUT_MS, 3, true },
	{ __NR_epoll_pwait, CKPT_TIMEOUT_MS, 3, true },
	{ __NR_epoll_pwait2, CKPT_TIMEOUT_TS, 3, true },
	{ __NR_rt_sigtimedwait, CKPT_TIMEOUT_TS, 2, true },
	{ __NR_semop, .ends = true }, { __NR_semtimedop, CKPT_TIMEOUT_TS, 3, true },
	{ __NR_io_getevents, CKPT_TIMEOUT_TS, 4, true },
	{ __NR_io_pgetevents, CKPT_TIMEOUT_TS, 4, true },
	{ __NR_io_uring_enter, .ends = true },
	{ __NR_select, CKPT_TIMEOUT_TV_BACK, 4, true },
	{ __NR_pselect6, CKPT_TIMEOUT_TS_BACK, 4, true },
	{ __NR_ppoll, CKPT_TIMEOUT_TS_BACK, 2, true },
};

static const struct ckpt_call *ckpt_call(int nr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_calls); i++)
		if (ckpt_calls[i].nr == nr)
			return &ckpt_calls[i];
	return NULL;
}

int ckpt_arch_syscall_nr(struct task_struct *task)
{
	return syscall_get_nr(task, task_pt_regs(task));
}

bool ckpt_arch_sleeps_in_place(struct task_struct *task)
{
	return ckpt_call(ckpt_arch_syscall_nr(task)) && !ckpt_arch_can_rest(task);
}

bool ckpt_arch_waits_for_several(struct task_struct *task)
{
	int nr = ckpt_arch_syscall_nr(task);

	return (nr == __NR_io_getevents || nr == __NR_io_pgetevents) &&
	       (long)task_pt_regs(task)->si > 1;
}

int ckpt_arch_partial_fd(struct task_struct *task, bool lowat)
{
	const struct pt_regs *regs = task_pt_regs(task);

	switch (ckpt_arch_syscall_nr(task)) {
	case __NR_sendmmsg:
		return regs->di;
	case __NR_recvmsg:
		return lowat || regs->dx & MSG_WAITALL ? regs->di : -1;
	case __NR_recvmmsg:
		return lowat || regs->r10 & MSG_WAITALL ||
		       (regs->dx > 1 && !(regs->r10 & MSG_WAITFORONE)) ? regs->di : -1;
	case __NR_read:
	case __NR_readv:
	case __NR_recvfrom:
		return lowat ? regs->di : -1;
	}
	return -1;
}

static u64 ckpt_left(u64 expires, clockid_t clock)
{
	u64 now;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		now = ktime_get_real_ns();
		break;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		now = ktime_get_boottime_ns();
		break;
	default:
		now = ktime_get_ns();
	}
	return expires > now ? expires - now : 0;
}

/* the kernel's flags of a futex wait differ by version, those of the image do not */
static const struct {
	u32 flag;
	u32 how;
} ckpt_futex_flags[] = {
	{ CKPT_FLAGS_SHARED, CKPT_FUTEX_SHARED },
	{ CKPT_FLAGS_CLOCKRT, CKPT_FUTEX_CLOCKRT },
	{ CKPT_FLAGS_HAS_TIMEOUT, CKPT_FUTEX_HAS_TIMEOUT },
};

static u64 ckpt_futex_to_image(u32 flags)
{
	u64 how = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_futex_flags); i++)
		if (flags & ckpt_futex_flags[i].flag)
			how |= ckpt_futex_flags[i].how;
	return how;
}

/* false if there are others */
static bool ckpt_futex_from_image(u64 how, u32 *flags)
{
	int i;

	*flags = CKPT_FLAGS_SIZE_32;
	for (i = 0; i < ARRAY_SIZE(ckpt_futex_flags); i++) {
		if (how & ckpt_futex_flags[i].how)
			*flags |= ckpt_futex_flags[i].flag;
		how &= ~(u64)ckpt_futex_flags[i].how;
	}
	return !how;
}

static int ckpt_checkpoint_block(struct ckpt_ctx *ctx, struct task_struct *task,
				 struct ckpt_syscall *s)
{
	struct restart_block *rb = &task->restart_block;
	unsigned long fn = (unsigned long)rb->fn;
	clockid_t clock;

	if (fn == KD(hrtimer_nanosleep_restart) || fn == KD(posix_cpu_nsleep_restart) ||
	    fn == KD(alarm_timer_nsleep_restart)) {
		s->how = cpu_to_le32(fn == KD(hrtimer_nanosleep_restart) ?
				     CKPT_SYSCALL_NANOSLEEP :
				     fn == KD(posix_cpu_nsleep_restart) ?
				     CKPT_SYSCALL_CPU_NANOSLEEP : CKPT_SYSCALL_ALARM_NANOSLEEP);
		clock = rb->nanosleep.clockid;
		/* there it holds an enum alarmtimer_type */
		if (fn == KD(alarm_timer_nsleep_restart))
			clock = clock == ALARM_BOOTTIME ? CLOCK_BOOTTIME_ALARM : CLOCK_REALTIME_ALARM;
		s->arg[0] = cpu_to_le64((u32)clock);
		s->arg[1] = cpu_to_le64(rb->nanosleep.type);
		s->arg[2] = cpu_to_le64((unsigned long)rb->nanosleep.rmtp);
		/* a CPU clock stands still: its expiry stays as it is */
		s->left_ns = cpu_to_le64(fn == KD(posix_cpu_nsleep_restart) ?
					 rb->nanosleep.expires :
					 ckpt_left(rb->nanosleep.expires, clock));
	} else if (fn == KD(do_restart_poll)) {
		s->how = cpu_to_le32(CKPT_SYSCALL_POLL);
		s->arg[0] = cpu_to_le64((unsigned long)rb->poll.ufds);
		s->arg[1] = cpu_to_le64(rb->poll.nfds);
		s->arg[2] = cpu_to_le64(rb->poll.has_timeout);
		s->left_ns = cpu_to_le64(rb->poll.has_timeout ?
					 ckpt_left(rb->poll.tv_sec * NSEC_PER_SEC +
						   rb->poll.tv_nsec, CLOCK_MONOTONIC) : ~0ULL);
	} else if (fn == KD(futex_wait_restart)) {
		s->how = cpu_to_le32(CKPT_SYSCALL_FUTEX);
		s->arg[0] = cpu_to_le64((unsigned long)rb->futex.uaddr);
		s->arg[1] = cpu_to_le64(rb->futex.val);
		s->arg[2] = cpu_to_le64(ckpt_futex_to_image(rb->futex.flags));
		s->arg[3] = cpu_to_le64(rb->futex.bitset);
		s->left_ns = cpu_to_le64(ckpt_left(rb->futex.time,
						   rb->futex.flags & CKPT_FLAGS_CLOCKRT ?
						   CLOCK_REALTIME : CLOCK_MONOTONIC));
	} else {
		return ckpt_refuse(ctx, task, "restart-block",
				   "sleeps in system call %d, which restarts in a way that is not known",
				   ckpt_arch_syscall_nr(task));
	}
	return 0;
}

int ckpt_arch_checkpoint_syscall(struct ckpt_ctx *ctx, struct ckpt_thread *t,
				 struct ckpt_regs *r)
{
	struct task_struct *task = t->task;
	int nr = ckpt_arch_syscall_nr(task);
	const struct ckpt_call *call;
	struct ckpt_syscall *s;

	if (nr < 0)
		return 0;
	if (t->in_place && t->vfork) {
		s = ckpt_out(ctx, CKPT_REC_SYSCALL, 0, sizeof(*s), 0);
		if (!s)
			return -ENOMEM;
		r->ax = cpu_to_le64(t->vfork);
		s->nr = cpu_to_le32(nr);
		s->how = cpu_to_le32(CKPT_SYSCALL_VFORK);
		s->arg[0] = cpu_to_le64(t->vfork);
		return 0;
	}
	if (t->in_place && (READ_ONCE(task->__state) & TASK_INTERRUPTIBLE)) {
		call = ckpt_call(nr);
		/* a signal that comes before the thread does must find it in the call */
		r->ax = cpu_to_le64(call && call->ends ? -ERESTARTNOHAND : -ERESTARTSYS);
		s = ckpt_out(ctx, CKPT_REC_SYSCALL, 0, sizeof(*s), 0);
		if (!s)
			return -ENOMEM;
		s->nr = cpu_to_le32(nr);
		s->how = cpu_to_le32(call && call->timeout && t->left_ns != ~0ULL ?
				     CKPT_SYSCALL_LEFT : CKPT_SYSCALL_AGAIN);
		s->left_ns = cpu_to_le64(t->left_ns);
		return 0;
	}
	if (t->done) {
		s = ckpt_out(ctx, CKPT_REC_SYSCALL, 0, sizeof(*s), 0);
		if (!s)
			return -ENOMEM;
		r->ax = cpu_to_le64(t->done);
		s->nr = cpu_to_le32(nr);
		s->how = cpu_to_le32(CKPT_SYSCALL_REST);
		s->done = cpu_to_le64(t->done);
		return 0;
	}
	if ((long)le64_to_cpu(r->ax) != -ERESTART_RESTARTBLOCK)
		return 0;
	s = ckpt_out(ctx, CKPT_REC_SYSCALL, 0, sizeof(*s), 0);
	if (!s)
		return -ENOMEM;
	s->nr = cpu_to_le32(nr);
	return ckpt_checkpoint_block(ctx, task, s);
}

/* ---- restart ---- */

/*
 * What a call looks like is also read from the registers at the entry to the
 * kernel: in_compat_syscall() tests a bit of orig_ax that is set in a thread
 * which was not in a system call, where it is -1, and the kernel would take the
 * arguments for those of x32.
 */
long ckpt_arch_syscall(unsigned int nr, unsigned long a0, unsigned long a1,
		       unsigned long a2, unsigned long a3, unsigned long a4,
		       unsigned long a5)
{
	struct pt_regs regs = {
		.di = a0, .si = a1, .dx = a2, .r10 = a3, .r8 = a4, .r9 = a5,
		.orig_ax = nr, .cs = __USER_CS, .ss = __USER_DS,
		.flags = X86_EFLAGS_IF,
	};
	struct pt_regs *entry = current_pt_regs();
	unsigned long orig_ax = entry->orig_ax;
	long ret;

	entry->orig_ax = nr;
	ret = K(x64_sys_call)(&regs, nr);
	entry->orig_ax = orig_ax;
	return ret;
}

static u64 ckpt_expires(u64 left, clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		return ktime_get_real_ns() + left;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return ktime_get_boottime_ns() + left;
	default:
		return ktime_get_ns() + left;
	}
}

/* one argument of the system call that the current task is in */
static unsigned long *ckpt_arg(struct pt_regs *regs, unsigned int i)
{
	unsigned long *args[] = { &regs->di, &regs->si, &regs->dx,
				  &regs->r10, &regs->r8, &regs->r9 };

	return args[i];
}

/* the time left, where the program keeps a timeout that the kernel updates */
static int ckpt_write_back(const struct ckpt_call *call, u64 left)
{
	unsigned long dst = *ckpt_arg(current_pt_regs(), call->arg);
	s64 v[2];

	v[0] = div_u64(left, NSEC_PER_SEC);
	v[1] = left - v[0] * NSEC_PER_SEC;
	if (call->timeout == CKPT_TIMEOUT_TV_BACK)
		v[1] = div_u64(v[1], NSEC_PER_USEC);
	return copy_to_user((void __user *)dst, v, sizeof(v)) ? -EFAULT : 0;
}

int ckpt_arch_restart_syscall(struct ckpt_ctx *ctx, struct ckpt_in *in,
			      struct ckpt_resume *resume)
{
	const struct ckpt_call *call = ckpt_call(le32_to_cpu(((struct ckpt_syscall *)in->fixed)->nr));
	const struct ckpt_syscall *s = (const void *)in->fixed;
	struct restart_block *rb = &current->restart_block;
	u64 left = le64_to_cpu(s->left_ns);
	struct timespec64 ts;
	clockid_t clock;

	/* far beyond any use, and safe to add to a clock */
	if (left != ~0ULL && left > S64_MAX / 4)
		left = S64_MAX / 4;
	memset(rb, 0, sizeof(*rb));
	rb->fn = (void *)KD(do_no_restart_syscall);
	switch (le32_to_cpu(s->how)) {
	case CKPT_SYSCALL_AGAIN:
		return 0;
	case CKPT_SYSCALL_LEFT:
		if (!call || !call->timeout || left == ~0ULL ||
		    current_pt_regs()->orig_ax != call->nr)
			return ckpt_bad(ctx, in, "the system call has no timeout");
		if (call->timeout >= CKPT_TIMEOUT_TS_BACK) {
			/* a program that took the memory away gets its error */
			ckpt_write_back(call, left);
			return 0;
		}
		resume->how = CKPT_SYSCALL_LEFT;
		resume->left_ns = left;
		return 0;
	case CKPT_SYSCALL_REST:
		if ((long)le64_to_cpu(s->done) <= 0 ||
		    le64_to_cpu(s->done) >= ckpt_rest_total())
			return ckpt_bad(ctx, in, "the system call has no rest");
		resume->how = CKPT_SYSCALL_REST;
		resume->done = le64_to_cpu(s->done);
		return 0;
	case CKPT_SYSCALL_VFORK:
		if (le64_to_cpu(s->arg[0]) > PID_MAX_LIMIT)
			return ckpt_bad(ctx, in, "a child is out of range");
		resume->how = CKPT_SYSCALL_VFORK;
		resume->done = le64_to_cpu(s->arg[0]);
		return 0;
	case CKPT_SYSCALL_NANOSLEEP:
	case CKPT_SYSCALL_CPU_NANOSLEEP:
	case CKPT_SYSCALL_ALARM_NANOSLEEP:
		clock = (u32)le64_to_cpu(s->arg[0]);
		if (le64_to_cpu(s->arg[1]) > TT_COMPAT)
			return ckpt_bad(ctx, in, "the type of a timespec is out of range");
		if (le64_to_cpu(s->arg[1]) == TT_COMPAT)
			return ckpt_bad(ctx, in, "a 32-bit timespec in a 64-bit program");
		rb->nanosleep.type = le64_to_cpu(s->arg[1]);
		rb->nanosleep.rmtp = (void __user *)le64_to_cpu(s->arg[2]);
		rb->nanosleep.clockid = clock;
		if (le32_to_cpu(s->how) == CKPT_SYSCALL_CPU_NANOSLEEP) {
			if (clock >= 0)
				return ckpt_bad(ctx, in, "not a CPU clock");
			rb->nanosleep.expires = left;
			rb->fn = (void *)KD(posix_cpu_nsleep_restart);
			return 0;
		}
		if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC &&
		    clock != CLOCK_BOOTTIME && clock != CLOCK_TAI &&
		    clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM)
			return ckpt_bad(ctx, in, "a clock that cannot be slept on");
		if ((clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) !=
		    (le32_to_cpu(s->how) == CKPT_SYSCALL_ALARM_NANOSLEEP))
			return ckpt_bad(ctx, in, "the clock does not fit the system call");
		rb->nanosleep.expires = ckpt_expires(left, clock);
		if (le32_to_cpu(s->how) == CKPT_SYSCALL_NANOSLEEP) {
			rb->fn = (void *)KD(hrtimer_nanosleep_restart);
			return 0;
		}
		/* an index into a table of two; begun again, it needs the right */
		if (!capable(CAP_WAKE_ALARM))
			return ckpt_err(ctx, -EPERM, "sleeping on an alarm clock needs CAP_WAKE_ALARM");
		rb->nanosleep.clockid = clock == CLOCK_BOOTTIME_ALARM ? ALARM_BOOTTIME :
					ALARM_REALTIME;
		rb->fn = (void *)KD(alarm_timer_nsleep_restart);
		return 0;
	case CKPT_SYSCALL_POLL:
		rb->poll.ufds = (void __user *)le64_to_cpu(s->arg[0]);
		rb->poll.nfds = le64_to_cpu(s->arg[1]);
		rb->poll.has_timeout = le64_to_cpu(s->arg[2]) && left != ~0ULL;
		if (rb->poll.has_timeout) {
			ts = ns_to_timespec64(ktime_get_ns() + left);
			rb->poll.tv_sec = ts.tv_sec;
			rb->poll.tv_nsec = ts.tv_nsec;
		}
		rb->fn = (void *)KD(do_restart_poll);
		return 0;
	case CKPT_SYSCALL_FUTEX:
		if (!ckpt_futex_from_image(le64_to_cpu(s->arg[2]), &rb->futex.flags) ||
		    !(u32)le64_to_cpu(s->arg[3]))
			return ckpt_bad(ctx, in, "futex flags are out of range");
		rb->futex.uaddr = (void __user *)le64_to_cpu(s->arg[0]);
		rb->futex.val = le64_to_cpu(s->arg[1]);
		rb->futex.bitset = le64_to_cpu(s->arg[3]);
		rb->futex.time = ckpt_expires(left == ~0ULL ? S64_MAX / 4 : left,
					      rb->futex.flags & CKPT_FLAGS_CLOCKRT ?
					      CLOCK_REALTIME : CLOCK_MONOTONIC);
		rb->fn = (void *)KD(futex_wait_restart);
		return 0;
	}
	return ckpt_bad(ctx, in, "a way to go on that is not known");
}

/* ---- going on ---- */

long ckpt_call_again(const struct pt_regs *regs)
{
	return K(x64_sys_call)(regs, regs->orig_ax);
}

static void ckpt_resume_left(u64 left)
{
	struct pt_regs *regs = current_pt_regs(), copy = *regs;
	const struct ckpt_call *call = ckpt_call(regs->orig_ax);
	s64 ts[2] = { div_u64(left, NSEC_PER_SEC) };
	unsigned long *arg = ckpt_arg(&copy, call->arg);

	/* the call sets its own mask again */
	if (test_and_clear_restore_sigmask()) {
		spin_lock_irq(&current->sighand->siglock);
		current->blocked = current->saved_sigmask;
		recalc_sigpending();
		spin_unlock_irq(&current->sighand->siglock);
	}
	if (call->timeout == CKPT_TIMEOUT_MS) {
		*arg = min_t(u64, div_u64(left + NSEC_PER_MSEC - 1, NSEC_PER_MSEC), INT_MAX);
	} else {
		/* below what the stack pointer and its red zone protect, as for signals */
		*arg = round_down(regs->sp - 128 - sizeof(ts), 16);
		ts[1] = left - ts[0] * NSEC_PER_SEC;
		if (copy_to_user((void __user *)*arg, ts, sizeof(ts))) {
			/* no stack: with the whole timeout, by the signal code */
			set_thread_flag(TIF_NOTIFY_SIGNAL);
			return;
		}
	}
	regs->ax = ckpt_call_again(&copy);
}

/*
 * The signal code would make the thread call restart_syscall, which the filters
 * of a program need not know, and some kill the thread for. One that is to stop
 * or is frozen does so there.
 */
static bool ckpt_filtered_block(void)
{
	struct pt_regs *regs = current_pt_regs();

	return current->seccomp.mode == SECCOMP_MODE_FILTER &&
	       syscall_get_nr(current, regs) != -1 && regs->ax == -ERESTART_RESTARTBLOCK &&
	       !task_sigpending(current) && !cgroup_task_frozen(current) &&
	       !(READ_ONCE(current->jobctl) & (JOBCTL_PENDING_MASK | JOBCTL_TRAP_FREEZE));
}

static void ckpt_resume_block(void)
{
	struct restart_block *rb = &current->restart_block;

	do {
		clear_notify_signal();
		if (ckpt_park_nested(0))
			continue;
		/* what it waits for may be the work of one */
		if (task_work_pending(current))
			K(task_work_run)();
		if (ckpt_filtered_block())
			current_pt_regs()->ax = rb->fn(rb);
	} while (ckpt_filtered_block());
}

/**
 * ckpt_arch_resume() - go on with the system call that the current task was in
 * @resume: how
 *
 * Sleeps as long as the call does. A thread that is asked to park meanwhile is
 * treated like any other in that call.
 */
void ckpt_arch_resume(const struct ckpt_resume *resume)
{
	if (resume->how == CKPT_SYSCALL_LEFT)
		ckpt_resume_left(resume->left_ns);
	else if (resume->how == CKPT_SYSCALL_REST)
		ckpt_resume_rest(resume->done);
	else if (ckpt_filtered_block())
		ckpt_resume_block();
}
