// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: what all sockets have: options, buffer sizes, timeouts, owner.
 * Refuses: BPF filters and maps, timestamping by hardware, sockets bound to a
 * device, options that no one has met yet; sockets of another network
 * namespace.
 * Locks: those of queues, to take references to what waits; else none: the tasks
 * that could change an option are parked.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/jiffies.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <net/net_namespace.h>

#include "../arch/arch.h"
#include "net.h"

/**
 * ckpt_file_sk() - the socket that a file is
 * @file: any file
 *
 * Return: the socket, or NULL: the file is none, or was opened with O_PATH.
 */
struct sock *ckpt_file_sk(struct file *file)
{
	struct socket *sock;

	if (!S_ISSOCK(file_inode(file)->i_mode) || file->f_mode & FMODE_PATH)
		return NULL;
	sock = sock_from_file(file);
	return sock ? sock->sk : NULL;
}

/**
 * ckpt_skbs_take() - references to all that waits in a socket
 * @first: a queue
 * @second: the queue that is read after it, or NULL
 * @n: how many there are
 *
 * They are those of one moment: outsiders may go on sending.
 *
 * Return: the references, the oldest first, to be freed with kvfree(); NULL
 * without memory.
 */
struct sk_buff **ckpt_skbs_take(struct sk_buff_head *first, struct sk_buff_head *second,
				unsigned int *n)
{
	unsigned int cap = skb_queue_len_lockless(first) + 16, len;
	struct sk_buff **skbs, *skb;
	struct sk_buff_head none;

	skb_queue_head_init(&none);
	if (!second)
		second = &none;
	for (*n = 0; ; cap = len + 16) {
		skbs = kvmalloc_array(cap, sizeof(*skbs), GFP_KERNEL);
		if (!skbs)
			return NULL;
		spin_lock_irq(&first->lock);
		spin_lock(&second->lock);
		len = skb_queue_len(first) + skb_queue_len(second);
		if (len <= cap) {
			skb_queue_walk(first, skb)
				skbs[(*n)++] = skb_get(skb);
			skb_queue_walk(second, skb)
				skbs[(*n)++] = skb_get(skb);
		}
		spin_unlock(&second->lock);
		spin_unlock_irq(&first->lock);
		if (len <= cap)
			return skbs;
		kvfree(skbs);
	}
}

static const struct {
	u32 rec;
	enum sock_flags flag;
} ckpt_sock_flags[] = {
	{ CKPT_SO_OOBINLINE, SOCK_URGINLINE },
	{ CKPT_SO_KEEPALIVE, SOCK_KEEPOPEN },
	{ CKPT_SO_LINGER, SOCK_LINGER },
	{ CKPT_SO_BROADCAST, SOCK_BROADCAST },
	{ CKPT_SO_TIMESTAMP, SOCK_RCVTSTAMP },
	{ CKPT_SO_TIMESTAMPNS, SOCK_RCVTSTAMPNS },
	{ CKPT_SO_TIMESTAMP_NEW, SOCK_TSTAMP_NEW },
	{ CKPT_SO_DONTROUTE, SOCK_LOCALROUTE },
	{ CKPT_SO_RXQ_OVFL, SOCK_RXQ_OVFL },
	{ CKPT_SO_RCVMARK, SOCK_RCVMARK },
};

/* state, not options: follows from what else is restored */
#define CKPT_SOCK_STATE	(BIT(SOCK_DEAD) | BIT(SOCK_DONE) | BIT(SOCK_DESTROY) | \
			 BIT(SOCK_TIMESTAMP) | BIT(SOCK_ZAPPED) | \
			 BIT(SOCK_USE_WRITE_QUEUE) | BIT(SOCK_FASYNC) | BIT(SOCK_RCU_FREE))

static const struct {
	u32 rec;
	unsigned int bit;
} ckpt_socket_flags[] = {
	{ CKPT_SO_PASSCRED, SOCK_PASSCRED },
	{ CKPT_SO_PASSSEC, SOCK_PASSSEC },
#ifdef SOCK_PASSPIDFD
	{ CKPT_SO_PASSPIDFD, SOCK_PASSPIDFD },
#endif
};

static u64 ckpt_timeo_ns(long timeo)
{
	return timeo == MAX_SCHEDULE_TIMEOUT ? ~0ULL : jiffies64_to_nsecs(timeo);
}

static long ckpt_timeo(__le64 rec)
{
	u64 ns = le64_to_cpu(rec);

	return ns == ~0ULL ? MAX_SCHEDULE_TIMEOUT :
	       min_t(u64, nsecs_to_jiffies64(ns), MAX_SCHEDULE_TIMEOUT - 1);
}

/* options that few know of, and nobody who saves a socket asks for */
static bool ckpt_sock_rare(struct sock *sk)
{
#ifdef CONFIG_NET_RX_BUSY_POLL
	if (sk->sk_ll_usec || sk->sk_prefer_busy_poll)
		return true;
#endif
	/* only sockets of the internet have the default of the namespace */
	if ((sk->sk_family == AF_INET || sk->sk_family == AF_INET6) &&
	    sk->sk_txrehash != SOCK_TXREHASH_DEFAULT &&
	    sk->sk_txrehash != READ_ONCE(sock_net(sk)->core.sysctl_txrehash))
		return true;
	return sk->sk_reserved_mem;
}

/**
 * ckpt_sock_save() - save what all sockets have
 * @ctx: the checkpoint
 * @task: who has it
 * @sk: the socket; it may have no file, and be closed
 * @rec: filled in
 *
 * Return: 0 or a negative errno.
 */
int ckpt_sock_save(struct ckpt_ctx *ctx, struct task_struct *task,
		   struct sock *sk, struct ckpt_sock *rec)
{
	struct user_namespace *ns = current_user_ns();
	struct socket *sock = sk->sk_socket;
	unsigned long left = sk->sk_flags & ~CKPT_SOCK_STATE;
	u32 flags = 0;
	unsigned int i;

	rec->type = cpu_to_le32(sk->sk_type);
	/* one without a file belongs to nobody */
	rec->uid = cpu_to_le32(from_kuid(ns, current_uid()));
	rec->gid = cpu_to_le32(from_kgid(ns, current_gid()));
	for (i = 0; i < ARRAY_SIZE(ckpt_sock_flags); i++) {
		if (left & BIT(ckpt_sock_flags[i].flag))
			flags |= ckpt_sock_flags[i].rec;
		left &= ~BIT(ckpt_sock_flags[i].flag);
	}
	for (i = 0; sock && i < ARRAY_SIZE(ckpt_socket_flags); i++)
		if (test_bit(ckpt_socket_flags[i].bit, &sock->flags))
			flags |= ckpt_socket_flags[i].rec;
	if (sock) {
		if (rcu_access_pointer(sk->sk_filter) || sk->sk_user_data)
			ckpt_refuse(ctx, task, "socket-filter",
				    "socket:[%lu] has a BPF filter or is in a BPF map",
				    SOCK_INODE(sock)->i_ino);
		if (left || sk->sk_tsflags || sk->sk_bound_dev_if || ckpt_sock_rare(sk))
			ckpt_refuse(ctx, task, "socket-option",
				    "socket:[%lu] has options that cannot be saved (flags %#lx, timestamping %#x, device %d)",
				    SOCK_INODE(sock)->i_ino, left,
				    (unsigned int)sk->sk_tsflags, sk->sk_bound_dev_if);
		if (!net_eq(sock_net(sk), current->nsproxy->net_ns))
			ckpt_refuse(ctx, task, "namespace",
				    "socket:[%lu] belongs to another network namespace than the caller",
				    SOCK_INODE(sock)->i_ino);
		rec->mode = cpu_to_le32(SOCK_INODE(sock)->i_mode & S_IALLUGO);
		rec->uid = cpu_to_le32(from_kuid(ns, SOCK_INODE(sock)->i_uid));
		rec->gid = cpu_to_le32(from_kgid(ns, SOCK_INODE(sock)->i_gid));
	}
	rec->flags = cpu_to_le32(flags);
	rec->sndbuf = cpu_to_le32(sk->sk_sndbuf);
	rec->rcvbuf = cpu_to_le32(sk->sk_rcvbuf);
	rec->rcvlowat = cpu_to_le32(sk->sk_rcvlowat);
	rec->locks = cpu_to_le32((sk->sk_userlocks & SOCK_SNDBUF_LOCK ? 1 : 0) |
				 (sk->sk_userlocks & SOCK_RCVBUF_LOCK ? 2 : 0));
	rec->priority = cpu_to_le32(sk->sk_priority);
	rec->mark = cpu_to_le32(sk->sk_mark);
	rec->backlog = cpu_to_le32(sk->sk_max_ack_backlog);
	rec->peek_off = cpu_to_le32(sk->sk_peek_off);
	if (flags & CKPT_SO_LINGER)
		rec->linger = cpu_to_le32(min_t(u64, sk->sk_lingertime / HZ, INT_MAX / HZ));
	rec->rcvtimeo_ns = cpu_to_le64(ckpt_timeo_ns(sk->sk_rcvtimeo));
	rec->sndtimeo_ns = cpu_to_le64(ckpt_timeo_ns(sk->sk_sndtimeo));
	return 0;
}

/* ---- restart ---- */

/**
 * ckpt_may_be() - whether the current task could take these ids
 * @uid: user id in its user namespace
 * @gid: group id
 *
 * Return: true if it could.
 */
bool ckpt_may_be(u32 uid, u32 gid)
{
	const struct cred *cred = current_cred();
	kuid_t kuid = make_kuid(cred->user_ns, uid);
	kgid_t kgid = make_kgid(cred->user_ns, gid);

	if (!uid_valid(kuid) || !gid_valid(kgid))
		return false;
	if (!uid_eq(kuid, cred->uid) && !uid_eq(kuid, cred->euid) &&
	    !uid_eq(kuid, cred->suid) && !ns_capable(cred->user_ns, CAP_SETUID))
		return false;
	return gid_eq(kgid, cred->gid) || gid_eq(kgid, cred->egid) ||
	       gid_eq(kgid, cred->sgid) || ns_capable(cred->user_ns, CAP_SETGID);
}

/**
 * ckpt_sock_check() - check what an image says of a socket
 * @ctx: the restart
 * @in: the record
 * @rec: the part of it that all sockets have
 *
 * Return: 0 or a negative errno: -EPERM for what the caller could not set.
 */
int ckpt_sock_check(struct ckpt_ctx *ctx, const struct ckpt_in *in,
		    const struct ckpt_sock *rec)
{
	struct user_namespace *ns = current->nsproxy->net_ns->user_ns;
	u32 snd = le32_to_cpu(rec->sndbuf), rcv = le32_to_cpu(rec->rcvbuf);

	if (le32_to_cpu(rec->flags) & ~CKPT_SO_ALL || le32_to_cpu(rec->locks) & ~3u ||
	    snd < SOCK_MIN_SNDBUF / 2 || snd > INT_MAX / 2 ||
	    rcv < SOCK_MIN_RCVBUF / 2 || rcv > INT_MAX / 2 ||
	    le32_to_cpu(rec->rcvlowat) > INT_MAX ||
	    (s32)le32_to_cpu(rec->peek_off) < -1 ||
	    le32_to_cpu(rec->linger) > INT_MAX / HZ ||
	    le32_to_cpu(rec->mode) & ~S_IALLUGO)
		return ckpt_bad(ctx, in, "an option of the socket is out of range");
	if ((snd > 2 * READ_ONCE(sysctl_wmem_max) || rcv > 2 * READ_ONCE(sysctl_rmem_max) ||
	     le32_to_cpu(rec->mark) || le32_to_cpu(rec->priority) > 6) &&
	    !ns_capable(ns, CAP_NET_ADMIN))
		return ckpt_err(ctx, -EPERM, "image offset %llu: the buffers, priority or mark of the socket need CAP_NET_ADMIN",
				in->offset);
	if (!ckpt_may_be(le32_to_cpu(rec->uid), le32_to_cpu(rec->gid)))
		return ckpt_err(ctx, -EPERM, "image offset %llu: the socket belongs to uid %u, which the caller cannot become",
				in->offset, le32_to_cpu(rec->uid));
	return 0;
}

/**
 * ckpt_sock_set() - give a new socket its options
 * @sk: the socket; nobody else uses it
 * @rec: what ckpt_sock_check() has passed
 */
void ckpt_sock_set(struct sock *sk, const struct ckpt_sock *rec)
{
	struct user_namespace *ns = current_user_ns();
	struct socket *sock = sk->sk_socket;
	u32 flags = le32_to_cpu(rec->flags);
	unsigned int i;

	if (flags & CKPT_SO_TIMESTAMP)
		sock_enable_timestamps(sk);
	for (i = 0; i < ARRAY_SIZE(ckpt_sock_flags); i++)
		sock_valbool_flag(sk, ckpt_sock_flags[i].flag, flags & ckpt_sock_flags[i].rec);
	for (i = 0; sock && i < ARRAY_SIZE(ckpt_socket_flags); i++)
		if (flags & ckpt_socket_flags[i].rec)
			set_bit(ckpt_socket_flags[i].bit, &sock->flags);
	sk->sk_sndbuf = le32_to_cpu(rec->sndbuf);
	sk->sk_rcvbuf = le32_to_cpu(rec->rcvbuf);
	sk->sk_rcvlowat = le32_to_cpu(rec->rcvlowat);
	if (le32_to_cpu(rec->locks) & 1)
		sk->sk_userlocks |= SOCK_SNDBUF_LOCK;
	if (le32_to_cpu(rec->locks) & 2)
		sk->sk_userlocks |= SOCK_RCVBUF_LOCK;
	sk->sk_priority = le32_to_cpu(rec->priority);
	sk->sk_mark = le32_to_cpu(rec->mark);
	sk->sk_max_ack_backlog = le32_to_cpu(rec->backlog);
	sk->sk_peek_off = le32_to_cpu(rec->peek_off);
	if (flags & CKPT_SO_LINGER)
		sk->sk_lingertime = le32_to_cpu(rec->linger) * HZ;
	sk->sk_rcvtimeo = ckpt_timeo(rec->rcvtimeo_ns);
	sk->sk_sndtimeo = ckpt_timeo(rec->sndtimeo_ns);
	sk->sk_uid = make_kuid(ns, le32_to_cpu(rec->uid));
	if (sock) {
		SOCK_INODE(sock)->i_mode = S_IFSOCK | le32_to_cpu(rec->mode);
		SOCK_INODE(sock)->i_uid = make_kuid(ns, le32_to_cpu(rec->uid));
		SOCK_INODE(sock)->i_gid = make_kgid(ns, le32_to_cpu(rec->gid));
	}
}

/**
 * ckpt_pid_named() - a pid for what only remembers it
 * @nr: its number in the current pid namespace
 *
 * A process that was already dead at the checkpoint is named on by credentials.
 * When no process has the number, this makes a pid that no process has and
 * that no lookup finds; it is like one whose process has gone.
 *
 * Return: the pid with a reference, NULL without memory or for no valid number.
 */
struct pid *ckpt_pid_named(u32 nr)
{
	struct pid_namespace *ns = task_active_pid_ns(current), *up = ns;
	struct pid *pid;
	int i;

	if (!nr || nr > PID_MAX_LIMIT)
		return NULL;
	rcu_read_lock();
	pid = get_pid(find_vpid(nr));
	rcu_read_unlock();
	if (pid)
		return pid;
	/* put_pid() frees into this cache and drops the namespace */
	pid = kmem_cache_zalloc(ns->pid_cachep, GFP_KERNEL);
	if (!pid)
		return NULL;
	get_pid_ns(ns);
	refcount_set(&pid->count, 1);
	spin_lock_init(&pid->lock);
	for (i = 0; i < PIDTYPE_MAX; i++)
		INIT_HLIST_HEAD(&pid->tasks[i]);
	INIT_HLIST_HEAD(&pid->inodes);
	init_waitqueue_head(&pid->wait_pidfd);
	pid->level = ns->level;
	for (i = ns->level; i >= 0; i--) {
		pid->numbers[i].ns = up;
		pid->numbers[i].nr = i == ns->level ? nr : 0;
		up = up->parent;
	}
	return pid;
}

/**
 * ckpt_peer_cred() - credentials for SO_PEERCRED and SO_PEERGROUPS
 * @ctx: the restart
 * @in: the record that refers to them
 * @ref: objref of a CRED
 *
 * They tell who somebody was and give no rights: the capability sets are empty.
 *
 * Return: the credentials with a reference, or an ERR_PTR.
 */
const struct cred *ckpt_peer_cred(struct ckpt_ctx *ctx, const struct ckpt_in *in,
				  u32 ref)
{
	struct ckpt_obj *obj = ckpt_obj_get(ctx, in, ref, CKPT_OBJ_CRED);
	struct user_namespace *ns = current_user_ns();
	const struct ckpt_cred *rec;
	struct group_info *gi;
	const __le32 *groups;
	struct ckpt_in *cin;
	struct cred *cred;
	u32 i, n, uid, gid;

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	cin = obj->ptr;
	rec = (const void *)cin->fixed;
	groups = (const void *)cin->var;
	n = le32_to_cpu(rec->ngroups);
	uid = le32_to_cpu(rec->euid);
	gid = le32_to_cpu(rec->egid);
	if (!ckpt_may_be(uid, gid))
		goto perm;
	gi = groups_alloc(n);
	if (!gi)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < n; i++) {
		gi->gid[i] = make_kgid(ns, le32_to_cpu(groups[i]));
		if (!gid_valid(gi->gid[i]) ||
		    (!in_group_p(gi->gid[i]) && !ns_capable(ns, CAP_SETGID))) {
			put_group_info(gi);
			goto perm;
		}
	}
	groups_sort(gi);
	cred = prepare_creds();
	if (!cred) {
		put_group_info(gi);
		return ERR_PTR(-ENOMEM);
	}
	set_groups(cred, gi);
	put_group_info(gi);
	cred->euid = make_kuid(ns, uid);
	cred->egid = make_kgid(ns, gid);
	cap_clear(cred->cap_inheritable);
	cap_clear(cred->cap_permitted);
	cap_clear(cred->cap_effective);
	cap_clear(cred->cap_ambient);
	return cred;
perm:
	return ERR_PTR(ckpt_err(ctx, -EPERM, "image offset %llu: the peer of a socket was uid %u, which the caller cannot become",
				in->offset, uid));
}

/* whether some thread is in a call that may have moved a part, on a socket without SO_RCVLOWAT */
static bool ckpt_any_partial(struct ckpt_ctx *ctx)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;

	if (ctx->partial_known)
		return ctx->partial;
	ctx->partial = false;
	list_for_each_entry(proc, &ctx->procs, node)
		list_for_each_entry(t, &proc->threads, node)
			if (t->in_place && ckpt_arch_partial_fd(t->task, false) >= 0)
				ctx->partial = true;
	ctx->partial_known = true;
	return ctx->partial;
}

/**
 * ckpt_sock_partial() - whether a thread may have moved a part of its bytes
 * @ctx: the checkpoint, in its window
 * @file: the socket's
 * @sk: the socket
 *
 * Begun again, such a call would move once more what it has moved.
 *
 * Return: whether to refuse it, with CKPT_SOCK_PARTIAL.
 */
bool ckpt_sock_partial(struct ckpt_ctx *ctx, struct ckpt_obj *file, struct sock *sk)
{
	bool lowat = READ_ONCE(sk->sk_rcvlowat) > 1, partial = false;
	struct ckpt_proc *proc;
	struct ckpt_thread *t;
	int fd;

	if (!lowat && !ckpt_any_partial(ctx))
		return false;
	list_for_each_entry(proc, &ctx->procs, node) {
		list_for_each_entry(t, &proc->threads, node) {
			if (!t->in_place)
				continue;
			fd = ckpt_arch_partial_fd(t->task, lowat);
			rcu_read_lock();
			if (fd >= 0 && t->task->files &&
			    files_lookup_fd_raw(t->task->files, fd) == file->ptr)
				partial = true;
			rcu_read_unlock();
		}
	}
	return partial;
}
