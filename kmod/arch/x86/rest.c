// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: how many bytes a call has done that was cut short in the middle, so
 * that the rest is done after the release, or after a restart.
 * Locks: none; it is the thread itself that does so.
 */
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#include "../../private.h"
#include "../arch.h"
#include "x86.h"

/*
 * Calls that transfer bytes and sleep in the middle: cut short they return how
 * many are done, and the rest can be done later. Where the buffers are:
 */
enum ckpt_buffers {
	CKPT_BUFFER,	/* one; the length is argument 2, the buffer argument 1 */
	CKPT_IOVECS,	/* argument 1 points to as many as argument 2 says */
	CKPT_MSGHDR,	/* argument 1 points to a struct msghdr */
};

static const struct ckpt_rest_call {
	u16 nr;
	u16 again;		/* the call that does a part of one buffer */
	u8 buffers;		/* enum ckpt_buffers */
} ckpt_rest_calls[] = {
	{ __NR_write, __NR_write, CKPT_BUFFER },
	{ __NR_pwrite64, __NR_pwrite64, CKPT_BUFFER },
	{ __NR_sendto, __NR_sendto, CKPT_BUFFER },
	{ __NR_recvfrom, __NR_recvfrom, CKPT_BUFFER },	/* see ckpt_wants_all() */
	{ __NR_writev, __NR_write, CKPT_IOVECS },
	/* which sleeps only where there is no position */
	{ __NR_pwritev2, __NR_write, CKPT_IOVECS },
	{ __NR_sendmsg, __NR_sendto, CKPT_MSGHDR },
};

static const struct ckpt_rest_call *ckpt_rest_call(int nr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_rest_calls); i++)
		if (ckpt_rest_calls[i].nr == nr)
			return &ckpt_rest_calls[i];
	return NULL;
}

/* A receiver may take what there is, or only look: then it has all it wants when it is woken. */
static bool ckpt_wants_all(const struct pt_regs *regs)
{
	return (regs->r10 & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL;
}

bool ckpt_arch_can_rest(struct task_struct *task)
{
	int nr = ckpt_arch_syscall_nr(task);

	return ckpt_rest_call(nr) &&
	       (nr != __NR_recvfrom || ckpt_wants_all(task_pt_regs(task)));
}

/*
 * What the current task's call transfers; the memory is its own and may have
 * changed since. To be freed with kvfree(), also when there is none.
 */
static struct iovec *ckpt_buffers(const struct ckpt_rest_call *call, unsigned long *n, u64 *total)
{
	const struct pt_regs *regs = current_pt_regs();
	struct user_msghdr msg = { .msg_iov = (void __user *)regs->si, .msg_iovlen = regs->dx };
	struct iovec *iov;
	unsigned long i;

	*total = 0;
	*n = 1;
	if (call->buffers != CKPT_BUFFER) {
		if (call->buffers == CKPT_MSGHDR &&
		    copy_from_user(&msg, (void __user *)regs->si, sizeof(msg)))
			return NULL;
		*n = msg.msg_iovlen;
		if (!*n || *n > UIO_MAXIOV)
			return NULL;
	}
	iov = kvmalloc_array(*n, sizeof(*iov), GFP_KERNEL);
	if (!iov)
		return NULL;
	if (call->buffers == CKPT_BUFFER) {
		iov->iov_base = (void __user *)regs->si;
		iov->iov_len = regs->dx;
	} else if (copy_from_user(iov, msg.msg_iov, *n * sizeof(*iov))) {
		kvfree(iov);
		return NULL;
	}
	for (i = 0; i < *n; i++)
		*total += min_t(u64, iov[i].iov_len, MAX_RW_COUNT);
	*total = min_t(u64, *total, MAX_RW_COUNT);
	return iov;
}

/**
 * ckpt_rest_total() - all that the current task's call is to transfer
 *
 * Return: bytes; 0 if it is none that has a rest, or nothing is known of it.
 */
u64 ckpt_rest_total(void)
{
	const struct ckpt_rest_call *call = ckpt_rest_call(current_pt_regs()->orig_ax);
	unsigned long n;
	u64 total = 0;

	if (call)
		kvfree(ckpt_buffers(call, &n, &total));
	return total;
}

/* Makes the registers those of a call that does what one buffer has left. */
static void ckpt_rest_regs(const struct ckpt_rest_call *call, const struct iovec *iov, u64 done,
			   struct pt_regs *regs)
{
	u64 skip = done;

	for (; skip >= iov->iov_len; iov++)
		skip -= iov->iov_len;
	if (call->buffers == CKPT_MSGHDR) {
		/* address and control data went with the first part */
		regs->r10 = regs->dx;
		regs->r8 = 0;
		regs->r9 = 0;
	}
	if (call->nr == __NR_pwrite64)
		regs->r10 += done;
	regs->orig_ax = call->again;
	regs->si = (unsigned long)iov->iov_base + skip;
	regs->dx = iov->iov_len - skip;
}

/* only of a stream does the rest of what was asked for come later */
static bool ckpt_is_stream(int fd)
{
	struct socket *sock;
	bool stream;
	int err;

	sock = sockfd_lookup(fd, &err);
	if (!sock)
		return false;
	stream = sock->type == SOCK_STREAM;
	sockfd_put(sock);
	return stream;
}

u64 ckpt_arch_done(void)
{
	struct pt_regs *regs = current_pt_regs();
	long n = regs->ax;

	/* what no signal has cut short is not interrupted: a timeout of the socket makes it say so */
	if (n == -EINTR)
		regs->ax = -ERESTARTNOHAND;
	if (regs->orig_ax == __NR_recvfrom && !ckpt_is_stream(regs->di))
		return 0;
	return n > 0 && n < (long)ckpt_rest_total() ? n : 0;
}

/**
 * ckpt_resume_rest() - do what is left of the current task's call
 * @done: bytes that are done
 */
void ckpt_resume_rest(u64 done)
{
	struct pt_regs *regs = current_pt_regs(), copy;
	const struct ckpt_rest_call *call = ckpt_rest_call(regs->orig_ax);
	struct iovec *iov;
	unsigned long nr;
	u64 total;
	long n;

	iov = ckpt_buffers(call, &nr, &total);
	while (iov && done < total) {
		copy = *regs;
		ckpt_rest_regs(call, iov, done, &copy);
		n = ckpt_call_again(&copy);
		if (n > 0)
			done += n;
		/* parks with the count so far; the next round does the rest */
		regs->ax = done;
		if (done >= total || task_sigpending(current))
			break;
		clear_notify_signal();
		if (!ckpt_park_nested(done) && n <= 0 && n != -ERESTARTSYS && n != -EINTR)
			break;
	}
	kvfree(iov);
	regs->ax = done;
}
