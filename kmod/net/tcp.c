// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: TCP connections that have both ends in the tree, or whose other end is
 * closed: addresses, sequence numbers, the bytes in both queues, windows, what
 * the two ends have agreed on, how far they are closed. What is on the way
 * counts as not sent, so nothing of the network itself is saved.
 * Refuses: connections to the outside, to a socket that waits for accept(), of
 * a socket to itself; urgent data, fast open, TCP_SAVE_SYN, repair mode.
 * Restart makes both ends without a packet, as TCP_REPAIR does, which needs
 * CAP_NET_ADMIN; when both are complete they send what is left to be sent.
 * Counters, round trip times and the congestion window begin anew.
 * Locks: lock_sock of both ends at a time, in the order of their addresses.
 */
#include <linux/file.h>
#include <linux/inetdevice.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/addrconf.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/inet_timewait_sock.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/tcp.h>

#include "net.h"
#include "../files/files.h"

#define CKPT_TCP_OPEN	(TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_CLOSE_WAIT | \
			 TCPF_CLOSING | TCPF_LAST_ACK)
/* largest window, and more than any queue holds */
#define CKPT_TCP_MAX	(U16_MAX << TCP_MAX_WSCALE)

/* IPv4 addresses are mapped ones here */
struct ckpt_tuple {
	struct in6_addr laddr, raddr;
	u32 lport, rport;
};

static struct ckpt_tuple ckpt_tuple_of(struct sock *sk)
{
	struct inet_sock *inet = inet_sk(sk);
	struct ckpt_tuple t = {
		.lport = inet->inet_num, .rport = ntohs(inet->inet_dport),
	};

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		t.laddr = sk->sk_v6_rcv_saddr;
		t.raddr = sk->sk_v6_daddr;
		return t;
	}
#endif
	ipv6_addr_set_v4mapped(inet->inet_rcv_saddr, &t.laddr);
	ipv6_addr_set_v4mapped(inet->inet_daddr, &t.raddr);
	return t;
}

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

static struct ckpt_tuple ckpt_tuple_mirror(struct ckpt_tuple t)
{
	swap(t.laddr, t.raddr);
	swap(t.lport, t.rport);
	return t;
}

/* the socket, or what is left of one, with a reference for sock_gen_put() */
static struct sock *ckpt_tuple_find(struct net *net, const struct ckpt_tuple *t)
{
	struct inet_hashinfo *hash = net->ipv4.tcp_death_row.hashinfo;

#if IS_ENABLED(CONFIG_IPV6)
	if (!ipv6_addr_v4mapped(&t->laddr))
		return __inet6_lookup_established(net, hash, &t->raddr, htons(t->rport),
						  &t->laddr, t->lport, 0, 0);
#endif
	return __inet_lookup_established(net, hash, t->raddr.s6_addr32[3], htons(t->rport),
					 t->laddr.s6_addr32[3], t->lport, 0, 0);
}

static struct sock *ckpt_tcp_other(struct sock *sk)
{
	struct ckpt_tuple t = ckpt_tuple_mirror(ckpt_tuple_of(sk));

	return ckpt_tuple_find(sock_net(sk), &t);
}

/* ---- checkpoint ---- */

/**
 * ckpt_tcp_connected() - whether a socket is a TCP connection
 * @sk: any socket of the internet
 *
 * Return: true if it is, half closed or not.
 */
bool ckpt_tcp_connected(struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP &&
	       (1 << READ_ONCE(sk->sk_state)) & CKPT_TCP_OPEN;
}

static bool ckpt_tcp_fin_in(struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_CLOSE_WAIT | TCPF_LAST_ACK | TCPF_CLOSING);
}

static bool ckpt_tcp_fin_out(struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_LAST_ACK |
				      TCPF_CLOSING);
}

static bool ckpt_tcp_local(struct sock *sk)
{
	struct ckpt_tuple t = ckpt_tuple_of(sk);

#if IS_ENABLED(CONFIG_IPV6)
	if (!ipv6_addr_v4mapped(&t.raddr))
		return ipv6_chk_addr(sock_net(sk), &t.raddr, NULL, 0);
#endif
	return inet_addr_type(sock_net(sk), t.raddr.s6_addr32[3]) == RTN_LOCAL;
}

/* nobody has the other end open any more: it is what close() left of a socket, or nothing */
static bool ckpt_tcp_orphan(struct sock *sk, struct sock *other)
{
	if (other && sk_fullsock(other))
		return sock_flag(other, SOCK_DEAD);
	return ckpt_tcp_fin_in(sk) && ckpt_tcp_local(sk) &&
	       (!other || other->sk_state == TCP_TIME_WAIT);
}

static int ckpt_tcp_refuse(struct ckpt_ctx *ctx, struct ckpt_obj *file, const char *why)
{
	struct socket *sock = sock_from_file(file->ptr);
	struct sockaddr_storage mine = {}, other = {};

	kernel_getsockname(sock, (struct sockaddr *)&mine);
	kernel_getpeername(sock, (struct sockaddr *)&other);
	return ckpt_refuse(ctx, file->task, "tcp-established",
			   "the TCP connection from %pISpc to %pISpc %s", &mine, &other, why);
}

/* everything is collected: looks who has the other end */
static int ckpt_tcp_leak(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_obj *file = obj->priv;
	struct sock *sk = obj->ptr, *other;
	int err = 0;

	if (!ckpt_tcp_connected(sk))
		return 0;
	other = ckpt_tcp_other(sk);
	if (other == sk)
		err = ckpt_tcp_refuse(ctx, file, "is of a socket with itself; close it");
	else if ((other && ckpt_obj_find(ctx, other, CKPT_OBJ_TCP)) ||
		 ckpt_tcp_orphan(sk, other))
		err = 0;
	else if (ckpt_leak_allowed(ctx, "tcp-established"))
		file->kind = &ckpt_file_inherit;
	else
		err = ckpt_tcp_refuse(ctx, file,
				      "has its other end outside of the tree, or waits to be accepted; save both together, close it, or leave it behind with --allow-leak tcp-established");
	if (other)
		sock_gen_put(other);
	return err;
}

/**
 * ckpt_tcp_collect() - make the connection of a socket known
 * @ctx: the checkpoint
 * @obj: the file of a socket of the internet
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tcp_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct sock *sk = sock_from_file(obj->ptr)->sk;
	struct ckpt_obj *tcp;

	if (!ckpt_tcp_connected(sk))
		return 0;
	tcp = ckpt_obj_add(ctx, sk, CKPT_OBJ_TCP, obj->task, NULL);
	if (!tcp)
		return -ENOMEM;
	tcp->priv = obj;
	tcp->leak = ckpt_tcp_leak;
	return 0;
}

static const char *ckpt_tcp_odd(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	bool odd = tp->fastopen_connect || tp->fastopen_req ||
		   rcu_access_pointer(tp->fastopen_rsk) || tp->saved_syn;

	if (!((1 << sk->sk_state) & CKPT_TCP_OPEN))
		return "is just being closed; try again";
	if (tp->urg_data || tp->snd_up != tp->snd_una)
		return "has urgent data; try again when it is read";
	if (tp->repair)
		return "is in repair mode";
#if IS_ENABLED(CONFIG_MPTCP)
	odd |= tp->is_mptcp;
#endif
#ifdef CONFIG_TCP_AO
	odd |= !!rcu_access_pointer(tp->ao_info);
#endif
	return odd ? "uses TCP_FASTOPEN, TCP_SAVE_SYN, MPTCP or TCP-AO, which cannot be saved" :
		     NULL;
}

/* sequence numbers without those that the ends of the two streams have */
static u32 ckpt_tcp_rcv_end(struct sock *sk)
{
	return tcp_sk(sk)->rcv_nxt - ckpt_tcp_fin_in(sk);
}

static u32 ckpt_tcp_snd_end(struct sock *sk)
{
	return tcp_sk(sk)->write_seq - ckpt_tcp_fin_out(sk);
}

/* an orphan that is only a timewait socket or gone has nothing to send */
static int ckpt_tcp_save(struct ckpt_ctx *ctx, struct ckpt_obj *file, struct sock *sk,
			 struct sock *other, u32 peer)
{
	struct tcp_sock *tp = tcp_sk(sk);
	u32 rcv_end = ckpt_tcp_rcv_end(sk), got, snd_len, rcv_len, orphan_len = 0, flags = 0;
	struct ckpt_tcp *rec;
	s32 wnd;
	int err;

	got = other && sk_fullsock(other) ? ckpt_tcp_rcv_end(other) : tp->snd_una;
	if (before(ckpt_tcp_snd_end(sk), got))
		got = ckpt_tcp_snd_end(sk);
	snd_len = ckpt_tcp_snd_end(sk) - got;
	/* the end of the stream may have been read, too */
	rcv_len = before(tp->copied_seq, rcv_end) ? rcv_end - tp->copied_seq : 0;
	if (!peer && other && sk_fullsock(other))
		orphan_len = ckpt_tcp_snd_end(other) - rcv_end;
	rec = ckpt_out(ctx, CKPT_REC_TCP, file->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	if (ckpt_tcp_fin_out(sk))
		flags |= CKPT_TCP_FIN_OUT;
	if (ckpt_tcp_fin_in(sk))
		flags |= CKPT_TCP_FIN_IN;
	if (tp->rx_opt.sack_ok)
		flags |= CKPT_TCP_SACK;
	if (tp->rx_opt.tstamp_ok)
		flags |= CKPT_TCP_TSTAMP;
	if (tp->rx_opt.wscale_ok)
		flags |= CKPT_TCP_WSCALE;
	if (tp->ecn_flags & TCP_ECN_OK)
		flags |= CKPT_TCP_ECN;
	/* there was room for the end of the stream where it was taken */
	wnd = tp->rcv_wup + tp->rcv_wnd - rcv_end;
	wnd = max_t(s32, wnd, ckpt_tcp_fin_in(sk));
	rec->peer = cpu_to_le32(peer);
	rec->flags = cpu_to_le32(flags);
	rec->snd_seq = cpu_to_le32(got);
	rec->rcv_seq = cpu_to_le32(rcv_end - rcv_len);
	rec->snd_len = cpu_to_le32(snd_len);
	rec->rcv_len = cpu_to_le32(rcv_len);
	rec->orphan_len = cpu_to_le32(orphan_len);
	rec->rcv_wnd = cpu_to_le32(min_t(u32, wnd, CKPT_TCP_MAX));
	rec->window_clamp = cpu_to_le32(tp->window_clamp);
	rec->rcv_ssthresh = cpu_to_le32(tp->rcv_ssthresh);
	rec->mss = cpu_to_le32(tp->rx_opt.mss_clamp);
	rec->advmss = cpu_to_le32(tp->advmss);
	rec->user_mss = cpu_to_le32(tp->rx_opt.user_mss);
	rec->wscale = cpu_to_le32(tp->rx_opt.rcv_wscale);
	rec->tsval = cpu_to_le32(ckpt_tcp_tsval(tp));
	err = ckpt_tcp_save_queue(ctx, file->objref, sk, CKPT_TCP_RCV, rcv_end - rcv_len, rcv_len);
	if (!err)
		err = ckpt_tcp_save_queue(ctx, file->objref, sk, CKPT_TCP_SND, got, snd_len);
	if (!err && orphan_len)
		err = ckpt_tcp_save_queue(ctx, file->objref, other, CKPT_TCP_ORPHAN, rcv_end,
					  orphan_len);
	return err;
}

/* packets that come meanwhile wait, so nothing is missed or seen twice */
static void ckpt_tcp_lock(struct sock *sk, struct sock *other)
{
	if (other && other < sk)
		swap(sk, other);
	lock_sock(sk);
	if (other)
		lock_sock_nested(other, SINGLE_DEPTH_NESTING);
}

static int ckpt_tcp_save_both(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct sock *sk,
			      struct sock *other)
{
	struct sock *full = other && sk_fullsock(other) ? other : NULL;
	struct ckpt_obj *tcp = full ? ckpt_obj_find(ctx, full, CKPT_OBJ_TCP) : NULL;
	struct ckpt_obj *peer = tcp ? tcp->priv : NULL;
	const char *odd;
	int err;

	/* the second that comes does it for both */
	if (peer && !peer->written)
		return 0;
	ckpt_tcp_lock(sk, full);
	odd = ckpt_tcp_odd(sk);
	if (!odd && full)
		odd = ckpt_tcp_odd(full);
	if (!odd && !peer && !ckpt_tcp_orphan(sk, other))
		odd = "has lost its other end; try again";
	if (odd) {
		err = 0;
	} else {
		err = ckpt_tcp_save(ctx, obj, sk, other, peer ? peer->objref : 0);
		if (!err && peer)
			err = ckpt_tcp_save(ctx, peer, full, sk, obj->objref);
	}
	if (full)
		release_sock(full);
	release_sock(sk);
	return odd ? ckpt_tcp_refuse(ctx, obj, odd) : err;
}

/**
 * ckpt_tcp_checkpoint() - save a connection
 * @ctx: the checkpoint
 * @obj: the file of one end
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tcp_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct sock *sk = sock_from_file(obj->ptr)->sk, *other;
	int err;

	/* it has been refused */
	other = ckpt_tcp_other(sk);
	err = other == sk ? 0 : ckpt_tcp_save_both(ctx, obj, sk, other);
	if (other)
		sock_gen_put(other);
	return err;
}

/**
 * ckpt_tcp_silence() - let connections end without a word
 * @ctx: the checkpoint; the image is complete and the tasks are to be killed
 *
 * Both ends die: the rest that a goodbye leaves would only keep their ports.
 * A socket that is open outside of the tree, too, is left alone.
 */
void ckpt_tcp_silence(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj, *file;
	struct sock *sk, *other;

	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type != CKPT_OBJ_TCP)
			continue;
		sk = obj->ptr;
		file = obj->priv;
		/* threads asleep in a call have a reference each */
		if (file->kind == &ckpt_file_inherit || !ckpt_tcp_connected(sk) ||
		    file_count((struct file *)file->ptr) > file->users + ctx->stats.threads)
			continue;
		other = ckpt_tcp_other(sk);
		if (other && other->sk_state == TCP_TIME_WAIT) {
			inet_twsk_deschedule_put(inet_twsk(other));
			other = NULL;
		}
		if (!other || ckpt_obj_find(ctx, other, CKPT_OBJ_TCP)) {
			lock_sock(sk);
			tcp_sk(sk)->repair = 1;
			tcp_sk(sk)->repair_queue = TCP_NO_QUEUE;
			release_sock(sk);
		}
		if (other)
			sock_gen_put(other);
	}
}

/* ---- restart ---- */

/**
 * ckpt_tcp_read() - note the connection of a socket
 * @ctx: the restart
 * @in: its TCP record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tcp_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	struct ckpt_obj *obj = ckpt_obj_get(ctx, in, in->objref, CKPT_OBJ_FILE);
	const struct ckpt_tcp *rec = (const void *)in->fixed;
	u32 flags = le32_to_cpu(rec->flags);
	struct ckpt_inet_rt *rt;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rt = ckpt_inet_connection(obj);
	if (!rt || rt->has_tcp)
		return ckpt_bad(ctx, in, "its socket is not connected, or is so twice");
	if (flags & ~CKPT_TCP_ALL || (rec->peer && rec->orphan_len) ||
	    le32_to_cpu(rec->snd_len) > CKPT_TCP_MAX || le32_to_cpu(rec->rcv_len) > CKPT_TCP_MAX ||
	    le32_to_cpu(rec->orphan_len) > CKPT_TCP_MAX)
		return ckpt_bad(ctx, in, "its flags or the length of a queue are out of range");
	if (le32_to_cpu(rec->rcv_wnd) > CKPT_TCP_MAX ||
	    le32_to_cpu(rec->window_clamp) > INT_MAX || le32_to_cpu(rec->rcv_ssthresh) > INT_MAX ||
	    le32_to_cpu(rec->wscale) > (flags & CKPT_TCP_WSCALE ? TCP_MAX_WSCALE : 0))
		return ckpt_bad(ctx, in, "its window is out of range");
	if (le32_to_cpu(rec->mss) < TCP_MIN_SND_MSS || le32_to_cpu(rec->mss) > U16_MAX ||
	    le32_to_cpu(rec->advmss) < TCP_MIN_SND_MSS || le32_to_cpu(rec->advmss) > U16_MAX ||
	    le32_to_cpu(rec->user_mss) > U16_MAX)
		return ckpt_bad(ctx, in, "the size of its segments is out of range");
	rt->tcp = *rec;
	rt->has_tcp = true;
	return 0;
}

struct ckpt_tcp_end {
	struct socket *sock;
	bool orphan;			/* it is closed as soon as it has sent all */
	struct ckpt_file_inet rec;
	struct ckpt_tcp tcp;
	struct list_head *rcv, *snd;
};

static bool ckpt_tcp_has(const struct ckpt_tcp_end *e, u32 flag)
{
	return le32_to_cpu(e->tcp.flags) & flag;
}

/* what a killed connection has left is taken away, or ends by itself in a moment */
static int ckpt_tcp_connect(struct ckpt_ctx *ctx, struct ckpt_tcp_end *e)
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
			inet_twsk_deschedule_put(inet_twsk(old));
			continue;
		}
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
static int ckpt_tcp_begin(struct ckpt_ctx *ctx, struct ckpt_tcp_end *e)
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
	err = ckpt_tcp_connect(ctx, e);
	if (err)
		return err;
	/* the queues are filled: what was in them was within the limits */
	lock_sock(sk);
	tp->repair_queue = TCP_RECV_QUEUE;
	sk->sk_rcvbuf = INT_MAX / 4;
	sk->sk_sndbuf = INT_MAX / 4;
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

	err = ckpt_tcp_begin(ctx, a);
	if (!err)
		err = ckpt_tcp_begin(ctx, b);
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

static int ckpt_tcp_connect_one(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
				struct ckpt_inet_rt *rt)
{
	struct ckpt_inet_rt *prt;
	struct ckpt_obj *peer;
	struct ckpt_tcp_end a, b;

	if (!rt->has_tcp || rt->have[CKPT_TCP_RCV] != le32_to_cpu(rt->tcp.rcv_len) ||
	    rt->have[CKPT_TCP_SND] != le32_to_cpu(rt->tcp.snd_len) ||
	    rt->have[CKPT_TCP_ORPHAN] != le32_to_cpu(rt->tcp.orphan_len))
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
	    prt->have[CKPT_TCP_RCV] != le32_to_cpu(prt->tcp.rcv_len) ||
	    prt->have[CKPT_TCP_SND] != le32_to_cpu(prt->tcp.snd_len))
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
