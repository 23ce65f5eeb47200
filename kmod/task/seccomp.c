// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: seccomp filters as they were loaded, and strict mode. Threads whose
 * filters are the same objects share one record.
 * Refuses: filters that ask a supervisor (SECCOMP_RET_USER_NOTIF), or may do so
 * with a computed result; filters not made of classic BPF.
 * A restart lets the leader install the filters that all threads of the process
 * have in common, and gives them to the others as SECCOMP_FILTER_FLAG_TSYNC
 * does; each thread adds what it has beyond them. Both come before the thread
 * loses the rights of the caller.
 * Locks: none; the kernel's own calls take siglock, the threads are parked.
 */
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "task.h"
#include "../arch/arch.h"
#include "../ksym.h"

/* the kernel's limit for all filters of a task together, without its penalty */
#define CKPT_INSNS_MAX	((1 << 18) / sizeof(struct sock_filter))
#define CKPT_SCRATCH	(PAGE_SIZE + BPF_MAXINSNS * sizeof(struct sock_filter))

struct ckpt_filters {
	size_t size;
	u32 n;
	u8 blob[];		/* n times struct ckpt_seccomp_filter and instructions */
};

static void ckpt_filters_drop(struct ckpt_obj *obj)
{
	kvfree(obj->priv);
}

/* a program that may hand a system call to a supervisor */
static bool ckpt_filter_notifies(const struct sock_filter *insn, u32 n)
{
	for (; n--; insn++) {
		if (BPF_CLASS(insn->code) != BPF_RET)
			continue;
		if (BPF_RVAL(insn->code) != BPF_K)
			return true;
		if ((insn->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			return true;
	}
	return false;
}

/* adds filter i of a task to what was found so far; page is scratch of the caller */
static struct ckpt_filters *ckpt_filter_get(struct ckpt_ctx *ctx, struct task_struct *task,
					    struct ckpt_filters *all, u32 i,
					    unsigned long page)
{
	struct seccomp_metadata __user *meta = (void __user *)page;
	struct ckpt_seccomp_filter *f;
	struct ckpt_filters *more;
	struct sock_filter *insn;
	u64 flags;
	long n;

	n = K(seccomp_get_filter)(task, i, (void __user *)(page + PAGE_SIZE));
	if (n == -EMEDIUMTYPE) {
		ckpt_refuse(ctx, task, "seccomp", "has a seccomp filter that is not classic BPF");
		return NULL;
	}
	if (n == -EACCES) {
		ckpt_err(ctx, -EPERM, "reading the seccomp filters of task %d needs CAP_SYS_ADMIN and a caller without any",
			 task_pid_vnr(task));
		return ERR_PTR(-EPERM);
	}
	if (n < 0)
		return ERR_PTR(n);
	if (!n || n > BPF_MAXINSNS)
		return ERR_PTR(-EINVAL);
	if (put_user((u64)i, &meta->filter_off))
		return ERR_PTR(-EFAULT);
	if (K(seccomp_get_metadata)(task, sizeof(*meta), meta) < 0 ||
	    get_user(flags, &meta->flags))
		return ERR_PTR(-EFAULT);
	more = kvmalloc(sizeof(*all) + all->size + sizeof(*f) + n * sizeof(*insn), GFP_KERNEL);
	if (!more)
		return ERR_PTR(-ENOMEM);
	memcpy(more, all, sizeof(*all) + all->size);
	f = (void *)(more->blob + more->size);
	insn = (void *)(f + 1);
	f->flags = cpu_to_le32(flags);
	f->n = cpu_to_le32(n);
	more->size += sizeof(*f) + n * sizeof(*insn);
	more->n++;
	if (copy_from_user(insn, (void __user *)(page + PAGE_SIZE), n * sizeof(*insn))) {
		kvfree(more);
		return ERR_PTR(-EFAULT);
	}
	if (ckpt_filter_notifies(insn, n)) {
		ckpt_refuse(ctx, task, "seccomp-notify",
			    "has a seccomp filter that asks a supervisor (SECCOMP_RET_USER_NOTIF), or may do so");
		kvfree(more);
		return NULL;
	}
	return more;
}

/* all filters of a task, the outermost first; NULL when refused */
static struct ckpt_filters *ckpt_filters_get(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_filters *all, *more;
	unsigned long page;
	u32 i, n = atomic_read(&task->seccomp.filter_count);

	all = kvzalloc(sizeof(*all), GFP_KERNEL);
	if (!all)
		return ERR_PTR(-ENOMEM);
	page = ckpt_user_mem(CKPT_SCRATCH);
	if (IS_ERR_VALUE(page)) {
		kvfree(all);
		return ERR_PTR(page);
	}
	for (i = 0; i < n; i++) {
		more = ckpt_filter_get(ctx, task, all, i, page);
		kvfree(all);
		all = more;
		if (IS_ERR_OR_NULL(all))
			break;
	}
	vm_munmap(page, CKPT_SCRATCH);
	return all;
}

int ckpt_seccomp_collect(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_filters *all;
	struct ckpt_obj *obj;
	bool new;

	if (task->seccomp.mode != SECCOMP_MODE_FILTER)
		return 0;
	obj = ckpt_obj_add(ctx, task->seccomp.filter, CKPT_OBJ_SECCOMP, task, &new);
	if (!obj)
		return -ENOMEM;
	if (!new)
		return 0;
	obj->drop = ckpt_filters_drop;
	all = ckpt_filters_get(ctx, task);
	if (IS_ERR(all))
		return PTR_ERR(all);
	obj->priv = all;
	return 0;
}

static struct ckpt_filters *ckpt_filters_of(struct ckpt_ctx *ctx, struct task_struct *task,
					    u32 *objref)
{
	struct ckpt_obj *obj;

	if (task->seccomp.mode != SECCOMP_MODE_FILTER)
		return NULL;
	obj = ckpt_obj_find(ctx, task->seccomp.filter, CKPT_OBJ_SECCOMP);
	if (!obj)
		return NULL;
	if (objref)
		*objref = obj->objref;
	return obj->priv;
}

static size_t ckpt_filter_bytes(const u8 *at)
{
	const struct ckpt_seccomp_filter *f = (const void *)at;

	return sizeof(*f) + (size_t)le32_to_cpu(f->n) * sizeof(struct sock_filter);
}

/* how many outer filters two threads have in common, of n */
static u32 ckpt_filters_common(const struct ckpt_filters *a, const struct ckpt_filters *b, u32 n)
{
	size_t at = 0, len;
	u32 i;

	n = min3(n, a->n, b->n);
	for (i = 0; i < n; i++, at += len) {
		len = ckpt_filter_bytes(a->blob + at);
		if (at + len > b->size || memcmp(a->blob + at, b->blob + at, len))
			break;
	}
	return i;
}

/**
 * ckpt_seccomp_shared() - how many filters all threads of a process have
 * @ctx: the checkpoint
 * @proc: the process
 *
 * Return: the number, counted from the outermost.
 */
u32 ckpt_seccomp_shared(struct ckpt_ctx *ctx, struct ckpt_proc *proc)
{
	struct ckpt_filters *first = NULL, *f;
	struct ckpt_thread *t;
	u32 n = ~0;

	list_for_each_entry(t, &proc->threads, node) {
		if (t->state == CKPT_GONE)
			continue;
		f = ckpt_filters_of(ctx, t->task, NULL);
		if (!f)
			return 0;
		if (!first)
			first = f;
		n = f == first ? min(n, f->n) : ckpt_filters_common(first, f, n);
	}
	return first ? n : 0;
}

u32 ckpt_seccomp_ref(struct ckpt_ctx *ctx, struct task_struct *task)
{
	u32 objref = 0;

	ckpt_filters_of(ctx, task, &objref);
	return objref;
}

int ckpt_seccomp_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_filters *all = obj->priv;
	struct ckpt_seccomp *rec;

	if (!all)
		return 0;	/* refused */
	rec = ckpt_out(ctx, CKPT_REC_SECCOMP, obj->objref, sizeof(*rec), all->size);
	if (!rec)
		return -ENOMEM;
	rec->n = cpu_to_le32(all->n);
	memcpy(rec + 1, all->blob, all->size);
	return 0;
}

/* ---- restart ---- */

static void ckpt_seccomp_drop(struct ckpt_obj *obj)
{
	struct ckpt_in *in = obj->ptr;

	kvfree(in->var);
	kfree(in);
}

/* keeps the record: the threads install its filters */
int ckpt_seccomp_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_seccomp *rec = (const void *)in->fixed;
	const struct ckpt_seccomp_filter *f;
	u32 n = le32_to_cpu(rec->n), insns, i;
	struct ckpt_in *copy;
	struct ckpt_obj *obj;
	size_t at = 0;

	if (!n || n > CKPT_INSNS_MAX)
		return ckpt_bad(ctx, in, "the number of its filters is out of range");
	for (i = 0; i < n; i++) {
		if (in->var_len - at < sizeof(*f))
			return ckpt_bad(ctx, in, "a filter is cut off");
		f = (const void *)(in->var + at);
		insns = le32_to_cpu(f->n);
		if (!insns || insns > BPF_MAXINSNS ||
		    (in->var_len - at - sizeof(*f)) / sizeof(struct sock_filter) < insns)
			return ckpt_bad(ctx, in, "the size of a filter is out of range");
		if (le32_to_cpu(f->flags) & ~SECCOMP_FILTER_FLAG_LOG)
			return ckpt_bad(ctx, in, "a filter has flags that are not known");
		if (ckpt_filter_notifies((const void *)(f + 1), insns))
			return ckpt_bad(ctx, in, "a filter asks a supervisor");
		at += ckpt_filter_bytes(in->var + at);
	}
	if (at != in->var_len)
		return ckpt_bad(ctx, in, "bytes follow its filters");
	copy = kmemdup(in, sizeof(*in), GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	in->var = NULL;
	in->var_len = 0;
	obj = ckpt_obj_put(ctx, copy, CKPT_OBJ_SECCOMP, copy, ckpt_seccomp_drop);
	return PTR_ERR_OR_ZERO(obj);
}

/**
 * ckpt_seccomp_install() - give the current thread filters
 * @ctx: the restart
 * @in: the record that refers to them
 * @ref: their objref
 * @from: the first to install
 * @to: the one behind the last, or ~0 for all
 * @sync: give them to all threads of the process
 *
 * Return: 0 or a negative errno.
 */
int ckpt_seccomp_install(struct ckpt_ctx *ctx, struct ckpt_in *in, u32 ref, u32 from, u32 to,
			 bool sync)
{
	struct ckpt_obj *obj = ckpt_obj_get(ctx, in, ref, CKPT_OBJ_SECCOMP);
	const struct ckpt_seccomp_filter *f;
	struct sock_fprog prog = {};
	unsigned long page;
	struct ckpt_in *all;
	size_t at = 0, len;
	u32 i, n;
	long err = 0;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	all = obj->ptr;
	n = le32_to_cpu(((const struct ckpt_seccomp *)all->fixed)->n);
	if (to == ~0U)
		to = n;
	if (to > n || from > to)
		return ckpt_bad(ctx, in, "it has more filters than there are");
	if (from == to)
		return 0;
	page = ckpt_user_mem(CKPT_SCRATCH);
	if (IS_ERR_VALUE(page))
		return page;
	for (i = 0; i < to && !err; i++, at += len) {
		len = ckpt_filter_bytes(all->var + at);
		if (i < from)
			continue;
		f = (const void *)(all->var + at);
		prog.len = le32_to_cpu(f->n);
		prog.filter = (void __user *)(page + PAGE_SIZE);
		if (copy_to_user((void __user *)page, &prog, sizeof(prog)) ||
		    copy_to_user(prog.filter, f + 1, len - sizeof(*f))) {
			err = -EFAULT;
			break;
		}
		err = ckpt_arch_syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
					le32_to_cpu(f->flags) | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
					(sync ? SECCOMP_FILTER_FLAG_TSYNC |
						SECCOMP_FILTER_FLAG_TSYNC_ESRCH : 0),
					page, 0, 0, 0);
	}
	vm_munmap(page, CKPT_SCRATCH);
	if (err)
		return ckpt_err(ctx, err, "the seccomp filters of thread %d cannot be installed",
				task_pid_vnr(current));
	return 0;
}

/**
 * ckpt_seccomp_strict() - put the current thread into strict mode
 *
 * Return: 0 or a negative errno.
 */
int ckpt_seccomp_strict(void)
{
	return ckpt_arch_syscall(__NR_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0, 0, 0, 0);
}
