// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: files that a path names: regular files, directories (also in the
 * middle of readdir), the devices null, zero, full, random and urandom, and
 * anything opened with O_PATH. What the file was is compared at restart: type,
 * inode, size, modification time, build id.
 * Refuses: unlinked and replaced files, files that the caller cannot name,
 * files of /proc, and of file systems whose files do something when opened.
 * Locks: none.
 */
#include <linux/elf.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "files.h"

/* flags of the record that open() is given again */
#define CKPT_OPEN_FLAGS	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_DIRECT | \
			 O_LARGEFILE | O_DIRECTORY | O_NOATIME | O_PATH)

#define CKPT_NT_BUILD_ID	3
#define CKPT_BUILD_ID_MAX	20

static bool ckpt_device_known(dev_t dev)
{
	/* null, zero, full, random, urandom */
	return MAJOR(dev) == MEM_MAJOR &&
	       (MINOR(dev) == 3 || MINOR(dev) == 5 || (MINOR(dev) >= 7 && MINOR(dev) <= 9));
}

/**
 * ckpt_pseudo_fs() - whether files of a file system are more than their content
 * @sb: the file system
 *
 * Return: true where opening or reading a file may do something.
 */
bool ckpt_pseudo_fs(struct super_block *sb)
{
	static const unsigned long magics[] = {
		DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC, SELINUX_MAGIC,
		SMACK_MAGIC, BPF_FS_MAGIC, PSTOREFS_MAGIC, EFIVARFS_MAGIC,
		BINFMTFS_MAGIC, NSFS_MAGIC,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(magics); i++)
		if (sb->s_magic == magics[i])
			return true;
	return false;
}

static bool ckpt_path_match(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (inode->i_sb->s_magic == PROC_SUPER_MAGIC)
		return false;
	if (inode->i_sb->s_flags & (SB_KERNMOUNT | SB_NOUSER))
		return false;
	if (file->f_mode & FMODE_PATH)
		return true;
	if (ckpt_pseudo_fs(inode->i_sb))
		return false;
	if (S_ISCHR(inode->i_mode))
		return ckpt_device_known(inode->i_rdev);
	return S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode);
}

/**
 * ckpt_path() - the path of a file as the caller sees it
 * @ctx: the checkpoint
 * @path: the file
 * @buf: PATH_MAX bytes
 * @why: set to why there is none
 *
 * The path is looked up again, so that it certainly leads to this file.
 *
 * Return: the path inside @buf, or NULL.
 */
char *ckpt_path(struct ckpt_ctx *ctx, const struct path *path, char *buf,
		const char **why)
{
	struct path found;
	char *p;
	bool same;

	if (d_unlinked(path->dentry) || IS_ROOT(path->dentry) != (path->dentry == path->dentry->d_sb->s_root)) {
		*why = "was removed";
		return NULL;
	}
	p = d_path(path, buf, PATH_MAX);
	if (IS_ERR(p)) {
		*why = "has too long a path";
		return NULL;
	}
	if (*p != '/') {
		*why = "cannot be reached from the root of the caller";
		return NULL;
	}
	if (kern_path(p, 0, &found)) {
		*why = "is not found at its path by the caller";
		return NULL;
	}
	same = d_inode(found.dentry) == d_inode(path->dentry) && found.mnt == path->mnt;
	path_put(&found);
	if (!same) {
		*why = "is hidden by another file or mount at its path";
		return NULL;
	}
	return p;
}

/* finds the build id in the first page of an ELF file; returns its length or 0 */
static u32 ckpt_build_id(const u8 *page, u8 *id)
{
	const Elf64_Ehdr *ehdr = (const void *)page;
	const Elf64_Phdr *phdr = (const void *)(ehdr + 1);
	const Elf64_Nhdr *nhdr;
	unsigned int i;
	u64 at, end;

	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) || ehdr->e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr->e_phoff != sizeof(*ehdr) || ehdr->e_phentsize != sizeof(*phdr) ||
	    ehdr->e_phnum > (PAGE_SIZE - sizeof(*ehdr)) / sizeof(*phdr))
		return 0;
	for (i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type != PT_NOTE || phdr[i].p_offset % 4 ||
		    phdr[i].p_offset > PAGE_SIZE || phdr[i].p_filesz > PAGE_SIZE)
			continue;
		at = phdr[i].p_offset;
		end = min_t(u64, at + phdr[i].p_filesz, PAGE_SIZE);
		while (at + sizeof(*nhdr) + 4 <= end) {
			nhdr = (const void *)(page + at);
			at += sizeof(*nhdr) + round_up((u64)nhdr->n_namesz, 4);
			if (nhdr->n_type == CKPT_NT_BUILD_ID && nhdr->n_namesz == 4 &&
			    !memcmp(nhdr + 1, "GNU", 4) && nhdr->n_descsz &&
			    nhdr->n_descsz <= CKPT_BUILD_ID_MAX && at + nhdr->n_descsz <= end) {
				memcpy(id, page + at, nhdr->n_descsz);
				return nhdr->n_descsz;
			}
			at += round_up((u64)nhdr->n_descsz, 4);
		}
	}
	return 0;
}

/* from the page cache alone: there is no I/O in the window */
static void ckpt_path_build_id(struct inode *inode, struct ckpt_file_path *rec)
{
	struct page *page;
	void *p;

	if (!S_ISREG(inode->i_mode))
		return;
	page = find_get_page(inode->i_mapping, 0);
	if (!page)
		return;
	if (PageUptodate(page)) {
		p = kmap_local_page(page);
		rec->build_id_len = cpu_to_le32(ckpt_build_id(p, rec->build_id));
		kunmap_local(p);
	}
	put_page(page);
}

static int ckpt_path_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct inode *inode = file_inode(file);
	struct ckpt_file_path *rec;
	struct timespec64 mtime;
	char *buf, *p;
	const char *why;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	p = ckpt_path(ctx, &file->f_path, buf, &why);
	if (!p) {
		p = d_path(&file->f_path, buf, PATH_MAX);
		ckpt_refuse(ctx, obj->task, inode->i_nlink ? "path" : "unlinked",
			    "open file %s %s", IS_ERR(p) ? "" : p, why);
		kfree(buf);
		return 0;
	}
	rec = ckpt_out(ctx, CKPT_REC_FILE_PATH, obj->objref, sizeof(*rec), strlen(p));
	if (!rec) {
		kfree(buf);
		return -ENOMEM;
	}
	memcpy(rec + 1, p, strlen(p));
	kfree(buf);
	ckpt_file_common(ctx, obj, &rec->f);
	mtime = ckpt_inode_mtime(inode);
	rec->mode = cpu_to_le32(inode->i_mode);
	rec->rdev_major = cpu_to_le32(MAJOR(inode->i_rdev));
	rec->rdev_minor = cpu_to_le32(MINOR(inode->i_rdev));
	rec->fs_magic = cpu_to_le32(inode->i_sb->s_magic);
	rec->size = cpu_to_le64(i_size_read(inode));
	rec->mtime_sec = cpu_to_le64(mtime.tv_sec);
	rec->mtime_nsec = cpu_to_le32(mtime.tv_nsec);
	rec->ino = cpu_to_le64(inode->i_ino);
	rec->dev_major = cpu_to_le32(MAJOR(inode->i_sb->s_dev));
	rec->dev_minor = cpu_to_le32(MINOR(inode->i_sb->s_dev));
	memcpy(rec->fs_uuid, &inode->i_sb->s_uuid, sizeof(rec->fs_uuid));
	ckpt_path_build_id(inode, rec);
	return 0;
}

/* ---- restart ---- */

static bool ckpt_same_fs(const struct ckpt_file_path *rec, struct super_block *sb)
{
	if (!uuid_is_null(&sb->s_uuid))
		return !memcmp(rec->fs_uuid, &sb->s_uuid, sizeof(rec->fs_uuid));
	return le32_to_cpu(rec->dev_major) == MAJOR(sb->s_dev) &&
	       le32_to_cpu(rec->dev_minor) == MINOR(sb->s_dev) &&
	       le32_to_cpu(rec->fs_magic) == sb->s_magic;
}

static int ckpt_path_compare(struct ckpt_ctx *ctx, struct ckpt_in *in,
			     const char *name, struct inode *inode)
{
	const struct ckpt_file_path *rec = (const void *)in->fixed;
	struct timespec64 mtime = ckpt_inode_mtime(inode);
	u32 mode = le32_to_cpu(rec->mode);
	const char *what = NULL;

	if ((inode->i_mode & S_IFMT) != (mode & S_IFMT)) {
		what = "type";
	} else if (S_ISCHR(mode) || S_ISBLK(mode)) {
		if (le32_to_cpu(rec->rdev_major) != MAJOR(inode->i_rdev) ||
		    le32_to_cpu(rec->rdev_minor) != MINOR(inode->i_rdev))
			what = "device number";
	} else if (S_ISREG(mode)) {
		/* an inode number tells something on the same file system only */
		if (ckpt_same_fs(rec, inode->i_sb) &&
		    le64_to_cpu(rec->ino) != inode->i_ino)
			what = "inode";
		else if (le32_to_cpu(rec->f.flags) & O_PATH)
			return 0;	/* its content does not matter */
		else if (le64_to_cpu(rec->size) != i_size_read(inode))
			what = "size";
		else if (le64_to_cpu(rec->mtime_sec) != mtime.tv_sec ||
			 le32_to_cpu(rec->mtime_nsec) != mtime.tv_nsec)
			what = "modification time";
	}
	if (!what)
		return 0;
	return ckpt_err(ctx, -ESTALE, "file %s is not what it was: its %s has changed; put back the file of the time of the checkpoint",
			name, what);
}

static int ckpt_path_compare_id(struct ckpt_ctx *ctx, const struct ckpt_file_path *rec,
				const char *name, struct file *file)
{
	u8 id[CKPT_BUILD_ID_MAX], *page;
	u32 len = le32_to_cpu(rec->build_id_len);
	loff_t pos = 0;
	int err = 0;

	if (!len || !(file->f_mode & FMODE_READ) || file->f_flags & O_DIRECT)
		return 0;
	page = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	if (kernel_read(file, page, PAGE_SIZE, &pos) < 0 ||
	    ckpt_build_id(page, id) != len || memcmp(id, rec->build_id, len))
		err = ckpt_err(ctx, -ESTALE, "file %s is not what it was: its build id has changed; put back the file of the time of the checkpoint",
			       name);
	kfree(page);
	return err;
}

static bool ckpt_dir_stop(struct dir_context *ctx, const char *name, int len,
			  loff_t pos, u64 ino, unsigned int type)
{
	return false;
}

/*
 * Reads a directory at its beginning, so that it may be read anywhere. ext4
 * takes one that is first read at its end for finished, even when it is rewound.
 */
static int ckpt_dir_begin(struct file *file)
{
	struct dir_context dir = { .actor = ckpt_dir_stop };

	return iterate_dir(file, &dir);
}

static struct file *ckpt_path_open(struct ckpt_ctx *ctx, struct ckpt_in *in,
				   const char *name)
{
	const struct ckpt_file_path *rec = (const void *)in->fixed;
	u32 flags = le32_to_cpu(rec->f.flags) & CKPT_OPEN_FLAGS;
	loff_t pos = le64_to_cpu(rec->f.pos);
	struct file *file;
	struct path path;
	int err;

	/* looked at before it is opened: opening some files does something */
	err = kern_path(name, 0, &path);
	if (err) {
		if (err == -ENOENT || err == -ENOTDIR)
			err = -ESTALE;
		ckpt_err(ctx, err, "file %s cannot be found; put back the file of the time of the checkpoint",
			 name);
		return ERR_PTR(err);
	}
	err = ckpt_path_compare(ctx, in, name, d_inode(path.dentry));
	/* the caller's own memory is among them; a checkpoint refuses these */
	if (!err && path.dentry->d_sb->s_magic == PROC_SUPER_MAGIC)
		err = ckpt_bad(ctx, in, "a file of /proc");
	path_put(&path);
	if (err)
		return ERR_PTR(err);
	file = filp_open(name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_LARGEFILE, 0);
	if (IS_ERR(file)) {
		ckpt_err(ctx, PTR_ERR(file), "file %s cannot be opened", name);
		return file;
	}
	err = ckpt_path_compare(ctx, in, name, file_inode(file));
	if (!err)
		err = ckpt_path_compare_id(ctx, rec, name, file);
	if (!err && pos && !(flags & O_PATH) && S_ISDIR(file_inode(file)->i_mode))
		err = ckpt_dir_begin(file);
	if (!err && pos && !(flags & O_PATH)) {
		if (vfs_llseek(file, pos, SEEK_SET) != pos && !S_ISCHR(file_inode(file)->i_mode))
			err = ckpt_err(ctx, -ESTALE, "file %s cannot be positioned at %lld", name, pos);
	}
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	return file;
}

static struct file *ckpt_path_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_path *rec = (const void *)in->fixed;
	u32 mode = le32_to_cpu(rec->mode);
	struct file *file;
	char *name;

	if (!in->var_len || in->var_len >= PATH_MAX || in->var[0] != '/' ||
	    memchr(in->var, 0, in->var_len) || (s64)le64_to_cpu(rec->f.pos) < 0 ||
	    le32_to_cpu(rec->build_id_len) > CKPT_BUILD_ID_MAX) {
		ckpt_bad(ctx, in, "its path or position is out of range");
		return ERR_PTR(-EBADMSG);
	}
	if (!(le32_to_cpu(rec->f.flags) & O_PATH) && !S_ISREG(mode) && !S_ISDIR(mode) &&
	    !(S_ISCHR(mode) && ckpt_device_known(MKDEV(le32_to_cpu(rec->rdev_major),
						       le32_to_cpu(rec->rdev_minor))))) {
		ckpt_bad(ctx, in, "its type is none that is restored by a path");
		return ERR_PTR(-EBADMSG);
	}
	name = kmemdup_nul(in->var, in->var_len, GFP_KERNEL);
	if (!name)
		return ERR_PTR(-ENOMEM);
	file = ckpt_path_open(ctx, in, name);
	kfree(name);
	return file;
}

const struct ckpt_file_kind ckpt_file_path = {
	.name = "path",
	.rec = CKPT_REC_FILE_PATH,
	.match = ckpt_path_match,
	.checkpoint = ckpt_path_checkpoint,
	.restart = ckpt_path_restart,
};
