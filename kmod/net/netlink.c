// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: netlink sockets: port, groups, options, destination, errors, and the
 * messages that wait with who sent them.
 * Refuses: protocols that keep more for a port than can be seen (generic
 * netlink, netfilter, connector and others), once the socket has a port; the
 * socket of the audit daemon; one whose dump is not read to its end.
 * Restart takes the port with the caller's rights; one that is taken is an
 * error. Groups are joined last: what waits comes before what is new.
 * Locks: that of the queue, to take references.
 */
#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "net.h"
#include "../files/files.h"
#include "../files/mirror.h"
#include "../ksym.h"

#define CKPT_NL_MAX	(512u << 10)
#define CKPT_NL_GROUPS	4096

/* those that keep nothing for a port */
static const u8 ckpt_nl_protocols[] = {
	NETLINK_ROUTE, NETLINK_USERSOCK, NETLINK_SOCK_DIAG, NETLINK_XFRM, NETLINK_SELINUX,
	NETLINK_AUDIT, NETLINK_FIB_LOOKUP, NETLINK_KOBJECT_UEVENT, NETLINK_CRYPTO,
};

/* NETLINK_F_* of net/netlink/af_netlink.h, as bits */
static const struct {
	u32 rec;
	unsigned int bit;
	int opt;
} ckpt_nl_options[] = {
	{ CKPT_NETLINK_PKTINFO, 1, NETLINK_PKTINFO },
	{ CKPT_NETLINK_BROADCAST_ERROR, 2, NETLINK_BROADCAST_ERROR },
	{ CKPT_NETLINK_NO_ENOBUFS, 3, NETLINK_NO_ENOBUFS },
	{ CKPT_NETLINK_ALL_NSID, 4, NETLINK_LISTEN_ALL_NSID },
	{ CKPT_NETLINK_CAP_ACK, 5, NETLINK_CAP_ACK },
	{ CKPT_NETLINK_EXT_ACK, 6, NETLINK_EXT_ACK },
	{ CKPT_NETLINK_STRICT_CHK, 7, NETLINK_GET_STRICT_CHK },
};

/* NETLINK_S_CONGESTED */
#define CKPT_NL_CONGESTED	0

static struct ckpt_m_netlink_sock *ckpt_nlk(struct sock *sk)
{
	return container_of(sk, struct ckpt_m_netlink_sock, sk);
}

static bool ckpt_netlink_match(struct file *file)
{
	struct sock *sk = ckpt_file_sk(file);

	if (!sk || sk->sk_family != AF_NETLINK)
		return false;
	return !ckpt_nlk(sk)->bound ||
	       memchr(ckpt_nl_protocols, sk->sk_protocol, sizeof(ckpt_nl_protocols));
}

/* ---- checkpoint ---- */

static int ckpt_netlink_save(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct sk_buff *skb,
			     bool last)
{
	struct user_namespace *ns = current_user_ns();
	struct netlink_skb_parms *cb = &NETLINK_CB(skb);
	struct ckpt_netlink_msg *msg;
	struct ckpt_data *data;

	if (skb->len > CKPT_NL_MAX)
		return ckpt_refuse(ctx, obj->task, "netlink",
				   "a message of %u bytes waits in socket:[%lu]; try again when it is read",
				   skb->len, file_inode(obj->ptr)->i_ino);
	data = ckpt_out(ctx, CKPT_REC_DATA, obj->objref, sizeof(*data), sizeof(*msg) + skb->len);
	if (!data)
		return -ENOMEM;
	data->flags = cpu_to_le32(CKPT_DATA_PACKET | (last ? CKPT_DATA_LAST : 0));
	msg = (void *)(data + 1);
	msg->portid = cpu_to_le32(cb->portid);
	msg->dst_group = cpu_to_le32(cb->dst_group);
	msg->pid = cpu_to_le32(cb->creds.pid);
	msg->uid = cpu_to_le32(from_kuid_munged(ns, cb->creds.uid));
	msg->gid = cpu_to_le32(from_kgid_munged(ns, cb->creds.gid));
	if (cb->nsid_is_set) {
		msg->flags = cpu_to_le32(CKPT_NETLINK_MSG_NSID);
		msg->nsid = cpu_to_le32(cb->nsid);
	}
	return skb_copy_bits(skb, 0, msg + 1, skb->len);
}

static int ckpt_netlink_queue(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct sock *sk)
{
	unsigned int n, i;
	struct sk_buff **skbs = ckpt_skbs_take(&sk->sk_receive_queue, NULL, &n);
	int err = 0;

	if (!skbs)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		if (!err)
			err = ckpt_netlink_save(ctx, obj, skbs[i], i == n - 1);
		kfree_skb(skbs[i]);
	}
	kvfree(skbs);
	return err;
}

static bool ckpt_netlink_audits(struct ckpt_obj *obj, struct sock *sk)
{
#ifdef CONFIG_AUDIT
	return sk->sk_protocol == NETLINK_AUDIT && K(auditd_test_task)(obj->task);
#else
	return false;
#endif
}

static int ckpt_netlink_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct sock *sk = sock_from_file(obj->ptr)->sk;
	struct ckpt_m_netlink_sock *nlk = ckpt_nlk(sk);
	unsigned long ino = file_inode(obj->ptr)->i_ino;
	struct ckpt_file_netlink *rec;
	u32 flags = 0, len, i;
	int err;

	if (READ_ONCE(nlk->cb_running))
		return ckpt_refuse(ctx, obj->task, "netlink",
				   "socket:[%lu] has a dump that is not read to its end; try again", ino);
	if (ckpt_netlink_audits(obj, sk))
		return ckpt_refuse(ctx, obj->task, "netlink",
				   "socket:[%lu] may be that through which the audit daemon gets its records", ino);
	len = nlk->groups ? DIV_ROUND_UP(min_t(u32, nlk->ngroups, CKPT_NL_GROUPS), 8) : 0;
	rec = ckpt_out(ctx, CKPT_REC_FILE_NETLINK, obj->objref, sizeof(*rec), len);
	if (!rec)
		return -ENOMEM;
	for (i = 0; i < len; i++)
		((u8 *)(rec + 1))[i] = nlk->groups[i / sizeof(long)] >> i % sizeof(long) * 8;
	ckpt_file_common(ctx, obj, &rec->f);
	err = ckpt_sock_save(ctx, obj->task, sk, &rec->sk);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(ckpt_nl_options); i++)
		if (test_bit(ckpt_nl_options[i].bit, &nlk->flags))
			flags |= ckpt_nl_options[i].rec;
	if (test_bit(CKPT_NL_CONGESTED, &nlk->state))
		flags |= CKPT_NETLINK_CONGESTED;
	rec->protocol = cpu_to_le32(sk->sk_protocol);
	rec->flags = cpu_to_le32(flags);
	rec->portid = cpu_to_le32(nlk->bound ? nlk->portid : 0);
	rec->dst_portid = cpu_to_le32(nlk->dst_portid);
	rec->dst_group = cpu_to_le32(nlk->dst_group);
	rec->err = cpu_to_le32(sk->sk_err);
	return ckpt_netlink_queue(ctx, obj, sk);
}

/* ---- restart ---- */

/* what is not made at once: the groups, and what they have led to */
struct ckpt_netlink_rt {
	u32 flags, err, len;
	u8 groups[];
};

static int ckpt_netlink_join(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct socket *sock = sock_from_file(obj->ptr);
	struct ckpt_netlink_rt *rt = obj->priv;
	u32 group;
	int err;

	for (group = 1; group <= rt->len * 8; group++) {
		if (!(rt->groups[(group - 1) / 8] & BIT((group - 1) % 8)))
			continue;
		err = sock->ops->setsockopt(sock, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
					    KERNEL_SOCKPTR(&group), sizeof(group));
		if (err)
			return ckpt_err(ctx, err, "a netlink socket of protocol %u cannot join group %u",
					sock->sk->sk_protocol, group);
	}
	sock->sk->sk_err = rt->err;
	if (rt->flags & CKPT_NETLINK_CONGESTED)
		set_bit(CKPT_NL_CONGESTED, &ckpt_nlk(sock->sk)->state);
	return 0;
}

static int ckpt_netlink_data(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	struct sock *sk = sock_from_file(obj->ptr)->sk;
	const struct ckpt_netlink_msg *msg = (const void *)in->var;
	struct user_namespace *ns = current_user_ns();
	u32 len;
	struct sk_buff *skb;

	if (in->var_len < sizeof(*msg) || in->var_len - sizeof(*msg) > CKPT_NL_MAX ||
	    le32_to_cpu(msg->flags) & ~CKPT_NETLINK_MSG_NSID ||
	    le32_to_cpu(msg->dst_group) > CKPT_NL_GROUPS ||
	    le32_to_cpu(msg->pid) > PID_MAX_LIMIT)
		return ckpt_bad(ctx, in, "its netlink message is out of range");
	len = in->var_len - sizeof(*msg);
	/* nobody may speak for the kernel or for others who could not configure it */
	if (!ns_capable(sock_net(sk)->user_ns, CAP_NET_ADMIN) ||
	    !ckpt_may_be(le32_to_cpu(msg->uid), le32_to_cpu(msg->gid)))
		return ckpt_err(ctx, -EPERM, "image offset %llu: the messages that wait in a netlink socket need CAP_NET_ADMIN and the rights of uid %u",
				in->offset, le32_to_cpu(msg->uid));
	/* what they take differs a little from what they took, but not without bound */
	if (atomic_read(&sk->sk_rmem_alloc) / 2 > sk->sk_rcvbuf)
		return ckpt_bad(ctx, in, "more messages wait than the buffer holds");
	skb = alloc_skb(len, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	skb_put_data(skb, msg + 1, len);
	memset(skb->cb, 0, sizeof(skb->cb));
	NETLINK_CB(skb).portid = le32_to_cpu(msg->portid);
	NETLINK_CB(skb).dst_group = le32_to_cpu(msg->dst_group);
	NETLINK_CB(skb).creds.pid = le32_to_cpu(msg->pid);
	NETLINK_CB(skb).creds.uid = make_kuid(ns, le32_to_cpu(msg->uid));
	NETLINK_CB(skb).creds.gid = make_kgid(ns, le32_to_cpu(msg->gid));
	NETLINK_CB(skb).nsid_is_set = le32_to_cpu(msg->flags) & CKPT_NETLINK_MSG_NSID;
	NETLINK_CB(skb).nsid = le32_to_cpu(msg->nsid);
	skb_set_owner_r(skb, sk);
	skb_queue_tail(&sk->sk_receive_queue, skb);
	return 0;
}

static int ckpt_netlink_bind(struct ckpt_ctx *ctx, const struct ckpt_file_netlink *rec,
			     struct socket *sock)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_pid = le32_to_cpu(rec->portid) };
	int err, on = 1;
	unsigned int i;

	if (rec->portid) {
		err = kernel_bind(sock, (struct sockaddr *)&addr, sizeof(addr));
		if (err)
			return ckpt_err(ctx, err, "a netlink socket of protocol %d cannot have port %u%s",
					sock->sk->sk_protocol, addr.nl_pid,
					err == -EADDRINUSE ? ": it is in use" : "");
	}
	if (rec->dst_portid || rec->dst_group) {
		addr.nl_pid = le32_to_cpu(rec->dst_portid);
		addr.nl_groups = rec->dst_group ? 1u << (le32_to_cpu(rec->dst_group) - 1) : 0;
		err = kernel_connect(sock, (struct sockaddr *)&addr, sizeof(addr), 0);
		if (err)
			return ckpt_err(ctx, err, "a netlink socket of protocol %d cannot be connected",
					sock->sk->sk_protocol);
	}
	for (i = 0; i < ARRAY_SIZE(ckpt_nl_options); i++) {
		if (!(le32_to_cpu(rec->flags) & ckpt_nl_options[i].rec))
			continue;
		err = sock->ops->setsockopt(sock, SOL_NETLINK, ckpt_nl_options[i].opt,
					    KERNEL_SOCKPTR(&on), sizeof(on));
		if (err)
			return ckpt_err(ctx, err, "a netlink socket cannot have option %d",
					ckpt_nl_options[i].opt);
	}
	return 0;
}

static struct file *ckpt_netlink_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_netlink *rec = (const void *)in->fixed;
	u32 type = le32_to_cpu(rec->sk.type);
	struct socket *sock;
	int err;

	if ((type != SOCK_RAW && type != SOCK_DGRAM) || le32_to_cpu(rec->protocol) >= MAX_LINKS ||
	    le32_to_cpu(rec->flags) & ~CKPT_NETLINK_ALL || le32_to_cpu(rec->err) > MAX_ERRNO ||
	    le32_to_cpu(rec->dst_group) > 32 || in->var_len > CKPT_NL_GROUPS / 8 ||
	    ((rec->dst_portid || rec->dst_group) && !rec->portid))
		return ERR_PTR(ckpt_bad(ctx, in, "a setting of the netlink socket is out of range"));
	err = ckpt_sock_check(ctx, in, &rec->sk);
	if (err)
		return ERR_PTR(err);
	err = sock_create(AF_NETLINK, type, le32_to_cpu(rec->protocol), &sock);
	if (err)
		return ERR_PTR(err);
	ckpt_sock_set(sock->sk, &rec->sk);
	err = ckpt_netlink_bind(ctx, rec, sock);
	if (err) {
		sock_release(sock);
		return ERR_PTR(err);
	}
	/* releases the socket when it fails */
	return sock_alloc_file(sock, 0, NULL);
}

static int ckpt_netlink_restored(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_file_netlink *rec = (const void *)in->fixed;
	struct ckpt_netlink_rt *rt = kzalloc(struct_size(rt, groups, in->var_len), GFP_KERNEL);

	if (!rt)
		return -ENOMEM;
	rt->flags = le32_to_cpu(rec->flags);
	rt->err = le32_to_cpu(rec->err);
	rt->len = in->var_len;
	memcpy(rt->groups, in->var, in->var_len);
	obj->priv = rt;
	obj->data = ckpt_netlink_data;
	obj->last = ckpt_netlink_join;
	return 0;
}

static void ckpt_netlink_drop(struct ckpt_obj *obj)
{
	kfree(obj->priv);
}

const struct ckpt_file_kind ckpt_file_netlink = {
	.name = "netlink",
	.rec = CKPT_REC_FILE_NETLINK,
	.match = ckpt_netlink_match,
	.checkpoint = ckpt_netlink_checkpoint,
	.restart = ckpt_netlink_restart,
	.restored = ckpt_netlink_restored,
	.drop = ckpt_netlink_drop,
};
