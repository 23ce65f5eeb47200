/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share. Reads in the order of an operation:
 * session, tasks, stream, objects, kinds.
 *
 * Locks, outermost first: a target's mmap_lock; ctx->lock (a spinlock, for
 * the states that parked and restoring tasks change). Captured data belongs
 * to the thread that runs the operation and needs no lock.
 */
#ifndef _CKPT_PRIVATE_H
#define _CKPT_PRIVATE_H

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "compat.h"
#include "uapi/ckpt.h"
#include "uapi/ckpt_image.h"
#include "arch/arch.h"

#define CKPT_VERSION	"0.1.0"

struct ckpt_ctx;
struct ckpt_proc;
struct ckpt_outside;
struct ckpt_vfork;
struct net;
struct genl_info;

/* ---- session.c: one operation ---- */

struct ckpt_stats {
	u64 frozen_ns, total_ns, bytes, tasks, threads, pages;
};

#define CKPT_LEAK_NAME	33

/* a file that the caller of a restart gives in place of one of the image */
struct ckpt_given {
	u32 objref;
	bool used;
	struct file *file;
};

/* what the caller asked for; filled by netlink.c, all references held */
struct ckpt_request {
	struct file *image;
	struct file *log;
	struct task_struct *root;	/* CHECKPOINT --pid */
	struct cgroup *cgrp;		/* CHECKPOINT --container */
	u32 flags;
	u32 timeout_ms;
	u64 unlinked_max;		/* CHECKPOINT: bytes of a removed file */
	u32 ntasks;			/* RESTART */
	u64 stream_pos;
	u32 stream_crc;
	unsigned int nleaks, ninherit;
	char (*leaks)[CKPT_LEAK_NAME];	/* CHECKPOINT: kinds that may be left behind */
	struct ckpt_given *inherit;	/* RESTART */
	struct net *net;
	u32 portid;
};

/* restart: sessions and groups; written by the process that has the turn */
struct ckpt_groups {
	struct pid *sid, *pgrp;		/* the caller's */
	u32 root_pid, root_sid, root_pgid;
	bool foreground;		/* the root's group had the terminal */
	struct list_head ghosts;
};

struct ckpt_ctx {
	refcount_t refs;
	bool restart;
	struct ckpt_request rq;
	struct callback_head work;	/* runs the operation in its caller */
	const struct cred *cred;	/* of the caller */
	fl_owner_t owner;		/* the caller's table; compared, never used */
	u64 begin_ns;

	spinlock_t lock;		/* for what tasks and the operation tell each other */
	wait_queue_head_t wq;		/* the operation waits here */
	wait_queue_head_t task_wq;	/* parked and restoring tasks wait here */
	int err;			/* first error; with lock */
	bool aborted;			/* the session was closed */
	bool done;
	bool frozen;			/* in the window: no I/O */
	const char *phase;
	struct ckpt_stats stats;

	/* log.c */
	struct list_head log_lines;
	unsigned int refused;

	/* objhash.c */
	struct rhashtable objs;		/* checkpoint: by address */
	bool objs_ready;
	struct list_head obj_list;	/* in the order of their objrefs */
	u32 last_objref;
	struct xarray refs_xa;		/* restart: by objref */

	/* stream.c */
	struct list_head out;		/* captured records */
	u64 pos;
	u32 crc;			/* over the crc fields so far */
	u64 records;
	bool image_failed;		/* it takes nothing any more */
	void *buf;
	size_t buf_len, buf_off;

	/* park.c */
	struct list_head procs;		/* parents first */
	DECLARE_HASHTABLE(threads, 10);	/* by task */
	bool released;			/* parked tasks may go on */
	bool capturing;			/* parked tasks may not even die */
	unsigned int nunsettled;	/* threads still to come; with lock */
	bool partial_known, partial;	/* net/sock.c: of all threads */

	/* mm/: address spaces whose pages are still to be written */
	struct list_head mms;
	bool no_snapshot;		/* some is read while the tasks are stopped */
	struct ckpt_cow *cow;		/* same.c: pages that are stored once for several */
	struct xarray anons;		/* cow.c: families of mappings, at restart */
	struct xarray spare_ptys;	/* files/pty.c: by number, at restart */

	struct ckpt_groups groups;	/* task/group.c */

	/* restart.c */
	struct list_head joined;
	struct xarray joined_xa;	/* by pid */
	unsigned int njoined;		/* processes */
	unsigned int nrunning;		/* threads that still run our code */
	unsigned int nthreads, nready;	/* threads: restored, and done with the stage */
	struct ckpt_joined *turn;	/* who reads the stream; NULL: the coordinator */
	struct ckpt_in *turn_in;	/* the record that the turn is about */
	enum ckpt_stage {
		CKPT_STAGE_READ,	/* the stream is read */
		CKPT_STAGE_LATE,	/* what needs all memory to be there */
		CKPT_STAGE_LAST,	/* what takes rights away */
		CKPT_STAGE_END,		/* what would hinder the restart itself */
		CKPT_STAGE_GO,		/* to user mode */
	} stage;
};

void ckpt_request_put(struct ckpt_request *rq);
struct ckpt_ctx *ckpt_session_start(struct ckpt_request *rq, bool restart,
				    int *fd);
int ckpt_session_status(int fd, int *state, int *err, struct ckpt_stats *stats);
struct ckpt_ctx *ckpt_session_get(int fd);
void ckpt_ctx_get(struct ckpt_ctx *ctx);
void ckpt_ctx_put(struct ckpt_ctx *ctx);
int ckpt_phase(struct ckpt_ctx *ctx, const char *name);
void ckpt_fail(struct ckpt_ctx *ctx, int err);
int ckpt_aborted(struct ckpt_ctx *ctx);

/* ---- netlink.c ---- */

int ckpt_netlink_init(void);
void ckpt_netlink_exit(void);
void ckpt_event_phase(struct ckpt_ctx *ctx, const char *phase);
void ckpt_event_refused(struct ckpt_ctx *ctx, u32 tid, const char *kind,
			const char *msg);
void ckpt_event_error(struct ckpt_ctx *ctx, int err, const char *msg);
void ckpt_event_done(struct ckpt_ctx *ctx);

/* ---- log.c ---- */

__printf(2, 3) void ckpt_log(struct ckpt_ctx *ctx, const char *fmt, ...);
__printf(3, 4) int ckpt_err(struct ckpt_ctx *ctx, int err, const char *fmt, ...);
__printf(4, 5) int ckpt_refuse(struct ckpt_ctx *ctx, struct task_struct *task,
			       const char *kind, const char *fmt, ...);
void ckpt_log_flush(struct ckpt_ctx *ctx);
void ckpt_log_free(struct ckpt_ctx *ctx);

/* ---- park.c: tasks of a checkpoint ---- */

enum ckpt_park_state {
	CKPT_QUEUED,		/* work is queued, the task has not come yet */
	CKPT_PARKED,		/* waits in our callback */
	CKPT_IN_PLACE,		/* sleeps in its system call, or is stopped */
	CKPT_LATER,		/* a vfork child: asked again in the next round */
	CKPT_GONE,		/* exits or has exited */
};

struct ckpt_thread {
	struct list_head node;		/* of proc->threads, leader first */
	struct hlist_node hash;
	struct callback_head work;
	refcount_t refs;		/* the list's, and the queued work's */
	struct ckpt_ctx *ctx;
	struct ckpt_proc *proc;
	struct task_struct *task;
	enum ckpt_park_state state;	/* with ctx->lock */
	bool in_place;			/* was found asleep; see ckpt_parked_moved() */
	unsigned long switches;		/* in place: must not change meanwhile */
	u64 left_ns;			/* in place: until its timeout, ~0: none */
	bool cut_short;			/* was woken in a call that can be finished */
	bool nudged;			/* was woken at all */
	u64 done;			/* bytes of that call which are done */
	bool nested;			/* parks inside of ckpt_park_resume() */
	bool last;			/* all other works have been run */
	pid_t vfork;			/* in place: waits for this child in vfork() */
};

struct ckpt_proc {
	struct list_head node;
	struct list_head threads;
	struct hlist_node busy;		/* of all processes under a checkpoint */
	struct ckpt_ctx *ctx;
	struct task_struct *leader;
	pid_t pid, ppid;
	unsigned int nthreads;
	bool zombie;
	u32 mm_ref, files_ref, fs_ref, sighand_ref;
	struct sem_undo_list *sem_undo;	/* taken from it; see ipc/sem.c */
};

int ckpt_park(struct ckpt_ctx *ctx);
bool ckpt_parked_moved(struct ckpt_ctx *ctx);
void ckpt_captured(struct ckpt_ctx *ctx);
void ckpt_release(struct ckpt_ctx *ctx);
void ckpt_kill(struct ckpt_ctx *ctx, int sig);
void ckpt_procs_free(struct ckpt_ctx *ctx);
void ckpt_sleep_times(struct ckpt_ctx *ctx);
bool ckpt_park_nested(u64 done);
bool ckpt_proc_has(struct ckpt_ctx *ctx, const struct task_struct *task);

/* ---- checkpoint.c, restart.c: the two operations ---- */

void ckpt_checkpoint(struct ckpt_ctx *ctx);
void ckpt_restart(struct ckpt_ctx *ctx);
int ckpt_join(struct ckpt_ctx *ctx, u32 pid);
void ckpt_joined_free(struct ckpt_ctx *ctx);

/* ---- stream.c ---- */

/* a record that was read */
struct ckpt_in {
	u16 type;
	u32 objref;
	u64 offset;		/* of its header */
	u32 var_len;
	const u8 *var;
	union {
		u8 fixed[512];	/* missing fields are zero */
		u64 align;
	};
};

void *ckpt_out(struct ckpt_ctx *ctx, u16 type, u32 objref, size_t fixed,
	       size_t var);
void ckpt_out_drop(struct ckpt_ctx *ctx);
int ckpt_out_flush(struct ckpt_ctx *ctx);
int ckpt_write_magic(struct ckpt_ctx *ctx);
int ckpt_write_pages(struct ckpt_ctx *ctx, u32 objref, const struct ckpt_run *runs,
		     u32 nruns, struct page **pages, u32 npages);
int ckpt_write_tail(struct ckpt_ctx *ctx);
void ckpt_write_error(struct ckpt_ctx *ctx);

struct ckpt_in *ckpt_in(struct ckpt_ctx *ctx);
void ckpt_in_free(struct ckpt_in *in);
struct ckpt_in *ckpt_in_expect(struct ckpt_ctx *ctx, u16 type);
int ckpt_bad(struct ckpt_ctx *ctx, const struct ckpt_in *in, const char *what);
int ckpt_read_user(struct ckpt_ctx *ctx, void __user *dst, size_t len);
loff_t ckpt_read_pos(struct ckpt_ctx *ctx);
void ckpt_read_skip(struct ckpt_ctx *ctx, size_t len);
int ckpt_read_iter(struct ckpt_ctx *ctx, struct iov_iter *iter);
int ckpt_read_kernel(struct ckpt_ctx *ctx, void *dst, size_t len);
void ckpt_read_end(struct ckpt_ctx *ctx);
const char *ckpt_rec_name(u16 type);

/* ---- objhash.c: what several tasks may share ---- */

enum ckpt_obj_type {
	CKPT_OBJ_FILE,
	CKPT_OBJ_MM,
	CKPT_OBJ_FILES,
	CKPT_OBJ_FS,
	CKPT_OBJ_SIGHAND,
	CKPT_OBJ_CRED,
	CKPT_OBJ_INODE,		/* pipe, shmem: what several files stand for */
	CKPT_OBJ_SECCOMP,
	CKPT_OBJ_PID,
	CKPT_OBJ_TTY,
	CKPT_OBJ_UNIX,		/* an AF_UNIX socket */
	CKPT_OBJ_TCP,		/* checkpoint: a connected socket; priv is its file */
	CKPT_OBJ_ANON,		/* an anon_vma; the number is in no record's header */
};

struct ckpt_obj {
	struct rhash_head hash;		/* checkpoint */
	struct list_head node;
	void *ptr;
	enum ckpt_obj_type type;
	u32 objref;
	u32 users;			/* references found inside the tree */
	bool written;
	struct task_struct *task;	/* who was found to have it first */
	const struct ckpt_file_kind *kind;	/* of a file */
	void *priv;			/* of its kind */
	void *owner;			/* restart, of a file: its F_SETOWN */
	struct ckpt_outside *outside;	/* while outside.c looks who else has it */
	/* checkpoint: tells users outside the tree; restart: before the tasks go */
	int (*leak)(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
	int (*late)(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
	/* restart: after all late, starts what runs by itself */
	int (*last)(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
	/* restart: nothing can fail any more, the tasks are about to go */
	void (*go)(struct ckpt_obj *obj);
	/* restart: takes a DATA record */
	int (*data)(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in);
	void (*drop)(struct ckpt_obj *obj);	/* releases ptr and priv */
};

int ckpt_objhash_init(struct ckpt_ctx *ctx);
void ckpt_objhash_free(struct ckpt_ctx *ctx);
struct ckpt_obj *ckpt_obj_find(struct ckpt_ctx *ctx, const void *ptr,
			       enum ckpt_obj_type type);
struct ckpt_obj *ckpt_obj_add(struct ckpt_ctx *ctx, void *ptr,
			      enum ckpt_obj_type type,
			      struct task_struct *task, bool *new);
struct ckpt_obj *ckpt_obj_put(struct ckpt_ctx *ctx, const struct ckpt_in *in,
			      enum ckpt_obj_type type, void *ptr,
			      void (*drop)(struct ckpt_obj *obj));
struct ckpt_obj *ckpt_obj_get(struct ckpt_ctx *ctx, const struct ckpt_in *in,
			      u32 objref, enum ckpt_obj_type type);

/* ---- restart.c: tasks of a restart ---- */

/* one thread that is being restored; its records in the order of the stream */
struct ckpt_rt {
	struct list_head node;		/* of joined->threads, leader first */
	struct callback_head work;
	struct ckpt_joined *joined;
	struct completion applied;
	int err;
	pid_t tid;
	unsigned int nrecs, cap;
	struct ckpt_in **recs;
	struct ckpt_resume resume;
	struct ckpt_vfork *vfork;	/* task/share.c */
	bool ended;			/* a leader that is to end before the others go on */
	u32 exit_code;
	u32 pdeath_signal;
};

/* one process that is being restored */
struct ckpt_joined {
	struct list_head node;
	struct callback_head work;
	struct ckpt_ctx *ctx;
	struct task_struct *task;
	u32 pid;
	bool had_turn;
	bool zombie;			/* is to end before its parent goes on */
	u32 exit_code, exit_signal;
	u64 cpu_ns;		/* CPU time of all its threads, living and dead */
	struct list_head threads;
	struct ckpt_mm_rt *mm;		/* mm/mm.c */
	struct ckpt_joined *mm_from;	/* whose memory it shares; its own mm is NULL */
};

/* ---- registry.c: the kinds ---- */

struct ckpt_file_kind {
	const char *name;
	u16 rec;
	bool outside_ok;	/* others may have it, too, or the kind finds them itself */
	bool (*match)(struct file *file);
	/* adds what the file refers to; users of an inode object are counted */
	int (*collect)(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
	/* others have it, too: told before the leaks are looked for; NULL: it is refused */
	void (*outside)(struct ckpt_obj *obj);
	int (*checkpoint)(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
	struct file *(*restart)(struct ckpt_ctx *ctx, struct ckpt_in *in);
	/*
	 * After restart, all optional: restored may set priv, data and last of
	 * the object, late comes when all objects are there, drop frees priv.
	 */
	int (*restored)(struct ckpt_ctx *ctx, struct ckpt_obj *obj, struct ckpt_in *in);
	int (*late)(struct ckpt_ctx *ctx, struct ckpt_obj *obj);
	void (*drop)(struct ckpt_obj *obj);
};

/*
 * What a record means at restart. Exactly one of read and apply is set: read
 * runs in the coordinator when an object is met, apply in the thread that the
 * record belongs to. The others run in that thread after all pages are there,
 * when little can fail but for want of memory or rights. No thread of the whole
 * tree begins one of them before all have done the one before: late; last,
 * which takes rights away; end, for limits that would be in the way till then.
 */
struct ckpt_rec_kind {
	const char *name;
	u16 rec;
	bool process;		/* of the process: stands before the first THREAD */
	size_t fixed;		/* bytes of the fixed part in version 1 */
	int (*read)(struct ckpt_ctx *ctx, struct ckpt_in *in);
	int (*apply)(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
	int (*late)(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
	int (*last)(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
	int (*end)(struct ckpt_ctx *ctx, struct ckpt_rt *rt, struct ckpt_in *in);
};

/* a row of the support matrix */
struct ckpt_kind {
	const char *name;
	u32 status;		/* enum ckpt_kind_status */
	const char *text;
};

extern const struct ckpt_file_kind * const ckpt_file_kinds[];
const struct ckpt_file_kind *ckpt_file_kind(struct file *file);
const struct ckpt_rec_kind *ckpt_rec_kind(u16 rec);
const struct ckpt_kind *ckpt_kind(unsigned int i);

#endif /* _CKPT_PRIVATE_H */
