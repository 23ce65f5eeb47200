// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: pipes and FIFOs with both ends in the tree: size, queued data with
 * the bounds of its buffers, packet mode; of a FIFO its path.
 * Refuses: a pipe or FIFO that is open outside, too, unless the caller lets it
 * be left behind; FIFOs that were removed.
 * Locks: the pipe's mutex, for a moment; its users are parked, and one parked
 * in place inside read or write does not hold it while it sleeps.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/namei.h>
#include <linux/pipe_fs_i.h>
#include <linux/slab.h>

#include "files.h"
#include "../ksym.h"

static bool ckpt_pipe_match(struct file *file)
{
	return S_ISFIFO(file_inode(file)->i_mode) && !(file->f_mode & FMODE_PATH);
}

/* a pipe is leaked when somebody outside has it open */
int ckpt_pipe_leak(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct inode *inode = obj->ptr;
	const char *what = inode->i_sb->s_magic == PIPEFS_MAGIC ? "pipe" : "fifo";
	struct ckpt_obj *file;

	if (inode->i_pipe->files <= obj->users)
		return 0;
	if (ckpt_leak_allowed(ctx, what)) {
		list_for_each_entry(file, &ctx->obj_list, node)
			if (file->type == CKPT_OBJ_FILE && file->kind == &ckpt_file_pipe &&
			    file->priv == obj)
				file->kind = &ckpt_file_inherit;
		return 0;
	}
	return ckpt_refuse(ctx, obj->task, what,
			   "pipe:[%lu] is also open outside of the tree (%u of %u ends inside); leave it behind with --allow-leak %s",
			   inode->i_ino, obj->users, inode->i_pipe->files, what);
}

static int ckpt_pipe_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_obj *inode;

	/* its users are files, each of which comes here once */
	inode = ckpt_obj_add(ctx, file_inode(file), CKPT_OBJ_INODE, obj->task, NULL);
	if (!inode)
		return -ENOMEM;
	inode->leak = ckpt_pipe_leak;
	obj->priv = inode;
	return 0;
}

/* an end that is open outside, too, is not all ours; see ckpt_pipe_leak() */
static void ckpt_pipe_outside(struct ckpt_obj *obj)
{
	((struct ckpt_obj *)obj->priv)->users--;
}

static bool ckpt_is_fifo(struct inode *inode)
{
	return inode->i_sb->s_magic != PIPEFS_MAGIC;
}

static int ckpt_pipe_inode(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct file *file)
{
	struct pipe_inode_info *pipe = ((struct inode *)obj->ptr)->i_pipe;
	struct pipe_buffer *buf;
	struct ckpt_data *data;
	struct ckpt_pipe *rec;
	unsigned int i, mask;
	const char *why, *path = "";
	int err = 0;
	void *p, *name = NULL;

	if (ckpt_is_fifo(obj->ptr)) {
		name = kmalloc(PATH_MAX, GFP_KERNEL);
		if (!name)
			return -ENOMEM;
		path = ckpt_path(ctx, &file->f_path, name, &why);
		if (!path) {
			kfree(name);
			return ckpt_refuse(ctx, obj->task, "fifo", "an open FIFO %s", why);
		}
	}
	rec = ckpt_out(ctx, CKPT_REC_PIPE, obj->objref, sizeof(*rec), strlen(path));
	if (rec) {
		memcpy(rec + 1, path, strlen(path));
		rec->flags = cpu_to_le32(ckpt_is_fifo(obj->ptr));
	}
	kfree(name);
	if (!rec)
		return -ENOMEM;
	mutex_lock(&pipe->mutex);
	mask = pipe->ring_size - 1;
	rec->ring_size = cpu_to_le32(pipe->ring_size);
	rec->nbufs = cpu_to_le32(pipe_occupancy(pipe->head, pipe->tail));
	for (i = pipe->tail; i != pipe->head; i++) {
		buf = &pipe->bufs[i & mask];
		err = pipe_buf_confirm(pipe, buf);
		if (err)
			break;
		data = ckpt_out(ctx, CKPT_REC_DATA, obj->objref, sizeof(*data), buf->len);
		if (!data) {
			err = -ENOMEM;
			break;
		}
		data->flags = cpu_to_le32((buf->flags & PIPE_BUF_FLAG_PACKET ?
					   CKPT_DATA_PACKET : 0) |
					  (buf->flags & PIPE_BUF_FLAG_CAN_MERGE ?
					   CKPT_DATA_CAN_MERGE : 0));
		data->offset = cpu_to_le32(buf->offset);
		p = kmap_local_page(buf->page);
		memcpy(data + 1, p + buf->offset, buf->len);
		kunmap_local(p);
		le32_add_cpu(&rec->data_bytes, buf->len);
	}
	mutex_unlock(&pipe->mutex);
	return err;
}

static int ckpt_pipe_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_file_pipe *rec;

	rec = ckpt_file_of_inode(ctx, obj, sizeof(*rec), ckpt_pipe_inode);
	if (IS_ERR_OR_NULL(rec))
		return PTR_ERR_OR_ZERO(rec);
	if (ckpt_is_fifo(file_inode(file)))
		rec->no_writer = cpu_to_le32(ckpt_pipe_version(file) ==
					     file_inode(file)->i_pipe->w_counter);
	return 0;
}

/* ---- restart ---- */

/* a pipe that is made again: both ends, for whoever asks */
struct ckpt_pipe_rt {
	struct file *ends[2];
	u32 nbufs;		/* still to come */
};

static void ckpt_pipe_put(struct ckpt_obj *obj)
{
	struct ckpt_pipe_rt *rt = obj->priv;

	if (!rt)
		return;
	if (rt->ends[0]) {
		fput(rt->ends[0]);
		fput(rt->ends[1]);
	}
	kfree(rt);
}

/* a program must not find an end open that it had closed */
static int ckpt_pipe_late(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_pipe_rt *rt = obj->priv;

	if (rt->nbufs)
		return ckpt_err(ctx, -EBADMSG, "object %u: data of a pipe is missing", obj->objref);
	/* not the only reference while the program has that very end open */
	if (rt->ends[0] != rt->ends[1])
		ckpt_fput_now(rt->ends[1]);
	else
		fput(rt->ends[1]);
	ckpt_fput_now(rt->ends[0]);
	rt->ends[0] = NULL;
	return 0;
}

/* a FIFO is opened for both, which never waits */
static int ckpt_fifo_open(struct ckpt_ctx *ctx, struct ckpt_in *in, struct file **ends)
{
	struct path path;
	char *name;
	bool fifo;
	int err;

	if (!in->var_len || in->var_len >= PATH_MAX || in->var[0] != '/' ||
	    memchr(in->var, 0, in->var_len))
		return ckpt_bad(ctx, in, "its path is out of range");
	name = kmemdup_nul(in->var, in->var_len, GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	err = kern_path(name, 0, &path);
	if (err) {
		ckpt_err(ctx, err, "FIFO %s cannot be found", name);
		goto out;
	}
	fifo = S_ISFIFO(d_inode(path.dentry)->i_mode);
	path_put(&path);
	if (!fifo) {
		err = ckpt_err(ctx, -ESTALE, "file %s is not what it was: it was a FIFO", name);
		goto out;
	}
	ends[0] = filp_open(name, O_RDWR | O_NONBLOCK | O_NOFOLLOW, 0);
	if (IS_ERR(ends[0])) {
		err = ckpt_err(ctx, PTR_ERR(ends[0]), "FIFO %s cannot be opened", name);
		goto out;
	}
	ends[1] = get_file(ends[0]);
	if (!S_ISFIFO(file_inode(ends[0])->i_mode) || file_inode(ends[0])->i_pipe->files != 1 ||
	    !pipe_empty(file_inode(ends[0])->i_pipe->head, file_inode(ends[0])->i_pipe->tail)) {
		err = ckpt_err(ctx, -EBUSY, "FIFO %s is in use by another process", name);
		fput(ends[0]);
		fput(ends[1]);
	}
out:
	kfree(name);
	return err;
}

/**
 * ckpt_pipe_read() - make a pipe
 * @ctx: the restart
 * @in: its record; the data follows in records of its own
 *
 * Return: 0 or a negative errno.
 */
int ckpt_pipe_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_pipe *rec = (const void *)in->fixed;
	u32 slots = le32_to_cpu(rec->ring_size);
	struct ckpt_pipe_rt *rt;
	struct ckpt_obj *obj;
	int err;

	if (!slots || slots & (slots - 1) || slots > (1 << 20) / 8 ||
	    le32_to_cpu(rec->nbufs) > slots)
		return ckpt_bad(ctx, in, "its size is out of range");
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	err = rec->flags ? ckpt_fifo_open(ctx, in, rt->ends) : K(create_pipe_files)(rt->ends, 0);
	if (err) {
		kfree(rt);
		return err;
	}
	rt->nbufs = le32_to_cpu(rec->nbufs);
	if (slots != rt->ends[0]->f_inode->i_pipe->ring_size) {
		/* as fcntl() would, with its limits */
		long n = K(pipe_fcntl)(rt->ends[0], F_SETPIPE_SZ, (unsigned long)slots << PAGE_SHIFT);

		err = n < 0 ? n : 0;
		if (err)
			ckpt_err(ctx, err, "image offset %llu: cannot make a pipe of %u pages",
				 in->offset, slots);
	}
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_INODE, file_inode(rt->ends[0]), NULL);
	if (IS_ERR(obj)) {
		fput(rt->ends[0]);
		fput(rt->ends[1]);
		kfree(rt);
		return PTR_ERR(obj);
	}
	obj->priv = rt;
	obj->drop = ckpt_pipe_put;
	obj->data = ckpt_pipe_data;
	obj->late = ckpt_pipe_late;
	return err;
}

/**
 * ckpt_pipe_data() - queue one buffer of a pipe
 * @ctx: the restart
 * @obj: the pipe
 * @in: the DATA record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_pipe_data(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_data *data = (const void *)in->fixed;
	struct ckpt_pipe_rt *rt = obj->priv;
	struct pipe_inode_info *pipe = ((struct inode *)obj->ptr)->i_pipe;
	u32 offset = le32_to_cpu(data->offset), flags = le32_to_cpu(data->flags);
	unsigned int before;
	struct file *end = rt->ends[1];
	ssize_t n;
	void *buf;

	if (!rt->nbufs || offset >= PAGE_SIZE || in->var_len > PAGE_SIZE - offset ||
	    flags & ~(CKPT_DATA_PACKET | CKPT_DATA_CAN_MERGE))
		return ckpt_bad(ctx, in, "a buffer of a pipe is out of range");
	rt->nbufs--;
	/*
	 * Written with its offset in front, which is then cut off: a buffer of
	 * its own, since in packet mode nothing is merged into it.
	 */
	buf = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	memcpy(buf + offset, in->var, in->var_len);
	end->f_flags |= O_DIRECT | O_NONBLOCK;
	before = pipe->head;
	n = kernel_write(end, buf, offset + in->var_len, NULL);
	end->f_flags &= ~(O_DIRECT | O_NONBLOCK);
	kfree(buf);
	if (n < 0)
		return ckpt_err(ctx, n, "image offset %llu: cannot queue the data of a pipe",
				in->offset);
	mutex_lock(&pipe->mutex);
	if (pipe->head == before + 1) {
		struct pipe_buffer *b = &pipe->bufs[before & (pipe->ring_size - 1)];

		b->offset = offset;
		b->len = in->var_len;
		b->flags &= ~(PIPE_BUF_FLAG_PACKET | PIPE_BUF_FLAG_CAN_MERGE);
		if (flags & CKPT_DATA_PACKET)
			b->flags |= PIPE_BUF_FLAG_PACKET;
		if (flags & CKPT_DATA_CAN_MERGE)
			b->flags |= PIPE_BUF_FLAG_CAN_MERGE;
	}
	mutex_unlock(&pipe->mutex);
	return 0;
}

static struct file *ckpt_pipe_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_pipe *rec = (const void *)in->fixed;
	unsigned int mode = le32_to_cpu(rec->f.flags) & O_ACCMODE;
	struct ckpt_pipe_rt *rt;
	struct ckpt_obj *obj;

	obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->f.inode), CKPT_OBJ_INODE);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	if (obj->drop != ckpt_pipe_put || mode == O_ACCMODE) {
		ckpt_bad(ctx, in, "its inode is not a pipe, or its access mode is out of range");
		return ERR_PTR(-EBADMSG);
	}
	rt = obj->priv;
	/* an end that is opened through /proc has a file of its own */
	return dentry_open(&rt->ends[0]->f_path, mode | O_NONBLOCK, current_cred());
}

static int ckpt_pipe_restored(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_file_pipe *rec = (const void *)in->fixed;
	struct file *file = obj->ptr;

	if (rec->no_writer)
		ckpt_pipe_version(file) = file_inode(file)->i_pipe->w_counter;
	return 0;
}

const struct ckpt_file_kind ckpt_file_pipe = {
	.name = "pipe",
	.rec = CKPT_REC_FILE_PIPE,
	.match = ckpt_pipe_match,
	.collect = ckpt_pipe_collect,
	.outside = ckpt_pipe_outside,
	.checkpoint = ckpt_pipe_checkpoint,
	.restart = ckpt_pipe_restart,
	.restored = ckpt_pipe_restored,
};
