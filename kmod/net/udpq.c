// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: datagrams that wait in a UDP socket: data, both addresses, TTL and TOS
 * or hop limit and traffic class, interface, time. Those whose checksum is
 * wrong are left out, as recv() would.
 * Refuses: segments that were put together for UDP_GRO.
 * Locks: those of the two queues, to take references.
 */
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/udp.h>

#include "net.h"

#define CKPT_UDP_MAX	65535

/* ---- checkpoint ---- */

static int ckpt_udp_save(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct sk_buff *skb,
			 bool last)
{
	struct ckpt_udp_msg *msg;
	struct ckpt_data *data;

	if (skb_is_gso(skb))
		return ckpt_refuse(ctx, obj->task, "inet",
				   "datagrams that were put together (UDP_GRO) wait in a socket; try again when they are read");
	if (skb->len > CKPT_UDP_MAX)
		return -EMSGSIZE;
	data = ckpt_out(ctx, CKPT_REC_DATA, obj->objref, sizeof(*data), sizeof(*msg) + skb->len);
	if (!data)
		return -ENOMEM;
	data->flags = cpu_to_le32(CKPT_DATA_PACKET | (last ? CKPT_DATA_LAST : 0));
	msg = (void *)(data + 1);
	msg->sport = cpu_to_le32(ntohs(udp_hdr(skb)->source));
	msg->dport = cpu_to_le32(ntohs(udp_hdr(skb)->dest));
	msg->tstamp = cpu_to_le64(ktime_to_ns(skb->tstamp));
	if (skb->protocol == htons(ETH_P_IPV6)) {
		msg->family = cpu_to_le32(AF_INET6);
		memcpy(msg->saddr, &ipv6_hdr(skb)->saddr, 16);
		memcpy(msg->daddr, &ipv6_hdr(skb)->daddr, 16);
		msg->flow = cpu_to_le32(ntohl(*(__be32 *)ipv6_hdr(skb)) & ~0xf0000000);
		msg->ttl = cpu_to_le32(ipv6_hdr(skb)->hop_limit);
		msg->iif = cpu_to_le32(IP6CB(skb)->iif);
	} else {
		msg->family = cpu_to_le32(AF_INET);
		memcpy(msg->saddr, &ip_hdr(skb)->saddr, 4);
		memcpy(msg->daddr, &ip_hdr(skb)->daddr, 4);
		msg->flow = cpu_to_le32(ip_hdr(skb)->tos);
		msg->ttl = cpu_to_le32(ip_hdr(skb)->ttl);
		msg->iif = cpu_to_le32(PKTINFO_SKB_CB(skb)->ipi_ifindex);
		memcpy(msg->spec_dst, &PKTINFO_SKB_CB(skb)->ipi_spec_dst, 4);
	}
	return skb_copy_bits(skb, 0, msg + 1, skb->len);
}

/**
 * ckpt_udp_queue() - save what waits in a UDP socket
 * @ctx: the checkpoint
 * @obj: its file
 * @sk: the socket
 *
 * Return: 0 or a negative errno.
 */
int ckpt_udp_queue(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct sock *sk)
{
	unsigned int n, i;
	struct sk_buff **skbs;
	int err = 0;

	/* the order that recv() has them in */
	skbs = ckpt_skbs_take(&udp_sk(sk)->reader_queue, &sk->sk_receive_queue, &n);
	if (!skbs)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		if (!err && !udp_lib_checksum_complete(skbs[i]))
			err = ckpt_udp_save(ctx, obj, skbs[i], i == n - 1);
		kfree_skb(skbs[i]);
	}
	kvfree(skbs);
	return err;
}

/* ---- restart ---- */

static struct sk_buff *ckpt_udp_skb(const struct ckpt_udp_msg *msg, const u8 *payload, u32 len)
{
	bool v6 = le32_to_cpu(msg->family) == AF_INET6;
	u32 head = (v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	struct sk_buff *skb = alloc_skb(head + sizeof(struct udphdr) + len, GFP_KERNEL);
	struct in_pktinfo *info;
	struct ipv6hdr *ip6;
	struct udphdr *udp;
	struct iphdr *ip;

	if (!skb)
		return NULL;
	skb_reset_network_header(skb);
	ip6 = skb_put_zero(skb, head);
	ip = (void *)ip6;
	skb_set_transport_header(skb, head);
	udp = skb_put_zero(skb, sizeof(*udp));
	udp->source = htons(le32_to_cpu(msg->sport));
	udp->dest = htons(le32_to_cpu(msg->dport));
	udp->len = htons(min_t(u32, sizeof(*udp) + len, U16_MAX));
	skb_put_data(skb, payload, len);
	memset(skb->cb, 0, sizeof(skb->cb));
	if (v6) {
		*(__be32 *)ip6 = htonl(0x60000000 | le32_to_cpu(msg->flow));
		ip6->payload_len = udp->len;
		ip6->nexthdr = IPPROTO_UDP;
		ip6->hop_limit = le32_to_cpu(msg->ttl);
		memcpy(&ip6->saddr, msg->saddr, 16);
		memcpy(&ip6->daddr, msg->daddr, 16);
		IP6CB(skb)->iif = le32_to_cpu(msg->iif);
		skb->protocol = htons(ETH_P_IPV6);
	} else {
		ip->version = 4;
		ip->ihl = 5;
		ip->tos = le32_to_cpu(msg->flow);
		ip->ttl = le32_to_cpu(msg->ttl);
		ip->protocol = IPPROTO_UDP;
		ip->tot_len = htons(min_t(u32, skb->len, U16_MAX));
		memcpy(&ip->saddr, msg->saddr, 4);
		memcpy(&ip->daddr, msg->daddr, 4);
		info = PKTINFO_SKB_CB(skb);
		info->ipi_ifindex = le32_to_cpu(msg->iif);
		memcpy(&info->ipi_spec_dst, msg->spec_dst, 4);
		skb->protocol = htons(ETH_P_IP);
	}
	skb->skb_iif = le32_to_cpu(msg->iif);
	skb->tstamp = ns_to_ktime(le64_to_cpu(msg->tstamp));
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb_pull(skb, head + sizeof(*udp));
	return skb;
}

/**
 * ckpt_udp_data() - put a datagram back
 * @ctx: the restart
 * @obj: the file of a UDP socket
 * @in: a DATA record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_udp_data(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	struct sock *sk = sock_from_file(obj->ptr)->sk;
	const struct ckpt_udp_msg *msg = (const void *)in->var;
	u32 family, len;
	struct sk_buff *skb;
	int err, rcvbuf;

	if (in->var_len < sizeof(*msg) || in->var_len - sizeof(*msg) > CKPT_UDP_MAX)
		return ckpt_bad(ctx, in, "the length of its datagram is out of range");
	len = in->var_len - sizeof(*msg);
	family = le32_to_cpu(msg->family);
	if ((family != AF_INET && (family != AF_INET6 || sk->sk_family != AF_INET6)) ||
	    le32_to_cpu(msg->sport) > U16_MAX || le32_to_cpu(msg->dport) > U16_MAX ||
	    le32_to_cpu(msg->ttl) > U8_MAX || le32_to_cpu(msg->iif) > INT_MAX ||
	    le32_to_cpu(msg->flow) > (family == AF_INET ? U8_MAX : 0x0fffffff))
		return ckpt_bad(ctx, in, "the head of its datagram is out of range");
	skb = ckpt_udp_skb(msg, (const u8 *)(msg + 1), len);
	if (!skb)
		return -ENOMEM;
	/* they were within the limit, which counts memory rather than data */
	rcvbuf = sk->sk_rcvbuf;
	WRITE_ONCE(sk->sk_rcvbuf, INT_MAX / 2);
	local_bh_disable();
	err = __udp_enqueue_schedule_skb(sk, skb);
	local_bh_enable();
	WRITE_ONCE(sk->sk_rcvbuf, rcvbuf);
	if (err) {
		kfree_skb(skb);
		return ckpt_err(ctx, err, "no room for a datagram in a UDP socket");
	}
	return 0;
}
