/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The netlink contract of ckpt.ko: generic netlink family "ckpt", version 1.
 *
 * One operation, a checkpoint or a restart, is one session. A session is a
 * file descriptor: the handler of CHECKPOINT or RESTART installs it in the
 * sender's table and answers with CKPT_A_SESSION_FD. Closing it there, or its
 * last copy anywhere (dying counts), undoes all that is not finished, so a killed caller harms
 * nobody.
 *
 * CHECKPOINT starts a session that saves a process and its descendants.
 *	in:	CKPT_A_PID or CKPT_A_CGROUP_FD, CKPT_A_IMAGE_FD (not with
 *		CKPT_F_CHECK), optional CKPT_A_LOG_FD, CKPT_A_FLAGS,
 *		CKPT_A_TIMEOUT_MS, CKPT_A_UNLINKED_MAX,
 *		CKPT_A_ALLOW_LEAK (any number of times)
 *	out:	CKPT_A_SESSION_FD, before the work begins
 *	The work is done in the sender's own context when its send call is about
 *	to return: send() comes back when the image is written, and another
 *	thread reads the answer and the events meanwhile. SIGKILL ends it at any
 *	moment; other signals wait. Closing the session ends it too.
 *
 * RESTART starts a session that reads an image from the record after TREE.
 *	in:	CKPT_A_IMAGE_FD, CKPT_A_STREAM_POS, CKPT_A_STREAM_CRC (where the
 *		caller stopped reading), CKPT_A_TASKS (processes in TREE),
 *		optional CKPT_A_LOG_FD, CKPT_A_FLAGS, CKPT_A_TIMEOUT_MS,
 *		CKPT_A_INHERIT (nested objref and fd, any number of times)
 *	out:	CKPT_A_SESSION_FD
 *	Like CHECKPOINT the work is done before send() comes back. It waits for
 *	CKPT_A_TASKS processes to JOIN.
 *
 * JOIN makes the sender one process of a restart; nothing of the sender's own
 *	memory, files or signals is left afterwards.
 *	in:	CKPT_A_SESSION_FD, CKPT_A_PID (the pid of TREE that it becomes)
 *	out:	nothing: the sender never returns to its program
 *
 * STATUS tells how a session stands: after the end, its result.
 *	in:	CKPT_A_SESSION_FD
 *	out:	CKPT_A_STATE, CKPT_A_ERRNO, CKPT_A_STATS
 *
 * CAPS tells what the module can do (dump: one message for the module itself,
 *	then one for each kind).
 *	out:	CKPT_A_VERSION, CKPT_A_IMAGE_VERSION, CKPT_A_KERNEL,
 *		CKPT_A_SYMBOLS; then CKPT_A_KIND_NAME, CKPT_A_KIND_STATUS,
 *		CKPT_A_KIND_TEXT
 *
 * EVENT is sent to the port that started the session.
 *	CKPT_A_EVENT, and by its value:
 *	PHASE	CKPT_A_PHASE
 *	REFUSED	CKPT_A_TID, CKPT_A_KIND_NAME, CKPT_A_MESSAGE: a resource that
 *		stops the checkpoint; all are reported, not the first
 *	ERROR	CKPT_A_ERRNO, CKPT_A_MESSAGE
 *	DONE	CKPT_A_ERRNO, CKPT_A_STATS. The last event of a session.
 *
 * Who may: CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE, both of the sender and of
 * whoever opened the socket; for CHECKPOINT also ptrace access to each task.
 * All integers are in host byte order, as netlink has them.
 */
#ifndef _UAPI_CKPT_H
#define _UAPI_CKPT_H

#define CKPT_GENL_NAME		"ckpt"
#define CKPT_GENL_VERSION	1

enum ckpt_cmd {
	CKPT_CMD_UNSPEC,
	CKPT_CMD_CAPS,
	CKPT_CMD_CHECKPOINT,
	CKPT_CMD_RESTART,
	CKPT_CMD_JOIN,
	CKPT_CMD_STATUS,
	CKPT_CMD_EVENT,
	__CKPT_CMD_MAX
};

#define CKPT_CMD_MAX (__CKPT_CMD_MAX - 1)

enum ckpt_attr {
	CKPT_A_UNSPEC,
	CKPT_A_VERSION,		/* string: version of the module */
	CKPT_A_IMAGE_VERSION,	/* u32 */
	CKPT_A_KERNEL,		/* string: release it was built for */
	CKPT_A_SYMBOLS,		/* u32: unexported symbols it found */
	CKPT_A_KIND_NAME,	/* string: name of a kind of resource */
	CKPT_A_KIND_STATUS,	/* u32: enum ckpt_kind_status */
	CKPT_A_KIND_TEXT,	/* string: what is saved, or why it is refused */
	CKPT_A_PID,		/* u32: in the sender's pid namespace */
	CKPT_A_CGROUP_FD,	/* u32: directory of a cgroup v2 */
	CKPT_A_IMAGE_FD,	/* u32 */
	CKPT_A_LOG_FD,		/* u32 */
	CKPT_A_FLAGS,		/* u32: CKPT_F_* */
	CKPT_A_TIMEOUT_MS,	/* u32: for parking or joining; 0: 10 s */
	CKPT_A_SESSION_FD,	/* u32 */
	CKPT_A_STREAM_POS,	/* u64: bytes of the stream already read */
	CKPT_A_STREAM_CRC,	/* u32: checksum state at that offset */
	CKPT_A_TASKS,		/* u32 */
	CKPT_A_STATE,		/* u32: enum ckpt_state */
	CKPT_A_ERRNO,		/* s32: 0, or a negative errno */
	CKPT_A_STATS,		/* nested: CKPT_S_* */
	CKPT_A_EVENT,		/* u32: enum ckpt_event */
	CKPT_A_PHASE,		/* string */
	CKPT_A_TID,		/* u32: task that a message is about, 0: none */
	CKPT_A_MESSAGE,		/* string */
	CKPT_A_ALLOW_LEAK,	/* string: name of a kind */
	CKPT_A_INHERIT,		/* nested: CKPT_I_* */
	CKPT_A_UNLINKED_MAX,	/* u64: bytes of a removed file that are saved; 0: 64 MiB */
	CKPT_A_PAD,
	__CKPT_A_MAX
};

#define CKPT_A_MAX (__CKPT_A_MAX - 1)

enum ckpt_stat {
	CKPT_S_UNSPEC,
	CKPT_S_FROZEN_NS,	/* u64: first task parked to last released */
	CKPT_S_TOTAL_NS,	/* u64: the whole operation in the kernel */
	CKPT_S_BYTES,		/* u64: of the image */
	CKPT_S_TASKS,		/* u64: processes */
	CKPT_S_THREADS,		/* u64 */
	CKPT_S_PAGES,		/* u64: pages with data in the image */
	CKPT_S_PAD,
	__CKPT_S_MAX
};

#define CKPT_S_MAX (__CKPT_S_MAX - 1)

enum ckpt_inherit {
	CKPT_I_UNSPEC,
	CKPT_I_OBJREF,		/* u32: file object of the image */
	CKPT_I_FD,		/* u32: the sender's descriptor that replaces it */
	__CKPT_I_MAX
};

#define CKPT_I_MAX (__CKPT_I_MAX - 1)

/* CKPT_A_FLAGS */
#define CKPT_F_KILL	0x1	/* kill the tasks once the image is complete */
#define CKPT_F_STOP	0x2	/* leave them stopped, as SIGSTOP does */
#define CKPT_F_CHECK	0x4	/* capture, write nothing, release */
#define CKPT_F_STOPPED	0x8	/* restart: leave the tasks stopped */
#define CKPT_F_SHELL_JOB 0x10	/* restart: in the caller's session, on its terminal */
#define CKPT_F_FOREGROUND 0x20	/* and the caller, who waits, hands the terminal on */
#define CKPT_F_ALL	0x3f

enum ckpt_kind_status {
	CKPT_KIND_HANDLED = 1,
	CKPT_KIND_REFUSED = 2,
};

enum ckpt_state {
	CKPT_STATE_RUNNING = 1,
	CKPT_STATE_DONE = 2,	/* CKPT_A_ERRNO tells how */
};

enum ckpt_event {
	CKPT_EVENT_PHASE = 1,
	CKPT_EVENT_REFUSED = 2,
	CKPT_EVENT_ERROR = 3,
	CKPT_EVENT_DONE = 4,
};

#endif /* _UAPI_CKPT_H */
