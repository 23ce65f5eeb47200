// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves: files of /proc by their paths, with the position: those of processes
 * of the tree, and those of the whole system. What was read of a line before
 * and what is read after are of two moments, as when a program waits in
 * between.
 * Refuses: files of processes that have ended or are outside of the tree, of
 * single threads and of single descriptors; files of the system that are open
 * for writing, except below /proc/sys: some keep what was written.
 * Locks: none.
 *
 * All processes of the tree exist by number when a restart reads its files. But
 * some may get their memory later, so files that hold it are opened again then.
 */
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/namei.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "files.h"

#define CKPT_PROC_FLAGS	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_LARGEFILE | O_DIRECTORY | \
			 O_NOATIME | O_PATH)

static bool ckpt_proc_match(struct file *file)
{
	struct inode *inode = file_inode(file);

	return inode->i_sb->s_magic == PROC_SUPER_MAGIC &&
	       (S_ISREG(inode->i_mode) || S_ISDIR(inode->i_mode));
}

/* files that keep the memory of their process, as it was when they were opened */
static bool ckpt_proc_has_mm(const struct dentry *dentry)
{
	static const char * const names[] = {
		"mem", "maps", "smaps", "smaps_rollup", "numa_maps", "environ", "auxv",
		"pagemap",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(dentry->d_name.name, names[i]))
			return true;
	return false;
}

/* splits "/PID/REST", from the root of the file system; PID is 0 elsewhere */
static u32 ckpt_proc_pid(const char **p)
{
	u32 pid = 0;

	if ((*p)[0] != '/' || !isdigit((*p)[1]))
		return 0;
	for (++*p; isdigit(**p) && pid < PID_MAX_LIMIT; ++*p)
		pid = pid * 10 + **p - '0';
	return pid;
}

/* by the number that a process has in that /proc */
static bool ckpt_proc_in_tree(struct ckpt_ctx *ctx, struct super_block *sb, u32 pid)
{
	struct ckpt_joined *joined;
	struct ckpt_proc *proc;

	if (ctx->restart) {
		list_for_each_entry(joined, &ctx->joined, node)
			if (task_pid_nr_ns(joined->task, proc_pid_ns(sb)) == pid)
				return true;
		return false;
	}
	list_for_each_entry(proc, &ctx->procs, node)
		if (proc->pid == pid)
			return true;
	return false;
}

/* tells why a file cannot be found again under its path; buf has PATH_MAX bytes */
static const char *ckpt_proc_why(struct ckpt_ctx *ctx, struct dentry *dentry, bool write,
				 char *buf)
{
	const char *p = dentry_path_raw(dentry, buf, PATH_MAX);
	u32 pid, tid;

	if (IS_ERR(p))
		return "has too long a path";
	if (!ctx->restart && proc_pid_ns(dentry->d_sb) != task_active_pid_ns(current))
		return "belongs to another pid namespace";
	pid = ckpt_proc_pid(&p);
	if (!pid)
		return write && strncmp(p, "/sys/", 5) ? "may keep what was written" : NULL;
	if (!ckpt_proc_in_tree(ctx, dentry->d_sb, pid))
		return "tells of a process outside of the tree";
	if (!strncmp(p, "/task/", 6)) {
		p += 5;
		tid = ckpt_proc_pid(&p);
		if (tid && tid != pid)
			return "tells of a single thread";
	}
	return strncmp(p, "/fdinfo/", 8) ? NULL : "tells of a single descriptor";
}

static int ckpt_proc_refuse(struct ckpt_ctx *ctx, struct ckpt_obj *obj, const char *why,
			    char *buf)
{
	struct file *file = obj->ptr;
	char *p;

	if (ckpt_leak_allowed(ctx, "proc")) {
		obj->kind = &ckpt_file_inherit;
		return 0;
	}
	p = d_path(&file->f_path, buf, PATH_MAX);
	ckpt_refuse(ctx, obj->task, "proc",
		    "open file %s %s; close it, or leave it behind with --allow-leak proc",
		    IS_ERR(p) ? "of /proc" : p, why);
	obj->kind = NULL;
	return 0;
}

static int ckpt_proc_collect(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	const char *why = NULL;
	int err = 0;
	char *buf;

	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	if (d_unlinked(file->f_path.dentry))
		why = "tells of a process that has ended";
	else
		why = ckpt_proc_why(ctx, file->f_path.dentry, file->f_mode & FMODE_WRITE, buf);
	if (!why)
		ckpt_path(ctx, &file->f_path, buf, &why);
	if (why)
		err = ckpt_proc_refuse(ctx, obj, why, buf);
	kfree(buf);
	return err;
}

/* where in a path the pid is: processes may have others in that /proc at the restart */
static u32 ckpt_proc_pid_at(struct dentry *dentry, const char *path, char *buf)
{
	const char *p = dentry_path_raw(dentry, buf, PATH_MAX), *end = p;
	size_t len;

	if (IS_ERR(p) || !ckpt_proc_pid(&end))
		return 0;
	len = strlen(p);
	/* of a part of /proc that is mounted elsewhere it is not */
	if (strlen(path) < len || strcmp(path + strlen(path) - len, p))
		return 0;
	return strlen(path) - len + 1;
}

static int ckpt_proc_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr;
	struct ckpt_file_proc *rec;
	char *buf, *p;
	int err = -ENOMEM;

	buf = kmalloc(2 * PATH_MAX, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	p = d_path(&file->f_path, buf, PATH_MAX);
	if (IS_ERR(p)) {
		err = PTR_ERR(p);
		goto out;
	}
	rec = ckpt_out(ctx, CKPT_REC_FILE_PROC, obj->objref, sizeof(*rec), strlen(p));
	if (!rec)
		goto out;
	memcpy(rec + 1, p, strlen(p));
	rec->mode = cpu_to_le32(file_inode(file)->i_mode & S_IFMT);
	rec->pid_at = cpu_to_le32(ckpt_proc_pid_at(file->f_path.dentry, p, buf + PATH_MAX));
	err = ckpt_file_common(ctx, obj, &rec->f);
out:
	kfree(buf);
	return err;
}

/* ---- restart ---- */

static struct file *ckpt_proc_open(struct ckpt_ctx *ctx, struct ckpt_in *in, const char *name,
				   char *buf)
{
	const struct ckpt_file_proc *rec = (const void *)in->fixed;
	u32 flags = le32_to_cpu(rec->f.flags);
	const char *why = NULL;
	struct file *file;
	struct path path;
	int err;

	/* looked at before it is opened, as the image may name any file */
	err = kern_path(name, 0, &path);
	if (err) {
		ckpt_err(ctx, err, "file %s cannot be found", name);
		return ERR_PTR(err);
	}
	if (path.dentry->d_sb->s_magic != PROC_SUPER_MAGIC ||
	    (d_inode(path.dentry)->i_mode & S_IFMT) != le32_to_cpu(rec->mode))
		why = "is not what it was";
	else
		why = ckpt_proc_why(ctx, path.dentry, (flags & O_ACCMODE) != O_RDONLY, buf);
	if (why)
		file = ERR_PTR(ckpt_err(ctx, -ESTALE, "file %s %s", name, why));
	else
		file = dentry_open(&path, (flags & CKPT_PROC_FLAGS) | O_LARGEFILE, current_cred());
	path_put(&path);
	if (IS_ERR(file) && !why)
		ckpt_err(ctx, PTR_ERR(file), "file %s cannot be opened", name);
	return file;
}

/* puts the numbers that a process has in this /proc into a path */
static int ckpt_proc_renumber(struct ckpt_ctx *ctx, struct ckpt_in *in, char *name, char *buf)
{
	const struct ckpt_file_proc *rec = (const void *)in->fixed;
	u32 at = le32_to_cpu(rec->pid_at), old, nr = 0, task = 0;
	const char *p = name + at - 1;
	struct ckpt_joined *joined;
	struct path path;
	int err, n;

	if (!at)
		return 0;
	old = at < in->var_len ? ckpt_proc_pid(&p) : 0;
	joined = old ? xa_load(&ctx->joined_xa, old) : NULL;
	if (!joined)
		return ckpt_bad(ctx, in, "a file of /proc of a process that is not in the tree");
	if (!strncmp(p, "/task/", 6) && isdigit(p[6])) {
		p += 5;
		task = ckpt_proc_pid(&p);
	}
	if (task && task != old)
		return ckpt_bad(ctx, in, "a file of /proc of a thread");
	memcpy(buf, name, at);
	buf[at] = 0;
	err = kern_path(buf, LOOKUP_DIRECTORY, &path);
	if (err)
		return ckpt_err(ctx, err, "directory %s cannot be found", buf);
	if (path.dentry->d_sb->s_magic == PROC_SUPER_MAGIC)
		nr = task_pid_nr_ns(joined->task, proc_pid_ns(path.dentry->d_sb));
	path_put(&path);
	if (!nr)
		return ckpt_err(ctx, -ESTALE, "process %u is not in %s", old, buf);
	n = at + scnprintf(buf + at, PATH_MAX - at, "%u", nr);
	if (task)
		n += scnprintf(buf + n, PATH_MAX - n, "/task/%u", nr);
	n += scnprintf(buf + n, PATH_MAX - n, "%s", p);
	if (n >= PATH_MAX - 1)
		return -ENAMETOOLONG;
	memcpy(name, buf, n + 1);
	return 0;
}

static struct file *ckpt_proc_restart(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	const struct ckpt_file_proc *rec = (const void *)in->fixed;
	u32 mode = le32_to_cpu(rec->mode);
	struct file *file;
	char *bufs;
	int err;

	if (!in->var_len || in->var_len >= PATH_MAX || in->var[0] != '/' ||
	    memchr(in->var, 0, in->var_len) || (s64)le64_to_cpu(rec->f.pos) < 0 ||
	    (!S_ISREG(mode) && !S_ISDIR(mode))) {
		ckpt_bad(ctx, in, "its path, type or position is out of range");
		return ERR_PTR(-EBADMSG);
	}
	bufs = kmalloc(2 * PATH_MAX, GFP_KERNEL);
	if (!bufs)
		return ERR_PTR(-ENOMEM);
	memcpy(bufs, in->var, in->var_len);
	bufs[in->var_len] = 0;
	err = ckpt_proc_renumber(ctx, in, bufs, bufs + PATH_MAX);
	file = err ? ERR_PTR(err) : ckpt_proc_open(ctx, in, bufs, bufs + PATH_MAX);
	kfree(bufs);
	if (IS_ERR(file) || file->f_mode & FMODE_PATH)
		return file;
	/* not by llseek(), which would already make the text that is read next */
	file->f_pos = le64_to_cpu(rec->f.pos);
	return file;
}

static bool ckpt_is_seq(struct file *file)
{
	return file->f_op->read == seq_read || file->f_op->read_iter == seq_read_iter;
}

/* all processes have their memory now */
static int ckpt_proc_late(struct ckpt_ctx *ctx, struct ckpt_obj *obj)
{
	struct file *file = obj->ptr, *new;

	if (file->f_mode & FMODE_PATH || !S_ISREG(file_inode(file)->i_mode))
		return 0;
	/* changes while it was not there must not be missed by one who polls */
	if (ckpt_is_seq(file) && strstarts(file->f_path.dentry->d_name.name, "mount"))
		((struct seq_file *)file->private_data)->poll_event--;
	if (!ckpt_proc_has_mm(file->f_path.dentry))
		return 0;
	new = dentry_open(&file->f_path, file->f_flags & CKPT_PROC_FLAGS, current_cred());
	if (IS_ERR(new))
		return ckpt_err(ctx, PTR_ERR(new), "file %pD of /proc cannot be opened again", file);
	/* nobody has read of it: all that the two differ in is what open() found */
	if (new->f_op == file->f_op) {
		swap(file->private_data, new->private_data);
		if (ckpt_is_seq(file)) {
			((struct seq_file *)file->private_data)->file = file;
			((struct seq_file *)new->private_data)->file = new;
		}
	}
	fput(new);
	return 0;
}

const struct ckpt_file_kind ckpt_file_proc = {
	.name = "proc",
	.rec = CKPT_REC_FILE_PROC,
	.outside_ok = true,
	.match = ckpt_proc_match,
	.collect = ckpt_proc_collect,
	.checkpoint = ckpt_proc_checkpoint,
	.restart = ckpt_proc_restart,
	.late = ckpt_proc_late,
};
