// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: epoll: all watches with events and data, the list of those that are
 * ready with its order, one-shot watches that are disarmed, nested instances,
 * watches whose descriptor was closed while the file is open elsewhere.
 * Refuses: a watch of a file that nobody in the tree has open.
 * Locks: the instance's mtx for the watches and its lock for the ready list.
 *
 * A watch is added by the kernel's own call, which takes numbers of
 * descriptors; they are made up in a table of descriptors that exists for this
 * alone. What is ready then differs in one case: an edge that was already
 * reported. It is taken back, where nothing from outside can have come
 * meanwhile; there the program sees an edge more, never one less.
 */
#include <linux/capability.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/net.h>
#include <linux/resource.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/eventpoll.h>

#include "files.h"
#include "mirror.h"
#include "../ksym.h"
#include "../arch/arch.h"
#include "../net/net.h"
#include "../task/task.h"

#define CKPT_WATCHES_MAX ((CKPT_REC_MAX - sizeof(struct ckpt_data)) / sizeof(struct ckpt_epoll_watch))

static bool ckpt_epoll_match(struct file *file)
{
	return file->f_op == KD(eventpoll_fops);
}

/* a watch as it is found; the file has no reference of ours */
struct ckpt_watch {
	struct file *file;
	wait_queue_head_t *whead;
	struct epoll_event event;
	int fd;
	bool ready, dying;
};

static void ckpt_watch_take(struct ckpt_watch *w, struct ckpt_m_epitem *epi, bool ready)
{
	struct ckpt_m_pwq *pwq = epi->pwqlist;

	w->file = epi->ffd.file;
	w->fd = epi->ffd.fd;
	w->event = epi->event;
	w->whead = pwq ? READ_ONCE(pwq->whead) : NULL;
	w->ready = ready;
	/* cannot be freed while we hold mtx, since it must first be removed here */
	w->dying = !file_count(w->file);
}

/* those that are ready come first, in their order */
static struct ckpt_watch *ckpt_epoll_watches(struct ckpt_m_eventpoll *ep, unsigned int *n)
{
	struct ckpt_m_epitem *epi;
	struct ckpt_watch *w;
	unsigned int cap = 0;
	struct rb_node *node;

	*n = 0;
	mutex_lock(&ep->mtx);
	for (node = rb_first_cached(&ep->rbr); node; node = rb_next(node))
		cap++;
	w = kvcalloc(cap + 1, sizeof(*w), GFP_KERNEL);
	if (!w)
		goto out;
	spin_lock_irq(&ep->lock);
	list_for_each_entry(epi, &ep->rdllist, rdllink)
		if (*n < cap)
			ckpt_watch_take(&w[(*n)++], epi, true);
	for (node = rb_first_cached(&ep->rbr); node; node = rb_next(node)) {
		epi = rb_entry(node, struct ckpt_m_epitem, rbn);
		if (list_empty(&epi->rdllink) && *n < cap)
			ckpt_watch_take(&w[(*n)++], epi, false);
	}
	spin_unlock_irq(&ep->lock);
out:
	mutex_unlock(&ep->mtx);
	return w;
}

/* a signalfd tells about the signals of the process that began to watch it */
static pid_t ckpt_watch_signals(struct ckpt_ctx *ctx, struct ckpt_watch *w)
{
	struct ckpt_thread *t;
	struct ckpt_proc *proc;

	if (w->file->f_op != KD(signalfd_fops))
		return 0;
	list_for_each_entry(proc, &ctx->procs, node) {
		t = ckpt_proc_thread(proc);
		if (t && w->whead == &rcu_access_pointer(t->task->sighand)->signalfd_wqh)
			return proc->pid;
	}
	return 0;
}

static void ckpt_epoll_get_params(struct file *file, struct ckpt_file_epoll *rec)
{
#ifdef EPIOCGPARAMS
	unsigned long page = ckpt_user_mem(PAGE_SIZE);
	struct epoll_params p = {};

	if (IS_ERR_VALUE(page))
		return;
	if (!file->f_op->unlocked_ioctl(file, EPIOCGPARAMS, page) &&
	    !copy_from_user(&p, (void __user *)page, sizeof(p))) {
		rec->busy_poll_usecs = cpu_to_le32(p.busy_poll_usecs);
		rec->busy_poll_budget = cpu_to_le32(p.busy_poll_budget);
		rec->prefer_busy_poll = cpu_to_le32(p.prefer_busy_poll);
	}
	vm_munmap(page, PAGE_SIZE);
#endif
}

static int ckpt_epoll_write(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_watch *w,
			    unsigned int n)
{
	struct ckpt_epoll_watch *e;
	struct ckpt_file_epoll *rec;
	struct ckpt_data *data;
	unsigned int i = 0, m;

	rec = ckpt_out(ctx, CKPT_REC_FILE_EPOLL, obj->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	ckpt_file_common(ctx, obj, &rec->f);
	ckpt_epoll_get_params(obj->ptr, rec);
	rec->n = cpu_to_le32(n);
	rec->entry_size = cpu_to_le32(sizeof(*e));
	while (i < n) {
		m = min_t(unsigned int, n - i, CKPT_WATCHES_MAX);
		data = ckpt_out(ctx, CKPT_REC_DATA, obj->objref, sizeof(*data), m * sizeof(*e));
		if (!data)
			return -ENOMEM;
		for (e = (void *)(data + 1); m; m--, e++, i++) {
			e->file = cpu_to_le32(ckpt_obj_find(ctx, w[i].file, CKPT_OBJ_FILE)->objref);
			e->fd = cpu_to_le32(w[i].fd);
			e->events = cpu_to_le32((__force u32)w[i].event.events);
			e->data = cpu_to_le64(w[i].event.data);
			e->ready = cpu_to_le32(w[i].ready);
			e->signal_pid = cpu_to_le32(ckpt_watch_signals(ctx, &w[i]));
		}
	}
	return 0;
}

static int ckpt_epoll_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_obj *target;
	struct ckpt_watch *w;
	unsigned int i, n, kept = 0;
	int err = 0;

	w = ckpt_epoll_watches(file->private_data, &n);
	if (!w)
		return -ENOMEM;
	for (i = 0; !err && i < n; i++) {
		target = ckpt_obj_find(ctx, w[i].file, CKPT_OBJ_FILE);
		if (!target && w[i].dying)
			continue;
		if (!target || !target->kind) {
			if (!target)
				ckpt_refuse(ctx, obj->task, "epoll",
					    "an epoll instance watches a file (once descriptor %d) that no process of the tree has open any more; the one who has it must be part of the tree, or close it",
					    w[i].fd);
			continue;
		}
		w[kept++] = w[i];
		/* a nested instance: not deeper than the kernel lets them nest */
		err = ckpt_file_checkpoint(ctx, target);
	}
	if (!err)
		err = ckpt_epoll_write(ctx, obj, w, kept);
	kvfree(w);
	return err;
}

/* ---- restart ---- */

struct ckpt_epoll_chunk {
	struct list_head node;
	unsigned int n;
	struct ckpt_epoll_watch w[];
};

struct ckpt_epoll_rt {
	struct list_head chunks;
	unsigned int left;		/* watches still to come */
};

static int ckpt_epoll_set_params(struct file *file, const struct ckpt_file_epoll *rec)
{
	int err = -EOPNOTSUPP;
#ifdef EPIOCSPARAMS
	struct epoll_params p = {
		.busy_poll_usecs = le32_to_cpu(rec->busy_poll_usecs),
		.busy_poll_budget = le32_to_cpu(rec->busy_poll_budget),
		.prefer_busy_poll = le32_to_cpu(rec->prefer_busy_poll),
	};
	unsigned long page;
#endif

	if (!rec->busy_poll_usecs && !rec->busy_poll_budget && !rec->prefer_busy_poll)
		return 0;
#ifdef EPIOCSPARAMS
	page = ckpt_user_mem(PAGE_SIZE);
	if (IS_ERR_VALUE(page))
		return page;
	err = copy_to_user((void __user *)page, &p, sizeof(p)) ? -EFAULT :
	      file->f_op->unlocked_ioctl(file, EPIOCSPARAMS, page);
	vm_munmap(page, PAGE_SIZE);
#endif
	return err;
}

static struct file *ckpt_epoll_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_epoll *rec = (const void *)in->fixed;
	struct file *file;
	int err;

	if (rec->n && le32_to_cpu(rec->entry_size) != sizeof(struct ckpt_epoll_watch)) {
		ckpt_bad(ctx, in, "the size of its watches is not known");
		return ERR_PTR(-EBADMSG);
	}
	file = ckpt_file_take(ckpt_arch_syscall(__NR_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0));
	if (IS_ERR(file))
		return file;
	err = ckpt_epoll_set_params(file, rec);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	return file;
}

static int ckpt_epoll_data(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	struct ckpt_epoll_rt *rt = obj->priv;
	struct ckpt_epoll_chunk *chunk;
	unsigned int n, i;

	n = in->var_len / sizeof(chunk->w[0]);
	if (!n || in->var_len % sizeof(chunk->w[0]) || n > rt->left)
		return ckpt_bad(ctx, in, "the number of watches is out of range");
	chunk = kvmalloc(struct_size(chunk, w, n), GFP_KERNEL);
	if (!chunk)
		return -ENOMEM;
	memcpy(chunk->w, in->var, in->var_len);
	chunk->n = n;
	rt->left -= n;
	list_add_tail(&chunk->node, &rt->chunks);
	for (i = 0; i < n; i++)
		if (le32_to_cpu(chunk->w[i].fd) >= INT_MAX / 2 || le32_to_cpu(chunk->w[i].ready) > 1)
			return ckpt_bad(ctx, in, "a watch is out of range");
	return 0;
}

static int ckpt_epoll_restored(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in)
{
	const struct ckpt_file_epoll *rec = (const void *)in->fixed;
	struct ckpt_epoll_rt *rt;

	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	INIT_LIST_HEAD(&rt->chunks);
	rt->left = le32_to_cpu(rec->n);
	obj->priv = rt;
	obj->data = ckpt_epoll_data;
	return 0;
}

static void ckpt_epoll_drop(struct ckpt_obj *obj)
{
	struct ckpt_epoll_chunk *chunk, *next;
	struct ckpt_epoll_rt *rt = obj->priv;

	if (!rt)
		return;
	list_for_each_entry_safe(chunk, next, &rt->chunks, node)
		kvfree(chunk);
	kfree(rt);
}

/* the order of the tree is the kernel's: by file, then by descriptor */
static struct ckpt_m_epitem *ckpt_epoll_find(struct ckpt_m_eventpoll *ep, struct file *file,
					     int fd)
{
	struct rb_node *node = ep->rbr.rb_root.rb_node;
	struct ckpt_m_epitem *epi;

	while (node) {
		epi = rb_entry(node, struct ckpt_m_epitem, rbn);
		if (epi->ffd.file == file && epi->ffd.fd == fd)
			return epi;
		if (file > epi->ffd.file || (file == epi->ffd.file && fd > epi->ffd.fd))
			node = node->rb_right;
		else
			node = node->rb_left;
	}
	return NULL;
}

/* nothing outside of the tree can make such a file ready during the restart */
static bool ckpt_watch_inside(const struct ckpt_obj *target)
{
	switch (target->kind->rec) {
	case CKPT_REC_FILE_PIPE:
		/* a FIFO can be opened by its name */
		return file_inode(target->ptr)->i_sb->s_magic == PIPEFS_MAGIC;
	case CKPT_REC_FILE_UNIX:
		return !ckpt_unix_reachable(target->ptr);
	case CKPT_REC_FILE_EVENTFD:
	case CKPT_REC_FILE_TIMERFD:
	case CKPT_REC_FILE_EPOLL:
		return true;
	}
	return false;
}

static int ckpt_watch_state(struct ckpt_ctx *ctx, struct ckpt_m_eventpoll *ep,
			    struct ckpt_obj *target, const struct ckpt_epoll_watch *w)
{
	u32 events = le32_to_cpu(w->events);
	struct ckpt_m_epitem *epi;
	int err = 0;

	mutex_lock(&ep->mtx);
	epi = ckpt_epoll_find(ep, target->ptr, le32_to_cpu(w->fd));
	if (!epi) {
		err = -ENOENT;
		goto out;
	}
	if (events & (__force u32)EPOLLWAKEUP && !rcu_access_pointer(epi->ws)) {
		err = ckpt_err(ctx, -EPERM, "a watch keeps the machine awake (EPOLLWAKEUP), which needs CAP_BLOCK_SUSPEND");
		goto out;
	}
	spin_lock_irq(&ep->lock);
	/* of a disarmed one-shot the call had made an armed one */
	epi->event.events = (__force __poll_t)events;
	if (le32_to_cpu(w->ready)) {
		if (list_empty(&epi->rdllink))
			list_add_tail(&epi->rdllink, &ep->rdllist);
		else
			list_move_tail(&epi->rdllink, &ep->rdllist);
	} else if ((events & (__force u32)EPOLLET && !rcu_access_pointer(epi->ws) &&
		    ckpt_watch_inside(target)) ||
		   !(events & ~(__force u32)(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE))) {
		list_del_init(&epi->rdllink);
	}
	spin_unlock_irq(&ep->lock);
out:
	mutex_unlock(&ep->mtx);
	return err;
}

static int ckpt_watch_add(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
			  const struct ckpt_epoll_watch *w)
{
	struct epoll_event event = {
		.events = (__force __poll_t)le32_to_cpu(w->events),
		.data = le64_to_cpu(w->data),
	};
	struct ckpt_obj *target = xa_load(&ctx->refs_xa, le32_to_cpu(w->file));
	struct rlimit *rlim = &current->signal->rlim[RLIMIT_NOFILE];
	int fd = le32_to_cpu(w->fd), epfd = fd ? 0 : 1, err;
	struct rlimit old;

	if (!target || target->type != CKPT_OBJ_FILE)
		return ckpt_err(ctx, -EBADMSG, "object %u: a watch refers to no file", obj->objref);
	task_lock(current->group_leader);
	old = *rlim;
	if (rlim->rlim_cur <= fd && (rlim->rlim_max > fd || capable(CAP_SYS_RESOURCE))) {
		rlim->rlim_cur = fd + 1;
		rlim->rlim_max = max(rlim->rlim_max, rlim->rlim_cur);
	}
	task_unlock(current->group_leader);
	err = K(replace_fd)(epfd, obj->ptr, 0);
	if (err >= 0)
		err = K(replace_fd)(fd, target->ptr, 0);
	task_lock(current->group_leader);
	*rlim = old;
	task_unlock(current->group_leader);
	if (err >= 0)
		err = K(do_epoll_ctl)(epfd, EPOLL_CTL_ADD, fd, &event, false);
	if (!err)
		err = ckpt_watch_state(ctx, ((struct file *)obj->ptr)->private_data, target, w);
	if (err && !READ_ONCE(ctx->err))
		ckpt_err(ctx, err, "object %u: cannot watch descriptor %d again", obj->objref, fd);
	return err;
}

/* those of a signalfd are added by the process whose signals it tells */
static int ckpt_epoll_add(struct ckpt_ctx *ctx, struct ckpt_obj *obj, u32 pid)
{
	struct files_struct *mine = current->files, *tmp;
	struct fd_range none = { 0, ~0U };
	struct ckpt_epoll_rt *rt = obj->priv;
	struct ckpt_epoll_chunk *chunk;
	unsigned int i;
	int err = 0;

	if (list_empty(&rt->chunks))
		return 0;
	tmp = K(dup_fd)(mine, &none);
	if (IS_ERR(tmp))
		return PTR_ERR(tmp);
	task_lock(current);
	current->files = tmp;
	task_unlock(current);
	list_for_each_entry(chunk, &rt->chunks, node)
		for (i = 0; !err && i < chunk->n; i++) {
			if (le32_to_cpu(chunk->w[i].signal_pid) == pid)
				err = ckpt_watch_add(ctx, obj, &chunk->w[i]);
			cond_resched();
		}
	task_lock(current);
	current->files = mine;
	task_unlock(current);
	K(put_files_struct)(tmp);
	return err;
}

static bool ckpt_epoll_pids_known(struct ckpt_ctx *ctx, struct ckpt_epoll_rt *rt)
{
	struct ckpt_epoll_chunk *chunk;
	struct ckpt_joined *joined;
	unsigned int i;
	bool known;

	list_for_each_entry(chunk, &rt->chunks, node)
		for (i = 0; i < chunk->n; i++) {
			known = !chunk->w[i].signal_pid;
			list_for_each_entry(joined, &ctx->joined, node)
				known |= joined->pid == le32_to_cpu(chunk->w[i].signal_pid);
			if (!known)
				return false;
		}
	return true;
}

static int ckpt_epoll_late(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_epoll_rt *rt = obj->priv;

	if (rt->left || !ckpt_epoll_pids_known(ctx, rt))
		return ckpt_err(ctx, -EBADMSG, "object %u: watches are missing or of an unknown process",
				obj->objref);
	return ckpt_epoll_add(ctx, obj, 0);
}

/**
 * ckpt_epoll_signals() - watch the signals of a process that is restored
 * @ctx: the restart
 * @pid: the current process
 *
 * Return: 0 or a negative errno.
 */
int ckpt_epoll_signals(struct ckpt_ctx *ctx, u32 pid)
{
	struct ckpt_epoll_chunk *chunk;
	struct ckpt_epoll_rt *rt;
	struct ckpt_obj *obj;
	unsigned int i, n;
	int err = 0;

	list_for_each_entry(obj, &ctx->obj_list, node) {
		if (obj->type != CKPT_OBJ_FILE || obj->kind != &ckpt_file_epoll)
			continue;
		n = 0;
		rt = obj->priv;
		list_for_each_entry(chunk, &rt->chunks, node)
			for (i = 0; i < chunk->n; i++)
				n += le32_to_cpu(chunk->w[i].signal_pid) == pid;
		if (n)
			err = ckpt_epoll_add(ctx, obj, pid);
		if (err)
			break;
	}
	return err;
}

const struct ckpt_file_kind ckpt_file_epoll = {
	.name = "epoll",
	.rec = CKPT_REC_FILE_EPOLL,
	.match = ckpt_epoll_match,
	.checkpoint = ckpt_epoll_checkpoint,
	.restart = ckpt_epoll_restart,
	.restored = ckpt_epoll_restored,
	.late = ckpt_epoll_late,
	.drop = ckpt_epoll_drop,
};
