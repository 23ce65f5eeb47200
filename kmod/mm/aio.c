// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: contexts of Linux AIO (io_setup): the place and size of their rings
 * and the events that were not taken yet. Operations in flight are waited for.
 * A restart makes a context in the task itself and moves its ring to the old
 * address, which is the name that the program has for it.
 * Refuses: operations that do not end, among them all polls; a thread that
 * waits for several events, since how many it has got already is known to its
 * kernel stack alone; a ring in pieces, protected otherwise, or of a context
 * that is another process's.
 * Locks: ctx_lock for operations that can be cancelled, completion_lock for the
 * end of the ring. The users of the memory are parked, so contexts neither come
 * nor go, and operations only end.
 */
#include <linux/aio.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/percpu-refcount.h>
#include <linux/uaccess.h>
#include <uapi/linux/aio_abi.h>

#include "mm.h"
#include "../arch/arch.h"
#include "../files/mirror.h"
#include "../ksym.h"

#define CKPT_AIO_MAGIC		0xa10a10a1	/* of fs/aio.c */
#define CKPT_AIO_HEADER		32		/* bytes before the first event */
#define CKPT_AIO_HEAD		8		/* where those have head and tail */
#define CKPT_AIO_TAIL		12
#define CKPT_AIO_PER_REC	16384		/* events in one record */
#define CKPT_AIO_SIZE_MAX	0x20000000UL
/* one that can be cancelled may be about to end all the same */
#define CKPT_AIO_CANCEL_MS	200
#define CKPT_AIO_VM_FLAGS	(VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | \
				 VM_SHARED | VM_MAYSHARE | VM_DONTEXPAND | VM_SOFTDIRTY | \
				 VM_LOCKED | VM_LOCKONFAULT | VM_DONTCOPY | VM_DONTDUMP)
#define CKPT_AIO_VM_NEEDS	(VM_READ | VM_WRITE | VM_SHARED)

/* what fs/aio.c keeps to itself; the same since 3.16 */
struct ckpt_kioctx_table {
	struct rcu_head rcu;
	unsigned int nr;
	struct ckpt_m_kioctx __rcu *table[];
};

/* the context at or after @i; the table stays when the last one is destroyed */
static struct ckpt_m_kioctx *ckpt_aio_next(struct mm_struct *mm, unsigned int *i)
{
	struct ckpt_kioctx_table *t;
	struct ckpt_m_kioctx *k = NULL;

	rcu_read_lock();
	t = (void *)rcu_dereference(mm->ioctx_table);
	while (t && !k && *i < t->nr)
		k = rcu_dereference(t->table[(*i)++]);
	rcu_read_unlock();
	return k;
}

static struct ckpt_m_kioctx *ckpt_aio_find(struct mm_struct *mm, unsigned long base)
{
	struct ckpt_m_kioctx *k;
	unsigned int i = 0;

	while ((k = ckpt_aio_next(mm, &i)))
		if (k->mmap_base == base)
			break;
	return k;
}

/* events that fit into a ring; one place stays free */
static u32 ckpt_aio_places(u64 size)
{
	return (size - CKPT_AIO_HEADER) / sizeof(struct io_event);
}

/**
 * ckpt_vma_is_aio() - whether a mapping is the ring of a context
 * @vma: the mapping
 *
 * Return: true if it is one, or was.
 */
bool ckpt_vma_is_aio(struct vm_area_struct *vma)
{
	return vma->vm_file && file_inode(vma->vm_file)->i_sb->s_magic == CKPT_AIO_MAGIC;
}

/**
 * ckpt_aio_vma() - refuse a ring that cannot be made again
 * @ctx: the checkpoint
 * @task: who has it
 * @vma: its mapping
 *
 * Return: whether it can.
 */
bool ckpt_aio_vma(struct ckpt_ctx *ctx, struct task_struct *task, struct vm_area_struct *vma)
{
	struct ckpt_m_kioctx *k = ckpt_aio_find(vma->vm_mm, vma->vm_start);
	const char *why = NULL;

	if (!k)
		why = "is no context of this process: it is left of a fork, or of a ring in pieces";
	else if (k->mmap_size != vma->vm_end - vma->vm_start || vma->vm_pgoff)
		why = "is unmapped in part";
	else if ((vma->vm_flags & CKPT_AIO_VM_NEEDS) != CKPT_AIO_VM_NEEDS ||
		 vma->vm_flags & ~CKPT_AIO_VM_FLAGS)
		why = "is protected or advised in an unusual way";
	if (why)
		ckpt_refuse(ctx, task, "aio", "the ring of asynchronous I/O at %#lx %s",
			    vma->vm_start, why);
	return !why;
}

/*
 * Sums what each CPU counts. None begins meanwhile, so the sum is never less
 * than what is in flight when it is done.
 */
static unsigned long ckpt_aio_inflight(struct ckpt_m_kioctx *k)
{
	unsigned long __percpu *count;
	unsigned long sum = 0;
	int cpu;

	/* is switched only when the context is destroyed */
	if (!__ref_is_percpu(&k->reqs, &count))
		return 1;
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(count, cpu));
	/* what they have written stands before they end; one is the context's own */
	smp_rmb();
	return sum - 1;
}

static bool ckpt_aio_cancellable(struct ckpt_m_kioctx *k)
{
	bool any;

	spin_lock_irq(&k->ctx_lock);
	any = !list_empty(&k->active_reqs);
	spin_unlock_irq(&k->ctx_lock);
	return any;
}

static int ckpt_aio_wait(struct ckpt_ctx *ctx, struct task_struct *task, struct ckpt_m_kioctx *k)
{
	unsigned long begin = jiffies, n;
	unsigned int ms = ctx->rq.timeout_ms;
	bool poll;

	while ((n = ckpt_aio_inflight(k))) {
		if (ckpt_aborted(ctx))
			return -EINTR;
		poll = ckpt_aio_cancellable(k);
		if (time_after(jiffies, begin + msecs_to_jiffies(poll ? min_t(u32, ms, CKPT_AIO_CANCEL_MS) : ms)))
			return ckpt_refuse(ctx, task, "aio",
					   "%lu operations of the asynchronous I/O context %#lx do not end%s",
					   n, k->user_id, poll ? ": it polls (IOCB_CMD_POLL)" :
					   "; try again or with a longer --timeout");
		if (schedule_timeout_killable(1) && fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* one that goes on meanwhile has got what it waits for, and will be captured anew */
static int ckpt_aio_waiters(struct ckpt_ctx *ctx, struct mm_struct *mm)
{
	struct ckpt_proc *proc;
	struct ckpt_thread *t;

	list_for_each_entry(proc, &ctx->procs, node)
		list_for_each_entry(t, &proc->threads, node)
			if (t->in_place && t->task->mm == mm &&
			    READ_ONCE(t->task->__state) & TASK_INTERRUPTIBLE &&
			    t->task->nvcsw + t->task->nivcsw == t->switches &&
			    ckpt_arch_waits_for_several(t->task))
				ckpt_refuse(ctx, t->task, "aio",
					    "waits for several events at once in io_getevents(); try again later");
	return 0;
}

/**
 * ckpt_aio_collect() - wait for the asynchronous I/O of an address space
 * @ctx: the checkpoint
 * @task: one of its users
 * @mm: the address space
 *
 * What is in flight holds files, and writes to memory: this comes first of all.
 *
 * Return: 0 or a negative errno.
 */
int ckpt_aio_collect(struct ckpt_ctx *ctx, struct task_struct *task, struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	struct ckpt_m_kioctx *k;
	unsigned int i = 0;
	bool mapped;
	int err;

	while ((k = ckpt_aio_next(mm, &i))) {
		err = ckpt_aio_wait(ctx, task, k);
		if (err)
			return err;
		if (mmap_read_lock_killable(mm))
			return -EINTR;
		vma = vma_lookup(mm, k->mmap_base);
		/* the rest is for ckpt_aio_vma() to see */
		mapped = vma && vma->vm_start == k->mmap_base && ckpt_vma_is_aio(vma);
		mmap_read_unlock(mm);
		if (!mapped)
			ckpt_refuse(ctx, task, "aio",
				    "the ring of the asynchronous I/O context %#lx is not mapped",
				    k->user_id);
	}
	return i ? ckpt_aio_waiters(ctx, mm) : 0;
}

static int ckpt_aio_events(struct ckpt_ctx *ctx, struct mm_struct *mm, struct ckpt_m_kioctx *k,
			   void *dst, u32 at, u32 n)
{
	u32 places = ckpt_aio_places(k->mmap_size), part;
	unsigned long addr;
	int len;

	for (at %= places; n; n -= part, at = 0) {
		part = min(n, places - at);
		addr = k->mmap_base + CKPT_AIO_HEADER + (u64)at * sizeof(struct io_event);
		len = part * sizeof(struct io_event);
		if (K(access_remote_vm)(mm, addr, dst, len, 0) != len)
			return ckpt_err(ctx, -EFAULT, "cannot read the ring of asynchronous I/O at %#lx",
					k->mmap_base);
		dst += len;
	}
	return 0;
}

static int ckpt_aio_save(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 ref,
			 struct ckpt_m_kioctx *k)
{
	u32 places = ckpt_aio_places(k->mmap_size), tail = k->tail, first = 0, head, n, part;
	struct ckpt_aio *rec;
	int err;

	if (K(access_remote_vm)(mm, k->mmap_base + CKPT_AIO_HEAD, &head, sizeof(head), 0) != sizeof(head))
		return ckpt_err(ctx, -EFAULT, "cannot read the ring of asynchronous I/O at %#lx",
				k->mmap_base);
	/* the program can write it; the kernel does the same */
	head %= places;
	n = (tail + places - head) % places;
	do {
		part = min_t(u32, n - first, CKPT_AIO_PER_REC);
		rec = ckpt_out(ctx, CKPT_REC_AIO, ref, sizeof(*rec), part * sizeof(struct io_event));
		if (!rec)
			return -ENOMEM;
		rec->start = cpu_to_le64(k->mmap_base);
		rec->size = cpu_to_le64(k->mmap_size);
		rec->max_reqs = cpu_to_le32(k->max_reqs);
		rec->head = cpu_to_le32(head);
		rec->tail = cpu_to_le32(tail);
		rec->first = cpu_to_le32(first);
		err = ckpt_aio_events(ctx, mm, k, rec + 1, head + first, part);
		if (err)
			return err;
		first += part;
	} while (first < n);
	return 0;
}

/**
 * ckpt_aio_checkpoint() - save the contexts of an address space
 * @ctx: the checkpoint
 * @mm: the address space
 * @ref: its objref
 *
 * Return: 0 or a negative errno.
 */
int ckpt_aio_checkpoint(struct ckpt_ctx *ctx, struct mm_struct *mm, u32 ref)
{
	struct ckpt_m_kioctx *k;
	unsigned int i = 0;
	int err = 0;

	/* a ring that is refused may be unmapped */
	while (!err && !ctx->refused && (k = ckpt_aio_next(mm, &i)))
		err = ckpt_aio_save(ctx, mm, ref, k);
	return err;
}

/* ---- restart, in the task whose memory it is ---- */

static long ckpt_aio_setup(unsigned long page, u32 nr, struct ckpt_m_kioctx **k)
{
	unsigned long id = 0;
	long err;

	if (put_user(0UL, (unsigned long __user *)page))
		return -EFAULT;
	err = ckpt_arch_syscall(__NR_io_setup, nr, page, 0, 0, 0, 0);
	if (!err && get_user(id, (unsigned long __user *)page))
		err = -EFAULT;
	*k = err ? NULL : ckpt_aio_find(current->mm, id);
	return err;
}

/* how large a ring is depends on the number of CPUs, too */
static int ckpt_aio_make(struct ckpt_ctx *ctx, struct ckpt_in *in, struct ckpt_m_kioctx **k)
{
	const struct ckpt_aio *rec = (const void *)in->fixed;
	u64 size = le64_to_cpu(rec->size);
	unsigned long page, base;
	long err;

	page = ckpt_user_mem(PAGE_SIZE);
	if (IS_ERR_VALUE(page))
		return page;
	err = ckpt_aio_setup(page, le32_to_cpu(rec->max_reqs), k);
	if (!err && *k && (*k)->mmap_size < size) {
		err = ckpt_arch_syscall(__NR_io_destroy, (*k)->user_id, 0, 0, 0, 0, 0);
		/* the kernel doubles it and adds two */
		if (!err)
			err = ckpt_aio_setup(page, ckpt_aio_places(size) / 2 - 1, k);
	}
	vm_munmap(page, PAGE_SIZE);
	if (!err && !*k)
		err = -ENOENT;
	if (err)
		return ckpt_err(ctx, err, "image offset %llu: cannot make a context of asynchronous I/O for %u operations%s",
				in->offset, le32_to_cpu(rec->max_reqs),
				err == -EAGAIN ? "; raise /proc/sys/fs/aio-max-nr" : "");
	if ((*k)->mmap_size != size)
		return ckpt_err(ctx, -EINVAL, "image offset %llu: the ring of asynchronous I/O has %lu bytes here, not %llu: this machine has more processors",
				in->offset, (*k)->mmap_size, size);
	base = ckpt_arch_syscall(__NR_mremap, (*k)->mmap_base, size, size,
				 MREMAP_MAYMOVE | MREMAP_FIXED, le64_to_cpu(rec->start), 0);
	if (base != le64_to_cpu(rec->start) || (*k)->user_id != base)
		return ckpt_err(ctx, IS_ERR_VALUE(base) ? (long)base : -EFAULT,
				"image offset %llu: cannot move the ring of asynchronous I/O to %#llx",
				in->offset, le64_to_cpu(rec->start));
	return 0;
}

/* events lie at the same places, since a program may read the ring itself */
static int ckpt_aio_fill(const struct ckpt_aio *rec, const void *events, u32 n)
{
	u32 places = ckpt_aio_places(le64_to_cpu(rec->size));
	u32 at = (le32_to_cpu(rec->head) + le32_to_cpu(rec->first)) % places, part;
	unsigned long start = le64_to_cpu(rec->start) + CKPT_AIO_HEADER;

	for (; n; n -= part, at = 0) {
		part = min(n, places - at);
		if (copy_to_user((void __user *)(start + (u64)at * sizeof(struct io_event)), events,
				 part * sizeof(struct io_event)))
			return -EFAULT;
		events += part * sizeof(struct io_event);
	}
	return 0;
}

/**
 * ckpt_aio_restart() - make a context in the current address space
 * @ctx: the restart
 * @in: the AIO record; there is a mapping for its ring
 *
 * Return: 1 if it made one, 0 if it added events to one, or a negative errno.
 */
int ckpt_aio_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_aio *rec = (const void *)in->fixed;
	u32 head = le32_to_cpu(rec->head), tail = le32_to_cpu(rec->tail);
	u32 first = le32_to_cpu(rec->first), n = in->var_len / sizeof(struct io_event);
	u64 start = le64_to_cpu(rec->start), size = le64_to_cpu(rec->size);
	struct ckpt_m_kioctx *k;
	u32 places, all;
	int err;

	if (!size || size > CKPT_AIO_SIZE_MAX || (start | size) & (PAGE_SIZE - 1))
		return ckpt_bad(ctx, in, "its size is out of range");
	places = ckpt_aio_places(size);
	if (head >= places || tail >= places || !rec->max_reqs ||
	    in->var_len % sizeof(struct io_event))
		return ckpt_bad(ctx, in, "a field is out of range");
	all = (tail + places - head) % places;
	if (first > all || n > all - first)
		return ckpt_bad(ctx, in, "it has more events than its ring");
	if (first) {
		k = ckpt_aio_find(current->mm, start);
		if (!k || k->mmap_size != size || k->completed_events != first)
			return ckpt_bad(ctx, in, "its events are out of order");
	} else {
		err = ckpt_aio_make(ctx, in, &k);
		if (err)
			return err;
	}
	err = ckpt_aio_fill(rec, in->var, n);
	if (!err && (put_user(head, (u32 __user *)(start + CKPT_AIO_HEAD)) ||
		     put_user((head + first + n) % places, (u32 __user *)(start + CKPT_AIO_TAIL))))
		err = -EFAULT;
	if (err)
		return ckpt_err(ctx, err, "image offset %llu: cannot write the ring of asynchronous I/O",
				in->offset);
	/* each event that was not taken keeps its place from being used */
	spin_lock_irq(&k->completion_lock);
	k->tail = (head + first + n) % places;
	k->completed_events += n;
	atomic_sub(n, &k->reqs_available);
	spin_unlock_irq(&k->completion_lock);
	return !first;
}
