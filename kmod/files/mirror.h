/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private structures of the kernel, which no header declares, as far as the
 * kinds of files need them. They are the same in all kernels the module is
 * built for; ckpt_mirror_init() compares them with the type information of the
 * running kernel, and the module does not load where they differ.
 *
 * Fields after the last one that is used are left out: nothing here is ever
 * allocated or copied as a whole.
 */
#ifndef _CKPT_FILES_MIRROR_H
#define _CKPT_FILES_MIRROR_H

#include <linux/alarmtimer.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/uaccess.h>
#include <linux/eventpoll.h>
#include <linux/fsnotify_backend.h>
#include <linux/hrtimer.h>
#include <linux/ipc.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/rbtree.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/mqueue.h>
#include <net/sock.h>

/* fs/eventfd.c */
struct ckpt_m_eventfd_ctx {
	struct kref kref;
	wait_queue_head_t wqh;
	__u64 count;			/* with wqh.lock */
	unsigned int flags;		/* EFD_* */
};

/* fs/signalfd.c */
struct ckpt_m_signalfd_ctx {
	sigset_t sigmask;		/* what is not read; with siglock */
};

/* fs/timerfd.c; with wqh.lock */
struct ckpt_m_timerfd_ctx {
	union {
		struct hrtimer tmr;
		struct alarm alarm;
	} t;
	ktime_t tintv;
	ktime_t moffs;			/* KTIME_MAX: the clock was set */
	wait_queue_head_t wqh;
	u64 ticks;
	int clockid;
	unsigned short expired;
	unsigned short settime_flags;
	struct rcu_head rcu;
	struct list_head clist;
	spinlock_t cancel_lock;		/* for might_cancel */
	bool might_cancel;
};

/* fs/eventpoll.c */
struct ckpt_m_filefd {
	struct file *file;
	int fd;
} __packed;

struct ckpt_m_pwq {			/* struct eppoll_entry */
	struct ckpt_m_pwq *next;
	struct ckpt_m_epitem *base;
	wait_queue_entry_t wait;
	wait_queue_head_t *whead;
};

struct ckpt_m_epitem {
	union {
		struct rb_node rbn;
		struct rcu_head rcu;
	};
	struct list_head rdllink;
	struct ckpt_m_epitem *next;
	struct ckpt_m_filefd ffd;
	bool dying;
	struct ckpt_m_pwq *pwqlist;
	struct ckpt_m_eventpoll *ep;
	struct hlist_node fllink;
	struct wakeup_source __rcu *ws;
	struct epoll_event event;
};

struct ckpt_m_eventpoll {
	struct mutex mtx;		/* the watches */
	wait_queue_head_t wq;
	wait_queue_head_t poll_wait;
	struct list_head rdllist;	/* those that are ready, with lock */
	spinlock_t lock;
	struct rb_root_cached rbr;	/* all of them */
};

/* fs/notify/inotify/inotify.h; with the group's notification_lock */
struct ckpt_m_inotify_event {
	struct fsnotify_event fse;
	u32 mask;
	int wd;
	u32 sync_cookie;
	int name_len;
	char name[];
};

struct ckpt_m_inotify_mark {
	struct fsnotify_mark fsn_mark;
	int wd;
};

/* drivers/tty/n_tty.c */
struct ckpt_m_n_tty {
	size_t read_head, commit_head, canon_head, echo_head, echo_commit, echo_mark;
	DECLARE_BITMAP(char_map, 256);
	unsigned long overrun_time;
	int num_overrun;
	bool no_room;
	unsigned char lnext:1, erasing:1, raw:1, real_raw:1, icanon:1;
	unsigned char push:1;
	u8 read_buf[4096];
	DECLARE_BITMAP(read_flags, 4096);
	u8 echo_buf[4096];
	size_t read_tail, line_start, lookahead_count;
	unsigned int column, canon_column;
	size_t echo_tail;
};

/* ipc/shm.c; with shm_perm.lock */
struct ckpt_m_shmid {			/* struct shmid_kernel */
	struct kern_ipc_perm shm_perm;
	struct file *shm_file;
	unsigned long shm_nattch;
	unsigned long shm_segsz;
	time64_t shm_atim;
	time64_t shm_dtim;
	time64_t shm_ctim;
	struct pid *shm_cprid;
	struct pid *shm_lprid;
};

struct ckpt_m_shm_file {		/* struct shm_file_data */
	int id;
	struct ipc_namespace *ns;
};

/* ipc/sem.c */
struct ckpt_m_undo_list {		/* struct sem_undo_list */
	refcount_t refcnt;
	spinlock_t lock;		/* for list_proc */
	struct list_head list_proc;
};

struct ckpt_m_undo {			/* struct sem_undo */
	struct list_head list_proc;
	struct rcu_head rcu;
	void *ulp;
	struct list_head list_id;
	int semid;			/* -1: the set is gone */
	CKPT_SEMADJ;
};

struct ckpt_m_sem {			/* struct sem */
	int semval;
	struct pid *sempid;
	spinlock_t lock;		/* for all of it */
	struct list_head pending_alter;
	struct list_head pending_const;
	time64_t sem_otime;
} ____cacheline_aligned_in_smp;

struct ckpt_m_sem_array {		/* struct sem_array */
	struct kern_ipc_perm sem_perm;
	time64_t sem_ctime;
	struct list_head pending_alter;
	struct list_head pending_const;
	struct list_head list_id;
	int sem_nsems;
	int complex_count;
	unsigned int use_global_lock;
	struct ckpt_m_sem sems[];
};

/* ipc/mqueue.c; with lock */
struct ckpt_m_mq_node {			/* struct posix_msg_tree_node */
	struct rb_node rb_node;
	struct list_head msg_list;
};

struct ckpt_m_mqueue {			/* struct mqueue_inode_info */
	spinlock_t lock;		/* for all below but the inode */
	struct inode vfs_inode;
	wait_queue_head_t wait_q;
	struct rb_root msg_tree;
	struct rb_node *msg_tree_rightmost;
	void *node_cache;
	struct mq_attr attr;
	struct sigevent notify;
	struct pid *notify_owner;
	u32 notify_self_exec_id;
	struct user_namespace *notify_user_ns;
	void *ucounts;
	void *notify_sock;
	void *notify_cookie;
	struct {			/* struct ext_wait_queue */
		struct task_struct *task;
		struct list_head list;
		void *msg;
		int state;
	} e_wait_q[2];
	unsigned long qsize;
};

/* fs/aio.c */
struct ckpt_m_kioctx {
	struct percpu_ref users;
	atomic_t dead;
	struct percpu_ref reqs;		/* one, and one for each operation in flight */
	unsigned long user_id;
	void __percpu *cpu;
	unsigned int req_batch;
	unsigned int max_reqs;
	unsigned int nr_events;
	unsigned long mmap_base;
	unsigned long mmap_size;
	void **ring_pages;
	long nr_pages;
	struct rcu_work free_rwork;
	void *rq_wait;
	struct {
		atomic_t reqs_available;
	} ____cacheline_aligned_in_smp;
	struct {
		spinlock_t ctx_lock;	/* for active_reqs */
		struct list_head active_reqs;
	} ____cacheline_aligned_in_smp;
	struct {
		struct mutex ring_lock;	/* for taking events */
		wait_queue_head_t wait;
	} ____cacheline_aligned_in_smp;
	struct {
		unsigned int tail;
		unsigned int completed_events;
		spinlock_t completion_lock;	/* for the two before it */
	} ____cacheline_aligned_in_smp;
};

/* net/netlink/af_netlink.h */
struct ckpt_m_netlink_sock {
	struct sock sk;
	unsigned long flags;
	u32 portid;
	u32 dst_portid;
	u32 dst_group;
	u32 subscriptions;
	u32 ngroups;
	unsigned long *groups;
	unsigned long state;
	size_t max_recvmsg_len;
	wait_queue_head_t wait;
	bool bound;
	bool cb_running;
};

int ckpt_mirror_init(void);

#endif /* _CKPT_FILES_MIRROR_H */
