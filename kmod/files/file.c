// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: what all open files have: flags, position, owner and signal of
 * F_SETOWN and F_SETSIG. The kind of a file does the rest.
 * Refuses: files of no known kind, by what they are.
 * Locks: f_owner.lock.
 */
#include <linux/fcntl.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pid.h>
#include <linux/major.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "files.h"

/* what open() and fcntl(F_SETFL) can set and F_GETFL shows */
#define CKPT_FILE_FLAGS	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | \
			 O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | \
			 O_NOATIME | O_PATH | FASYNC | __O_TMPFILE | O_NOCTTY)

#define CKPT_MQUEUE_MAGIC	0x19800202	/* of ipc/mqueue.c */

/* files that are nothing but an operation are told by the names the kernel gives them */
static const struct {
	const char *begin, *what;
} ckpt_anon_names[] = {
	{ "[io_uring]", "io_uring" },
	{ "[userfaultfd]", "userfaultfd" },
	{ "[fanotify]", "fanotify" },
	{ "[perf_event]", "perf_event" },
	{ "bpf", "bpf" },
	{ "[fscontext]", "mount-api" },
	{ "[landlock-ruleset]", "landlock" },
	{ "seccomp notify", "seccomp-notify" },
	{ "kvm-", "kvm" },
};

static const char *ckpt_anon_what(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_anon_names); i++)
		if (!strncmp(name, ckpt_anon_names[i].begin, strlen(ckpt_anon_names[i].begin)))
			return ckpt_anon_names[i].what;
	return "anon-inode";
}

static const char *ckpt_socket_what(struct file *file)
{
	struct socket *sock = sock_from_file(file);
	struct sock *sk = sock ? sock->sk : NULL;

	switch (sk ? sk->sk_family : AF_UNSPEC) {
	case AF_INET:
	case AF_INET6:
		/* listening and unconnected ones have nothing on the wire */
		if (sk->sk_type == SOCK_STREAM && sk->sk_state != TCP_CLOSE &&
		    sk->sk_state != TCP_LISTEN)
			return "tcp-established";
		return "inet";
	case AF_NETLINK:
		return "netlink";
	case AF_PACKET:
		return "packet";
	}
	return "socket";
}

static const char *ckpt_device_what(dev_t dev)
{
	switch (MAJOR(dev)) {
	case TTY_MAJOR:
	case TTYAUX_MAJOR:
	case UNIX98_PTY_MASTER_MAJOR ... UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT - 1:
		return "tty";
	}
	return "device";
}

/* what a file is, where no kind takes it */
static const char *ckpt_file_what(struct file *file)
{
	struct inode *inode = file_inode(file);

	switch (inode->i_mode & S_IFMT) {
	case S_IFSOCK:
		return ckpt_socket_what(file);
	case S_IFIFO:
		return "fifo";
	case S_IFCHR:
		return ckpt_device_what(inode->i_rdev);
	case S_IFBLK:
		return "block-device";
	}
	switch (inode->i_sb->s_magic) {
	case ANON_INODE_FS_MAGIC:
		return ckpt_anon_what(file->f_path.dentry->d_name.name);
	case SECRETMEM_MAGIC:
		return "memfd_secret";
	case BPF_FS_MAGIC:
		return "bpf";
	case CKPT_MQUEUE_MAGIC:
		return "mqueue";
	case PROC_SUPER_MAGIC:
		return "proc";
	case NSFS_MAGIC:
		return "namespace";
	case HUGETLBFS_MAGIC:
		return "hugetlb";
	}
	if (ckpt_pseudo_fs(inode->i_sb))
		return "pseudo-file";
	return "file";
}

/**
 * ckpt_file_collect() - make an open file known
 * @ctx: the checkpoint
 * @file: the file
 * @task: who has it
 *
 * Counts one user. A file that cannot be saved is refused here.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_file_collect(struct ckpt_ctx *ctx, struct file *file,
		      struct task_struct *task)
{
	struct ckpt_obj *obj;
	bool new;

	obj = ckpt_obj_add(ctx, file, CKPT_OBJ_FILE, task, &new);
	if (!obj)
		return -ENOMEM;
	if (!new)
		return 0;
	obj->kind = ckpt_file_kind(file);
	if (!obj->kind && ckpt_leak_allowed(ctx, ckpt_file_what(file)))
		obj->kind = &ckpt_file_inherit;
	if (!obj->kind) {
		char *buf = kmalloc(PATH_MAX, GFP_KERNEL), *p = NULL;

		if (buf)
			p = d_path(&file->f_path, buf, PATH_MAX);
		ckpt_refuse(ctx, task, ckpt_file_what(file), "%s is open and of no kind that can be saved; close it, or leave it behind with --allow-leak %s",
			    IS_ERR_OR_NULL(p) ? "a file" : p, ckpt_file_what(file));
		kfree(buf);
		return 0;
	}
	if (obj->kind->collect)
		return obj->kind->collect(ctx, obj);
	return 0;
}

/**
 * ckpt_file_checkpoint() - save an open file
 * @ctx: the checkpoint
 * @obj: the file
 *
 * Return: 0 or a negative errno.
 */
int ckpt_file_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	int err;

	if (obj->written || !obj->kind)
		return 0;
	obj->written = true;
	err = obj->kind->checkpoint(ctx, obj);
	return err ? err : ckpt_locks_checkpoint(ctx, obj);
}

/* tells whether anybody gets the signals of a file */
static bool ckpt_owner_lives(struct ckpt_ctx *ctx, struct fown_struct *own, bool *outside)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;
	bool lives;

	rcu_read_lock();
	lives = own->pid && pid_task(own->pid, own->pid_type);
	rcu_read_unlock();
	if (!lives)
		return false;
	list_for_each_entry(proc, &ctx->procs, node) {
		if (own->pid_type == PIDTYPE_PGID && task_pgrp(proc->leader) == own->pid)
			return true;
		list_for_each_entry(t, &proc->threads, node)
			if (task_pid(t->task) == own->pid)
				return true;
	}
	*outside = true;
	return true;
}

/**
 * ckpt_file_common() - fill in what all files have
 * @ctx: the checkpoint
 * @obj: the file
 * @f: beginning of its record
 *
 * Return: 0
 */
int ckpt_file_common(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
		     struct ckpt_file *f)
{
	struct file *file = obj->ptr;
	struct fown_struct *own;
	bool outside = false;

	f->flags = cpu_to_le32(file->f_flags & CKPT_FILE_FLAGS);
	f->pos = cpu_to_le64(file->f_pos);
	own = ckpt_file_owner(file);
	if (!own)
		return 0;
	read_lock_irq(&own->lock);
	/* an owner that has died is none, as F_GETOWN has it, too */
	if (ckpt_owner_lives(ctx, own, &outside)) {
		f->owner_type = cpu_to_le32(own->pid_type + 1);
		f->owner_pid = cpu_to_le32(pid_vnr(own->pid));
		f->owner_uid = cpu_to_le32(from_kuid(&init_user_ns, own->uid));
		f->owner_euid = cpu_to_le32(from_kuid(&init_user_ns, own->euid));
	}
	f->owner_sig = cpu_to_le32(own->signum);
	read_unlock_irq(&own->lock);
	if (outside)
		ckpt_refuse(ctx, obj->task, "owner",
			    "signals of %pD go to process %u outside of the tree (F_SETOWN)",
			    file, le32_to_cpu(f->owner_pid));
	return 0;
}

/**
 * ckpt_file_of_inode() - save a file that is one of several of an inode
 * @ctx: the checkpoint
 * @obj: the file; its priv is the inode's object, or NULL if that was refused
 * @size: of its record, which begins with a struct ckpt_file
 * @save: writes the inode's object, before the first of its files
 *
 * Return: the record, an ERR_PTR, or NULL if there is no inode.
 */
void *ckpt_file_of_inode(struct ckpt_ctx *ctx, struct ckpt_obj *obj, size_t size,
			 int (*save)(struct ckpt_ctx *ctx, struct ckpt_obj *inode,
				     struct file *file))
{
	struct ckpt_obj *inode = obj->priv;
	struct ckpt_file *f;
	int err;

	if (!inode)
		return NULL;
	if (!inode->written) {
		inode->written = true;
		err = save(ctx, inode, obj->ptr);
		if (err)
			return ERR_PTR(err);
	}
	f = ckpt_out(ctx, obj->kind->rec, obj->objref, size, 0);
	if (!f)
		return ERR_PTR(-ENOMEM);
	ckpt_file_common(ctx, obj, f);
	f->inode = cpu_to_le32(inode->objref);
	return f;
}

/* ---- restart ---- */

static void ckpt_file_put(struct ckpt_obj *obj)
{
	if (obj->kind && obj->kind->drop)
		obj->kind->drop(obj);
	kfree(obj->owner);
	fput(obj->ptr);
}

static int ckpt_owner_set(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
			  const struct ckpt_file *f)
{
	enum pid_type type = le32_to_cpu(f->owner_type) - 1;
	kuid_t uid = make_kuid(&init_user_ns, le32_to_cpu(f->owner_uid));
	kuid_t euid = make_kuid(&init_user_ns, le32_to_cpu(f->owner_euid));
	struct file *file = obj->ptr;
	struct fown_struct *own;
	struct pid *pid;
	int err;

	err = ckpt_file_owner_alloc(file);
	if (err)
		return err;
	own = ckpt_file_owner(file);
	if (f->owner_type) {
		rcu_read_lock();
		pid = get_pid(find_vpid(le32_to_cpu(f->owner_pid)));
		rcu_read_unlock();
		if (!pid)
			return ckpt_err(ctx, -ESRCH, "object %u: process %u, who owns the signals of a file, is not there",
					obj->objref, le32_to_cpu(f->owner_pid));
		__f_setown(file, pid, type, 1);
		put_pid(pid);
		/* their rights decide whom it may signal: never more than the caller's */
		if (capable(CAP_SETUID) && uid_valid(uid) && uid_valid(euid)) {
			write_lock_irq(&own->lock);
			own->uid = uid;
			own->euid = euid;
			write_unlock_irq(&own->lock);
		}
	}
	own->signum = le32_to_cpu(f->owner_sig);
	return 0;
}

/* the owner may be a process of the tree, so this waits until all exist */
static int ckpt_file_late(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_file *f = obj->owner;
	int err = 0;

	if (f && (f->owner_type || f->owner_sig))
		err = ckpt_owner_set(ctx, obj, f);
	if (err)
		return err;
	if (obj->kind->late)
		err = obj->kind->late(ctx, obj);
	return err;
}

struct ckpt_fput {
	struct work_struct work;
	struct file *file;
};

static void ckpt_fput_run(struct work_struct *work)
{
	__fput_sync(container_of(work, struct ckpt_fput, work)->file);
}

/**
 * ckpt_fput_now() - close a file at once
 * @file: the file, of which the caller has the only reference
 *
 * fput() would wait until the current thread returns to user mode; only a
 * thread of the kernel need not.
 */
void ckpt_fput_now(struct file *file)
{
	struct ckpt_fput put = { .file = file };

	INIT_WORK_ONSTACK(&put.work, ckpt_fput_run);
	schedule_work(&put.work);
	flush_work(&put.work);
	destroy_work_on_stack(&put.work);
}

/**
 * ckpt_file_take() - take a file out of the table of descriptors
 * @fd: what a system call that opens a file has returned
 *
 * Return: the file, or an ERR_PTR.
 */
struct file *ckpt_file_take(long fd)
{
	struct file *file;

	if (fd < 0)
		return ERR_PTR(fd);
	file = fget_raw(fd);
	close_fd(fd);
	return file ? file : ERR_PTR(-EBADF);
}

/**
 * ckpt_file_read() - open a file of the image again
 * @ctx: the restart
 * @in: its FILE_* record
 *
 * Runs in the coordinator: the caller's rights decide.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_file_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file *f = (const void *)in->fixed;
	const struct ckpt_file_kind * const *kind;
	u32 flags = le32_to_cpu(f->flags);
	struct file *file = NULL;
	struct ckpt_obj *obj;
	bool given;

	if (flags & ~CKPT_FILE_FLAGS)
		return ckpt_bad(ctx, in, "it has flags that this kernel does not know");
	if (le32_to_cpu(f->owner_type) > PIDTYPE_SID + 1 ||
	    le32_to_cpu(f->owner_type) == PIDTYPE_SID + 1 ||
	    le32_to_cpu(f->owner_sig) > _NSIG)
		return ckpt_bad(ctx, in, "its owner or signal is out of range");
	for (kind = ckpt_file_kinds; *kind; kind++)
		if ((*kind)->rec == in->type)
			break;
	if (!*kind)
		return ckpt_bad(ctx, in, "no kind of file has this record");
	if (*kind == &ckpt_file_inherit || *kind == &ckpt_file_path)
		file = ckpt_inherit_take(ctx, in);
	given = file;
	if (!file)
		file = (*kind)->restart(ctx, in);
	if (IS_ERR(file)) {
		if (!READ_ONCE(ctx->err))
			ckpt_err(ctx, PTR_ERR(file), "image offset %llu: cannot restore a file of kind %s",
				 in->offset, (*kind)->name);
		return PTR_ERR(file);
	}
	/* one that was given is shared with its giver: it stays as it is */
	if (given) {
		obj = ckpt_obj_put(ctx, in, CKPT_OBJ_FILE, file, ckpt_file_put);
		if (!IS_ERR(obj))
			obj->kind = &ckpt_file_inherit;
		return PTR_ERR_OR_ZERO(obj);
	}
	/*
	 * Access mode and kind were decided at the opening. O_DIRECT needs a
	 * file that can do it; of a pipe it means packets.
	 */
	if (flags & O_DIRECT && !(file->f_mode & FMODE_CAN_ODIRECT) &&
	    !S_ISFIFO(file_inode(file)->i_mode)) {
		fput(file);
		return ckpt_bad(ctx, in, "O_DIRECT on a file that does not know it");
	}
	spin_lock(&file->f_lock);
	file->f_flags = (file->f_flags & (O_ACCMODE | O_PATH | FASYNC)) |
			(flags & ~(O_ACCMODE | O_PATH | FASYNC));
	file->f_iocb_flags = iocb_flags(file);
	spin_unlock(&file->f_lock);
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_FILE, file, ckpt_file_put);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	obj->kind = *kind;
	if (f->owner_type || f->owner_sig || flags & FASYNC) {
		obj->owner = kmemdup(f, sizeof(*f), GFP_KERNEL);
		if (!obj->owner)
			return -ENOMEM;
	}
	if (obj->owner || obj->kind->late)
		obj->late = ckpt_file_late;
	return obj->kind->restored ? obj->kind->restored(ctx, obj, in) : 0;
}
