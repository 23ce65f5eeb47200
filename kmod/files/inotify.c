// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: inotify: watches with their numbers, the number that comes next, and
 * the events that nobody has read. A watch is of an inode; it is saved by a
 * path that leads to it.
 * Refuses: a watch of what was removed, or has no path that the caller sees.
 * Locks: the group's mark_mutex for the watches, a mark's lock for its inode,
 * notification_lock for the events.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/idr.h>
#include <linux/inotify.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "files.h"
#include "mirror.h"
#include "../ksym.h"
#include "../arch/arch.h"

static bool ckpt_inotify_match(struct file *file)
{
	return file->f_op == KD(inotify_fops);
}

/* a watch as it is found, with a reference to its inode */
struct ckpt_inotify_found {
	struct inode *inode;
	int wd;
	u32 mask;
};

static struct inode *ckpt_mark_inode(struct fsnotify_mark *mark)
{
	struct inode *inode = NULL;

	spin_lock(&mark->lock);
	if (mark->flags & FSNOTIFY_MARK_FLAG_ATTACHED && mark->connector)
		inode = igrab(ckpt_fsnotify_inode(mark->connector));
	spin_unlock(&mark->lock);
	return inode;
}

static struct ckpt_inotify_found *ckpt_inotify_marks(struct fsnotify_group *group, unsigned int *n)
{
	struct ckpt_inotify_found *found;
	struct fsnotify_mark *mark;
	unsigned int cap = 0;

	*n = 0;
	mutex_lock(&group->mark_mutex);
	list_for_each_entry(mark, &group->marks_list, g_list)
		cap++;
	found = kvcalloc(cap + 1, sizeof(*found), GFP_KERNEL);
	if (!found)
		goto out;
	list_for_each_entry(mark, &group->marks_list, g_list) {
		struct ckpt_inotify_found *f = &found[*n];

		f->wd = READ_ONCE(container_of(mark, struct ckpt_m_inotify_mark, fsn_mark)->wd);
		f->inode = f->wd < 0 ? NULL : ckpt_mark_inode(mark);
		if (!f->inode)
			continue;
		f->mask = mark->mask & IN_ALL_EVENTS;
		if (mark->flags & FSNOTIFY_MARK_FLAG_EXCL_UNLINK)
			f->mask |= IN_EXCL_UNLINK;
		if (mark->flags & FSNOTIFY_MARK_FLAG_IN_ONESHOT)
			f->mask |= IN_ONESHOT;
		++*n;
	}
out:
	mutex_unlock(&group->mark_mutex);
	return found;
}

static char *ckpt_path_on(struct ckpt_ctx *ctx, struct vfsmount *mnt, struct dentry *dentry,
			  char *buf, const char **why)
{
	struct path path = { .mnt = mnt, .dentry = dentry };

	return mnt->mnt_sb == dentry->d_sb ? ckpt_path(ctx, &path, buf, why) : NULL;
}

/* an inode does not know through which mount it is watched: any that leads to it will do */
static char *ckpt_inode_path(struct ckpt_ctx *ctx, struct task_struct *task, struct inode *inode,
			     char *buf, const char **why)
{
	struct dentry *dentry = d_find_any_alias(inode);
	struct path pwd, root;
	struct ckpt_obj *obj;
	char *p;

	*why = "has no path that the caller sees";
	if (!dentry)
		return NULL;
	spin_lock(&task->fs->lock);
	pwd = task->fs->pwd;
	path_get(&pwd);
	root = task->fs->root;
	path_get(&root);
	spin_unlock(&task->fs->lock);
	p = ckpt_path_on(ctx, pwd.mnt, dentry, buf, why);
	if (!p)
		p = ckpt_path_on(ctx, root.mnt, dentry, buf, why);
	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (p)
			break;
		if (obj->type == CKPT_OBJ_FILE)
			p = ckpt_path_on(ctx, ((struct file *)obj->ptr)->f_path.mnt, dentry, buf, why);
	}
	path_put(&pwd);
	path_put(&root);
	dput(dentry);
	return p;
}

static int ckpt_inotify_watches(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
				struct ckpt_inotify_found *f, unsigned int n)
{
	struct ckpt_inotify_watch *w;
	struct ckpt_data *data;
	const char *why;
	char *buf, *p;
	int err = 0;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	for (; n && !err; n--, f++) {
		p = ckpt_inode_path(ctx, obj->task, f->inode, buf, &why);
		if (!p) {
			ckpt_refuse(ctx, obj->task, "inotify",
				    "inotify watch %d: inode %lu of %s %s; remove the watch",
				    f->wd, f->inode->i_ino, f->inode->i_sb->s_id, why);
			continue;
		}
		data = ckpt_out(ctx, CKPT_REC_DATA, obj->objref, sizeof(*data),
				sizeof(*w) + strlen(p));
		if (!data) {
			err = -ENOMEM;
			break;
		}
		w = (void *)(data + 1);
		w->wd = cpu_to_le32(f->wd);
		w->mask = cpu_to_le32(f->mask);
		memcpy(w + 1, p, strlen(p));
	}
	kfree(buf);
	return err;
}

/*
 * The queue cannot be walked and memory be had at the same time. It may grow
 * meanwhile, as others use the file system; it is read again then.
 */
static int ckpt_inotify_events(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
			       struct fsnotify_group *group)
{
	struct ckpt_inotify_event *out;
	struct ckpt_m_inotify_event *e;
	size_t bytes = 4096, used, len;
	struct ckpt_data *data;
	u8 *buf = NULL;
	int err = 0;

	do {
		bytes *= 4;
		kvfree(buf);
		buf = kvmalloc(bytes, GFP_KERNEL);
		if (!buf)
			return -ENOMEM;
		used = 0;
		spin_lock(&group->notification_lock);
		list_for_each_entry(e, &group->notification_list, fse.list) {
			len = sizeof(*out) + e->name_len;
			if (used + sizeof(len) + len > bytes) {
				used = SIZE_MAX;
				break;
			}
			memcpy(buf + used, &len, sizeof(len));
			out = (void *)(buf + used + sizeof(len));
			out->wd = cpu_to_le32(e->wd);
			out->mask = cpu_to_le32(e->mask);
			out->cookie = cpu_to_le32(e->sync_cookie);
			out->pad = 0;
			memcpy(out + 1, e->name, e->name_len);
			used += round_up(sizeof(len) + len, sizeof(len));
			used = min(used, bytes);
		}
		spin_unlock(&group->notification_lock);
	} while (used == SIZE_MAX);
	bytes = used;
	for (used = 0; used < bytes; used += round_up(sizeof(len) + len, sizeof(len))) {
		memcpy(&len, buf + used, sizeof(len));
		data = ckpt_out(ctx, CKPT_REC_DATA, obj->objref, sizeof(*data), len);
		if (!data) {
			err = -ENOMEM;
			break;
		}
		data->flags = cpu_to_le32(CKPT_DATA_EVENT);
		memcpy(data + 1, buf + used + sizeof(len), len);
	}
	kvfree(buf);
	return err;
}

static int ckpt_inotify_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct fsnotify_group *group = ((struct file *)obj->ptr)->private_data;
	struct ckpt_inotify_found *found;
	struct ckpt_file_inotify *rec;
	unsigned int i, n;
	int err;

	found = ckpt_inotify_marks(group, &n);
	if (!found)
		return -ENOMEM;
	rec = ckpt_out(ctx, CKPT_REC_FILE_INOTIFY, obj->objref, sizeof(*rec), 0);
	err = -ENOMEM;
	if (!rec)
		goto out;
	ckpt_file_common(ctx, obj, &rec->f);
	rec->n = cpu_to_le32(n);
	rec->next_wd = cpu_to_le32(idr_get_cursor(&group->inotify_data.idr));
	err = ckpt_inotify_watches(ctx, obj, found, n);
	if (!err)
		err = ckpt_inotify_events(ctx, obj, group);
out:
	for (i = 0; i < n; i++)
		iput(found[i].inode);
	kvfree(found);
	return err;
}

/* ---- restart ---- */

/* what is done when all files are open: opening a file is itself an event */
struct ckpt_inotify_item {
	struct list_head node;
	bool event;
	unsigned int len;		/* of path or name */
	union {
		struct ckpt_inotify_watch watch;
		struct ckpt_inotify_event ev;
	} u;
	char name[];			/* with a NUL */
};

struct ckpt_inotify_rt {
	struct list_head items;
	u32 left, next_wd;
};

static struct file *ckpt_inotify_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	return ckpt_file_take(ckpt_arch_syscall(__NR_inotify_init1, IN_CLOEXEC, 0, 0, 0, 0, 0));
}

static int ckpt_inotify_data(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_data *data = (const void *)in->fixed;
	struct ckpt_inotify_rt *rt = obj->priv;
	struct ckpt_inotify_item *item;
	bool event = le32_to_cpu(data->flags) == CKPT_DATA_EVENT;
	size_t head = event ? sizeof(item->u.ev) : sizeof(item->u.watch);

	if ((data->flags && !event) || in->var_len < head ||
	    in->var_len - head >= (event ? NAME_MAX + 1 : PATH_MAX) ||
	    memchr(in->var + head, 0, in->var_len - head) || (!event && !rt->left))
		return ckpt_bad(ctx, in, "a watch or an event is out of range");
	item = kzalloc(struct_size(item, name, in->var_len - head + 1), GFP_KERNEL);
	if (!item)
		return -ENOMEM;
	item->event = event;
	item->len = in->var_len - head;
	memcpy(&item->u, in->var, head);
	memcpy(item->name, in->var + head, item->len);
	list_add_tail(&item->node, &rt->items);
	rt->left -= !event;
	return 0;
}

static int ckpt_inotify_restored(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_file_inotify *rec = (const void *)in->fixed;
	struct ckpt_inotify_rt *rt;

	if (le32_to_cpu(rec->next_wd) > INT_MAX)
		return ckpt_bad(ctx, in, "the number of its next watch is out of range");
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	INIT_LIST_HEAD(&rt->items);
	rt->left = le32_to_cpu(rec->n);
	rt->next_wd = le32_to_cpu(rec->next_wd);
	obj->priv = rt;
	obj->data = ckpt_inotify_data;
	return 0;
}

static void ckpt_inotify_drop(struct ckpt_obj *obj)
{
	struct ckpt_inotify_rt *rt = obj->priv;
	struct ckpt_inotify_item *item, *next;

	if (!rt)
		return;
	list_for_each_entry_safe(item, next, &rt->items, node)
		kfree(item);
	kfree(rt);
}

static int ckpt_inotify_add(struct ckpt_ctx *ctx, struct fsnotify_group *group, int fd,
			    const struct ckpt_inotify_item *item, unsigned long page)
{
	int wd = le32_to_cpu(item->u.watch.wd);
	u32 mask = le32_to_cpu(item->u.watch.mask);
	long got;

	if (wd <= 0 || wd == INT_MAX || item->name[0] != '/' ||
	    mask & ~(IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT))
		return ckpt_err(ctx, -EBADMSG, "an inotify watch is out of range");
	if (copy_to_user((void __user *)page, item->name, item->len + 1))
		return -EFAULT;
	spin_lock(&group->inotify_data.idr_lock);
	idr_set_cursor(&group->inotify_data.idr, wd);
	spin_unlock(&group->inotify_data.idr_lock);
	got = ckpt_arch_syscall(__NR_inotify_add_watch, fd, page, mask | IN_DONT_FOLLOW, 0, 0, 0);
	if (got < 0)
		return ckpt_err(ctx, got, "cannot watch %s again", item->name);
	if (got != wd)
		return ckpt_err(ctx, -ESTALE, "%s is another file than at the checkpoint, or its watch comes twice",
				item->name);
	return 0;
}

static int ckpt_inotify_queue(struct fsnotify_group *group, const struct ckpt_inotify_item *item)
{
	struct ckpt_m_inotify_event *e;

	if (le32_to_cpu(item->u.ev.mask) & IN_Q_OVERFLOW) {
		K(fsnotify_insert_event)(group, group->overflow_event, NULL, NULL);
		return 0;
	}
	/* freed by the group, like its own */
	e = kmalloc(struct_size(e, name, item->len + 1), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	fsnotify_init_event(&e->fse);
	e->mask = le32_to_cpu(item->u.ev.mask);
	e->wd = le32_to_cpu(item->u.ev.wd);
	e->sync_cookie = le32_to_cpu(item->u.ev.cookie);
	e->name_len = item->len;
	memcpy(e->name, item->name, item->len + 1);
	/* where the queue is shorter here it tells that events were lost */
	if (K(fsnotify_insert_event)(group, &e->fse, NULL, NULL))
		kfree(e);
	return 0;
}

static int ckpt_inotify_late(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct fsnotify_group *group = ((struct file *)obj->ptr)->private_data;
	struct ckpt_inotify_rt *rt = obj->priv;
	struct ckpt_inotify_item *item;
	unsigned long page;
	int fd, err = 0;

	if (rt->left)
		return ckpt_err(ctx, -EBADMSG, "object %u: watches are missing", obj->objref);
	page = ckpt_user_mem(PAGE_SIZE);
	if (IS_ERR_VALUE(page))
		return page;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		vm_munmap(page, PAGE_SIZE);
		return fd;
	}
	fd_install(fd, get_file(obj->ptr));
	list_for_each_entry(item, &rt->items, node) {
		err = item->event ? ckpt_inotify_queue(group, item) :
		      ckpt_inotify_add(ctx, group, fd, item, page);
		if (err)
			break;
	}
	spin_lock(&group->inotify_data.idr_lock);
	idr_set_cursor(&group->inotify_data.idr, rt->next_wd);
	spin_unlock(&group->inotify_data.idr_lock);
	close_fd(fd);
	vm_munmap(page, PAGE_SIZE);
	return err;
}

const struct ckpt_file_kind ckpt_file_inotify = {
	.name = "inotify",
	.rec = CKPT_REC_FILE_INOTIFY,
	.match = ckpt_inotify_match,
	.checkpoint = ckpt_inotify_checkpoint,
	.restart = ckpt_inotify_restart,
	.restored = ckpt_inotify_restored,
	.late = ckpt_inotify_late,
	.drop = ckpt_inotify_drop,
};
