// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: TCP connections that have both ends in the tree, or whose other end is
 * closed: addresses, sequence numbers, the bytes in both queues, windows, what
 * the two ends have agreed on, how far they are closed. What is on the way
 * counts as not sent, so nothing of the network itself is saved.
 * Refuses: connections to the outside, to a socket that waits for accept(), of
 * a socket to itself; urgent data, fast open, TCP_SAVE_SYN, repair mode.
 * Restart is tcpend.c's. Counters, round trip times and the congestion window
 * begin anew.
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
#include "../arch/arch.h"
#include "../files/files.h"

#define CKPT_TCP_OPEN	(TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 | TCPF_CLOSE_WAIT | \
			 TCPF_CLOSING | TCPF_LAST_ACK)
/* largest window, and more than any queue holds */
#define CKPT_TCP_MAX	(U16_MAX << TCP_MAX_WSCALE)

/**
 * ckpt_tuple_of() - the addresses of a connection
 * @sk: the socket
 *
 * Return: they.
 */
struct ckpt_tuple ckpt_tuple_of(struct sock *sk)
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

/**
 * ckpt_tuple_mirror() - a connection as its other end has it
 * @t: the addresses
 *
 * Return: the same the other way round.
 */
struct ckpt_tuple ckpt_tuple_mirror(struct ckpt_tuple t)
{
	swap(t.laddr, t.raddr);
	swap(t.lport, t.rport);
	return t;
}

/**
 * ckpt_tuple_find() - find a connection
 * @net: network namespace
 * @t: addresses
 *
 * Return: the socket, or what is left of one, with a reference for
 * sock_gen_put(); or NULL.
 */
struct sock *ckpt_tuple_find(struct net *net, const struct ckpt_tuple *t)
{
	struct inet_hashinfo *hash = net->ipv4.tcp_death_row.hashinfo;
	struct sock *sk;

	rcu_read_lock();
#if IS_ENABLED(CONFIG_IPV6)
	if (!ipv6_addr_v4mapped(&t->laddr))
		sk = __inet6_lookup_established(net, hash, &t->raddr, htons(t->rport),
						&t->laddr, t->lport, 0, 0);
	else
#endif
		sk = __inet_lookup_established(net, hash, t->raddr.s6_addr32[3], htons(t->rport),
					       t->laddr.s6_addr32[3], t->lport, 0, 0);
	rcu_read_unlock();
	return sk;
}

static struct sock *ckpt_tcp_other(struct sock *sk)
{
	struct ckpt_tuple t = ckpt_tuple_mirror(ckpt_tuple_of(sk));

	return ckpt_tuple_find(sock_net(sk), &t);
}

/**
 * ckpt_tcp_forget() - take away what is left of a connection
 * @tw: it; the caller's reference is dropped
 */
void ckpt_tcp_forget(struct inet_timewait_sock *tw)
{
	/* its locks are those of packets, too */
	local_bh_disable();
	inet_twsk_deschedule_put(tw);
	local_bh_enable();
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

/**
 * ckpt_tcp_local() - whether the other end is on this machine
 * @sk: one end
 *
 * Return: true if it is, or was while it lived.
 */
bool ckpt_tcp_local(struct sock *sk)
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
	struct ckpt_obj *file = obj->priv, *peer;
	struct sock *sk = obj->ptr, *other;
	int err = 0;

	if (!ckpt_tcp_connected(sk) || file->kind == &ckpt_file_inherit)
		return 0;
	other = ckpt_tcp_other(sk);
	peer = other ? ckpt_obj_find(ctx, other, CKPT_OBJ_TCP) : NULL;
	if (other == sk)
		err = ckpt_tcp_refuse(ctx, file, "is of a socket with itself; close it");
	else if ((peer && ((struct ckpt_obj *)peer->priv)->kind != &ckpt_file_inherit) ||
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

static void ckpt_tcp_drop(struct ckpt_obj *obj)
{
	sock_put(obj->ptr);
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
	/* for ckpt_tcp_silence(): by then its task may have been killed */
	sock_hold(sk);
	tcp->drop = ckpt_tcp_drop;
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

	if (ckpt_sock_partial(ctx, obj, sk))
		return ckpt_tcp_refuse(ctx, obj, CKPT_SOCK_PARTIAL);
	/* a connection with itself has been refused */
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
	struct socket *sock;
	long users;

	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type != CKPT_OBJ_TCP)
			continue;
		sk = obj->ptr;
		file = obj->priv;
		if (file->kind == &ckpt_file_inherit)
			continue;
		other = ckpt_tcp_other(sk);
		if (other && other->sk_state == TCP_TIME_WAIT) {
			ckpt_tcp_forget(inet_twsk(other));
			other = NULL;
		}
		/* threads asleep in a call have a reference each */
		users = file->users + ctx->stats.threads;
		lock_sock(sk);
		/* while it is locked nobody takes it from its file */
		sock = sk->sk_socket;
		if (sock && sock->file && file_count(sock->file) <= users &&
		    ckpt_tcp_connected(sk) &&
		    (!other || ckpt_obj_find(ctx, other, CKPT_OBJ_TCP))) {
			tcp_sk(sk)->repair = 1;
			tcp_sk(sk)->repair_queue = TCP_NO_QUEUE;
		}
		release_sock(sk);
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
