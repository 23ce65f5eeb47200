/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _CKPT_FILES_H
#define _CKPT_FILES_H

#include "../private.h"

struct tty_struct;

/* file.c: open files of any kind, and tables of descriptors */
int ckpt_file_collect(struct ckpt_ctx *ctx, struct file *file,
		      struct task_struct *task);
int ckpt_file_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
int ckpt_file_common(struct ckpt_ctx *ctx, struct ckpt_obj *obj,
		     struct ckpt_file *f);
void *ckpt_file_of_inode(struct ckpt_ctx *ctx, struct ckpt_obj *obj, size_t size,
			 int (*save)(struct ckpt_ctx *ctx, struct ckpt_obj *inode,
				     struct file *file));
int ckpt_file_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
struct file *ckpt_file_take(long fd);
void ckpt_fput_now(struct file *file);

/* outside.c: what other processes have, too */
int ckpt_files_leaks(struct ckpt_ctx *ctx);

/* table.c: descriptors */
int ckpt_fdtable_collect(struct ckpt_ctx *ctx, struct task_struct *task, u32 *ref);
int ckpt_fdtable_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task, u32 ref);
int ckpt_fdtable_apply(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);

/* fs.c: current directory, root, umask */
int ckpt_fs_collect(struct ckpt_ctx *ctx, struct task_struct *task, u32 *ref);
int ckpt_fs_checkpoint(struct ckpt_ctx *ctx, struct task_struct *task, u32 ref);
int ckpt_fs_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);

/* a FS object, when objects are written */
int ckpt_fs_object(struct ckpt_ctx *ctx, struct ckpt_obj *obj);

/* path.c: what a path names */
char *ckpt_path(struct ckpt_ctx *ctx, const struct path *path, char *buf,
		const char **why);
bool ckpt_pseudo_fs(struct super_block *sb);
extern const struct ckpt_file_kind ckpt_file_path;

/* eventfd.c, signalfd.c, timerfd.c, pidfd.c, epoll.c */
extern const struct ckpt_file_kind ckpt_file_eventfd;
extern const struct ckpt_file_kind ckpt_file_signalfd;
extern const struct ckpt_file_kind ckpt_file_timerfd;
extern const struct ckpt_file_kind ckpt_file_pidfd;
extern const struct ckpt_file_kind ckpt_file_epoll;
int ckpt_epoll_signals(struct ckpt_ctx *ctx, u32 pid);

/* inotify.c */
extern const struct ckpt_file_kind ckpt_file_inotify;

/* unlinked.c: regular files without a name */
extern const struct ckpt_file_kind ckpt_file_unlinked;
int ckpt_unlinked_read(struct ckpt_ctx *ctx, struct ckpt_in *in);

/* rmdir.c: directories without a name */
extern const struct ckpt_file_kind ckpt_file_rmdir;
bool ckpt_rmdir_is(const struct path *path);
int ckpt_rmdir_save(struct ckpt_ctx *ctx, struct task_struct *task, const struct path *path,
		    u32 *ref);
int ckpt_rmdir_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
const struct path *ckpt_rmdir_get(struct ckpt_ctx *ctx, struct ckpt_in *in, u32 ref);

/* proc.c: files of /proc */
extern const struct ckpt_file_kind ckpt_file_proc;

/* nsfile.c: namespaces that are held open */
extern const struct ckpt_file_kind ckpt_file_nsfile;

/* locks.c */
int ckpt_locks_checkpoint(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
int ckpt_locks_posix_checkpoint(struct ckpt_ctx *ctx, struct files_struct *files,
				struct file *file, unsigned int fd);
int ckpt_locks_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_locks_late(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);

/* pipe.c */
extern const struct ckpt_file_kind ckpt_file_pipe;
int ckpt_pipe_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_pipe_data(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in);
int ckpt_pipe_leak(struct ckpt_ctx *ctx, struct ckpt_obj *obj);

/* pty.c: pseudo terminals */
extern const struct ckpt_file_kind ckpt_file_pty;
int ckpt_tty_read(struct ckpt_ctx *ctx, struct ckpt_in *in);
void ckpt_pty_spares_free(struct ckpt_ctx *ctx);

/* ctty.c: controlling terminals */
int ckpt_tty_collect(struct ckpt_ctx *ctx, struct task_struct *task);
u32 ckpt_tty_ref(struct ckpt_ctx *ctx, struct task_struct *task);
int ckpt_tty_late(struct ckpt_ctx *ctx, struct ckpt_in *in);

/* inherit.c: files that are left behind */
extern const struct ckpt_file_kind ckpt_file_inherit;
bool ckpt_leak_allowed(struct ckpt_ctx *ctx, const char *kind);
struct file *ckpt_inherit_take(struct ckpt_ctx *ctx, struct ckpt_in *in);
int ckpt_inherit_unused(struct ckpt_ctx *ctx);
struct tty_struct *ckpt_file_tty(struct file *file);

#endif /* _CKPT_FILES_H */
