// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: the queues of AF_UNIX sockets, message by message, with sender,
 * credentials, passed files and the out-of-band byte.
 * Refuses: remains of out-of-band data; a message that fits no record.
 * Locks: the queue's lock, to take references to the messages and to sign new
 * ones; unix_state_lock.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/af_unix.h>
#include <net/scm.h>
#include <net/tcp_states.h>

#include "net.h"
#include "../files/files.h"

/* largest message: with the passed files it must fit a record */
#define CKPT_MSG_MAX	(CKPT_REC_MAX - 4096)

static int ckpt_unix_walk_skb(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
			      struct sk_buff *skb)
{
	struct scm_fp_list *fp = UNIXCB(skb).fp;
	struct sock *sk = obj->ptr;
	struct ckpt_obj *other;
	int i, err = 0;

	other = ckpt_unix_add(ctx, skb->sk, obj->task);
	if (!other)
		return -ENOMEM;
	if (sk->sk_state == TCP_LISTEN) {
		((struct ckpt_unix_cp *)other->priv)->listener = obj;
		return 0;
	}
	for (i = 0; fp && !err && i < fp->count; i++)
		err = ckpt_file_collect(ctx, fp->fp[i], obj->task);
	return err;
}

/**
 * ckpt_unix_walk() - find what a socket leads to
 * @ctx: the checkpoint
 * @obj: the socket
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_walk(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_unix_cp *cp = obj->priv;
	struct sock *sk = obj->ptr, *peer;
	unsigned int i;
	int err;

	/* of a ghost only its name is wanted */
	if (cp->walked || (!cp->file && !cp->listener))
		return 0;
	cp->walked = true;
	cp->skbs = ckpt_skbs_take(&sk->sk_receive_queue, NULL, &cp->n);
	err = cp->skbs ? 0 : -ENOMEM;
	for (i = 0; !err && i < cp->n; i++)
		err = ckpt_unix_walk_skb(ctx, obj, cp->skbs[i]);
	if (err)
		return err;
	/* only its own side changes a peer, and that is parked */
	peer = unix_peer(sk);
	if (peer && sock_flag(peer, SOCK_DEAD) && !ckpt_unix_add(ctx, peer, obj->task))
		return -ENOMEM;
	if (sk->sk_peer_cred &&
	    !ckpt_obj_add(ctx, (void *)sk->sk_peer_cred, CKPT_OBJ_CRED, obj->task, NULL))
		return -ENOMEM;
	return 0;
}

static int ckpt_unix_msg(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct sk_buff *skb)
{
	struct user_namespace *ns = current_user_ns();
	struct scm_fp_list *fp = UNIXCB(skb).fp;
	bool stream = skb->sk->sk_type == SOCK_STREAM;
	u32 skip = stream ? UNIXCB(skb).consumed : 0, len = skb->len - skip;
	u32 nfds = fp ? fp->count : 0, i, flags = 0;
	struct ckpt_unix_queue *rec;
	struct ckpt_obj *file;
	__le32 *refs;

#if IS_ENABLED(CONFIG_AF_UNIX_OOB)
	if (skb == unix_sk(obj->ptr)->oob_skb)
		flags |= CKPT_UNIX_MSG_OOB;
#endif
	if (stream && (!len || (flags & CKPT_UNIX_MSG_OOB && len != 1)))
		return ckpt_refuse(ctx, obj->task, "unix-queue",
				   "a mark of out-of-band data is left in a queue; read on and try again");
	if (len > CKPT_MSG_MAX)
		return ckpt_refuse(ctx, obj->task, "unix-queue",
				   "a message of %u bytes is queued, more than an image can hold", len);
	rec = ckpt_out(ctx, CKPT_REC_UNIX_QUEUE, obj->objref, sizeof(*rec), nfds * 4 + len);
	if (!rec)
		return -ENOMEM;
	rec->sender = cpu_to_le32(ckpt_unix_ref(ctx, skb->sk));
	rec->nfds = cpu_to_le32(nfds);
	rec->tstamp = cpu_to_le64(ktime_to_ns(skb->tstamp));
	if (UNIXCB(skb).pid) {
		flags |= CKPT_UNIX_MSG_CRED;
		rec->pid = cpu_to_le32(pid_vnr(UNIXCB(skb).pid));
		rec->uid = cpu_to_le32(from_kuid_munged(ns, UNIXCB(skb).uid));
		rec->gid = cpu_to_le32(from_kgid_munged(ns, UNIXCB(skb).gid));
	}
	rec->flags = cpu_to_le32(flags);
	refs = (void *)(rec + 1);
	for (i = 0; i < nfds; i++) {
		file = ckpt_obj_find(ctx, fp->fp[i], CKPT_OBJ_FILE);
		refs[i] = cpu_to_le32(file ? file->objref : 0);
	}
	return skb_copy_bits(skb, skip, refs + nfds, len);
}

/**
 * ckpt_unix_queues() - save connections and queues
 * @ctx: the checkpoint; all objects are written
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_queues(struct ckpt_ctx *ctx)
{
	struct ckpt_unix_cp *cp;
	struct ckpt_obj *obj;
	unsigned int i;
	int err = 0;

	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type != CKPT_OBJ_UNIX || !((struct ckpt_unix_cp *)obj->priv)->walked)
			continue;
		err = ckpt_unix_peer_checkpoint(ctx, obj);
		if (err)
			return err;
	}
	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type != CKPT_OBJ_UNIX)
			continue;
		cp = obj->priv;
		/* the backlog of a listener is told by the embryos */
		for (i = 0; i < cp->n && ((struct sock *)obj->ptr)->sk_state != TCP_LISTEN; i++) {
			err = ckpt_unix_msg(ctx, obj, cp->skbs[i]);
			if (err)
				return err;
		}
	}
	/* while these are held, senders would wait for their room in the buffer */
	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type != CKPT_OBJ_UNIX)
			continue;
		cp = obj->priv;
		while (cp->n)
			kfree_skb(cp->skbs[--cp->n]);
	}
	return 0;
}

/* ---- restart ---- */

/* descriptors of the caller, for a moment: the kernel passes files by them */
static int ckpt_unix_fds(struct ckpt_ctx *ctx, struct ckpt_in *in, struct msghdr *msg, u32 n)
{
	const __le32 *refs = (const void *)in->var;
	struct cmsghdr *cmsg = msg->msg_control;
	struct ckpt_obj *obj;
	int *fds = CMSG_DATA(cmsg), fd;
	u32 i;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	for (i = 0; i < n; i++) {
		obj = ckpt_obj_get(ctx, in, le32_to_cpu(refs[i]), CKPT_OBJ_FILE);
		fd = IS_ERR(obj) ? PTR_ERR(obj) : get_unused_fd_flags(O_CLOEXEC);
		if (fd < 0)
			break;
		fd_install(fd, get_file(obj->ptr));
		fds[i] = fd;
	}
	cmsg->cmsg_len = CMSG_LEN(i * sizeof(int));
	return i < n ? fd : 0;
}

static void ckpt_unix_close(struct msghdr *msg)
{
	struct cmsghdr *cmsg = msg->msg_control;
	int *fds = CMSG_DATA(cmsg);
	size_t n;

	for (n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int); n; n--)
		close_fd(fds[n - 1]);
}

/* the newest messages of a queue are the ones just sent: nobody else can send yet */
static void ckpt_unix_sign(struct ckpt_in *in, struct sock *sk, struct pid *pid, u32 old)
{
	const struct ckpt_unix_queue *rec = (const void *)in->fixed;
	struct user_namespace *ns = current_user_ns();
	bool cred = le32_to_cpu(rec->flags) & CKPT_UNIX_MSG_CRED;
	struct sk_buff_head *q = &sk->sk_receive_queue;
	struct sk_buff *skb;

	spin_lock(&q->lock);
	skb_queue_walk(q, skb) {
		if (old) {
			old--;
			continue;
		}
		put_pid(UNIXCB(skb).pid);
		UNIXCB(skb).pid = cred ? get_pid(pid) : NULL;
		UNIXCB(skb).uid = cred ? make_kuid(ns, le32_to_cpu(rec->uid)) : INVALID_UID;
		UNIXCB(skb).gid = cred ? make_kgid(ns, le32_to_cpu(rec->gid)) : INVALID_GID;
		skb->tstamp = ns_to_ktime(le64_to_cpu(rec->tstamp));
	}
	spin_unlock(&q->lock);
}

static int ckpt_unix_send(struct ckpt_ctx *ctx, struct ckpt_in *in, struct socket *from,
			  struct sock *to, u32 nfds)
{
	const struct ckpt_unix_queue *rec = (const void *)in->fixed;
	struct kvec vec = { (void *)in->var + nfds * 4, in->var_len - nfds * 4 };
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct sock *sk = from->sk;
	int n = 0;

	if (le32_to_cpu(rec->flags) & CKPT_UNIX_MSG_OOB)
		msg.msg_flags |= MSG_OOB;
	if (nfds) {
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		msg.msg_control = kzalloc(msg.msg_controllen, GFP_KERNEL);
		if (!msg.msg_control)
			return -ENOMEM;
		n = ckpt_unix_fds(ctx, in, &msg, nfds);
	}
	if (!n) {
		/* connected for this one message */
		unix_state_lock(sk);
		sock_hold(to);
		unix_peer(sk) = to;
		sk->sk_state = TCP_ESTABLISHED;
		unix_state_unlock(sk);

		n = kernel_sendmsg(from, &msg, &vec, 1, vec.iov_len);

		unix_state_lock(sk);
		unix_peer(sk) = NULL;
		sk->sk_state = TCP_CLOSE;
		unix_state_unlock(sk);
		sock_put(to);
		if (n >= 0)
			n = n == vec.iov_len ? 0 : -ENOBUFS;
	}
	if (nfds) {
		ckpt_unix_close(&msg);
		kfree(msg.msg_control);
	}
	return n;
}

/**
 * ckpt_unix_queue_read() - queue a message
 * @ctx: the restart
 * @in: the record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_queue_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_unix_queue *rec = (const void *)in->fixed;
	u32 nfds = le32_to_cpu(rec->nfds), flags = le32_to_cpu(rec->flags), old;
	struct ckpt_obj *obj = ckpt_unix_get(ctx, in, in->objref, NULL), *from;
	struct ckpt_unix_rt *rt, *frt;
	struct pid *pid = NULL;
	struct sock *sk;
	int err;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	from = ckpt_unix_get(ctx, in, le32_to_cpu(rec->sender), obj);
	if (IS_ERR(from))
		return PTR_ERR(from);
	rt = obj->priv;
	frt = from->priv;
	sk = obj->ptr;
	if (nfds > SCM_MAX_FD || in->var_len < nfds * 4 || flags & ~3u ||
	    !rt->has_state || !frt->sock ||
	    (sk->sk_type != SOCK_DGRAM && le32_to_cpu(rt->state.state) != TCP_ESTABLISHED) ||
	    (sk->sk_type == SOCK_STREAM && in->var_len == nfds * 4) ||
	    (flags & CKPT_UNIX_MSG_OOB &&
	     (sk->sk_type != SOCK_STREAM || in->var_len != nfds * 4 + 1)) ||
	    le64_to_cpu(rec->tstamp) > KTIME_MAX)
		return ckpt_bad(ctx, in, "the message is out of range");
	if (flags & CKPT_UNIX_MSG_CRED) {
		if (!ckpt_may_be(le32_to_cpu(rec->uid), le32_to_cpu(rec->gid)))
			return ckpt_err(ctx, -EPERM, "image offset %llu: a message was sent by uid %u, which the caller cannot become",
					in->offset, le32_to_cpu(rec->uid));
		pid = ckpt_pid_named(le32_to_cpu(rec->pid));
		if (!pid && rec->pid)
			return ckpt_bad(ctx, in, "a pid is out of range");
	}
	old = skb_queue_len(&sk->sk_receive_queue);
	err = ckpt_unix_send(ctx, in, frt->sock, sk, nfds);
	if (err)
		ckpt_err(ctx, err, "image offset %llu: cannot queue a message of an AF_UNIX socket",
			 in->offset);
	else
		ckpt_unix_sign(in, sk, pid, old);
	put_pid(pid);
	return err;
}
