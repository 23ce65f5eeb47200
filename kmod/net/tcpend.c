// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restart of what tcp.c saves. Two sockets are connected without a packet, as
 * TCP_REPAIR does, which needs CAP_NET_ADMIN; when both are complete they send
 * what is left to be sent, and say what is at its end. Nobody else has them yet.
 * Refuses: addresses that are not this machine's.
 * Locks: lock_sock of one end at a time.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/tcp.h>
#include <net/inet_timewait_sock.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "net.h"

struct ckpt_tcp_end {
	struct socket *sock;
	bool orphan;			/* it is closed as soon as it has sent all */
	u32 lowat;			/* TCP_NOTSENT_LOWAT */
	struct ckpt_file_inet rec;
	struct ckpt_tcp tcp;
	struct list_head *rcv, *snd;
};

static struct ckpt_tuple ckpt_tuple_rec(const struct ckpt_file_inet *rec)
{
	struct ckpt_tuple t = {
		.lport = le32_to_cpu(rec->port), .rport = le32_to_cpu(rec->peer_port),
	};
	__be32 v4;

	if (le32_to_cpu(rec->family) == AF_INET6) {
		memcpy(&t.laddr, rec->addr, sizeof(t.laddr));
		memcpy(&t.raddr, rec->peer, sizeof(t.raddr));
		return t;
	}
	memcpy(&v4, rec->addr, sizeof(v4));
	ipv6_addr_set_v4mapped(v4, &t.laddr);
	memcpy(&v4, rec->peer, sizeof(v4));
	ipv6_addr_set_v4mapped(v4, &t.raddr);
	return t;
}

static bool ckpt_tcp_has(const struct ckpt_tcp_end *e, u32 flag)
{
	return le32_to_cpu(e->tcp.flags) & flag;
}

/*
 * A socket that nobody has open any more may wait long for an answer of another
 * one. Where that one lives, and is not our new one, the connection is not ours.
 */
static void ckpt_tcp_bury(struct sock *sk, const struct sock *mine)
{
	struct ckpt_tuple t = ckpt_tuple_mirror(ckpt_tuple_of(sk));
	struct sock *other = ckpt_tuple_find(sock_net(sk), &t);
	bool lives = other && other != mine && sk_fullsock(other) &&
		     !sock_flag(other, SOCK_DEAD);

	if (other)
		sock_gen_put(other);
	if (lives)
		return;
	lock_sock(sk);
	local_bh_disable();
	bh_lock_sock(sk);
	if (sock_flag(sk, SOCK_DEAD) && sk->sk_state != TCP_CLOSE)
		tcp_done(sk);
	bh_unlock_sock(sk);
	local_bh_enable();
	release_sock(sk);
}

/* what a killed connection has left is taken away, or ends by itself in a moment */
static int ckpt_tcp_connect(struct ckpt_ctx *ctx, struct ckpt_tcp_end *e,
			    const struct sock *mine)
{
	struct ckpt_tuple t = ckpt_tuple_rec(&e->rec);
	struct sockaddr_storage ss;
	struct sock *old;
	int len, err, tries;

	len = ckpt_inet_sockaddr(&ss, le32_to_cpu(e->rec.family), e->rec.peer, e->rec.peer_port);
	for (tries = 0; tries < 100; tries++) {
		err = kernel_connect(e->sock, (struct sockaddr *)&ss, len, 0);
		if (err != -EADDRNOTAVAIL)
			break;
		old = ckpt_tuple_find(sock_net(e->sock->sk), &t);
		if (!old)
			break;
		if (old->sk_state == TCP_TIME_WAIT) {
			ckpt_tcp_forget(inet_twsk(old));
			continue;
		}
		if (sk_fullsock(old))
			ckpt_tcp_bury(old, mine);
		sock_gen_put(old);
		if (schedule_timeout_killable(HZ / 50) && fatal_signal_pending(current))
			return -EINTR;
	}
	if (err)
		return ckpt_err(ctx, err, "a TCP connection from port %u to %pISpc cannot be made again%s",
				le32_to_cpu(e->rec.port), &ss,
				err == -EADDRNOTAVAIL ? ": it exists, or no device has the address" : "");
	/* IP_FREEBIND allows other addresses, but their packets would leave the machine */
	if (!ckpt_tcp_local(e->sock->sk))
		return ckpt_err(ctx, -EADDRNOTAVAIL, "a TCP connection to %pISpc cannot be made again: no device has the address",
				&ss);
	return 0;
}

/* makes one end that is connected and has sent and got nothing; no packet leaves */
static int ckpt_tcp_begin(struct ckpt_ctx *ctx, struct ckpt_tcp_end *e,
			  const struct sock *mine)
{
	struct sock *sk = e->sock->sk;
	struct tcp_sock *tp = tcp_sk(sk);
	struct sockaddr_storage ss;
	int on = TCP_REPAIR_ON, tsval = le32_to_cpu(e->tcp.tsval), len, err;

	err = e->sock->ops->setsockopt(e->sock, SOL_TCP, TCP_REPAIR, KERNEL_SOCKPTR(&on),
				       sizeof(on));
	if (err)
		return ckpt_err(ctx, err, "a TCP connection can be made again only with CAP_NET_ADMIN");
	err = e->sock->ops->setsockopt(e->sock, SOL_TCP, TCP_TIMESTAMP, KERNEL_SOCKPTR(&tsval),
				       sizeof(tsval));
	if (err)
		return err;
	lock_sock(sk);
	WRITE_ONCE(tp->write_seq, le32_to_cpu(e->tcp.snd_seq));
	WRITE_ONCE(tp->rcv_nxt, le32_to_cpu(e->tcp.rcv_seq));
	WRITE_ONCE(tp->copied_seq, le32_to_cpu(e->tcp.rcv_seq));
	release_sock(sk);
	len = ckpt_inet_sockaddr(&ss, le32_to_cpu(e->rec.family), e->rec.addr, e->rec.port);
	err = kernel_bind(e->sock, (struct sockaddr *)&ss, len);
	if (err)
		return ckpt_err(ctx, err, "a TCP connection cannot be bound to %pISpc%s", &ss,
				err == -EADDRNOTAVAIL ? ": no device has the address" : "");
	err = ckpt_tcp_connect(ctx, e, mine);
	if (err)
		return err;
	/* the queues are filled: what was in them was within the limits */
	lock_sock(sk);
	tp->repair_queue = TCP_RECV_QUEUE;
	sk->sk_rcvbuf = INT_MAX / 4;
	sk->sk_sndbuf = INT_MAX / 4;
	e->lowat = tp->notsent_lowat;
	WRITE_ONCE(tp->notsent_lowat, UINT_MAX);
	release_sock(sk);
	return ckpt_tcp_fill(e->sock, e->rcv);
}

/* what the two had agreed on; nothing has been sent since they were connected */
static void ckpt_tcp_settle(struct ckpt_tcp_end *e, const struct ckpt_tcp_end *other)
{
	struct sock *sk = e->sock->sk;
	struct tcp_sock *tp = tcp_sk(sk);

	lock_sock(sk);
	tp->rx_opt.user_mss = le32_to_cpu(e->tcp.user_mss);
	tp->rx_opt.mss_clamp = le32_to_cpu(e->tcp.mss);
	tp->advmss = le32_to_cpu(e->tcp.advmss);
	if (ckpt_tcp_has(e, CKPT_TCP_SACK))
		tp->rx_opt.sack_ok |= TCP_SACK_SEEN;
	tp->rx_opt.wscale_ok = ckpt_tcp_has(e, CKPT_TCP_WSCALE);
	tp->rx_opt.snd_wscale = le32_to_cpu(other->tcp.wscale);
	tp->rx_opt.rcv_wscale = le32_to_cpu(e->tcp.wscale);
	tp->tcp_header_len = sizeof(struct tcphdr);
	if (ckpt_tcp_has(e, CKPT_TCP_TSTAMP)) {
		tp->rx_opt.tstamp_ok = 1;
		tp->rx_opt.ts_recent = le32_to_cpu(other->tcp.tsval);
		tp->rx_opt.ts_recent_stamp = ktime_get_seconds();
		tp->tcp_header_len += TCPOLEN_TSTAMP_ALIGNED;
	}
	if (ckpt_tcp_has(e, CKPT_TCP_ECN))
		tp->ecn_flags |= TCP_ECN_OK;
	tp->window_clamp = le32_to_cpu(e->tcp.window_clamp);
	tp->rcv_ssthresh = le32_to_cpu(e->tcp.rcv_ssthresh);
	tp->rcv_wup = tp->rcv_nxt;
	tp->rcv_wnd = le32_to_cpu(e->tcp.rcv_wnd);
	tp->snd_wnd = le32_to_cpu(other->tcp.rcv_wnd);
	tp->max_window = max(tp->snd_wnd, le32_to_cpu(other->tcp.rcv_ssthresh));
	tcp_init_wl(tp, tp->rcv_nxt);
	tp->pred_flags = 0;
	tcp_mtup_init(sk);
	/* the size of segments is found again when the first is sent */
	inet_csk(sk)->icsk_pmtu_cookie = 0;
	release_sock(sk);
}

static void ckpt_tcp_repaired(struct ckpt_tcp_end *e)
{
	struct sock *sk = e->sock->sk;

	lock_sock(sk);
	tcp_sk(sk)->repair = 0;
	tcp_sk(sk)->repair_queue = TCP_NO_QUEUE;
	sk->sk_reuse = le32_to_cpu(e->rec.flags) & CKPT_INET_REUSEADDR ? SK_CAN_REUSE :
		       SK_NO_REUSE;
	release_sock(sk);
}

static int ckpt_tcp_fin(struct ckpt_tcp_end *e)
{
	if (!e->orphan)
		return kernel_sock_shutdown(e->sock, SHUT_WR);
	if (e->sock)
		sock_release(e->sock);
	e->sock = NULL;
	return 0;
}

/* an end that knew the end of the stream must not see it come a moment later */
static int ckpt_tcp_fin_known(struct ckpt_ctx *ctx, struct ckpt_tcp_end *e,
			      struct ckpt_tcp_end *other)
{
	unsigned long end = jiffies + 30 * HZ;
	int err;

	if (!ckpt_tcp_has(e, CKPT_TCP_FIN_IN))
		return 0;
	err = ckpt_tcp_fin(other);
	while (!err && !sock_flag(e->sock->sk, SOCK_DONE)) {
		if (time_after(jiffies, end))
			return ckpt_err(ctx, -ETIMEDOUT, "a TCP connection on port %u does not pass its packets on; is there a packet filter?",
					le32_to_cpu(e->rec.port));
		schedule_timeout_killable(1);
		if (fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

/* from here on it may send */
static int ckpt_tcp_go(struct ckpt_tcp_end *e, struct ckpt_tcp_end *other)
{
	u32 flags = le32_to_cpu(e->rec.flags);
	struct sock *sk;
	int err;

	if (!e->sock)
		return 0;
	sk = e->sock->sk;
	err = ckpt_tcp_fill(e->sock, e->snd);
	if (!err && ckpt_tcp_has(e, CKPT_TCP_FIN_OUT) && !ckpt_tcp_has(other, CKPT_TCP_FIN_IN))
		err = ckpt_tcp_fin(e);
	if (err || !e->sock)
		return err;
	lock_sock(sk);
	WRITE_ONCE(tcp_sk(sk)->notsent_lowat, e->lowat);
	sk->sk_sndbuf = le32_to_cpu(e->rec.sk.sndbuf);
	sk->sk_userlocks &= ~(SOCK_BINDADDR_LOCK | SOCK_BINDPORT_LOCK);
	if (flags & CKPT_INET_ADDR)
		sk->sk_userlocks |= SOCK_BINDADDR_LOCK;
	if (flags & CKPT_INET_PORT)
		sk->sk_userlocks |= SOCK_BINDPORT_LOCK;
	sk->sk_shutdown |= le32_to_cpu(e->rec.shutdown);
	if (e->rec.err)
		sk->sk_err = le32_to_cpu(e->rec.err);
	release_sock(sk);
	return 0;
}

static void ckpt_tcp_rcvbuf(struct ckpt_tcp_end *e)
{
	if (!e->sock)
		return;
	lock_sock(e->sock->sk);
	e->sock->sk->sk_rcvbuf = le32_to_cpu(e->rec.sk.rcvbuf);
	release_sock(e->sock->sk);
}

static int ckpt_tcp_join(struct ckpt_ctx *ctx, struct ckpt_tcp_end *a, struct ckpt_tcp_end *b)
{
	int err;

	err = ckpt_tcp_begin(ctx, a, b->sock->sk);
	if (!err)
		err = ckpt_tcp_begin(ctx, b, a->sock->sk);
	if (err)
		return err;
	ckpt_tcp_settle(a, b);
	ckpt_tcp_settle(b, a);
	ckpt_tcp_repaired(a);
	ckpt_tcp_repaired(b);
	err = ckpt_tcp_fin_known(ctx, a, b);
	if (!err && !b->orphan)
		err = ckpt_tcp_fin_known(ctx, b, a);
	if (err)
		return err;
	ckpt_tcp_rcvbuf(a);
	ckpt_tcp_rcvbuf(b);
	err = ckpt_tcp_go(b, a);
	return err ? err : ckpt_tcp_go(a, b);
}

static bool ckpt_tcp_fits(const struct ckpt_tcp_end *a, const struct ckpt_tcp_end *b)
{
	struct ckpt_tuple t = ckpt_tuple_rec(&a->rec), other = ckpt_tuple_rec(&b->rec);
	u32 agreed = CKPT_TCP_SACK | CKPT_TCP_TSTAMP | CKPT_TCP_WSCALE;

	t = ckpt_tuple_mirror(t);
	if (memcmp(&t, &other, sizeof(t)))
		return false;
	/* who knows that the other end will send no more has got all of it */
	if (ckpt_tcp_has(a, CKPT_TCP_FIN_IN) &&
	    (!ckpt_tcp_has(b, CKPT_TCP_FIN_OUT) || b->tcp.snd_len))
		return false;
	return a->tcp.snd_seq == cpu_to_le32(le32_to_cpu(b->tcp.rcv_seq) +
					     le32_to_cpu(b->tcp.rcv_len)) &&
	       !((le32_to_cpu(a->tcp.flags) ^ le32_to_cpu(b->tcp.flags)) & agreed);
}

static void ckpt_tcp_end(struct ckpt_tcp_end *e, struct ckpt_obj *obj, struct ckpt_inet_rt *rt)
{
	*e = (struct ckpt_tcp_end){
		.sock = sock_from_file(obj->ptr), .rec = rt->rec, .tcp = rt->tcp,
		.rcv = &rt->queue[CKPT_TCP_RCV], .snd = &rt->queue[CKPT_TCP_SND],
	};
	rt->done = true;
}

/* the other end is a socket that is closed as soon as it has sent what it has */
static int ckpt_tcp_join_orphan(struct ckpt_ctx *ctx, struct ckpt_tcp_end *a,
				struct ckpt_inet_rt *rt)
{
	LIST_HEAD(none);
	struct ckpt_tcp_end b = {
		.orphan = true, .rec = a->rec, .tcp = a->tcp,
		.rcv = &none, .snd = &rt->queue[CKPT_TCP_ORPHAN],
	};
	int err;

	b.rec.port = a->rec.peer_port;
	b.rec.peer_port = a->rec.port;
	memcpy(b.rec.addr, a->rec.peer, sizeof(b.rec.addr));
	memcpy(b.rec.peer, a->rec.addr, sizeof(b.rec.peer));
	b.rec.flags = 0;
	b.rec.err = 0;
	b.rec.shutdown = 0;
	b.tcp.flags &= ~cpu_to_le32(CKPT_TCP_FIN_IN);
	b.tcp.flags |= cpu_to_le32(CKPT_TCP_FIN_OUT);
	b.tcp.snd_seq = cpu_to_le32(le32_to_cpu(a->tcp.rcv_seq) + le32_to_cpu(a->tcp.rcv_len));
	b.tcp.rcv_seq = a->tcp.snd_seq;
	b.tcp.rcv_len = 0;
	b.tcp.snd_len = a->tcp.orphan_len;
	b.tcp.rcv_wnd = cpu_to_le32(U16_MAX);
	if (!ckpt_tcp_fits(a, &b))
		return ckpt_err(ctx, -EBADMSG, "the ends of a TCP connection do not fit each other");
	err = sock_create(le32_to_cpu(b.rec.family), SOCK_STREAM, IPPROTO_TCP, &b.sock);
	if (err)
		return err;
	b.sock->sk->sk_ipv6only = 0;
	err = ckpt_tcp_join(ctx, a, &b);
	if (b.sock)
		sock_release(b.sock);
	return err;
}

static bool ckpt_tcp_complete(const struct ckpt_inet_rt *rt)
{
	return rt->has_tcp && rt->have[CKPT_TCP_RCV] == le32_to_cpu(rt->tcp.rcv_len) &&
	       rt->have[CKPT_TCP_SND] == le32_to_cpu(rt->tcp.snd_len) &&
	       rt->have[CKPT_TCP_ORPHAN] == le32_to_cpu(rt->tcp.orphan_len);
}

static int ckpt_tcp_connect_one(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
				struct ckpt_inet_rt *rt)
{
	struct ckpt_inet_rt *prt;
	struct ckpt_obj *peer;
	struct ckpt_tcp_end a, b;

	if (!ckpt_tcp_complete(rt))
		return ckpt_err(ctx, -EBADMSG, "object %u: a TCP connection is not complete",
				obj->objref);
	if (rt->done)
		return 0;
	ckpt_tcp_end(&a, obj, rt);
	if (!rt->tcp.peer)
		return ckpt_tcp_join_orphan(ctx, &a, rt);
	peer = xa_load(&ctx->refs_xa, le32_to_cpu(rt->tcp.peer));
	prt = ckpt_inet_connection(peer);
	if (!prt || prt->done || le32_to_cpu(prt->tcp.peer) != obj->objref ||
	    !ckpt_tcp_complete(prt))
		return ckpt_err(ctx, -EBADMSG, "object %u: a TCP connection has no other end",
				obj->objref);
	ckpt_tcp_end(&b, peer, prt);
	if (!ckpt_tcp_fits(&a, &b) || !ckpt_tcp_fits(&b, &a))
		return ckpt_err(ctx, -EBADMSG, "object %u: the ends of a TCP connection do not fit each other",
				obj->objref);
	return ckpt_tcp_join(ctx, &a, &b);
}

/**
 * ckpt_tcp_connect_all() - connect the sockets again
 * @ctx: the restart; all objects are there, nothing watches them yet
 *
 * A listener that shares its port with a connection must have had it first.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tcp_connect_all(struct ckpt_ctx *ctx)
{
	struct ckpt_inet_rt *rt;
	struct ckpt_obj *obj;
	bool any = false;
	int err = 0;

	list_for_each_entry(obj, &ctx->obj_list, node)
		any |= !!ckpt_inet_connection(obj);
	if (!any)
		return 0;
	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->last == ckpt_inet_listen)
			err = ckpt_inet_listen(ctx, obj);
		if (err)
			return err;
	}
	list_for_each_entry(obj, &ctx->obj_list, node) {
		rt = ckpt_inet_connection(obj);
		if (rt)
			err = ckpt_tcp_connect_one(ctx, obj, rt);
		if (err)
			return err;
	}
	return 0;
}

/**
 * ckpt_tcp_unmake() - let connections end without a word
 * @ctx: a restart that has failed, but still holds its files
 */
void ckpt_tcp_unmake(struct ckpt_ctx *ctx)
{
	struct ckpt_inet_rt *rt;
	struct ckpt_obj *obj;
	struct sock *sk;

	list_for_each_entry(obj, &ctx->obj_list, node) {
		rt = ckpt_inet_connection(obj);
		if (!rt || !rt->done)
			continue;
		sk = sock_from_file(obj->ptr)->sk;
		lock_sock(sk);
		tcp_sk(sk)->repair = 1;
		release_sock(sk);
	}
}
