// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: options of sockets of the internet that differ from those of a new one.
 * Refuses: at restart, one that is not in the table.
 * Locks: lock_sock in the callees.
 */
#include <linux/ipv6.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/tcp_states.h>

#include "net.h"
#include "../arch/arch.h"
#include "../files/files.h"

#define CKPT_OPT_MAX	(sizeof(((struct ckpt_inet_opt *)0)->value))

static const struct {
	u16 level, opt;
} ckpt_inet_opts[] = {
	{ SOL_IP, IP_TOS }, { SOL_IP, IP_TTL }, { SOL_IP, IP_RECVOPTS },
	{ SOL_IP, IP_RETOPTS }, { SOL_IP, IP_PKTINFO }, { SOL_IP, IP_RECVTTL },
	{ SOL_IP, IP_RECVTOS }, { SOL_IP, IP_RECVERR }, { SOL_IP, IP_MTU_DISCOVER },
	{ SOL_IP, IP_FREEBIND }, { SOL_IP, IP_TRANSPARENT }, { SOL_IP, IP_PASSSEC },
	{ SOL_IP, IP_RECVORIGDSTADDR }, { SOL_IP, IP_MINTTL }, { SOL_IP, IP_CHECKSUM },
	{ SOL_IP, IP_BIND_ADDRESS_NO_PORT }, { SOL_IP, IP_RECVFRAGSIZE },
	{ SOL_IP, IP_RECVERR_RFC4884 }, { SOL_IP, IP_MULTICAST_TTL },
	{ SOL_IP, IP_MULTICAST_LOOP }, { SOL_IP, IP_MULTICAST_ALL },
#ifdef IP_LOCAL_PORT_RANGE
	{ SOL_IP, IP_LOCAL_PORT_RANGE },
#endif
	{ SOL_IPV6, IPV6_V6ONLY }, { SOL_IPV6, IPV6_UNICAST_HOPS },
	{ SOL_IPV6, IPV6_MULTICAST_HOPS }, { SOL_IPV6, IPV6_MULTICAST_LOOP },
	{ SOL_IPV6, IPV6_MULTICAST_ALL }, { SOL_IPV6, IPV6_RECVPKTINFO },
	{ SOL_IPV6, IPV6_RECVHOPLIMIT }, { SOL_IPV6, IPV6_RECVTCLASS },
	{ SOL_IPV6, IPV6_TCLASS }, { SOL_IPV6, IPV6_RECVERR },
	{ SOL_IPV6, IPV6_RECVERR_RFC4884 }, { SOL_IPV6, IPV6_MTU_DISCOVER },
	{ SOL_IPV6, IPV6_DONTFRAG }, { SOL_IPV6, IPV6_AUTOFLOWLABEL },
	{ SOL_IPV6, IPV6_FLOWINFO }, { SOL_IPV6, IPV6_FREEBIND },
	{ SOL_IPV6, IPV6_TRANSPARENT }, { SOL_IPV6, IPV6_RECVORIGDSTADDR },
	{ SOL_IPV6, IPV6_RECVPATHMTU }, { SOL_IPV6, IPV6_ADDR_PREFERENCES },
	{ SOL_IPV6, IPV6_MINHOPCOUNT }, { SOL_IPV6, IPV6_RECVFRAGSIZE },
	{ SOL_IPV6, IPV6_MTU }, { SOL_IPV6, IPV6_RECVRTHDR }, { SOL_IPV6, IPV6_RECVHOPOPTS },
	{ SOL_IPV6, IPV6_RECVDSTOPTS }, { SOL_IPV6, IPV6_FLOWINFO_SEND },
	{ SOL_IPV6, IPV6_2292PKTINFO }, { SOL_IPV6, IPV6_2292HOPLIMIT },
	{ SOL_IPV6, IPV6_2292RTHDR }, { SOL_IPV6, IPV6_2292HOPOPTS },
	{ SOL_IPV6, IPV6_2292DSTOPTS },
	{ SOL_TCP, TCP_NODELAY }, { SOL_TCP, TCP_MAXSEG }, { SOL_TCP, TCP_CORK },
	{ SOL_TCP, TCP_KEEPIDLE }, { SOL_TCP, TCP_KEEPINTVL }, { SOL_TCP, TCP_KEEPCNT },
	{ SOL_TCP, TCP_SYNCNT }, { SOL_TCP, TCP_LINGER2 }, { SOL_TCP, TCP_DEFER_ACCEPT },
	{ SOL_TCP, TCP_WINDOW_CLAMP }, { SOL_TCP, TCP_CONGESTION },
	{ SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS }, { SOL_TCP, TCP_USER_TIMEOUT },
	{ SOL_TCP, TCP_FASTOPEN }, { SOL_TCP, TCP_NOTSENT_LOWAT },
	{ SOL_TCP, TCP_SAVE_SYN }, { SOL_TCP, TCP_FASTOPEN_CONNECT },
	{ SOL_TCP, TCP_FASTOPEN_NO_COOKIE }, { SOL_TCP, TCP_INQ }, { SOL_TCP, TCP_TX_DELAY },
	{ SOL_UDP, UDP_NO_CHECK6_TX }, { SOL_UDP, UDP_NO_CHECK6_RX },
	{ SOL_UDP, UDP_SEGMENT }, { SOL_UDP, UDP_GRO }, { SOL_UDP, UDP_CORK },
};

static_assert(ARRAY_SIZE(ckpt_inet_opts) <= CKPT_INET_OPTS);

/* ---- checkpoint ---- */

/* the kernel gives options to user memory only: that of the current process */
static int ckpt_inet_get(struct socket *sock, int level, int opt, unsigned long page, int len)
{
	int __user *ulen = (void __user *)page;
	int err;

	if (put_user(len, ulen))
		return -EFAULT;
	err = sock->ops->getsockopt(sock, level, opt, (char __user *)page + 64, ulen);
	if (!err && get_user(len, ulen))
		err = -EFAULT;
	return err ? err : len;
}

/* those that a stream cannot be given, those that tcp.c deals with, and what is read is another thing */
static bool ckpt_inet_skip(struct sock *sk, int level, int opt)
{
	/* that of the path */
	if (level == SOL_IPV6 && opt == IPV6_MTU)
		return true;
	if (sk->sk_type != SOCK_STREAM)
		return false;
	if (level == SOL_IP)
		return opt == IP_MULTICAST_TTL;
	if (level == SOL_IPV6)
		return opt == IPV6_MULTICAST_HOPS;
	if (level != SOL_TCP)
		return false;
	/* unless the program has set one, it is that of the last connection */
	if (opt == TCP_MAXSEG && sk->sk_protocol == IPPROTO_TCP && !tcp_sk(sk)->rx_opt.user_mss)
		return true;
	return ckpt_tcp_connected(sk) && (opt == TCP_MAXSEG || opt == TCP_WINDOW_CLAMP);
}

/* adds the one that cannot be read */
static struct ckpt_inet_opt *ckpt_inet_mtu(struct sock *sk, struct ckpt_inet_opt *o)
{
#if IS_ENABLED(CONFIG_IPV6)
	const struct ipv6_pinfo *np = inet6_sk(sk);

	if (np && np->frag_size) {
		memset(o, 0, sizeof(*o));
		o->level = cpu_to_le32(SOL_IPV6);
		o->opt = cpu_to_le32(IPV6_MTU);
		o->len = cpu_to_le32(sizeof(np->frag_size));
		memcpy(o->value, &np->frag_size, sizeof(np->frag_size));
		o++;
	}
#endif
	return o;
}

/**
 * ckpt_inet_options() - find the options that differ from those of a new socket
 * @sock: the socket
 * @opts: filled in; there is room for CKPT_INET_OPTS
 * @backlog: set to that of listen()
 *
 * Return: how many, or a negative errno.
 */
int ckpt_inet_options(struct socket *sock, struct ckpt_inet_opt *opts, u32 *backlog)
{
	struct sock *sk = sock->sk;
	struct ckpt_inet_opt *o = opts;
	const void __user *from;
	u8 def[CKPT_OPT_MAX];
	struct socket *fresh;
	unsigned long page;
	unsigned int i;
	int err, n, len;

	/* what nobody has touched is left to the new socket */
	err = sock_create_kern(sock_net(sk), sk->sk_family, sk->sk_type, sk->sk_protocol, &fresh);
	if (err)
		return err;
	page = ckpt_user_mem(PAGE_SIZE);
	if (IS_ERR_VALUE(page)) {
		sock_release(fresh);
		return page;
	}
	from = (const void __user *)(page + 64);
	for (i = 0; i < ARRAY_SIZE(ckpt_inet_opts); i++) {
		if (ckpt_inet_skip(sk, ckpt_inet_opts[i].level, ckpt_inet_opts[i].opt))
			continue;
		memset(def, 0, sizeof(def));
		memset(o, 0, sizeof(*o));
		n = ckpt_inet_get(fresh, ckpt_inet_opts[i].level, ckpt_inet_opts[i].opt, page,
				  sizeof(def));
		if (n <= 0 || n > sizeof(def) || copy_from_user(def, from, n))
			continue;
		len = ckpt_inet_get(sock, ckpt_inet_opts[i].level, ckpt_inet_opts[i].opt, page,
				    sizeof(def));
		if (len <= 0 || len > sizeof(def) || copy_from_user(o->value, from, len) ||
		    (len == n && !memcmp(def, o->value, len)))
			continue;
		o->level = cpu_to_le32(ckpt_inet_opts[i].level);
		o->opt = cpu_to_le32(ckpt_inet_opts[i].opt);
		o->len = cpu_to_le32(len);
		o++;
	}
	o = ckpt_inet_mtu(sk, o);
	*backlog = sk->sk_max_ack_backlog;
	if (sk->sk_protocol == IPPROTO_MPTCP && sk->sk_state == TCP_LISTEN &&
	    ckpt_inet_get(sock, SOL_TCP, TCP_INFO, page, sizeof(struct tcp_info)) > 0 &&
	    get_user(n, (u32 __user *)(from + offsetof(struct tcp_info, tcpi_sacked))) == 0)
		*backlog = n;
	vm_munmap(page, PAGE_SIZE);
	sock_release(fresh);
	return o - opts;
}

/* ---- restart ---- */

/**
 * ckpt_inet_set_options() - give a new socket its options
 * @ctx: the restart
 * @in: its record
 * @sock: the socket
 *
 * Return: 0 or a negative errno.
 */
int ckpt_inet_set_options(struct ckpt_ctx *ctx, struct ckpt_in *in, struct socket *sock)
{
	const struct ckpt_file_inet *rec = (const void *)in->fixed;
	const struct ckpt_inet_opt *o = (const void *)in->var;
	u32 n, i, level, opt, len;
	u8 value[CKPT_OPT_MAX];
	int err;

	for (n = 0; n < le32_to_cpu(rec->nopts); n++, o++) {
		level = le32_to_cpu(o->level);
		opt = le32_to_cpu(o->opt);
		len = le32_to_cpu(o->len);
		for (i = 0; i < ARRAY_SIZE(ckpt_inet_opts); i++)
			if (ckpt_inet_opts[i].level == level && ckpt_inet_opts[i].opt == opt)
				break;
		if (i == ARRAY_SIZE(ckpt_inet_opts) || !len || len > sizeof(value))
			return ckpt_bad(ctx, in, "an option is not known");
		memcpy(value, o->value, len);
		err = sock->ops->setsockopt(sock, level, opt, KERNEL_SOCKPTR(value), len);
		if (err)
			return ckpt_err(ctx, err, "image offset %llu: option %u of level %u cannot be set on a socket",
					in->offset, opt, level);
	}
	return 0;
}
