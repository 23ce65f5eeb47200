// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: SysV shared memory that is attached in the tree: id, key, size, mode,
 * owner, times, content, whether it is to be removed. A restart makes it again
 * with its id and key; one that still exists and that nobody has attached is
 * taken and filled again.
 * Refuses: a segment that is attached outside of the tree too, or of another IPC namespace.
 * Locks: RCU and the segment's lock; the rwsem of the ids for the next id.
 */
#include <linux/idr.h>
#include <linux/ipc_namespace.h>
#include <linux/mm.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/shm.h>
#include <uapi/linux/shm.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "ipc.h"
#include "../arch/arch.h"
#include "../files/files.h"
#include "../files/mirror.h"
#include "../ksym.h"
#include "../mm/mm.h"

#define CKPT_SHM_IDS	2	/* IPC_SHM_IDS of ipc/util.h */
#ifndef SHM_DEST
#define SHM_DEST	01000	/* in the mode, of ipc/shm.c */
#define SHM_LOCKED	02000
#endif
#define CKPT_SHM_TRIES	5

/* with RCU; NULL: there is none */
static struct ckpt_m_shmid *ckpt_shm_find(int id)
{
	struct ipc_ids *ids = &current->nsproxy->ipc_ns->ids[CKPT_SHM_IDS];
	struct kern_ipc_perm *perm;

	perm = idr_find(&ids->ipcs_idr, id & ((1 << *KD(ipc_mni_shift)) - 1));
	if (!perm || perm->id != id)
		return NULL;
	return container_of(perm, struct ckpt_m_shmid, shm_perm);
}

/* locked, with RCU */
static struct ckpt_m_shmid *ckpt_shm_lock(int id)
{
	struct ckpt_m_shmid *shm;

	rcu_read_lock();
	shm = ckpt_shm_find(id);
	if (shm) {
		spin_lock(&shm->shm_perm.lock);
		if (!shm->shm_perm.deleted) {
			/* taken or not by what is returned, which sparse cannot follow */
			__release(&shm->shm_perm.lock);
			__release(RCU);
			return shm;
		}
		spin_unlock(&shm->shm_perm.lock);
	}
	rcu_read_unlock();
	return NULL;
}

static void ckpt_shm_unlock(struct ckpt_m_shmid *shm)
{
	__acquire(RCU);
	__acquire(&shm->shm_perm.lock);
	spin_unlock(&shm->shm_perm.lock);
	rcu_read_unlock();
}

static struct ckpt_m_shm_file *ckpt_shm_data(struct file *file)
{
	return file->private_data;
}

static bool ckpt_shm_match(struct file *file)
{
	return file->f_op == KD(shm_file_operations);
}

/* each mapping counts as one that has it attached */
static int ckpt_shm_leak(struct ckpt_ctx *ctx, struct ckpt_obj *inode)
{
	struct ckpt_m_shmid *shm;
	unsigned long attached = 0, inside = 0;
	int id = (long)inode->priv;
	struct ckpt_obj *obj;

	list_for_each_entry(obj, &ctx->obj_list, node)
		if (obj->type == CKPT_OBJ_FILE && obj->kind == &ckpt_file_shm && obj->priv == inode)
			inside += obj->users;
	shm = ckpt_shm_lock(id);
	if (shm) {
		attached = shm->shm_nattch;
		ckpt_shm_unlock(shm);
	}
	if (attached <= inside)
		return 0;
	return ckpt_refuse(ctx, inode->task, "sysv-shm",
			   "SysV shared memory %d is also attached outside of the tree (%lu of %lu times inside)",
			   id, inside, attached);
}

static int ckpt_shm_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_m_shm_file *data = ckpt_shm_data(file);
	struct ckpt_obj *inode;
	bool new;

	if (data->ns != current->nsproxy->ipc_ns)
		return ckpt_refuse(ctx, obj->task, "sysv-shm",
				   "SysV shared memory %d is of another IPC namespace", data->id);
	inode = ckpt_obj_add(ctx, file_inode(file), CKPT_OBJ_INODE, obj->task, &new);
	if (!inode)
		return -ENOMEM;
	obj->priv = inode;
	if (!new)
		return 0;
	inode->priv = (void *)(long)data->id;
	inode->leak = ckpt_shm_leak;
	return ckpt_shmem_save(ctx, inode, file);
}

static int ckpt_shm_segment(struct ckpt_ctx *ctx, struct ckpt_obj *inode, struct file *file)
{
	struct ckpt_m_shmid *shm;
	struct ckpt_ipc_shm *rec;

	rec = ckpt_out(ctx, CKPT_REC_IPC_SHM, inode->objref, sizeof(*rec), 0);
	if (!rec)
		return -ENOMEM;
	shm = ckpt_shm_lock((long)inode->priv);
	if (!shm)
		return ckpt_err(ctx, -EBUSY, "SysV shared memory %ld is being removed",
				(long)inode->priv);
	rec->size = cpu_to_le64(shm->shm_segsz);
	rec->id = cpu_to_le32(shm->shm_perm.id);
	rec->key = cpu_to_le32(shm->shm_perm.key);
	rec->mode = cpu_to_le32(shm->shm_perm.mode & 0777);
	rec->flags = cpu_to_le32((shm->shm_perm.mode & SHM_DEST ? CKPT_SHM_REMOVED : 0) |
				 (shm->shm_perm.mode & SHM_LOCKED ? CKPT_SHM_LOCKED : 0) |
				 (SHMEM_I(file_inode(file))->flags & VM_NORESERVE ?
				  CKPT_SHM_NORESERVE : 0));
	rec->uid = cpu_to_le32(from_kuid(&init_user_ns, shm->shm_perm.uid));
	rec->gid = cpu_to_le32(from_kgid(&init_user_ns, shm->shm_perm.gid));
	rec->cuid = cpu_to_le32(from_kuid(&init_user_ns, shm->shm_perm.cuid));
	rec->cgid = cpu_to_le32(from_kgid(&init_user_ns, shm->shm_perm.cgid));
	rec->atime = cpu_to_le64(shm->shm_atim);
	rec->dtime = cpu_to_le64(shm->shm_dtim);
	rec->ctime = cpu_to_le64(shm->shm_ctim);
	rec->cpid = cpu_to_le32(pid_vnr(shm->shm_cprid));
	rec->lpid = cpu_to_le32(pid_vnr(shm->shm_lprid));
	ckpt_shm_unlock(shm);
	return 0;
}

static int ckpt_shm_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	return PTR_ERR_OR_ZERO(ckpt_file_of_inode(ctx, obj, sizeof(struct ckpt_file_shm),
						  ckpt_shm_segment));
}

/* ---- restart, in the coordinator ---- */

struct ckpt_shm_rt {
	struct ckpt_ctx *ctx;
	struct ckpt_ipc_shm rec;
	bool made;
};

void ckpt_shm_put(struct ckpt_obj *obj)
{
	struct ckpt_shm_rt *rt = obj->priv;

	/* of a restart that failed nothing is left */
	if (rt && rt->made && READ_ONCE(rt->ctx->err))
		ckpt_arch_syscall(__NR_shmctl, le32_to_cpu(rt->rec.id), IPC_RMID, 0, 0, 0, 0);
	kfree(rt);
	fput(obj->ptr);
}

static struct pid *ckpt_shm_pid(__le32 pid)
{
	return pid ? find_get_pid(le32_to_cpu(pid)) : NULL;
}

/* when all have attached it, which changes times and the last pid */
static int ckpt_shm_last(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct ckpt_shm_rt *rt = obj->priv;
	const struct ckpt_ipc_shm *rec = &rt->rec;
	int id = le32_to_cpu(rec->id);
	struct pid *cpid, *lpid;
	struct ckpt_m_shmid *shm;
	long err = 0;

	if (le32_to_cpu(rec->flags) & CKPT_SHM_LOCKED)
		err = ckpt_arch_syscall(__NR_shmctl, id, SHM_LOCK, 0, 0, 0, 0);
	if (!err && le32_to_cpu(rec->flags) & CKPT_SHM_REMOVED)
		err = ckpt_arch_syscall(__NR_shmctl, id, IPC_RMID, 0, 0, 0, 0);
	if (err)
		return ckpt_err(ctx, err, "SysV shared memory %d cannot be locked or removed again", id);
	cpid = ckpt_shm_pid(rec->cpid);
	lpid = ckpt_shm_pid(rec->lpid);
	shm = ckpt_shm_lock(id);
	if (shm) {
		shm->shm_atim = le64_to_cpu(rec->atime);
		shm->shm_dtim = le64_to_cpu(rec->dtime);
		shm->shm_ctim = le64_to_cpu(rec->ctime);
		swap(shm->shm_cprid, cpid);
		swap(shm->shm_lprid, lpid);
		ckpt_shm_unlock(shm);
	}
	put_pid(cpid);
	put_pid(lpid);
	return 0;
}

static int ckpt_shm_owner(struct ckpt_ctx *ctx, const struct ckpt_ipc_shm *rec)
{
	kuid_t uid = make_kuid(&init_user_ns, le32_to_cpu(rec->uid));
	kuid_t cuid = make_kuid(&init_user_ns, le32_to_cpu(rec->cuid));
	kgid_t gid = make_kgid(&init_user_ns, le32_to_cpu(rec->gid));
	kgid_t cgid = make_kgid(&init_user_ns, le32_to_cpu(rec->cgid));
	struct ckpt_m_shmid *shm;

	if (!uid_valid(uid) || !uid_valid(cuid) || !gid_valid(gid) || !gid_valid(cgid))
		return -EINVAL;
	if ((!uid_eq(uid, current_euid()) || !uid_eq(cuid, current_euid()) ||
	     !gid_eq(gid, current_egid()) || !gid_eq(cgid, current_egid())) &&
	    !ns_capable(current->nsproxy->ipc_ns->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	shm = ckpt_shm_lock(le32_to_cpu(rec->id));
	if (!shm)
		return -EIDRM;
	shm->shm_perm.uid = uid;
	shm->shm_perm.cuid = cuid;
	shm->shm_perm.gid = gid;
	shm->shm_perm.cgid = cgid;
	ckpt_shm_unlock(shm);
	return 0;
}

/* makes a segment with its id; another one's shmget() may come in between */
static int ckpt_shm_make(struct ckpt_ctx *ctx, const struct ckpt_ipc_shm *rec)
{
	struct ipc_ids *ids = &current->nsproxy->ipc_ns->ids[CKPT_SHM_IDS];
	u32 want = le32_to_cpu(rec->id), flags = le32_to_cpu(rec->mode) | IPC_CREAT | IPC_EXCL;
	unsigned int tries;
	long id;

	if (le32_to_cpu(rec->flags) & CKPT_SHM_NORESERVE)
		flags |= SHM_NORESERVE;
	for (tries = 0; tries < CKPT_SHM_TRIES; tries++) {
		down_write(&ids->rwsem);
		ids->next_id = want;
		up_write(&ids->rwsem);
		id = ckpt_arch_syscall(__NR_shmget, le32_to_cpu(rec->key), le64_to_cpu(rec->size),
				       flags, 0, 0, 0);
		if (id == want)
			return 0;
		down_write(&ids->rwsem);
		ids->next_id = -1;
		up_write(&ids->rwsem);
		if (id < 0)
			break;
		ckpt_arch_syscall(__NR_shmctl, id, IPC_RMID, 0, 0, 0, 0);
	}
	if (id == -EEXIST)
		return ckpt_err(ctx, id, "there is other SysV shared memory with the key %#x; remove it with ipcrm -M",
				le32_to_cpu(rec->key));
	if (id >= 0 || id == -ENOSPC)
		return ckpt_err(ctx, -EEXIST, "SysV shared memory cannot get its id %u: it is taken, or there is no room",
				want);
	return ckpt_err(ctx, id, "SysV shared memory %u cannot be made", want);
}

/* attaches it for a moment, as the caller; gives the file that a mapping of it has */
static struct file *ckpt_shm_file(int id, bool readonly)
{
	struct vm_area_struct *vma;
	struct file *file = NULL;
	unsigned long addr;

	addr = ckpt_arch_syscall(__NR_shmat, id, 0, readonly ? SHM_RDONLY : 0, 0, 0, 0);
	if (IS_ERR_VALUE(addr))
		return ERR_PTR(addr);
	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	if (vma && vma->vm_start == addr && vma->vm_file && ckpt_shm_match(vma->vm_file) &&
	    ckpt_shm_data(vma->vm_file)->id == id)
		file = get_file(vma->vm_file);
	mmap_read_unlock(current->mm);
	ckpt_arch_syscall(__NR_shmdt, addr, 0, 0, 0, 0, 0);
	return file ?: ERR_PTR(-EIDRM);
}

/* one that still exists must be the same one, and unused */
static int ckpt_shm_take(struct ckpt_ctx *ctx, const struct ckpt_ipc_shm *rec, bool *found)
{
	unsigned long attached;
	struct ckpt_m_shmid *shm;
	bool same;

	shm = ckpt_shm_lock(le32_to_cpu(rec->id));
	*found = shm;
	if (!shm)
		return 0;
	attached = shm->shm_nattch;
	same = (u32)shm->shm_perm.key == le32_to_cpu(rec->key) &&
	       shm->shm_segsz == le64_to_cpu(rec->size) &&
	       from_kuid(&init_user_ns, shm->shm_perm.cuid) == le32_to_cpu(rec->cuid) &&
	       from_kgid(&init_user_ns, shm->shm_perm.cgid) == le32_to_cpu(rec->cgid) &&
	       shm->shm_file->f_inode->i_sb->s_magic != HUGETLBFS_MAGIC;
	ckpt_shm_unlock(shm);
	if (!same)
		return ckpt_err(ctx, -EEXIST, "there is other SysV shared memory with the id %u; remove it with ipcrm -m",
				le32_to_cpu(rec->id));
	if (attached)
		return ckpt_err(ctx, -EBUSY, "SysV shared memory %u is attached by another process; end that one first",
				le32_to_cpu(rec->id));
	return 0;
}

/**
 * ckpt_shm_read() - make a segment again, or take the one that is left
 * @ctx: the restart
 * @in: its record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_shm_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_ipc_shm *rec = (const void *)in->fixed;
	struct ckpt_shm_rt *rt;
	struct ckpt_obj *obj;
	struct file *file;
	bool found;
	int err;

	if (le32_to_cpu(rec->mode) & ~0777 || (s32)le32_to_cpu(rec->id) < 0 || !rec->size ||
	    le64_to_cpu(rec->size) > MAX_LFS_FILESIZE ||
	    le32_to_cpu(rec->flags) & ~(CKPT_SHM_REMOVED | CKPT_SHM_LOCKED | CKPT_SHM_NORESERVE))
		return ckpt_bad(ctx, in, "a field is out of range");
	rt = kzalloc(sizeof(*rt), GFP_KERNEL);
	if (!rt)
		return -ENOMEM;
	rt->ctx = ctx;
	rt->rec = *rec;
	err = ckpt_shm_take(ctx, rec, &found);
	if (!err && !found)
		err = ckpt_shm_make(ctx, rec);
	if (err)
		goto free;
	rt->made = !found;
	file = ckpt_shm_file(le32_to_cpu(rec->id), false);
	err = PTR_ERR_OR_ZERO(file);
	if (!err && found)
		shmem_truncate_range(file_inode(file), 0, -1);
	if (!err && !found) {
		err = ckpt_shm_owner(ctx, rec);
		if (err)
			fput(file);
	}
	if (err) {
		if (rt->made)
			ckpt_arch_syscall(__NR_shmctl, le32_to_cpu(rec->id), IPC_RMID, 0, 0, 0, 0);
		goto free;
	}
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_INODE, file, ckpt_shm_put);
	if (IS_ERR(obj)) {
		err = PTR_ERR(obj);
		goto free;
	}
	obj->priv = rt;
	obj->last = ckpt_shm_last;
	return 0;
free:
	kfree(rt);
	return err;
}

static struct file *ckpt_shm_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_shm *rec = (const void *)in->fixed;
	struct ckpt_shm_rt *rt;
	struct ckpt_obj *obj;

	obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->f.inode), CKPT_OBJ_INODE);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	if (obj->drop != ckpt_shm_put) {
		ckpt_bad(ctx, in, "its inode is not SysV shared memory");
		return ERR_PTR(-EBADMSG);
	}
	rt = obj->priv;
	return ckpt_shm_file(le32_to_cpu(rt->rec.id),
			     (le32_to_cpu(rec->f.flags) & O_ACCMODE) == O_RDONLY);
}

const struct ckpt_file_kind ckpt_file_shm = {
	.name = "sysv-shm",
	.rec = CKPT_REC_FILE_SHM,
	.outside_ok = true,
	.match = ckpt_shm_match,
	.collect = ckpt_shm_collect,
	.checkpoint = ckpt_shm_checkpoint,
	.restart = ckpt_shm_restart,
};
