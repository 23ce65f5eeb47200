/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_NET_H
#define _CKPT_NET_H

#include <linux/in6.h>
#include <linux/net.h>
#include <net/sock.h>

#include "../private.h"

struct inet_timewait_sock;
struct sk_buff;
struct sk_buff_head;

/* of a connection: to be read, to be sent, to be sent by an end that is closed */
enum ckpt_tcp_queue {
	CKPT_TCP_RCV,
	CKPT_TCP_SND,
	CKPT_TCP_ORPHAN,
	CKPT_TCP_QUEUES,
};

/* sock.c: what all sockets have */
int ckpt_sock_save(struct ckpt_ctx *ctx, struct task_struct *task,
		   struct sock *sk, struct ckpt_sock *rec);
int ckpt_sock_check(struct ckpt_ctx *ctx, const struct ckpt_in *in,
		    const struct ckpt_sock *rec);
void ckpt_sock_set(struct sock *sk, const struct ckpt_sock *rec);
#define CKPT_SOCK_PARTIAL \
	"is used by a thread that may have moved a part of what it is to move: in sendmmsg, or with MSG_WAITALL or SO_RCVLOWAT; try again"
bool ckpt_sock_partial(struct ckpt_ctx *ctx, struct ckpt_obj *file, struct sock *sk);
struct sock *ckpt_file_sk(struct file *file);
struct sk_buff **ckpt_skbs_take(struct sk_buff_head *first, struct sk_buff_head *second,
				unsigned int *n);
struct pid *ckpt_pid_named(u32 nr);
const struct cred *ckpt_peer_cred(struct ckpt_ctx *ctx, const struct ckpt_in *in,
				  u32 ref);
bool ckpt_may_be(u32 uid, u32 gid);

/* unix.c: AF_UNIX sockets */

/* of a checkpoint: one for each socket, open or not */
struct ckpt_unix_cp {
	struct ckpt_obj *file;		/* NULL: not open inside of the tree */
	struct ckpt_obj *listener;	/* whose backlog it waits in */
	bool walked;
	unsigned int n;			/* the queue, with a reference to each */
	struct sk_buff **skbs;
};

/* of a restart */
struct ckpt_unix_rt {
	struct socket *sock;		/* NULL when it is gone or has become an embryo */
	struct file *file;		/* owns the socket then */
	struct sock *peer;		/* with a reference each */
	struct sock *listener;
	const struct ckpt_unix_rt *mate;	/* what the image says of the peer */
	const struct cred *cred;
	struct pid *pid;
	struct ckpt_unix rec;
	struct ckpt_unix_peer state;
	bool has_state, settled;
	struct sockaddr_un *addr;	/* rec.addr_len bytes after the family, and a NUL */
	char *path;
};

extern const struct ckpt_file_kind ckpt_file_unix;
int ckpt_unix_collect(struct ckpt_ctx *ctx);
bool ckpt_unix_reachable(struct file *file);
struct ckpt_obj *ckpt_unix_add(struct ckpt_ctx *ctx, struct sock *sk,
			       struct task_struct *task);
int ckpt_unix_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
int ckpt_unix_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_unix_bind(struct ckpt_ctx *ctx, struct ckpt_unix_rt *rt, struct sock *sk);
int ckpt_unix_name(struct ckpt_unix_rt *rt, struct sock *sk);

/* unixpeer.c: their connections */
u32 ckpt_unix_ref(struct ckpt_ctx *ctx, struct sock *sk);
int ckpt_unix_leak(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
void ckpt_unix_leave(struct ckpt_obj *obj);
int ckpt_unix_peer_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
struct ckpt_obj *ckpt_unix_get(struct ckpt_ctx *ctx, struct ckpt_in *in,
			       u32 ref, struct ckpt_obj *like);
int ckpt_unix_peer_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_unix_late(struct ckpt_ctx *ctx, struct ckpt_obj *obj);

/* unixq.c: their queues */
int ckpt_unix_walk(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
int ckpt_unix_queues(struct ckpt_ctx *ctx);
int ckpt_unix_queue_read(struct ckpt_ctx *ctx, struct ckpt_in *in);

/* inet.c: TCP and UDP sockets */

/* of a restart: a listener or a connection */
struct ckpt_inet_rt {
	struct ckpt_file_inet rec;
	struct ckpt_tcp tcp;
	bool has_tcp, done;
	u32 have[CKPT_TCP_QUEUES];	/* bytes in each queue */
	struct list_head queue[CKPT_TCP_QUEUES];
};

extern const struct ckpt_file_kind ckpt_file_inet;
int ckpt_inet_sockaddr(struct sockaddr_storage *ss, u32 family, const u8 *addr,
		       __le32 port);
int ckpt_inet_listen(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
struct ckpt_inet_rt *ckpt_inet_connection(struct ckpt_obj *obj);

/* inetopt.c: their options */
#define CKPT_INET_OPTS	96	/* more than the table has */
int ckpt_inet_options(struct socket *sock, struct ckpt_inet_opt *opts, u32 *backlog);
int ckpt_inet_set_options(struct ckpt_ctx *ctx, struct ckpt_in *in, struct socket *sock);

/* tcp.c: connections */

/* their addresses; those of IPv4 as mapped ones */
struct ckpt_tuple {
	struct in6_addr laddr, raddr;
	u32 lport, rport;
};

struct ckpt_tuple ckpt_tuple_of(struct sock *sk);
struct ckpt_tuple ckpt_tuple_mirror(struct ckpt_tuple t);
struct sock *ckpt_tuple_find(struct net *net, const struct ckpt_tuple *t);
bool ckpt_tcp_local(struct sock *sk);
void ckpt_tcp_forget(struct inet_timewait_sock *tw);
bool ckpt_tcp_connected(struct sock *sk);
int ckpt_tcp_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
int ckpt_tcp_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
void ckpt_tcp_silence(struct ckpt_ctx *ctx);
int ckpt_tcp_read(struct ckpt_ctx *ctx, struct ckpt_in *in);

/* tcpend.c: both ends made again */
int ckpt_tcp_connect_all(struct ckpt_ctx *ctx);
void ckpt_tcp_unmake(struct ckpt_ctx *ctx);

/* tcpq.c: their queues */
int ckpt_tcp_save_queue(struct ckpt_ctx *ctx, u32 objref, struct sock *sk,
			enum ckpt_tcp_queue which, u32 seq, u32 len);
int ckpt_tcp_data(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in);
int ckpt_tcp_fill(struct socket *sock, struct list_head *queue);
void ckpt_tcp_queue_free(struct list_head *queue);

/* netlink.c: netlink sockets */
extern const struct ckpt_file_kind ckpt_file_netlink;

/* udpq.c: datagrams that wait */
int ckpt_udp_queue(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct sock *sk);
int ckpt_udp_data(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in);

#endif /* _CKPT_NET_H */
