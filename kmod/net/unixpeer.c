// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: connections of AF_UNIX sockets, pending ones in a backlog too, what
 * shutdown() and errors left, whom SO_PEERCRED names. A socket that is closed
 * but still named by others is saved as a ghost.
 * Refuses: a peer that lives outside of the tree.
 * Locks: unix_state_lock and sk_peer_lock, each alone.
 */
#include <linux/fdtable.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/af_unix.h>
#include <net/tcp_states.h>

#include "net.h"
#include "../files/files.h"

static int ckpt_unix_is(const void *file, struct file *candidate, unsigned int fd)
{
	return candidate == file;
}

/* who has a file open; only a name for a message, so no reference is kept */
static pid_t ckpt_unix_owner(const struct file *file, char *comm)
{
	struct task_struct *p;
	pid_t pid = 0;

	rcu_read_lock();
	for_each_process(p) {
		task_lock(p);
		if (p->files && iterate_fd(p->files, 0, ckpt_unix_is, file)) {
			pid = task_tgid_vnr(p);
			memcpy(comm, p->comm, TASK_COMM_LEN);
		}
		task_unlock(p);
		if (pid)
			break;
	}
	rcu_read_unlock();
	return pid;
}

static void ckpt_unix_label(struct sock *sk, char *buf, size_t size)
{
	/* pairs with the release in bind(): what it points to is complete */
	struct unix_address *addr = smp_load_acquire(&unix_sk(sk)->addr);
	int len = addr ? addr->len - offsetof(struct sockaddr_un, sun_path) : 0;
	struct socket *sock = READ_ONCE(sk->sk_socket);

	if (len <= 0)
		scnprintf(buf, size, "socket:[%lu]", sock ? SOCK_INODE(sock)->i_ino : 0);
	else if (addr->name->sun_path[0])
		scnprintf(buf, size, "socket:[%lu] (%.*s)", sock ? SOCK_INODE(sock)->i_ino : 0,
			  len, addr->name->sun_path);
	else
		scnprintf(buf, size, "socket:[%lu] (@%.*s)", sock ? SOCK_INODE(sock)->i_ino : 0,
			  len - 1, addr->name->sun_path + 1);
}

/**
 * ckpt_unix_leave() - leave a socket behind
 * @obj: the socket
 *
 * What others say of it is said of a ghost; its queue stays behind.
 */
void ckpt_unix_leave(struct ckpt_obj *obj)
{
	struct ckpt_unix_cp *cp = obj->priv;

	cp->file = NULL;
	cp->walked = false;
	while (cp->n)
		kfree_skb(cp->skbs[--cp->n]);
}

/**
 * ckpt_unix_leak() - refuse a socket whose peer lives outside of the tree
 * @ctx: the checkpoint; everything is collected
 * @obj: the socket
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_leak(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_unix_cp *cp = obj->priv, *pcp;
	char mine[160], other[160], comm[TASK_COMM_LEN] = "";
	struct sock *sk = obj->ptr, *peer;
	struct ckpt_obj *pobj;
	struct file *file;
	pid_t pid = 0;

	if (!cp->file && !cp->listener)
		return 0;
	peer = unix_peer_get(sk);
	if (!peer)
		return 0;
	pobj = ckpt_obj_find(ctx, peer, CKPT_OBJ_UNIX);
	pcp = pobj ? pobj->priv : NULL;
	if (pcp && (sock_flag(peer, SOCK_DEAD) || pcp->file || pcp->listener))
		goto out;
	if (cp->file && ckpt_leak_allowed(ctx, "unix-peer")) {
		cp->file->kind = &ckpt_file_inherit;
		ckpt_unix_leave(obj);
		goto out;
	}
	ckpt_unix_label(sk, mine, sizeof(mine));
	unix_state_lock(peer);
	ckpt_unix_label(peer, other, sizeof(other));
	file = peer->sk_socket ? peer->sk_socket->file : NULL;
	unix_state_unlock(peer);
	if (file)
		pid = ckpt_unix_owner(file, comm);
	ckpt_refuse(ctx, obj->task, "unix-peer",
		    "%s is connected to %s of process %d (%s) outside of the tree; save both together, end the connection first, or leave it behind with --allow-leak unix-peer",
		    mine, other, pid, pid ? comm : "not found");
out:
	sock_put(peer);
	return 0;
}

/**
 * ckpt_unix_ref() - the number of a socket
 * @ctx: the checkpoint
 * @sk: the socket, or NULL
 *
 * Return: its objref, or 0.
 */
u32 ckpt_unix_ref(struct ckpt_ctx *ctx, struct sock *sk)
{
	struct ckpt_obj *obj = sk ? ckpt_obj_find(ctx, sk, CKPT_OBJ_UNIX) : NULL;

	return obj ? obj->objref : 0;
}

/**
 * ckpt_unix_peer_checkpoint() - save how a socket stands to others
 * @ctx: the checkpoint
 * @obj: the socket
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_peer_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_unix_cp *cp = obj->priv;
	struct ckpt_unix_peer *rec;
	struct sock *sk = obj->ptr;
	struct ckpt_obj *cred;

	rec = ckpt_out(ctx, CKPT_REC_UNIX_PEER, obj->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	rec->peer = cpu_to_le32(ckpt_unix_ref(ctx, unix_peer(sk)));
	if (cp->listener)
		rec->listener = cpu_to_le32(cp->listener->objref);
	rec->state = cpu_to_le32(sk->sk_state);
	rec->shutdown = cpu_to_le32(sk->sk_shutdown);
	rec->err = cpu_to_le32(sk->sk_err);
	spin_lock(&sk->sk_peer_lock);
	cred = sk->sk_peer_cred ? ckpt_obj_find(ctx, sk->sk_peer_cred, CKPT_OBJ_CRED) : NULL;
	rec->cred = cpu_to_le32(cred ? cred->objref : 0);
	rec->cred_pid = cpu_to_le32(pid_vnr(sk->sk_peer_pid));
	spin_unlock(&sk->sk_peer_lock);
	return 0;
}

/* ---- restart ---- */

/**
 * ckpt_unix_get() - find a socket of the image
 * @ctx: the restart
 * @in: the record that refers to it
 * @ref: its objref
 * @like: a socket whose type it must have, or NULL
 *
 * Return: its object, or an ERR_PTR after logging what is wrong.
 */
struct ckpt_obj *ckpt_unix_get(struct ckpt_ctx *ctx, struct ckpt_in *in,
			       u32 ref, struct ckpt_obj *like)
{
	struct ckpt_obj *obj = ckpt_obj_get(ctx, in, ref, CKPT_OBJ_UNIX);

	if (!IS_ERR(obj) && like &&
	    ((struct sock *)obj->ptr)->sk_type != ((struct sock *)like->ptr)->sk_type)
		return ERR_PTR(ckpt_bad(ctx, in, "it connects sockets of different types"));
	return obj;
}

/**
 * ckpt_unix_peer_read() - note how a socket stands to others
 * @ctx: the restart
 * @in: the record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_peer_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_unix_peer *rec = (const void *)in->fixed;
	struct ckpt_obj *obj = ckpt_unix_get(ctx, in, in->objref, NULL), *other;
	u32 state = le32_to_cpu(rec->state), flags;
	struct ckpt_unix_rt *rt, *ort;
	struct sock *sk;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rt = obj->priv;
	sk = obj->ptr;
	flags = le32_to_cpu(rt->rec.flags);
	if (rt->has_state || flags & CKPT_UNIX_GHOST ||
	    (state != TCP_ESTABLISHED && state != TCP_CLOSE && state != TCP_LISTEN) ||
	    (state == TCP_LISTEN && (sk->sk_type == SOCK_DGRAM || rec->peer ||
				     !rt->rec.addr_len)) ||
	    (sk->sk_type != SOCK_DGRAM && (state == TCP_ESTABLISHED) != !!rec->peer) ||
	    !rec->listener != !(flags & CKPT_UNIX_EMBRYO) ||
	    (rec->listener && state != TCP_ESTABLISHED) ||
	    le32_to_cpu(rec->shutdown) & ~SHUTDOWN_MASK || le32_to_cpu(rec->err) >= MAX_ERRNO)
		return ckpt_bad(ctx, in, "the state of the socket is out of range");
	if (rec->peer) {
		other = ckpt_unix_get(ctx, in, le32_to_cpu(rec->peer), obj);
		if (IS_ERR(other))
			return PTR_ERR(other);
		rt->mate = other->priv;
		rt->peer = other->ptr;
		sock_hold(rt->peer);
	}
	if (rec->listener) {
		other = ckpt_unix_get(ctx, in, le32_to_cpu(rec->listener), obj);
		if (IS_ERR(other))
			return PTR_ERR(other);
		ort = other->priv;
		if (!ort->has_state || le32_to_cpu(ort->state.state) != TCP_LISTEN)
			return ckpt_bad(ctx, in, "it waits for a socket that does not listen");
		rt->listener = other->ptr;
		sock_hold(rt->listener);
		/* before files are queued: the collector of cycles asks for it */
		unix_sk(sk)->listener = rt->listener;
	}
	if (rec->cred) {
		const struct cred *cred = ckpt_peer_cred(ctx, in, le32_to_cpu(rec->cred));

		if (IS_ERR(cred))
			return PTR_ERR(cred);
		rt->cred = cred;
		rt->pid = ckpt_pid_named(le32_to_cpu(rec->cred_pid));
		if (!rt->pid && rec->cred_pid)
			return ckpt_bad(ctx, in, "a pid is out of range");
	}
	rt->state = *rec;
	rt->has_state = true;
	return 0;
}

/* what connect() leaves in the queue of a listener: a socket without a file */
static int ckpt_unix_embryo(struct ckpt_unix_rt *rt, struct sock *sk)
{
	struct socket *sock = rt->sock;
	struct sk_buff *skb;

	skb = sock_wmalloc(sk, 1, 0, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	write_lock_bh(&sk->sk_callback_lock);
	sk_set_socket(sk, NULL);
	RCU_INIT_POINTER(sk->sk_wq, &unix_sk(sk)->peer_wq);
	write_unlock_bh(&sk->sk_callback_lock);
	sock->sk = NULL;
	rt->sock = NULL;
	sock_release(sock);
	/* its reference goes with the message */
	skb_queue_tail(&rt->listener->sk_receive_queue, skb);
	return 0;
}

static int ckpt_unix_settle(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_unix_rt *rt = obj->priv;
	struct sock *sk = obj->ptr;
	u32 state = le32_to_cpu(rt->state.state);

	if (!rt->has_state || (!rt->file && !(le32_to_cpu(rt->rec.flags) & CKPT_UNIX_EMBRYO)))
		return ckpt_err(ctx, -EBADMSG, "the image does not tell whose AF_UNIX socket %u is",
				obj->objref);
	/* a listener takes what waits in it for connections, and drops their senders */
	if (rt->mate && sk->sk_type != SOCK_DGRAM &&
	    !(le32_to_cpu(rt->mate->rec.flags) & CKPT_UNIX_GHOST) &&
	    le32_to_cpu(rt->mate->state.state) != TCP_ESTABLISHED)
		return ckpt_err(ctx, -EBADMSG, "AF_UNIX socket %u is connected to one that is not",
				obj->objref);
	ckpt_sock_set(sk, &rt->rec.sk);
	spin_lock(&sk->sk_peer_lock);
	swap(sk->sk_peer_cred, rt->cred);
	swap(sk->sk_peer_pid, rt->pid);
	spin_unlock(&sk->sk_peer_lock);
	unix_state_lock(sk);
	unix_peer(sk) = rt->peer;
	rt->peer = NULL;
	if (state == TCP_ESTABLISHED && sk->sk_type != SOCK_DGRAM)
		rt->sock->state = SS_CONNECTED;
	WRITE_ONCE(sk->sk_state, state);
	WRITE_ONCE(sk->sk_shutdown, le32_to_cpu(rt->state.shutdown));
	WRITE_ONCE(sk->sk_err, le32_to_cpu(rt->state.err));
	unix_state_unlock(sk);
	return 0;
}

/* all at once, by whoever comes first: connections, then backlogs, then the dead */
static int ckpt_unix_settle_all(struct ckpt_ctx *ctx)
{
	struct ckpt_unix_rt *rt;
	struct ckpt_obj *obj;
	int err;

	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type != CKPT_OBJ_UNIX)
			continue;
		rt = obj->priv;
		rt->settled = true;
		if (le32_to_cpu(rt->rec.flags) & CKPT_UNIX_GHOST)
			continue;
		err = ckpt_unix_settle(ctx, obj);
		if (err)
			return err;
	}
	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type != CKPT_OBJ_UNIX)
			continue;
		rt = obj->priv;
		if (le32_to_cpu(rt->rec.flags) & (CKPT_UNIX_EMBRYO | CKPT_UNIX_GHOST)) {
			err = ckpt_unix_name(rt, obj->ptr);
			if (!err && rt->listener)
				err = ckpt_unix_embryo(rt, obj->ptr);
			if (err)
				return err;
		}
		if (le32_to_cpu(rt->rec.flags) & CKPT_UNIX_GHOST) {
			sock_release(rt->sock);
			rt->sock = NULL;
		}
	}
	return 0;
}

/**
 * ckpt_unix_late() - connect the sockets and make them known
 * @ctx: the restart; all queues are filled
 * @obj: one socket
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_late(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_unix_rt *rt = obj->priv;
	int err = 0;

	if (!rt->settled)
		err = ckpt_unix_settle_all(ctx);
	if (!err && rt->sock)
		err = ckpt_unix_bind(ctx, rt, obj->ptr);
	return err;
}
