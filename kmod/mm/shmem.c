// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: shared anonymous memory and memfd, also of huge pages: size, seals, mode,
 * owner, name and content, once for each inode however many files and mappings
 * it has.
 * Refuses: memory that somebody outside the tree also has.
 * Locks: the inode's, in the callees. Content is copied inside the window when
 * the tasks go on before it is written.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "mm.h"
#include "../files/files.h"
#include "../ipc/ipc.h"
#include "../ksym.h"

#define CKPT_SHMEM_NAME_MAX	249
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC	0
#endif
#define CKPT_SEALS_ALL	(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | \
			 F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)

struct ckpt_shmem_copy {
	struct list_head node;
	struct page *page;
	pgoff_t index;
};

static bool ckpt_shmem_match(struct file *file)
{
	struct super_block *sb = file_inode(file)->i_sb;

	return (S_ISREG(file_inode(file)->i_mode) && sb->s_magic == TMPFS_MAGIC &&
		sb->s_flags & SB_KERNMOUNT) || ckpt_huge_match(file);
}

/* every file of it must be inside; one more is ours */
static int ckpt_shmem_leak(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct dentry *dentry = obj->priv;

	if (d_count(dentry) <= obj->users + 1)
		return 0;
	return ckpt_refuse(ctx, obj->task, "shmem",
			   "shared memory %pd is also open outside of the tree", dentry);
}

/* and so must every descriptor and mapping of a file */
static int ckpt_shmem_file_leak(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;

	if (file_count(file) <= obj->users)
		return 0;
	return ckpt_refuse(ctx, obj->task, "shmem",
			   "shared memory %pD is also used outside of the tree (%u of %ld references inside)",
			   file, obj->users, (long)file_count(file));
}

/**
 * ckpt_shmem_save() - have the content of shared memory written
 * @ctx: the checkpoint
 * @inode: its object
 * @file: any file of it
 *
 * Return: 0 or a negative errno.
 */
int ckpt_shmem_save(struct ckpt_ctx *ctx, struct ckpt_obj *inode, struct file *file)
{
	struct ckpt_mm_save *save;

#ifdef CONFIG_NUMA
	if (!ckpt_file_is_huge(file) && !RB_EMPTY_ROOT(&SHMEM_I(file_inode(file))->policy.root))
		return ckpt_refuse(ctx, inode->task, "mempolicy",
				   "shared memory %pD has a NUMA policy (mbind)", file);
#endif
	save = kzalloc(sizeof(*save), GFP_KERNEL);
	if (!save)
		return -ENOMEM;
	INIT_LIST_HEAD(&save->copies);
	save->objref = inode->objref;
	/* an own file, whose position nobody else sees */
	save->file = dentry_open(&file->f_path, O_RDONLY | O_LARGEFILE, ctx->cred);
	if (IS_ERR(save->file)) {
		int err = PTR_ERR(save->file);

		kfree(save);
		return ckpt_err(ctx, err, "cannot read shared memory of process %d",
				task_pid_vnr(inode->task));
	}
	list_add_tail(&save->node, &ctx->mms);
	return 0;
}

static int ckpt_shmem_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_obj *inode;
	bool new;

	inode = ckpt_obj_add(ctx, file_inode(file), CKPT_OBJ_INODE, obj->task, &new);
	if (!inode)
		return -ENOMEM;
	obj->priv = inode;
	obj->leak = ckpt_shmem_file_leak;
	if (!new)
		return 0;
	inode->priv = file->f_path.dentry;
	inode->leak = ckpt_shmem_leak;
	return ckpt_shmem_save(ctx, inode, file);
}

static void ckpt_shmem_kind(struct file *file, bool memfd, struct ckpt_shmem *s)
{
	struct inode *inode = file_inode(file);
	u32 flags = memfd ? CKPT_SHMEM_MEMFD : 0;

	if (ckpt_file_is_huge(file)) {
		flags |= CKPT_SHMEM_HUGETLB;
		s->huge_shift = cpu_to_le32(huge_page_shift(hstate_file(file)));
		s->seals = cpu_to_le32(HUGETLBFS_I(inode)->seals);
	} else {
		flags |= SHMEM_I(inode)->flags & VM_NORESERVE ? CKPT_SHMEM_NORESERVE : 0;
		s->seals = cpu_to_le32(SHMEM_I(inode)->seals);
	}
	s->flags = cpu_to_le32(flags);
}

static int ckpt_shmem_inode(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct file *file)
{
	struct inode *inode = file_inode(file);
	const char *name = file->f_path.dentry->d_name.name;
	bool memfd = !strncmp(name, "memfd:", 6);
	struct ckpt_shmem *s;
	size_t len;

	if (memfd)
		name += 6;
	len = min_t(size_t, strlen(name), CKPT_SHMEM_NAME_MAX);
	s = ckpt_out(ctx, CKPT_REC_SHMEM, obj->objref, sizeof(*s), len);
	if (!s)
		return -ENOMEM;
	s->size = cpu_to_le64(i_size_read(inode));
	s->mode = cpu_to_le32(inode->i_mode & 07777);
	s->uid = cpu_to_le32(from_kuid(&init_user_ns, inode->i_uid));
	s->gid = cpu_to_le32(from_kgid(&init_user_ns, inode->i_gid));
	ckpt_shmem_kind(file, memfd, s);
	memcpy(s + 1, name, len);
	return 0;
}

static int ckpt_shmem_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	return PTR_ERR_OR_ZERO(ckpt_file_of_inode(ctx, obj, sizeof(struct ckpt_file_shmem),
						  ckpt_shmem_inode));
}

/* the next page with data at or after @index; NULL at the end */
static struct page *ckpt_shmem_next(struct file *file, pgoff_t *index)
{
	loff_t pos = vfs_llseek(file, (loff_t)*index << PAGE_SHIFT, SEEK_DATA);

	if (pos == -ENXIO)
		return NULL;
	if (pos < 0)
		return ERR_PTR(pos);
	*index = pos >> PAGE_SHIFT;
	return shmem_read_mapping_page(file->f_mapping, *index);
}

/**
 * ckpt_shmem_capture() - copy the content of shared memory
 * @ctx: the checkpoint, in its window
 * @save: the memory
 *
 * Return: 0 or a negative errno.
 */
int ckpt_shmem_capture(struct ckpt_ctx *ctx, struct ckpt_mm_save *save)
{
	struct ckpt_shmem_copy *c;
	struct page *page;
	pgoff_t index = 0;

	if (ckpt_file_is_huge(save->file)) {
		ckpt_log(ctx, "huge pages of the pool are written while the tasks are stopped");
		ctx->no_snapshot = true;
		return 0;
	}
	for (;; index++) {
		if (ckpt_aborted(ctx))
			return -EINTR;
		page = ckpt_shmem_next(save->file, &index);
		if (!page)
			return 0;
		if (IS_ERR(page))
			return ckpt_err(ctx, PTR_ERR(page), "cannot read shared memory");
		c = kmalloc(sizeof(*c), GFP_KERNEL);
		if (c)
			c->page = alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT);
		if (!c || !c->page) {
			kfree(c);
			put_page(page);
			return ckpt_err(ctx, -ENOMEM, "no memory for a copy of shared memory; use --stop or --kill");
		}
		copy_highpage(c->page, page);
		put_page(page);
		c->index = index;
		list_add_tail(&c->node, &save->copies);
		cond_resched();
	}
}

int ckpt_shmem_write(struct ckpt_ctx *ctx, struct ckpt_mm_save *save,
		     struct ckpt_batch *b)
{
	struct ckpt_shmem_copy *c, *next;
	struct page *page;
	pgoff_t index = 0;
	int err;

	if (ckpt_file_is_huge(save->file))
		return ckpt_huge_write_file(ctx, save->file, b);
	if (!list_empty(&save->copies)) {
		list_for_each_entry_safe(c, next, &save->copies, node) {
			get_page(c->page);
			if (ckpt_batch_add(b, (u64)c->index << PAGE_SHIFT, c->page)) {
				err = ckpt_batch_write(ctx, b);
				if (err)
					return err;
			}
			list_del(&c->node);
			put_page(c->page);
			kfree(c);
		}
		return ckpt_batch_write(ctx, b);
	}
	/* copied and found empty */
	if (!(ctx->rq.flags & (CKPT_F_KILL | CKPT_F_STOP)))
		return 0;
	for (;; index++) {
		page = ckpt_shmem_next(save->file, &index);
		if (!page)
			return ckpt_batch_write(ctx, b);
		if (IS_ERR(page))
			return ckpt_err(ctx, PTR_ERR(page), "cannot read shared memory");
		if (ckpt_batch_add(b, (u64)index << PAGE_SHIFT, page)) {
			err = ckpt_batch_write(ctx, b);
			if (err)
				return err;
		}
	}
}

void ckpt_shmem_drop(struct ckpt_mm_save *save)
{
	struct ckpt_shmem_copy *c, *next;

	list_for_each_entry_safe(c, next, &save->copies, node) {
		put_page(c->page);
		kfree(c);
	}
	fput(save->file);
}

/* ---- restart ---- */

static void ckpt_shmem_put(struct ckpt_obj *obj)
{
	fput(obj->ptr);
}

/* seals come last: they forbid filling */
static int ckpt_shmem_late(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	unsigned long seals = (unsigned long)obj->priv;
	long err;

	if (!seals)
		return 0;
	err = K(memfd_fcntl)(obj->ptr, F_ADD_SEALS, seals);
	if (err)
		return ckpt_err(ctx, err, "cannot seal shared memory, object %u", obj->objref);
	return 0;
}

/* the owner matters to those who open it through /proc */
static void ckpt_shmem_owner(struct ckpt_ctx *ctx, struct inode *inode,
			     const struct ckpt_shmem *s)
{
	kuid_t uid = make_kuid(&init_user_ns, le32_to_cpu(s->uid));
	kgid_t gid = make_kgid(&init_user_ns, le32_to_cpu(s->gid));

	if (uid_eq(uid, inode->i_uid) && gid_eq(gid, inode->i_gid))
		return;
	if (capable(CAP_CHOWN) && uid_valid(uid) && gid_valid(gid)) {
		inode->i_uid = uid;
		inode->i_gid = gid;
	} else {
		ckpt_log(ctx, "shared memory of user %u and group %u is now the caller's",
			 le32_to_cpu(s->uid), le32_to_cpu(s->gid));
	}
}

/**
 * ckpt_shmem_read() - make a shared memory object
 * @ctx: the restart
 * @in: its record
 *
 * Return: 0 or a negative errno.
 */
int ckpt_shmem_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_shmem *s = (const void *)in->fixed;
	char name[CKPT_SHMEM_NAME_MAX + 8];
	u32 flags = le32_to_cpu(s->flags);
	struct ckpt_obj *obj;
	struct inode *inode;
	struct file *file;

	if (le64_to_cpu(s->size) > MAX_LFS_FILESIZE || in->var_len > CKPT_SHMEM_NAME_MAX ||
	    le32_to_cpu(s->mode) & ~07777 || le32_to_cpu(s->seals) & ~CKPT_SEALS_ALL ||
	    flags & ~(CKPT_SHMEM_MEMFD | CKPT_SHMEM_NORESERVE | CKPT_SHMEM_HUGETLB) ||
	    (in->var_len && memchr(in->var, 0, in->var_len)))
		return ckpt_bad(ctx, in, "a field is out of range");
	scnprintf(name, sizeof(name), "%s%.*s", flags & CKPT_SHMEM_MEMFD ? "memfd:" : "",
		  in->var_len, in->var);
	if (flags & CKPT_SHMEM_HUGETLB)
		file = ckpt_huge_setup(ctx, in, name);
	else
		file = shmem_file_setup(name, le64_to_cpu(s->size),
					flags & CKPT_SHMEM_NORESERVE ? VM_NORESERVE : 0);
	if (IS_ERR(file))
		return ckpt_err(ctx, PTR_ERR(file), "image offset %llu: cannot make shared memory of %llu bytes",
				in->offset, le64_to_cpu(s->size));
	inode = file_inode(file);
	inode->i_mode = S_IFREG | le32_to_cpu(s->mode);
	ckpt_shmem_owner(ctx, inode, s);
	if (flags & CKPT_SHMEM_MEMFD) {
		file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
		file->f_flags |= O_LARGEFILE;
	}
	obj = ckpt_obj_put(ctx, in, CKPT_OBJ_INODE, file, ckpt_shmem_put);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	if (flags & CKPT_SHMEM_HUGETLB)
		HUGETLBFS_I(inode)->seals = 0;
	else
		SHMEM_I(inode)->seals = 0;
	obj->priv = (void *)(unsigned long)le32_to_cpu(s->seals);
	obj->late = ckpt_shmem_late;
	return 0;
}

int ckpt_shmem_fill(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
		    struct ckpt_in *in)
{
	const struct ckpt_pages *p = (const void *)in->fixed;
	const struct ckpt_run *runs = (const void *)in->var;
	struct file *file = obj->ptr;
	struct page *page;
	void *buf;
	u32 i, n;
	u64 pos;
	int err;

	/* other kinds of inode objects have other pointers */
	if (obj->drop != ckpt_shmem_put && obj->drop != ckpt_shm_put)
		return ckpt_bad(ctx, in, "refers to an object that has no pages");
	if (ckpt_file_is_huge(file))
		return ckpt_huge_fill(ctx, file, in);
	err = ckpt_pages_check(ctx, in, round_up((u64)i_size_read(file_inode(file)), PAGE_SIZE));
	if (err)
		return err;
	buf = (void *)__get_free_page(GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	for (i = 0; !err && i < le32_to_cpu(p->nruns); i++) {
		pos = le64_to_cpu(runs[i].start);
		for (n = le32_to_cpu(runs[i].npages); !err && n; n--, pos += PAGE_SIZE) {
			err = ckpt_read_kernel(ctx, buf, PAGE_SIZE);
			if (err)
				break;
			page = shmem_read_mapping_page(file->f_mapping, pos >> PAGE_SHIFT);
			if (IS_ERR(page)) {
				err = ckpt_err(ctx, PTR_ERR(page), "no memory for shared memory");
				break;
			}
			lock_page(page);
			memcpy_to_page(page, 0, buf, PAGE_SIZE);
			flush_dcache_page(page);
			SetPageUptodate(page);
			set_page_dirty(page);
			unlock_page(page);
			put_page(page);
		}
	}
	free_page((unsigned long)buf);
	return err;
}

static struct file *ckpt_shmem_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_shmem *rec = (const void *)in->fixed;
	unsigned int mode = le32_to_cpu(rec->f.flags) & O_ACCMODE;
	struct ckpt_obj *obj;
	struct file *first, *file;

	obj = ckpt_obj_get(ctx, in, le32_to_cpu(rec->f.inode), CKPT_OBJ_INODE);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	first = obj->ptr;
	if (obj->drop != ckpt_shmem_put) {
		ckpt_bad(ctx, in, "its inode is not shared memory");
		return ERR_PTR(-EBADMSG);
	}
	if (mode == O_ACCMODE) {
		ckpt_bad(ctx, in, "its access mode is out of range");
		return ERR_PTR(-EBADMSG);
	}
	if (le64_to_cpu(rec->f.pos) > MAX_LFS_FILESIZE) {
		ckpt_bad(ctx, in, "its position is out of range");
		return ERR_PTR(-EBADMSG);
	}
	file = dentry_open(&first->f_path, mode | O_LARGEFILE, current_cred());
	if (!IS_ERR(file))
		file->f_pos = le64_to_cpu(rec->f.pos);
	return file;
}

const struct ckpt_file_kind ckpt_file_shmem = {
	.name = "shmem",
	.rec = CKPT_REC_FILE_SHMEM,
	.outside_ok = true,
	.match = ckpt_shmem_match,
	.collect = ckpt_shmem_collect,
	.checkpoint = ckpt_shmem_checkpoint,
	.restart = ckpt_shmem_restart,
};
