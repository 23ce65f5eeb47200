// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: the bytes in the queues of a TCP connection.
 * Refuses: nothing; tcp.c has done so.
 * Locks: lock_sock, held by the caller at a checkpoint.
 */
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/tcp.h>

#include "net.h"

/* bytes of one record */
#define CKPT_TCP_CHUNK	(CKPT_REC_MAX / 4)

struct ckpt_tcp_chunk {
	struct list_head node;
	u32 len;
	u8 data[];
};

static const u32 ckpt_tcp_data_flags[CKPT_TCP_QUEUES] = {
	[CKPT_TCP_SND] = CKPT_DATA_SEND,
	[CKPT_TCP_ORPHAN] = CKPT_DATA_ORPHAN,
};

/* ---- checkpoint ---- */

struct ckpt_tcp_out {
	struct ckpt_ctx *ctx;
	u32 objref, flags;
	u32 seq, left;		/* what is still to be saved */
	u32 room;		/* in the current record */
	u8 *p;
};

static int ckpt_tcp_save_skb(struct ckpt_tcp_out *out, const struct sk_buff *skb)
{
	u32 skip = out->seq - TCP_SKB_CB(skb)->seq, n;
	struct ckpt_data *data;
	int err;

	/* it was acknowledged in part, or was got in part */
	if ((s32)skip < 0)
		return -EIO;
	while (out->left && skip < skb->len) {
		if (!out->room) {
			out->room = min_t(u32, out->left, CKPT_TCP_CHUNK);
			data = ckpt_out(out->ctx, CKPT_REC_DATA, out->objref, sizeof(*data),
					out->room);
			if (!data)
				return -ENOMEM;
			data->flags = cpu_to_le32(out->flags |
						  (out->room == out->left ? CKPT_DATA_LAST : 0));
			out->p = (u8 *)(data + 1);
		}
		n = min3(out->room, out->left, skb->len - skip);
		err = skb_copy_bits(skb, skip, out->p, n);
		if (err)
			return err;
		skip += n;
		out->p += n;
		out->seq += n;
		out->room -= n;
		out->left -= n;
	}
	return 0;
}

/**
 * ckpt_tcp_save_queue() - save the bytes in a queue
 * @ctx: the checkpoint
 * @objref: the file that they belong to
 * @sk: the socket, locked
 * @which: of its queues
 * @seq: sequence number of the first byte
 * @len: how many, which must all be there
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tcp_save_queue(struct ckpt_ctx *ctx, u32 objref, struct sock *sk,
			enum ckpt_tcp_queue which, u32 seq, u32 len)
{
	struct ckpt_tcp_out out = {
		.ctx = ctx, .objref = objref, .flags = ckpt_tcp_data_flags[which],
		.seq = seq, .left = len,
	};
	struct sk_buff *skb;
	int err = 0;

	if (which == CKPT_TCP_RCV) {
		skb_queue_walk(&sk->sk_receive_queue, skb) {
			err = ckpt_tcp_save_skb(&out, skb);
			if (err || !out.left)
				break;
		}
	} else {
		skb_rbtree_walk(skb, &sk->tcp_rtx_queue) {
			err = ckpt_tcp_save_skb(&out, skb);
			if (err || !out.left)
				break;
		}
		if (!err && out.left)
			skb_queue_walk(&sk->sk_write_queue, skb) {
				err = ckpt_tcp_save_skb(&out, skb);
				if (err || !out.left)
					break;
			}
	}
	if (!err && out.left)
		err = -EIO;
	if (err)
		ckpt_err(ctx, err, "object %u: a queue of a TCP connection cannot be read", objref);
	return err;
}

/* ---- restart ---- */

/**
 * ckpt_tcp_data() - take bytes of a queue
 * @ctx: the restart
 * @obj: the file of a TCP connection
 * @in: a DATA record
 *
 * They are put into the sockets when both ends are there.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tcp_data(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	u32 flags = le32_to_cpu(((const struct ckpt_data *)in->fixed)->flags) & ~CKPT_DATA_LAST;
	struct ckpt_inet_rt *rt = obj->priv;
	struct ckpt_tcp_chunk *chunk;
	unsigned int i;
	u32 want;

	for (i = 0; i < CKPT_TCP_QUEUES; i++)
		if (flags == ckpt_tcp_data_flags[i])
			break;
	if (!rt->has_tcp || i == CKPT_TCP_QUEUES)
		return ckpt_bad(ctx, in, "the bytes belong to no queue");
	want = le32_to_cpu(i == CKPT_TCP_RCV ? rt->tcp.rcv_len :
			   i == CKPT_TCP_SND ? rt->tcp.snd_len : rt->tcp.orphan_len);
	if (in->var_len > want - rt->have[i])
		return ckpt_bad(ctx, in, "there are more bytes than its queue has");
	chunk = kvmalloc(struct_size(chunk, data, in->var_len), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return -ENOMEM;
	chunk->len = in->var_len;
	if (in->var_len)
		memcpy(chunk->data, in->var, in->var_len);
	rt->have[i] += in->var_len;
	list_add_tail(&chunk->node, &rt->queue[i]);
	return 0;
}

/**
 * ckpt_tcp_fill() - send what is to be in a queue
 * @sock: a connection; in repair mode this fills its queue of received bytes
 * @queue: the bytes; the socket's limits allow for them
 *
 * Return: 0 or a negative errno.
 */
int ckpt_tcp_fill(struct socket *sock, struct list_head *queue)
{
	struct ckpt_tcp_chunk *chunk;
	u32 done;
	int n;

	list_for_each_entry(chunk, queue, node) {
		for (done = 0; done < chunk->len; done += n) {
			struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
			struct kvec vec = { chunk->data + done, chunk->len - done };

			n = kernel_sendmsg(sock, &msg, &vec, 1, vec.iov_len);
			if (n <= 0)
				return n ? n : -ENOBUFS;
			cond_resched();
		}
	}
	return 0;
}

/**
 * ckpt_tcp_queue_free() - forget the bytes of a queue
 * @queue: the queue
 */
void ckpt_tcp_queue_free(struct list_head *queue)
{
	struct ckpt_tcp_chunk *chunk, *next;

	list_for_each_entry_safe(chunk, next, queue, node) {
		list_del(&chunk->node);
		kvfree(chunk);
	}
}
