// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: AF_UNIX sockets of all types: options, address, the socket file that
 * they are bound to. Connections and queues are unixq.c's.
 * Refuses: a socket file that the caller does not reach by its path.
 * Restart takes the socket file that the program left behind, as it is, when
 * no living socket is bound to it; a missing one is made.
 * Locks: bindlock, then the locks of the hash tables, as bind() has them.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/un.h>
#include <net/af_unix.h>

#include "net.h"
#include "../files/files.h"
#include "../ksym.h"

/* a path may fill sun_path, and the kernel counts its NUL */
#define CKPT_ADDR_MAX	(sizeof(struct sockaddr_un) - offsetof(struct sockaddr_un, sun_path) + 1)

static bool ckpt_unix_match(struct file *file)
{
	struct sock *sk = ckpt_file_sk(file);

	return sk && sk->sk_family == AF_UNIX;
}

static void ckpt_unix_cp_drop(struct ckpt_obj *obj)
{
	struct ckpt_unix_cp *cp = obj->priv;
	unsigned int i;

	if (!cp)
		return;
	for (i = 0; i < cp->n; i++)
		kfree_skb(cp->skbs[i]);
	kvfree(cp->skbs);
	kfree(cp);
}

/**
 * ckpt_unix_add() - make an AF_UNIX socket known
 * @ctx: the checkpoint
 * @sk: the socket; an open one, a queue, or a socket known before keeps it
 * @task: who has it
 *
 * Return: its object, or NULL without memory.
 */
struct ckpt_obj *ckpt_unix_add(struct ckpt_ctx *ctx, struct sock *sk,
			       struct task_struct *task)
{
	struct ckpt_unix_cp *cp;
	struct ckpt_obj *obj;

	obj = ckpt_obj_add(ctx, sk, CKPT_OBJ_UNIX, task, NULL);
	if (!obj || obj->priv)
		return obj;
	cp = kzalloc(sizeof(*cp), GFP_KERNEL);
	obj->priv = cp;
	obj->drop = ckpt_unix_cp_drop;
	obj->leak = ckpt_unix_leak;
	return obj->priv ? obj : NULL;
}

static int ckpt_unix_file_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_obj *unix_obj;

	unix_obj = ckpt_unix_add(ctx, sock_from_file(obj->ptr)->sk, obj->task);
	if (!unix_obj)
		return -ENOMEM;
	((struct ckpt_unix_cp *)unix_obj->priv)->file = obj;
	obj->priv = unix_obj;
	return 0;
}

/**
 * ckpt_unix_collect() - find all that AF_UNIX sockets lead to
 * @ctx: the checkpoint; everything else is collected
 *
 * Passed files are collected, and where they are sockets, what waits in those.
 * New objects are appended to the list, so there is no recursion.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_collect(struct ckpt_ctx *ctx)
{
	struct ckpt_obj *obj;
	int err;

	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type != CKPT_OBJ_UNIX)
			continue;
		err = ckpt_unix_walk(ctx, obj);
		if (err)
			return err;
	}
	return 0;
}

/* where its socket file is; an empty string when nothing leads to it any more */
static char *ckpt_unix_path(struct ckpt_ctx *ctx, struct ckpt_obj *obj, char *buf)
{
	struct unix_sock *u = unix_sk(obj->ptr);
	const char *why;
	char *p;

	*buf = 0;
	/* an accepted one has the path of its listener and is not bound to it */
	if (!u->path.dentry || hlist_unhashed(&u->sk.sk_bind_node) ||
	    d_unlinked(u->path.dentry))
		return buf;
	p = ckpt_path(ctx, &u->path, buf, &why);
	if (p)
		return p;
	p = d_path(&u->path, buf, PATH_MAX);
	ckpt_refuse(ctx, obj->task, "unix-path", "the socket file %s %s",
		    IS_ERR(p) ? "" : p, why);
	*buf = 0;
	return buf;
}

/**
 * ckpt_unix_checkpoint() - save an AF_UNIX socket
 * @ctx: the checkpoint
 * @obj: the socket
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_unix_cp *cp = obj->priv;
	struct sock *sk = obj->ptr;
	struct unix_address *addr;
	struct ckpt_unix *rec;
	struct inode *inode;
	u32 flags = 0, alen;
	char *buf, *path;
	int err = -ENOMEM;

	if (obj->written)
		return 0;
	obj->written = true;
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	/* pairs with the release in bind(): what it points to is complete */
	addr = smp_load_acquire(&unix_sk(sk)->addr);
	alen = addr ? addr->len - offsetof(struct sockaddr_un, sun_path) : 0;
	*buf = 0;
	path = buf;
	if (cp->listener)
		flags = CKPT_UNIX_EMBRYO;
	else if (!cp->file)
		flags = CKPT_UNIX_GHOST;
	else if (alen && addr->name->sun_path[0])
		path = ckpt_unix_path(ctx, obj, buf);
	else if (alen && sk->sk_hash > UNIX_HASH_MOD)
		flags = CKPT_UNIX_ABSTRACT;
	if (*path)
		flags |= CKPT_UNIX_PATH;
	rec = ckpt_out(ctx, CKPT_REC_UNIX, obj->objref, sizeof(*rec), alen + strlen(path));
	if (!rec)
		goto out;
	err = ckpt_sock_save(ctx, obj->task, sk, &rec->sk);
	if (flags & CKPT_UNIX_PATH) {
		inode = d_inode(unix_sk(sk)->path.dentry);
		rec->path_mode = cpu_to_le32(inode->i_mode & S_IALLUGO);
		rec->path_uid = cpu_to_le32(from_kuid(current_user_ns(), inode->i_uid));
		rec->path_gid = cpu_to_le32(from_kgid(current_user_ns(), inode->i_gid));
	}
	rec->flags = cpu_to_le32(flags);
	rec->addr_len = cpu_to_le32(alen);
	rec->path_len = cpu_to_le32(strlen(path));
	if (alen)
		memcpy(rec + 1, addr->name->sun_path, alen);
	memcpy((char *)(rec + 1) + alen, path, strlen(path));
out:
	kfree(buf);
	return err;
}

static int ckpt_unix_file_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_obj *unix_obj = obj->priv;
	struct ckpt_file_unix *rec;
	struct sock *sk = unix_obj->ptr;
	int err;

	if (sk->sk_type == SOCK_STREAM && ckpt_sock_partial(ctx, obj, sk))
		return ckpt_refuse(ctx, obj->task, "unix", "an AF_UNIX socket " CKPT_SOCK_PARTIAL);
	err = ckpt_unix_checkpoint(ctx, unix_obj);
	if (err)
		return err;
	rec = ckpt_out(ctx, CKPT_REC_FILE_UNIX, obj->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	ckpt_file_common(ctx, obj, &rec->f);
	rec->f.inode = cpu_to_le32(unix_obj->objref);
	return 0;
}

/* ---- restart ---- */

static void ckpt_unix_drop(struct ckpt_obj *obj)
{
	struct ckpt_unix_rt *rt = obj->priv;

	/* an open one goes with its file */
	if (rt->sock && !rt->file)
		sock_release(rt->sock);
	sock_put(obj->ptr);
	if (rt->peer)
		sock_put(rt->peer);
	if (rt->listener)
		sock_put(rt->listener);
	put_cred(rt->cred);
	put_pid(rt->pid);
	kfree(rt->addr);
	kfree(rt->path);
	kfree(rt);
}

static int ckpt_unix_rec_check(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_unix *rec = (const void *)in->fixed;
	u32 type = le32_to_cpu(rec->sk.type), flags = le32_to_cpu(rec->flags);
	u32 alen = le32_to_cpu(rec->addr_len), plen = le32_to_cpu(rec->path_len);

	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return ckpt_bad(ctx, in, "its type is out of range");
	if (alen > CKPT_ADDR_MAX || plen >= PATH_MAX || in->var_len != alen + plen)
		return ckpt_bad(ctx, in, "its address is out of range");
	/* bound in one way at most, and only an open one */
	if (flags & ~0xfu || hweight32(flags) > 1 ||
	    !!(flags & CKPT_UNIX_PATH) != !!plen ||
	    (plen && (!alen || !in->var[0] || in->var[alen] != '/' ||
		      memchr(in->var + alen, 0, plen))) ||
	    (flags & CKPT_UNIX_ABSTRACT && (!alen || in->var[0])) ||
	    le32_to_cpu(rec->path_mode) & ~S_IALLUGO)
		return ckpt_bad(ctx, in, "its flags do not fit its address");
	return ckpt_sock_check(ctx, in, &rec->sk);
}

/**
 * ckpt_unix_read() - make an AF_UNIX socket
 * @ctx: the restart
 * @in: its record
 *
 * It gets its name, connections and options when all queues are filled.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_unix *rec = (const void *)in->fixed;
	u32 alen = le32_to_cpu(rec->addr_len), plen = le32_to_cpu(rec->path_len);
	struct ckpt_unix_rt *rt;
	struct ckpt_obj *obj;
	int err;

	err = ckpt_unix_rec_check(ctx, in);
	if (err)
		return err;
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	rt->rec = *rec;
	err = -ENOMEM;
	rt->addr = kzalloc(offsetof(struct sockaddr_un, sun_path) + CKPT_ADDR_MAX + 1, GFP_KERNEL);
	rt->path = kzalloc(plen + 1, GFP_KERNEL);
	if (!rt->addr || !rt->path)
		goto fail;
	rt->addr->sun_family = AF_UNIX;
	if (in->var_len) {
		memcpy((char *)rt->addr + offsetof(struct sockaddr_un, sun_path), in->var, alen);
		memcpy(rt->path, in->var + alen, plen);
	}
	err = sock_create(AF_UNIX, le32_to_cpu(rec->sk.type), 0, &rt->sock);
	if (err) {
		ckpt_err(ctx, err, "image offset %llu: cannot make an AF_UNIX socket", in->offset);
		goto fail;
	}
	/* no limit while the queues are filled: they were within theirs */
	rt->sock->sk->sk_max_ack_backlog = INT_MAX;
	rt->sock->sk->sk_sndbuf = INT_MAX / 4;
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_UNIX, rt->sock->sk, NULL);
	if (IS_ERR(obj)) {
		err = PTR_ERR(obj);
		sock_release(rt->sock);
		goto fail;
	}
	sock_hold(obj->ptr);
	obj->priv = rt;
	obj->drop = ckpt_unix_drop;
	obj->late = ckpt_unix_late;
	return 0;

fail:
	kfree(rt->path);
	kfree(rt->addr);
	kfree(rt);
	return err;
}

static struct file *ckpt_unix_file_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_unix *rec = (const void *)in->fixed;
	struct ckpt_unix_rt *rt;
	struct ckpt_obj *obj;
	struct file *file;

	obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->f.inode), CKPT_OBJ_UNIX);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	rt = obj->priv;
	if (rt->file || !rt->sock ||
	    le32_to_cpu(rt->rec.flags) & (CKPT_UNIX_GHOST | CKPT_UNIX_EMBRYO)) {
		ckpt_bad(ctx, in, "its socket cannot be open, or is open twice");
		return ERR_PTR(-EBADMSG);
	}
	file = sock_alloc_file(rt->sock, 0, NULL);
	if (IS_ERR(file))
		rt->sock = NULL;	/* it was released */
	else
		rt->file = file;
	return file;
}

/* the same as after bind() and unlink(), or accept(): a name, and nothing behind it */
int ckpt_unix_name(struct ckpt_unix_rt *rt, struct sock *sk)
{
	u32 alen = le32_to_cpu(rt->rec.addr_len);
	int len = alen + offsetof(struct sockaddr_un, sun_path);
	struct unix_address *addr;

	if (!alen)
		return 0;
	addr = kmalloc(sizeof(*addr) + len, GFP_KERNEL);
	if (!addr)
		return -ENOMEM;
	refcount_set(&addr->refcnt, 1);
	addr->len = len;
	memcpy(addr->name, rt->addr, len);
	/* nobody else knows the socket */
	smp_store_release(&unix_sk(sk)->addr, addr);
	return 0;
}

static bool ckpt_unix_alive(struct inode *inode)
{
	struct sock *s;

	sk_for_each_bound(s, &KD(bsd_socket_buckets)[inode->i_ino & UNIX_HASH_MOD]) {
		struct dentry *dentry = unix_sk(s)->path.dentry;

		if (dentry && d_backing_inode(dentry) == inode)
			return true;
	}
	return false;
}

/* what unix_bind_bsd() does once it has the socket file */
static int ckpt_unix_attach(struct ckpt_unix_rt *rt, struct sock *sk, const struct path *path)
{
	struct inode *inode = d_backing_inode(path->dentry);
	unsigned int old, new = inode->i_ino & UNIX_HASH_MOD;
	struct unix_sock *u = unix_sk(sk);
	struct net *net = sock_net(sk);
	spinlock_t *locks = net->unx.table.locks;
	int err;

	err = ckpt_unix_name(rt, sk);
	if (err)
		return err;
	mutex_lock(&u->bindlock);
	u->path = *path;
	path_get(&u->path);
	/* first of all, so that of two restarts only one gets it */
	spin_lock(&KD(bsd_socket_locks)[new]);
	if (ckpt_unix_alive(inode))
		err = -EADDRINUSE;
	else
		sk_add_bind_node(sk, &KD(bsd_socket_buckets)[new]);
	spin_unlock(&KD(bsd_socket_locks)[new]);
	if (err) {
		u->path = (struct path) {};
		path_put(path);
		goto out;
	}
	old = sk->sk_hash;
	if (old == new)
		goto out;
	spin_lock(&locks[min(old, new)]);
	spin_lock_nested(&locks[max(old, new)], SINGLE_DEPTH_NESTING);
	sk_del_node_init(sk);
	sk->sk_hash = new;
	sk_add_node(sk, &net->unx.table.buckets[new]);
	spin_unlock(&locks[max(old, new)]);
	spin_unlock(&locks[min(old, new)]);
out:
	mutex_unlock(&u->bindlock);
	return err;
}

static int ckpt_unix_mknod(struct ckpt_unix_rt *rt)
{
	u32 mode = le32_to_cpu(rt->rec.path_mode);
	struct iattr attr = { .ia_valid = ATTR_MODE, .ia_mode = S_IFSOCK | mode };
	struct user_namespace *ns = current_user_ns();
	struct path parent;
	struct dentry *dentry;
	struct inode *inode;
	int err;

	dentry = kern_path_create(AT_FDCWD, rt->path, &parent, 0);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	err = ckpt_vfs_mknod(parent.mnt, d_inode(parent.dentry), dentry, S_IFSOCK | mode);
	inode = d_backing_inode(dentry);
	if (!err && inode) {
		attr.ia_uid = make_kuid(ns, le32_to_cpu(rt->rec.path_uid));
		attr.ia_gid = make_kgid(ns, le32_to_cpu(rt->rec.path_gid));
		if (!uid_eq(attr.ia_uid, inode->i_uid))
			attr.ia_valid |= ATTR_UID;
		if (!gid_eq(attr.ia_gid, inode->i_gid))
			attr.ia_valid |= ATTR_GID;
		inode_lock(inode);
		err = ckpt_notify_change(parent.mnt, dentry, &attr);
		inode_unlock(inode);
	}
	done_path_create(&parent, dentry);
	return err;
}

static int ckpt_unix_bind_path(struct ckpt_ctx *ctx, struct ckpt_unix_rt *rt, struct sock *sk)
{
	struct inode *inode;
	struct path path;
	int err;

	err = kern_path(rt->path, 0, &path);
	if (err == -ENOENT) {
		err = ckpt_unix_mknod(rt);
		if (err)
			return ckpt_err(ctx, err, "cannot make the socket file %s", rt->path);
		err = kern_path(rt->path, 0, &path);
	}
	if (err)
		return ckpt_err(ctx, err, "cannot find the socket file %s", rt->path);
	inode = d_backing_inode(path.dentry);
	/* who takes over a name that others trust must be its owner */
	if (!S_ISSOCK(inode->i_mode))
		err = ckpt_err(ctx, -EEXIST, "%s is in the way: it is no socket", rt->path);
	else if (!ckpt_owner_or_capable(path.mnt, inode))
		err = ckpt_err(ctx, -EPERM, "the socket file %s belongs to somebody else", rt->path);
	else
		err = ckpt_unix_attach(rt, sk, &path);
	if (err == -EADDRINUSE)
		ckpt_err(ctx, err, "the socket file %s is in use by a living socket", rt->path);
	path_put(&path);
	return err;
}

/**
 * ckpt_unix_bind() - make a socket known by its address
 * @ctx: the restart
 * @rt: what the image says
 * @sk: the socket
 *
 * The caller's rights decide. From here on processes outside can reach it.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_unix_bind(struct ckpt_ctx *ctx, struct ckpt_unix_rt *rt, struct sock *sk)
{
	u32 flags = le32_to_cpu(rt->rec.flags);
	int len, err;

	if (flags & CKPT_UNIX_PATH)
		return ckpt_unix_bind_path(ctx, rt, sk);
	if (!(flags & CKPT_UNIX_ABSTRACT))
		return ckpt_unix_name(rt, sk);
	len = le32_to_cpu(rt->rec.addr_len) + offsetof(struct sockaddr_un, sun_path);
	err = kernel_bind(rt->sock, (struct sockaddr *)rt->addr, len);
	if (err)
		ckpt_err(ctx, err, "cannot bind the abstract address @%s%s",
			 rt->addr->sun_path + 1,
			 err == -EADDRINUSE ? ": it is in use" : "");
	return err;
}

/**
 * ckpt_unix_reachable() - whether processes outside can make a socket ready
 * @file: the open file of an AF_UNIX socket
 *
 * Return: true if they can address it.
 */
bool ckpt_unix_reachable(struct file *file)
{
	struct sock *sk = sock_from_file(file)->sk;

	return (sk->sk_type == SOCK_DGRAM || READ_ONCE(sk->sk_state) == TCP_LISTEN) &&
	       smp_load_acquire(&unix_sk(sk)->addr);	/* pairs with the release in bind() */
}

const struct ckpt_file_kind ckpt_file_unix = {
	.name = "unix",
	.rec = CKPT_REC_FILE_UNIX,
	.match = ckpt_unix_match,
	.collect = ckpt_unix_file_collect,
	.checkpoint = ckpt_unix_file_checkpoint,
	.restart = ckpt_unix_file_restart,
};
