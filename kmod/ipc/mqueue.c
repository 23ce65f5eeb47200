// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: POSIX message queues: name, limits, owner, mode, messages with their
 * priorities, who is to be told of the next one (mq_notify), all open files. A queue
 * that is still there at the restart is taken as it is if it was not used since, or
 * if processes outside of the tree had it open as well; one that is not is
 * made again, as is one without a name.
 * Refuses: a queue without a name that is open outside of the tree, too; of
 * another IPC namespace; notification by a socket (SIGEV_THREAD); a message
 * over 1 MB.
 * Locks: the queue's lock. Others may use it meanwhile.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ipc_namespace.h>
#include <linux/mman.h>
#include <linux/msg.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <uapi/linux/mqueue.h>

#include "ipc.h"
#include "../arch/arch.h"
#include "../files/files.h"
#include "../files/mirror.h"
#include "../ksym.h"

#define CKPT_MQUEUE_MAGIC	0x19800202	/* of ipc/mqueue.c */
#define CKPT_MQUEUE_MAXMSG	65536
#define CKPT_MQUEUE_MSG_MAX	(CKPT_REC_MAX - 4096)
#define CKPT_MQUEUE_TRIES	100
#define CKPT_MQUEUE_NOTIFY	2	/* SIGEV_NONE is 1, SIGEV_SIGNAL is 0 */
/* bytes of a message in its first page, and in each that follows */
#define CKPT_MSG_FIRST	(PAGE_SIZE - sizeof(struct msg_msg))
#define CKPT_MSG_NEXT	(PAGE_SIZE - sizeof(struct ckpt_msg_seg))

struct ckpt_msg_seg {
	struct ckpt_msg_seg *next;
};

/* one message in the copy of a queue, its bytes follow */
struct ckpt_mq_msg {
	u32 prio, len;
};

static struct ckpt_m_mqueue *ckpt_mqueue(struct inode *inode)
{
	return container_of(inode, struct ckpt_m_mqueue, vfs_inode);
}

static bool ckpt_mqueue_match(struct file *file)
{
	struct inode *inode = file_inode(file);

	return inode->i_sb->s_magic == CKPT_MQUEUE_MAGIC && S_ISREG(inode->i_mode) &&
	       !(file->f_mode & FMODE_PATH);
}

/* each open file has a reference to the name, which itself is one more */
static bool ckpt_mqueue_outside(struct ckpt_ctx *ctx, struct ckpt_obj *inode, struct file *file)
{
	bool linked = file_inode(file)->i_nlink;
	struct ckpt_obj *obj;

	if (d_count(file->f_path.dentry) > inode->users + linked)
		return true;
	list_for_each_entry(obj, &ctx->obj_list, node)
		if (obj->type == CKPT_OBJ_FILE && obj->kind == &ckpt_file_mqueue &&
		    obj->priv == inode && file_count((struct file *)obj->ptr) > obj->users)
			return true;
	return false;
}

static int ckpt_mqueue_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct inode *inode = file_inode((struct file *)obj->ptr);

	if (inode->i_sb->s_fs_info != current->nsproxy->ipc_ns)
		return ckpt_refuse(ctx, obj->task, "mqueue",
				   "message queue %pD is of another IPC namespace", obj->ptr);
	obj->priv = ckpt_obj_add(ctx, inode, CKPT_OBJ_INODE, obj->task, NULL);
	return obj->priv ? 0 : -ENOMEM;
}

/* with the queue's lock; false: the buffer is too small */
static bool ckpt_mqueue_copy(struct ckpt_m_mqueue *q, u8 *buf, size_t size)
{
	struct ckpt_m_mq_node *leaf;
	struct ckpt_msg_seg *seg;
	struct ckpt_mq_msg *m;
	struct msg_msg *msg;
	struct rb_node *rb;
	size_t len, part;

	if (q->qsize + q->attr.mq_curmsgs * sizeof(*m) > size)
		return false;
	/* the highest priority first */
	for (rb = rb_last(&q->msg_tree); rb; rb = rb_prev(rb)) {
		leaf = rb_entry(rb, struct ckpt_m_mq_node, rb_node);
		list_for_each_entry(msg, &leaf->msg_list, m_list) {
			m = (void *)buf;
			m->prio = msg->m_type;
			m->len = msg->m_ts;
			buf += sizeof(*m);
			len = msg->m_ts;
			part = min(len, CKPT_MSG_FIRST);
			memcpy(buf, msg + 1, part);
			for (seg = (void *)msg->next; seg; seg = seg->next) {
				buf += part;
				len -= part;
				part = min(len, CKPT_MSG_NEXT);
				memcpy(buf, seg + 1, part);
			}
			buf += part;
		}
	}
	return true;
}

/* gives a copy of all messages; others may add more while there is no lock */
static u8 *ckpt_mqueue_messages(struct ckpt_m_mqueue *q, struct ckpt_ipc_mq *rec)
{
	unsigned int tries;
	size_t size;
	bool fits;
	u8 *buf;

	for (tries = 0; tries < CKPT_MQUEUE_TRIES; tries++) {
		spin_lock(&q->lock);
		size = q->qsize + q->attr.mq_curmsgs * sizeof(struct ckpt_mq_msg);
		spin_unlock(&q->lock);
		buf = kvmalloc(size + 1, GFP_KERNEL);
		if (!buf)
			return ERR_PTR(-ENOMEM);
		spin_lock(&q->lock);
		fits = ckpt_mqueue_copy(q, buf, size);
		rec->curmsgs = cpu_to_le32(q->attr.mq_curmsgs);
		rec->bytes = cpu_to_le64(q->qsize);
		spin_unlock(&q->lock);
		if (fits)
			return buf;
		kvfree(buf);
	}
	return ERR_PTR(-EBUSY);
}

static int ckpt_mqueue_notify(struct ckpt_ctx *ctx, struct ckpt_obj *inode,
			      struct ckpt_m_mqueue *q, struct ckpt_ipc_mq *rec)
{
	struct task_struct *owner;
	int how = -1;

	spin_lock(&q->lock);
	rcu_read_lock();
	owner = q->notify_owner ? pid_task(q->notify_owner, PIDTYPE_TGID) : NULL;
	if (owner && ckpt_proc_has(ctx, owner)) {
		how = q->notify.sigev_notify;
		rec->notify = cpu_to_le32(how + 1);
		rec->notify_pid = cpu_to_le32(pid_vnr(q->notify_owner));
		if (how == SIGEV_SIGNAL) {
			rec->notify_signo = cpu_to_le32(q->notify.sigev_signo);
			rec->notify_value = cpu_to_le64((unsigned long)q->notify.sigev_value.sival_ptr);
		}
	}
	rcu_read_unlock();
	spin_unlock(&q->lock);
	if (how == SIGEV_THREAD)
		return ckpt_refuse(ctx, inode->task, "mqueue",
				   "a thread is to be told of a message (mq_notify with SIGEV_THREAD)");
	return 0;
}

static int ckpt_mqueue_data(struct ckpt_ctx *ctx, struct ckpt_obj *inode, const u8 *buf, u32 n)
{
	const struct ckpt_mq_msg *m;
	struct ckpt_data *data;

	for (; n; n--, buf += sizeof(*m) + m->len) {
		m = (const void *)buf;
		if (m->len > CKPT_MQUEUE_MSG_MAX)
			return ckpt_refuse(ctx, inode->task, "mqueue",
					   "a message of %u bytes in a message queue is too long", m->len);
		data = ckpt_out(ctx, CKPT_REC_DATA, inode->objref, sizeof(*data), m->len);
		if (!data)
			return -ENOMEM;
		data->seq = cpu_to_le64(m->prio);
		memcpy(data + 1, m + 1, m->len);
	}
	return 0;
}

static int ckpt_mqueue_save(struct ckpt_ctx *ctx, struct ckpt_obj *inode, struct file *file)
{
	struct inode *i = file_inode(file);
	struct ckpt_m_mqueue *q = ckpt_mqueue(i);
	struct timespec64 mtime = ckpt_inode_mtime(i);
	bool outside = ckpt_mqueue_outside(ctx, inode, file);
	struct ckpt_ipc_mq *rec;
	struct name_snapshot name;
	u8 *buf;
	int err;

	if (outside && !i->i_nlink)
		return ckpt_refuse(ctx, inode->task, "mqueue",
				   "message queue %pD, which has no name any more, is also open outside of the tree",
				   file);
	take_dentry_name_snapshot(&name, file->f_path.dentry);
	rec = ckpt_out(ctx, CKPT_REC_IPC_MQ, inode->objref, sizeof(*rec), name.name.len);
	if (rec)
		memcpy(rec + 1, name.name.name, name.name.len);
	release_dentry_name_snapshot(&name);
	if (!rec)
		return -ENOMEM;
	rec->flags = cpu_to_le32((i->i_nlink ? 0 : CKPT_MQ_REMOVED) |
				 (outside ? CKPT_MQ_OUTSIDE : 0));
	rec->mode = cpu_to_le32(i->i_mode & 07777);
	rec->uid = cpu_to_le32(from_kuid_munged(current_user_ns(), i->i_uid));
	rec->gid = cpu_to_le32(from_kgid_munged(current_user_ns(), i->i_gid));
	rec->ino = cpu_to_le64(i->i_ino);
	rec->mtime_sec = cpu_to_le64(mtime.tv_sec);
	rec->mtime_nsec = cpu_to_le32(mtime.tv_nsec);
	rec->maxmsg = cpu_to_le32(q->attr.mq_maxmsg);
	rec->msgsize = cpu_to_le32(q->attr.mq_msgsize);
	err = ckpt_mqueue_notify(ctx, inode, q, rec);
	if (err)
		return err;
	buf = ckpt_mqueue_messages(q, rec);
	if (IS_ERR(buf))
		return ckpt_err(ctx, PTR_ERR(buf), "cannot copy the messages of message queue %pD", file);
	err = ckpt_mqueue_data(ctx, inode, buf, le32_to_cpu(rec->curmsgs));
	kvfree(buf);
	return err;
}

static int ckpt_mqueue_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	return PTR_ERR_OR_ZERO(ckpt_file_of_inode(ctx, obj, sizeof(struct ckpt_file_mqueue),
						  ckpt_mqueue_save));
}

/* ---- restart, in the coordinator ---- */

struct ckpt_mqueue_rt {
	struct ckpt_ctx *ctx;
	struct ckpt_ipc_mq rec;
	bool made;		/* its messages come from the image */
	bool named;		/* and it has its name */
	u32 n;			/* messages so far */
	char name[NAME_MAX + 1];
};

/* a system call with the name, and limits, in memory of the caller's */
static long ckpt_mqueue_call(const char *name, int flags, const struct ckpt_ipc_mq *rec)
{
	unsigned long page = ckpt_user_mem(PAGE_SIZE), at;
	struct mq_attr attr = {};
	long err = -EFAULT;

	if (IS_ERR_VALUE(page))
		return page;
	at = page + PAGE_SIZE / 2;
	if (rec) {
		attr.mq_maxmsg = le32_to_cpu(rec->maxmsg);
		attr.mq_msgsize = le32_to_cpu(rec->msgsize);
	}
	if (copy_to_user((void __user *)page, name, strlen(name) + 1) ||
	    copy_to_user((void __user *)at, &attr, sizeof(attr)))
		goto out;
	if (flags < 0)
		err = ckpt_arch_syscall(__NR_mq_unlink, page, 0, 0, 0, 0, 0);
	else
		err = ckpt_arch_syscall(__NR_mq_open, page, flags, 0600, rec ? at : 0, 0, 0);
out:
	vm_munmap(page, PAGE_SIZE);
	return err;
}

static long ckpt_mqueue_unlink(const char *name)
{
	return ckpt_mqueue_call(name, -1, NULL);
}

static void ckpt_mqueue_put(struct ckpt_obj *obj)
{
	struct ckpt_mqueue_rt *rt = obj->priv;

	/* of a restart that failed nothing is left */
	if (rt && rt->named && READ_ONCE(rt->ctx->err))
		ckpt_mqueue_unlink(rt->name);
	kfree(rt);
	fput(obj->ptr);
}

static struct file *ckpt_mqueue_make(struct ckpt_ctx *ctx, struct ckpt_mqueue_rt *rt, u32 ref)
{
	const struct ckpt_ipc_mq *rec = &rt->rec;
	bool removed = le32_to_cpu(rec->flags) & CKPT_MQ_REMOVED;
	struct file *file;
	char name[32];
	int err = 0;

	/* one without a name has one for a moment */
	snprintf(name, sizeof(name), "crctl-%d-%u", task_pid_vnr(current), ref);
	file = ckpt_file_take(ckpt_mqueue_call(removed ? name : rt->name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK,
					       rec));
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		ckpt_err(ctx, err, "message queue %s cannot be made%s", rt->name,
			 err == -EMFILE ? ": raise the limit on message queues (ulimit -q)" :
			 err == -EINVAL ? ": raise /proc/sys/fs/mqueue/msg_max and msgsize_max" : "");
		return file;
	}
	if (le32_to_cpu(rec->uid) != from_kuid_munged(current_user_ns(), file_inode(file)->i_uid) ||
	    le32_to_cpu(rec->gid) != from_kgid_munged(current_user_ns(), file_inode(file)->i_gid))
		err = K(vfs_fchown)(file, le32_to_cpu(rec->uid), le32_to_cpu(rec->gid));
	if (!err)
		err = K(vfs_fchmod)(file, le32_to_cpu(rec->mode));
	if (err)
		ckpt_err(ctx, err, "message queue %s cannot get its owner and mode", rt->name);
	if (err || removed)
		ckpt_mqueue_unlink(removed ? name : rt->name);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	rt->made = true;
	rt->named = !removed;
	return file;
}

static bool ckpt_mqueue_same(const struct ckpt_ipc_mq *rec, struct inode *inode)
{
	struct timespec64 mtime = ckpt_inode_mtime(inode);
	struct ckpt_m_mqueue *q = ckpt_mqueue(inode);
	bool same;

	spin_lock(&q->lock);
	same = q->attr.mq_curmsgs == le32_to_cpu(rec->curmsgs) && q->qsize == le64_to_cpu(rec->bytes);
	spin_unlock(&q->lock);
	return same && inode->i_ino == le64_to_cpu(rec->ino) &&
	       mtime.tv_sec == le64_to_cpu(rec->mtime_sec) && mtime.tv_nsec == le32_to_cpu(rec->mtime_nsec);
}

/* the queue with the name, if there is one */
static struct file *ckpt_mqueue_take(struct ckpt_ctx *ctx, struct ckpt_mqueue_rt *rt)
{
	const struct ckpt_ipc_mq *rec = &rt->rec;
	struct ckpt_m_mqueue *q;
	struct file *file;
	long fd;

	fd = ckpt_mqueue_call(rt->name, O_RDONLY | O_NONBLOCK, NULL);
	if (fd == -EACCES)
		fd = ckpt_mqueue_call(rt->name, O_WRONLY | O_NONBLOCK, NULL);
	file = ckpt_file_take(fd);
	if (IS_ERR(file)) {
		if (fd != -ENOENT)
			ckpt_err(ctx, fd, "message queue %s cannot be opened", rt->name);
		return file;
	}
	q = ckpt_mqueue(file_inode(file));
	if (q->attr.mq_maxmsg == le32_to_cpu(rec->maxmsg) && q->attr.mq_msgsize == le32_to_cpu(rec->msgsize) &&
	    (le32_to_cpu(rec->flags) & CKPT_MQ_OUTSIDE || ckpt_mqueue_same(rec, file_inode(file))))
		return file;
	fput(file);
	ckpt_err(ctx, -ESTALE, "message queue %s was used since the checkpoint; remove it, then the restart makes it again with its messages",
		 rt->name);
	return ERR_PTR(-ESTALE);
}

/* a DATA record is one message, the next to be received */
static int ckpt_mqueue_message(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_data *data = (const void *)in->fixed;
	struct ckpt_mqueue_rt *rt = obj->priv;
	size_t size = PAGE_ALIGN(in->var_len + 1);
	unsigned long mem;
	long err;
	int fd;

	if (in->var_len > le32_to_cpu(rt->rec.msgsize) || le64_to_cpu(data->seq) >= MQ_PRIO_MAX ||
	    rt->n == le32_to_cpu(rt->rec.curmsgs))
		return ckpt_bad(ctx, in, "a message, or its priority, is out of range");
	rt->n++;
	if (!rt->made)
		return 0;
	mem = ckpt_user_mem(size);
	if (IS_ERR_VALUE(mem))
		return mem;
	fd = get_unused_fd_flags(O_CLOEXEC);
	err = fd;
	if (fd >= 0) {
		fd_install(fd, get_file(obj->ptr));
		err = -EFAULT;
		if (!copy_to_user((void __user *)mem, in->var, in->var_len))
			err = ckpt_arch_syscall(__NR_mq_timedsend, fd, mem, in->var_len,
						le64_to_cpu(data->seq), 0, 0);
		close_fd(fd);
	}
	vm_munmap(mem, size);
	return err ? ckpt_err(ctx, err, "a message cannot be put into message queue %s", rt->name) : 0;
}

static int ckpt_mqueue_late(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_m_mqueue *q = ckpt_mqueue(file_inode((struct file *)obj->ptr));
	struct ckpt_mqueue_rt *rt = obj->priv;
	const struct ckpt_ipc_mq *rec = &rt->rec;
	struct ckpt_joined *joined;
	bool taken;

	if (rt->n != le32_to_cpu(rec->curmsgs))
		return ckpt_err(ctx, -EBADMSG, "message queue %s has %u messages, not %u", rt->name,
				rt->n, le32_to_cpu(rec->curmsgs));
	if (!rec->notify)
		return 0;
	joined = xa_load(&ctx->joined_xa, le32_to_cpu(rec->notify_pid));
	if (!joined)
		return ckpt_err(ctx, -EBADMSG, "process %u, who is to be told of messages, is not there",
				le32_to_cpu(rec->notify_pid));
	/* what mq_notify() does for its caller */
	spin_lock(&q->lock);
	taken = q->notify_owner;
	if (!taken) {
		q->notify.sigev_notify = le32_to_cpu(rec->notify) - 1;
		q->notify.sigev_signo = le32_to_cpu(rec->notify_signo);
		q->notify.sigev_value.sival_ptr = (void __user *)le64_to_cpu(rec->notify_value);
		q->notify_self_exec_id = joined->task->self_exec_id;
		q->notify_owner = get_pid(task_tgid(joined->task));
		q->notify_user_ns = get_user_ns(current_user_ns());
	}
	spin_unlock(&q->lock);
	return taken ? ckpt_err(ctx, -EBUSY, "another process is told of messages in message queue %s now",
				rt->name) : 0;
}

/**
 * ckpt_mqueue_read() - take a message queue, or make it again
 * @ctx: the restart
 * @in: its record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_mqueue_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_ipc_mq *rec = (const void *)in->fixed;
	struct file *file = ERR_PTR(-ENOENT);
	struct ckpt_mqueue_rt *rt;
	struct ckpt_obj *obj;

	if (!in->var_len || in->var_len > NAME_MAX || memchr(in->var, 0, in->var_len) ||
	    memchr(in->var, '/', in->var_len) || le32_to_cpu(rec->mode) & ~07777 ||
	    le32_to_cpu(rec->flags) & ~(CKPT_MQ_REMOVED | CKPT_MQ_OUTSIDE) ||
	    !rec->maxmsg || le32_to_cpu(rec->maxmsg) > CKPT_MQUEUE_MAXMSG ||
	    !rec->msgsize || le32_to_cpu(rec->msgsize) > S32_MAX ||
	    le32_to_cpu(rec->curmsgs) > le32_to_cpu(rec->maxmsg) ||
	    le32_to_cpu(rec->notify) > CKPT_MQUEUE_NOTIFY || le32_to_cpu(rec->notify_signo) > _NSIG)
		return ckpt_bad(ctx, in, "a field is out of range");
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	rt->ctx = ctx;
	rt->rec = *rec;
	memcpy(rt->name, in->var, in->var_len);
	if (!(le32_to_cpu(rec->flags) & CKPT_MQ_REMOVED))
		file = ckpt_mqueue_take(ctx, rt);
	if (file == ERR_PTR(-ENOENT))
		file = ckpt_mqueue_make(ctx, rt, in->objref);
	if (IS_ERR(file)) {
		kfree(rt);
		return PTR_ERR(file);
	}
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_INODE, file, ckpt_mqueue_put);
	if (IS_ERR(obj)) {
		if (rt->named)
			ckpt_mqueue_unlink(rt->name);
		kfree(rt);
		return PTR_ERR(obj);
	}
	obj->priv = rt;
	obj->data = ckpt_mqueue_message;
	obj->late = ckpt_mqueue_late;
	return 0;
}

static struct file *ckpt_mqueue_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	static const int access[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE };
	const struct ckpt_file_mqueue *rec = (const void *)in->fixed;
	unsigned int mode = le32_to_cpu(rec->f.flags) & O_ACCMODE;
	struct ckpt_mqueue_rt *rt;
	struct file *first, *file;
	struct ckpt_obj *obj;
	int err;

	obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->f.inode), CKPT_OBJ_INODE);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	if (obj->drop != ckpt_mqueue_put || mode == O_ACCMODE || le64_to_cpu(rec->f.pos) > MAX_LFS_FILESIZE) {
		ckpt_bad(ctx, in, "its inode is no message queue, or a field is out of range");
		return ERR_PTR(-EBADMSG);
	}
	first = obj->ptr;
	rt = obj->priv;
	/* what was made here is the program's, whatever its mode is */
	err = rt->made ? 0 : ckpt_path_permission(&first->f_path, access[mode]);
	if (err) {
		ckpt_err(ctx, err, "message queue %s may not be opened", rt->name);
		return ERR_PTR(err);
	}
	file = dentry_open(&first->f_path, mode | O_LARGEFILE, current_cred());
	if (!IS_ERR(file))
		file->f_pos = le64_to_cpu(rec->f.pos);
	return file;
}

const struct ckpt_file_kind ckpt_file_mqueue = {
	.name = "mqueue",
	.rec = CKPT_REC_FILE_MQUEUE,
	/* others find it by its name as well */
	.outside_ok = true,
	.match = ckpt_mqueue_match,
	.collect = ckpt_mqueue_collect,
	.checkpoint = ckpt_mqueue_checkpoint,
	.restart = ckpt_mqueue_restart,
};
