// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: what SysV semaphore operations are to be undone at the end of a process
 * (SEM_UNDO). The sets themselves belong to the IPC namespace and stay there.
 *
 * The end of a process undoes them, so a restart does them again, as one
 * operation that must not wait: the values and what is to be undone are then
 * what they were. Where somebody else has taken a semaphore meanwhile, or the set
 * is gone, the restart is refused.
 *
 * A checkpoint that kills undoes them by itself when all are dead: what the end of one
 * gives free could otherwise be taken by another one that is about to die.
 *
 * Refuses: a list that is shared with other processes or not by all threads; what
 * could not be undone, as a value would leave its range.
 * Locks: RCU, the lock of the list, that of the set.
 */
#include <linux/idr.h>
#include <linux/ipc_namespace.h>
#include <linux/mman.h>
#include <linux/nsproxy.h>
#include <linux/rculist.h>
#include <linux/sem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ipc.h"
#include "../arch/arch.h"
#include "../files/mirror.h"
#include "../ksym.h"
#include "../task/task.h"

#define CKPT_SEM_IDS	0	/* IPC_SEM_IDS of ipc/util.h */
#define CKPT_SEM_MSL	32000	/* most semaphores in a set, as SEMMSL */
#define CKPT_SEM_OPS	32	/* in one call */

static struct ckpt_m_undo_list *ckpt_undo_list(struct task_struct *task)
{
	return (void *)task->sysvsem.undo_list;
}

/* with RCU; NULL: there is none */
static struct ckpt_m_sem_array *ckpt_sem_find(int id)
{
	struct ipc_ids *ids = &current->nsproxy->ipc_ns->ids[CKPT_SEM_IDS];
	struct kern_ipc_perm *perm;

	perm = idr_find(&ids->ipcs_idr, id & ((1 << *KD(ipc_mni_shift)) - 1));
	if (!perm || perm->id != id || READ_ONCE(perm->deleted))
		return NULL;
	return container_of(perm, struct ckpt_m_sem_array, sem_perm);
}

/* with RCU and the lock of the list */
static struct ckpt_m_undo *ckpt_undo_find(struct ckpt_m_undo_list *list, int id)
{
	struct ckpt_m_undo *un;

	list_for_each_entry(un, &list->list_proc, list_proc)
		if (un->semid == id)
			return un;
	return NULL;
}

static int ckpt_undo_value(struct ckpt_m_undo_list *list, int id, unsigned int i)
{
	struct ckpt_m_undo *un;
	int value = 0;

	spin_lock(&list->lock);
	un = ckpt_undo_find(list, id);
	if (un)
		value = READ_ONCE(un->semadj[i]);
	spin_unlock(&list->lock);
	return value;
}

/* ---- checkpoint ---- */

/**
 * ckpt_sem_collect() - refuse what cannot be undone and done again
 * @ctx: the checkpoint
 * @proc: a process
 */
void ckpt_sem_collect(struct ckpt_ctx *ctx, struct ckpt_proc *proc)
{
	struct ckpt_m_undo_list *list, *other;
	struct ckpt_thread *t = ckpt_proc_thread(proc);
	unsigned int n = 0;
	bool any, same = true;

	if (!t)
		return;
	list = ckpt_undo_list(t->task);
	any = list && !list_empty(&list->list_proc);
	list_for_each_entry(t, &proc->threads, node) {
		if (t->state == CKPT_GONE)
			continue;
		n++;
		other = ckpt_undo_list(t->task);
		same &= other == list;
		any |= other && !list_empty(&other->list_proc);
	}
	if (any && (!same || refcount_read(&list->refcnt) != n))
		ckpt_refuse(ctx, proc->leader, "sem-undo",
			    "shares SysV semaphore operations to undo (SEM_UNDO) with another process, or not with all its threads");
}

/*
 * Undoing stops at zero and at the largest value, and then doing it again
 * would not give what was. Whatever the order of the processes is, it must not.
 */
static bool ckpt_sem_stops(struct ckpt_ctx *ctx, struct ckpt_m_sem_array *set, unsigned int i)
{
	int up = READ_ONCE(set->sems[i].semval), down = up, value;
	struct ckpt_m_undo_list *list;
	struct ckpt_proc *proc;
	struct ckpt_thread *t;

	list_for_each_entry(proc, &ctx->procs, node) {
		t = ckpt_proc_thread(proc);
		list = t ? ckpt_undo_list(t->task) : NULL;
		value = list ? ckpt_undo_value(list, set->sem_perm.id, i) : 0;
		if (value > 0)
			up += value;
		else
			down += value;
	}
	return down < 0 || up > SEMVMX;
}

static int ckpt_sem_set(struct ckpt_ctx *ctx, struct task_struct *task,
			struct ckpt_m_undo_list *list, int id)
{
	struct ckpt_m_sem_array *set;
	struct ckpt_sem_undo *rec;
	unsigned int n = 0, i;
	bool any = false;
	s32 stops = -1;
	__le16 *adj;
	int value;

	rcu_read_lock();
	set = ckpt_sem_find(id);
	if (set)
		n = set->sem_nsems;
	rcu_read_unlock();
	/* removed since: nothing is to be undone */
	if (!n)
		return 0;
	adj = kvcalloc(n, sizeof(*adj), GFP_KERNEL);
	if (!adj)
		return -ENOMEM;
	rcu_read_lock();
	set = ckpt_sem_find(id);
	for (i = 0; set && i < n; i++) {
		value = ckpt_undo_value(list, id, i);
		adj[i] = cpu_to_le16(value);
		any |= value;
		if (value && stops < 0 && ckpt_sem_stops(ctx, set, i))
			stops = i;
	}
	rcu_read_unlock();
	if (stops >= 0) {
		ckpt_refuse(ctx, task, "sem-undo",
			    "semaphore %d of set %d cannot be undone in full, as its value would leave its range",
			    stops, id);
		any = false;
	}
	if (!set || !any) {
		kvfree(adj);
		return 0;
	}
	rec = ckpt_out(ctx, CKPT_REC_SEM_UNDO, 0, sizeof(*rec), n * sizeof(*adj));
	if (rec) {
		rec->id = cpu_to_le32(id);
		rec->n = cpu_to_le32(n);
		memcpy(rec + 1, adj, n * sizeof(*adj));
		rcu_read_lock();
		set = ckpt_sem_find(id);
		rec->key = cpu_to_le32(set ? set->sem_perm.key : 0);
		rcu_read_unlock();
	}
	kvfree(adj);
	return rec ? 0 : -ENOMEM;
}

/**
 * ckpt_sem_checkpoint() - save what is to be undone at the end of a process
 * @ctx: the checkpoint
 * @task: the process
 *
 * Return: 0 or a negative errno.
 */
int ckpt_sem_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task)
{
	struct ckpt_m_undo_list *list = ckpt_undo_list(task);
	struct ckpt_m_undo *un;
	unsigned int n = 0, i = 0;
	int *ids, err = 0;

	if (!list)
		return 0;
	/* the process is parked: sets may be removed, but none comes */
	spin_lock(&list->lock);
	list_for_each_entry(un, &list->list_proc, list_proc)
		n++;
	spin_unlock(&list->lock);
	if (!n)
		return 0;
	ids = kvcalloc(n, sizeof(*ids), GFP_KERNEL);
	if (!ids)
		return -ENOMEM;
	spin_lock(&list->lock);
	list_for_each_entry(un, &list->list_proc, list_proc)
		if (i < n && un->semid != -1)
			ids[i++] = un->semid;
	spin_unlock(&list->lock);
	n = i;
	/* the newest stands first; doing them again puts each in front */
	while (!err && n--)
		err = ckpt_sem_set(ctx, task, list, ids[n]);
	kvfree(ids);
	return err;
}

/* ---- the end of those that are killed ---- */

/**
 * ckpt_sem_detach() - take away what is to be undone
 * @ctx: the checkpoint; its tasks are parked, and none can die
 */
void ckpt_sem_detach(struct ckpt_ctx *ctx)
{
	struct ckpt_m_undo_list *list;
	struct ckpt_proc *proc;
	struct ckpt_thread *t;
	unsigned int n;

	list_for_each_entry(proc, &ctx->procs, node) {
		t = ckpt_proc_thread(proc);
		list = t ? ckpt_undo_list(t->task) : NULL;
		if (!list || list_empty(&list->list_proc))
			continue;
		n = 0;
		list_for_each_entry(t, &proc->threads, node)
			n += t->state != CKPT_GONE && ckpt_undo_list(t->task) == list;
		/* one that has ended meanwhile has given its reference back */
		if (refcount_read(&list->refcnt) != n)
			continue;
		list_for_each_entry(t, &proc->threads, node)
			if (t->state != CKPT_GONE)
				t->task->sysvsem.undo_list = NULL;
		refcount_set(&list->refcnt, 1);
		proc->sem_undo = (void *)list;
	}
}

/**
 * ckpt_sem_undo() - undo it, when nobody of the tree waits for a semaphore
 * @ctx: the checkpoint
 *
 * Where some do not die it is left undone: they may still wait.
 */
void ckpt_sem_undo(struct ckpt_ctx *ctx)
{
	struct sem_undo_list *own = current->sysvsem.undo_list;
	struct ckpt_proc *proc;
	unsigned long end = jiffies + msecs_to_jiffies(ctx->rq.timeout_ms);
	bool any = false, dead = true;
	struct ckpt_thread *t;

	list_for_each_entry(proc, &ctx->procs, node)
		any |= !!proc->sem_undo;
	if (!any)
		return;
	list_for_each_entry(proc, &ctx->procs, node)
		list_for_each_entry(t, &proc->threads, node)
			while (dead && !READ_ONCE(t->task->exit_state)) {
				schedule_timeout_uninterruptible(1);
				dead = time_before(jiffies, end);
			}
	list_for_each_entry(proc, &ctx->procs, node) {
		if (!proc->sem_undo)
			continue;
		if (dead) {
			/* the end of a task is what can undo */
			current->sysvsem.undo_list = proc->sem_undo;
			K(exit_sem)(current);
		} else {
			ckpt_log(ctx, "semaphore operations of process %d are not undone", proc->pid);
		}
		proc->sem_undo = NULL;
	}
	current->sysvsem.undo_list = own;
}

/* ---- restart, in the process ---- */

static int ckpt_sem_ops(const struct ckpt_sem_undo *rec, struct sembuf *ops, unsigned int n)
{
	unsigned long page = ckpt_user_mem(PAGE_SIZE);
	long err = -EFAULT;

	if (IS_ERR_VALUE(page))
		return page;
	if (!copy_to_user((void __user *)page, ops, n * sizeof(*ops)))
		err = ckpt_arch_syscall(__NR_semop, le32_to_cpu(rec->id), page, n, 0, 0, 0);
	vm_munmap(page, PAGE_SIZE);
	return err;
}

/* the operations whose undoing was saved; if one of them fails, the end of the task undoes the rest */
int ckpt_sem_undo_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in)
{
	const struct ckpt_sem_undo *rec = (const void *)in->fixed;
	u32 id = le32_to_cpu(rec->id), n = le32_to_cpu(rec->n), i, done = 0;
	const __le16 *adj = (const void *)in->var;
	struct sembuf ops[CKPT_SEM_OPS];
	struct ckpt_m_sem_array *set;
	bool same;
	s16 value;
	int err;

	if (!n || n > CKPT_SEM_MSL || in->var_len != n * sizeof(*adj) || (s32)id < 0)
		return ckpt_bad(ctx, in, "the number of its semaphores is out of range");
	rcu_read_lock();
	set = ckpt_sem_find(id);
	same = set && set->sem_perm.key == (key_t)le32_to_cpu(rec->key) && set->sem_nsems == n;
	rcu_read_unlock();
	if (!same)
		return ckpt_err(ctx, -EIDRM, "process %u: the set of SysV semaphores %u, in which it has operations to undo (SEM_UNDO), is gone",
				rt->joined->pid, id);
	for (i = 0; i < n; i++) {
		value = le16_to_cpu(adj[i]);
		if (value == S16_MIN)
			return ckpt_bad(ctx, in, "a value is out of range");
		if (value)
			ops[done++] = (struct sembuf){ i, -value, IPC_NOWAIT | SEM_UNDO };
		if (!done || (i < n - 1 && done < CKPT_SEM_OPS))
			continue;
		err = ckpt_sem_ops(rec, ops, done);
		if (err == -EAGAIN)
			return ckpt_err(ctx, err, "process %u: semaphores of set %u that it had taken are taken by another process; restart it when they are free",
					rt->joined->pid, id);
		if (err)
			return ckpt_err(ctx, err, "process %u: operations on the set of semaphores %u cannot be done again",
					rt->joined->pid, id);
		done = 0;
	}
	return 0;
}
