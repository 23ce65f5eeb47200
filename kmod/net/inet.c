// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: sockets of IPv4 and IPv6: TCP and MPTCP that listen, are bound, were
 * never connected, or whose connection is closed for good; UDP, bound and
 * connected; what a TCP connection has in common with them, the rest is tcp.c's.
 * Options are inetopt.c's, the queue of a UDP socket is udpq.c's.
 * Refuses: connections that wait for accept(), unread data of a closed
 * connection, multicast groups, IP options, flow labels, TCP-MD5, TLS, BPF.
 * Connections that are being made or of MPTCP, and other protocols are of no
 * kind at all.
 * Restart takes the address with the caller's rights; one that is taken is an
 * error.
 * Locks: lock_sock in the callees; the tasks that use it are parked.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/inetdevice.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/inet_connection_sock.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/sock_reuseport.h>
#include <net/tcp_states.h>

#include "net.h"
#include "../files/files.h"

static bool ckpt_inet_match(struct file *file)
{
	struct sock *sk = ckpt_file_sk(file);

	if (!sk || (sk->sk_family != AF_INET && sk->sk_family != AF_INET6))
		return false;
	if (sk->sk_type == SOCK_DGRAM)
		return sk->sk_protocol == IPPROTO_UDP;
	if (sk->sk_type != SOCK_STREAM)
		return false;
	if (ckpt_tcp_connected(sk))
		return true;
	if (sk->sk_state != TCP_CLOSE && sk->sk_state != TCP_LISTEN)
		return false;
	if (sk->sk_protocol == IPPROTO_MPTCP)
		return sk->sk_socket->state == SS_UNCONNECTED;
	return sk->sk_protocol == IPPROTO_TCP;
}

/* ---- checkpoint ---- */

static bool ckpt_inet6_odd(struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct ipv6_pinfo *np = sk->sk_family == AF_INET6 ? inet6_sk(sk) : NULL;

	/* accept() sets mcast_oif, which means nothing to a stream */
	return np && (rcu_access_pointer(np->ipv6_mc_list) || np->ipv6_ac_list ||
		      rcu_access_pointer(np->ipv6_fl_list) || rcu_access_pointer(np->opt) ||
		      (np->mcast_oif && sk->sk_type != SOCK_STREAM) || np->ucast_oif);
#else
	return false;
#endif
}

static bool ckpt_inet_odd(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);
	struct sock_reuseport *reuse;
	bool odd;

	rcu_read_lock();
	reuse = rcu_dereference(sk->sk_reuseport_cb);
	odd = reuse && rcu_access_pointer(reuse->prog);
	rcu_read_unlock();
	odd |= rcu_access_pointer(inet->mc_list) || rcu_access_pointer(inet->inet_opt) ||
	       (inet->mc_index && sk->sk_type != SOCK_STREAM) || inet->mc_addr ||
	       inet->uc_index;
#ifdef CONFIG_XFRM
	odd |= rcu_access_pointer(sk->sk_policy[0]) || rcu_access_pointer(sk->sk_policy[1]);
#endif
	odd |= sk->sk_max_pacing_rate != ~0UL;
	if (sk->sk_protocol == IPPROTO_TCP) {
		odd |= inet_csk(sk)->icsk_ulp_ops ||
		       rcu_access_pointer(inet_csk(sk)->icsk_accept_queue.fastopenq.ctx);
#ifdef CONFIG_TCP_MD5SIG
		odd |= !!rcu_access_pointer(tcp_sk(sk)->md5sig_info);
#endif
	}
	if (sk->sk_protocol == IPPROTO_UDP)
		odd |= udp_sk(sk)->encap_type || udp_sk(sk)->pending;
	return odd || ckpt_inet6_odd(sk) || !skb_queue_empty(&sk->sk_error_queue);
}

static int ckpt_inet_refuse(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct sock *sk)
{
	struct file *file = obj->ptr;
	unsigned long ino = file_inode(file)->i_ino;

	if (ckpt_inet_odd(sk))
		return ckpt_refuse(ctx, obj->task, "inet",
				   "socket:[%lu] has a multicast group, IP options, a BPF program, errors to be read, or more that cannot be saved; close it",
				   ino);
	if (sk->sk_state == TCP_LISTEN && vfs_poll(file, NULL) & EPOLLIN)
		return ckpt_refuse(ctx, obj->task, "tcp-accept",
				   "connections wait in socket:[%lu], port %u, for accept(); try again when they are taken",
				   ino, inet_sk(sk)->inet_num);
	if (sk->sk_type == SOCK_STREAM && sk->sk_state == TCP_CLOSE &&
	    !skb_queue_empty(&sk->sk_receive_queue))
		return ckpt_refuse(ctx, obj->task, "tcp-established",
				   "socket:[%lu] is of a closed connection and has data to be read",
				   ino);
	return 0;
}

static void ckpt_inet_addrs(struct sock *sk, struct ckpt_file_inet *rec)
{
	struct inet_sock *inet = inet_sk(sk);

	rec->port = cpu_to_le32(inet->inet_num);
	if (le32_to_cpu(rec->state) == TCP_ESTABLISHED)
		rec->peer_port = cpu_to_le32(ntohs(inet->inet_dport));
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		memcpy(rec->addr, &sk->sk_v6_rcv_saddr, 16);
		if (le32_to_cpu(rec->state) == TCP_ESTABLISHED)
			memcpy(rec->peer, &sk->sk_v6_daddr, 16);
		return;
	}
#endif
	memcpy(rec->addr, &inet->inet_rcv_saddr, 4);
	if (le32_to_cpu(rec->state) == TCP_ESTABLISHED)
		memcpy(rec->peer, &inet->inet_daddr, 4);
}

static int ckpt_inet_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct socket *sock = sock_from_file(obj->ptr);
	struct sock *sk = sock->sk;
	struct ckpt_inet_opt *opts;
	struct ckpt_file_inet *rec;
	u32 flags = 0, backlog;
	int n, err;
	bool conn;

	/* once: it may be closed at any moment */
	conn = ckpt_tcp_connected(sk);
	if (!conn && ckpt_obj_find(ctx, sk, CKPT_OBJ_TCP))
		return ckpt_refuse(ctx, obj->task, "tcp-established",
				   "a TCP connection on port %u is just being closed; try again",
				   inet_sk(sk)->inet_num);
	err = ckpt_inet_refuse(ctx, obj, sk);
	if (err)
		return err;
	opts = kcalloc(CKPT_INET_OPTS + 1, sizeof(*opts), GFP_KERNEL);
	if (!opts)
		return -ENOMEM;
	err = -ENOMEM;
	n = ckpt_inet_options(sock, opts, &backlog);
	if (n < 0) {
		err = n;
		goto out;
	}
	rec = ckpt_out(ctx, CKPT_REC_FILE_INET, obj->objref, sizeof(*rec), n * sizeof(*opts));
	if (!rec)
		goto out;
	memcpy(rec + 1, opts, n * sizeof(*opts));
	ckpt_file_common(ctx, obj, &rec->f);
	err = ckpt_sock_save(ctx, obj->task, sk, &rec->sk);
	if (err)
		goto out;
	if (sk->sk_reuse)
		flags |= CKPT_INET_REUSEADDR;
	if (sk->sk_reuseport)
		flags |= CKPT_INET_REUSEPORT;
	if (sk->sk_no_check_tx)
		flags |= CKPT_INET_NO_CHECK;
	if (sk->sk_userlocks & SOCK_BINDADDR_LOCK)
		flags |= CKPT_INET_ADDR;
	if (sk->sk_userlocks & SOCK_BINDPORT_LOCK)
		flags |= CKPT_INET_PORT;
	if (sock_flag(sk, SOCK_DONE))
		flags |= CKPT_INET_DONE;
	rec->family = cpu_to_le32(sk->sk_family);
	rec->protocol = cpu_to_le32(sk->sk_protocol);
	/* how far a connection is closed is in its TCP record */
	rec->state = cpu_to_le32(conn ? TCP_ESTABLISHED : sk->sk_state);
	rec->socket_state = cpu_to_le32(sock->state);
	rec->shutdown = cpu_to_le32(sk->sk_shutdown);
	rec->err = cpu_to_le32(sk->sk_err);
	rec->flags = cpu_to_le32(flags);
	rec->nopts = cpu_to_le32(n);
	rec->sk.backlog = cpu_to_le32(backlog);
	ckpt_inet_addrs(sk, rec);
	if (sk->sk_protocol == IPPROTO_UDP)
		err = ckpt_udp_queue(ctx, obj, sk);
	else if (conn)
		err = ckpt_tcp_checkpoint(ctx, obj);
out:
	kfree(opts);
	return err;
}

/* ---- restart ---- */

static int ckpt_inet_check(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_inet *rec = (const void *)in->fixed;
	u32 type = le32_to_cpu(rec->sk.type), state = le32_to_cpu(rec->state);
	u32 proto = le32_to_cpu(rec->protocol), nopts = le32_to_cpu(rec->nopts);
	bool udp = proto == IPPROTO_UDP, conn = state == TCP_ESTABLISHED;

	if ((le32_to_cpu(rec->family) != AF_INET && le32_to_cpu(rec->family) != AF_INET6) ||
	    (!udp && proto != IPPROTO_TCP && proto != IPPROTO_MPTCP) ||
	    type != (udp ? SOCK_DGRAM : SOCK_STREAM))
		return ckpt_bad(ctx, in, "its protocol is out of range");
	if (state != TCP_CLOSE && !(conn && proto != IPPROTO_MPTCP) &&
	    (udp || state != TCP_LISTEN))
		return ckpt_bad(ctx, in, "its state is out of range");
	if (le32_to_cpu(rec->port) > U16_MAX || le32_to_cpu(rec->peer_port) > U16_MAX ||
	    (state != TCP_CLOSE && !rec->port) ||
	    (rec->peer_port ? !conn : conn && !udp))
		return ckpt_bad(ctx, in, "its addresses do not fit its state");
	if (le32_to_cpu(rec->flags) & ~CKPT_INET_ALL || le32_to_cpu(rec->shutdown) > 3 ||
	    le32_to_cpu(rec->err) > MAX_ERRNO ||
	    le32_to_cpu(rec->socket_state) < SS_UNCONNECTED ||
	    le32_to_cpu(rec->socket_state) > SS_DISCONNECTING ||
	    (proto != IPPROTO_TCP && le32_to_cpu(rec->socket_state) != SS_UNCONNECTED) ||
	    le32_to_cpu(rec->sk.backlog) > INT_MAX)
		return ckpt_bad(ctx, in, "a setting is out of range");
	if (nopts > CKPT_INET_OPTS ||
	    in->var_len != nopts * sizeof(struct ckpt_inet_opt))
		return ckpt_bad(ctx, in, "the number of its options is out of range");
	return ckpt_sock_check(ctx, in, &rec->sk);
}

static int ckpt_inet_reuse(struct socket *sock, u32 flags)
{
	struct sock *sk = sock->sk;
	int on = 1, err = 0;

	sk->sk_no_check_tx = !!(flags & CKPT_INET_NO_CHECK);
	if (sk->sk_protocol != IPPROTO_MPTCP) {
		sk->sk_reuse = flags & CKPT_INET_REUSEADDR ? SK_CAN_REUSE : SK_NO_REUSE;
		sk->sk_reuseport = !!(flags & CKPT_INET_REUSEPORT);
		return 0;
	}
	/* it has sockets inside */
	if (flags & CKPT_INET_REUSEADDR)
		err = sock->ops->setsockopt(sock, SOL_SOCKET, SO_REUSEADDR,
					    KERNEL_SOCKPTR(&on), sizeof(on));
	if (!err && flags & CKPT_INET_REUSEPORT)
		err = sock->ops->setsockopt(sock, SOL_SOCKET, SO_REUSEPORT,
					    KERNEL_SOCKPTR(&on), sizeof(on));
	return err;
}

/**
 * ckpt_inet_sockaddr() - make an address
 * @ss: filled in
 * @family: AF_INET or AF_INET6
 * @addr: 4 or 16 bytes
 * @port: port
 *
 * Return: its length.
 */
int ckpt_inet_sockaddr(struct sockaddr_storage *ss, u32 family, const u8 *addr, __le32 port)
{
	struct sockaddr_in6 *sin6 = (void *)ss;
	struct sockaddr_in *sin = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (family == AF_INET6) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(le32_to_cpu(port));
		memcpy(&sin6->sin6_addr, addr, 16);
		return sizeof(*sin6);
	}
	sin->sin_family = AF_INET;
	sin->sin_port = htons(le32_to_cpu(port));
	memcpy(&sin->sin_addr, addr, 4);
	return sizeof(*sin);
}

/* an address that was chosen by connect() is chosen again */
static int ckpt_inet_bind(struct ckpt_ctx *ctx, const struct ckpt_file_inet *rec,
			  struct socket *sock)
{
	u32 family = le32_to_cpu(rec->family), flags = le32_to_cpu(rec->flags);
	/* not the port: a UDP socket may be connected to port 0 */
	bool conn = le32_to_cpu(rec->state) == TCP_ESTABLISHED;
	static const u8 any[16];
	struct sockaddr_storage ss;
	struct sock *sk = sock->sk;
	int len, err;

	if (rec->port) {
		len = ckpt_inet_sockaddr(&ss, family,
					 conn && !(flags & CKPT_INET_ADDR) ?
					 any : rec->addr, rec->port);
		err = kernel_bind(sock, (struct sockaddr *)&ss, len);
		if (err)
			return ckpt_err(ctx, err, "a %s socket cannot be bound to %pISpc%s",
					sk->sk_type == SOCK_DGRAM ? "UDP" : "TCP", &ss,
					err == -EADDRINUSE ? ": the address is in use" :
					err == -EADDRNOTAVAIL ? ": no device has it" : "");
	}
	if (conn) {
		len = ckpt_inet_sockaddr(&ss, family, rec->peer, rec->peer_port);
		err = kernel_connect(sock, (struct sockaddr *)&ss, len, 0);
		if (err)
			return ckpt_err(ctx, err, "a UDP socket cannot be connected to %pISpc",
					&ss);
	}
	lock_sock(sk);
	sk->sk_userlocks &= ~(SOCK_BINDADDR_LOCK | SOCK_BINDPORT_LOCK);
	if (flags & CKPT_INET_ADDR)
		sk->sk_userlocks |= SOCK_BINDADDR_LOCK;
	if (flags & CKPT_INET_PORT)
		sk->sk_userlocks |= SOCK_BINDPORT_LOCK;
	sk->sk_shutdown = le32_to_cpu(rec->shutdown);
	sk->sk_err = le32_to_cpu(rec->err);
	if (flags & CKPT_INET_DONE)
		sock_set_flag(sk, SOCK_DONE);
	release_sock(sk);
	sock->state = le32_to_cpu(rec->socket_state);
	return 0;
}

static struct file *ckpt_inet_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_inet *rec = (const void *)in->fixed;
	struct socket *sock;
	int err;

	err = ckpt_inet_check(ctx, in);
	if (err)
		return ERR_PTR(err);
	err = sock_create(le32_to_cpu(rec->family), le32_to_cpu(rec->sk.type),
			  le32_to_cpu(rec->protocol), &sock);
	if (err)
		return ERR_PTR(err);
	ckpt_sock_set(sock->sk, &rec->sk);
	err = ckpt_inet_reuse(sock, le32_to_cpu(rec->flags));
	if (!err)
		err = ckpt_inet_set_options(ctx, in, sock);
	/* a connection gets its address together with its other end */
	if (!err && !(le32_to_cpu(rec->protocol) == IPPROTO_TCP && rec->peer_port))
		err = ckpt_inet_bind(ctx, rec, sock);
	if (err) {
		sock_release(sock);
		return ERR_PTR(err);
	}
	/* releases the socket when it fails */
	return sock_alloc_file(sock, 0, NULL);
}

/**
 * ckpt_inet_listen() - begin to listen
 * @ctx: the restart
 * @obj: the file of a listener
 *
 * From here on clients can connect.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_inet_listen(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct socket *sock = sock_from_file(obj->ptr);
	const struct ckpt_inet_rt *rt = obj->priv;
	int err;

	if (sock->sk->sk_state == TCP_LISTEN)
		return 0;
	err = kernel_listen(sock, le32_to_cpu(rt->rec.sk.backlog));
	if (err)
		ckpt_err(ctx, err, "cannot listen on port %u%s", le32_to_cpu(rt->rec.port),
			 err == -EADDRINUSE ? ": it is in use" : "");
	return err;
}

/**
 * ckpt_inet_connection() - what is known of a TCP connection
 * @obj: any object of a restart
 *
 * Return: it, or NULL if the object is none.
 */
struct ckpt_inet_rt *ckpt_inet_connection(struct ckpt_obj *obj)
{
	struct ckpt_inet_rt *rt;

	if (!obj || obj->type != CKPT_OBJ_FILE || obj->kind != &ckpt_file_inet)
		return NULL;
	rt = obj->priv;
	return rt && rt->rec.peer_port ? rt : NULL;
}

static int ckpt_inet_restored(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_file_inet *rec = (const void *)in->fixed;
	struct ckpt_inet_rt *rt;
	unsigned int i;

	if (le32_to_cpu(rec->protocol) == IPPROTO_UDP)
		obj->data = ckpt_udp_data;
	if (le32_to_cpu(rec->protocol) == IPPROTO_UDP || le32_to_cpu(rec->state) == TCP_CLOSE)
		return 0;
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	rt->rec = *rec;
	for (i = 0; i < CKPT_TCP_QUEUES; i++)
		INIT_LIST_HEAD(&rt->queue[i]);
	obj->priv = rt;
	if (le32_to_cpu(rec->state) == TCP_LISTEN)
		obj->last = ckpt_inet_listen;
	else
		obj->data = ckpt_tcp_data;
	return 0;
}

static void ckpt_inet_drop(struct ckpt_obj *obj)
{
	struct ckpt_inet_rt *rt = obj->priv;
	unsigned int i;

	for (i = 0; rt && i < CKPT_TCP_QUEUES; i++)
		ckpt_tcp_queue_free(&rt->queue[i]);
	kfree(rt);
}

const struct ckpt_file_kind ckpt_file_inet = {
	.name = "inet",
	.rec = CKPT_REC_FILE_INET,
	.match = ckpt_inet_match,
	.collect = ckpt_tcp_collect,
	.checkpoint = ckpt_inet_checkpoint,
	.restart = ckpt_inet_restart,
	.restored = ckpt_inet_restored,
	.drop = ckpt_inet_drop,
};
