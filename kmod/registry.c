// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kinds, in tables: what each record means at restart, which kinds of
 * files there are, and the support matrix that `crctl caps` prints and
 * Documentation/limits explains.
 */
#include "private.h"
#include "arch/arch.h"
#include "files/files.h"
#include "ipc/ipc.h"
#include "mm/mm.h"
#include "net/net.h"
#include "task/task.h"

/* a DATA record goes to the object that it belongs to */
static int ckpt_data_read(struct ckpt_ctx *ctx, struct ckpt_in *in)
{
	struct ckpt_obj *obj = xa_load(&ctx->refs_xa, in->objref);

	if (!obj || !obj->data)
		return ckpt_bad(ctx, in, "refers to no object that takes data");
	return obj->data(ctx, obj, in);
}

#define REC(TYPE, s) .name = #TYPE, .rec = CKPT_REC_##TYPE, .fixed = sizeof(struct s)
#define PROC(TYPE, s) REC(TYPE, s), .process = true
#define MARK(TYPE) .name = #TYPE, .rec = CKPT_REC_##TYPE

static const struct ckpt_rec_kind ckpt_recs[] = {
	/* the frame: session.c, stream.c, restart.c */
	{ REC(HEADER, ckpt_header) },
	{ REC(TREE, ckpt_tree) },
	{ REC(TAIL, ckpt_tail) },
	{ REC(ERROR, ckpt_error) },
	{ REC(DATA, ckpt_data), .read = ckpt_data_read },
	{ MARK(TASK_END) },

	/* task/ */
	{ REC(CRED, ckpt_cred), .read = ckpt_cred_read },
	{ REC(SECCOMP, ckpt_seccomp), .read = ckpt_seccomp_read },
	{ PROC(TASK, ckpt_task), .apply = ckpt_task_apply, .late = ckpt_task_late,
	  .end = ckpt_task_end },
	{ PROC(SIGACTION, ckpt_sigaction), .apply = ckpt_sigaction_apply },
	{ REC(SIGPENDING, ckpt_sigpending), .last = ckpt_sigpending_last },
	{ PROC(TIMERS, ckpt_timers), .late = ckpt_timers_late, .last = ckpt_timers_last },
	{ PROC(POSIX_TIMER, ckpt_posix_timer), .late = ckpt_posix_timer_late },
	{ PROC(RUSAGE, ckpt_rusage), .late = ckpt_rusage_late },
	{ PROC(RLIMITS, ckpt_rlimits), .late = ckpt_rlimits_late, .end = ckpt_rlimits_end },
	{ REC(THREAD, ckpt_thread_rec), .apply = ckpt_thread_apply, .late = ckpt_thread_late,
	  .last = ckpt_thread_last, .end = ckpt_thread_end },
	{ REC(REGS, ckpt_regs), .apply = ckpt_regs_apply, .late = ckpt_regs_late },
	{ REC(FPU, ckpt_fpu), .late = ckpt_fpu_late },
	{ REC(SYSCALL, ckpt_syscall), .late = ckpt_syscall_late },
	{ REC(SCHED, ckpt_sched), .late = ckpt_sched_late },
	{ REC(MEMPOLICY, ckpt_mempolicy), .late = ckpt_mempolicy_late },

	/* mm/ */
	{ REC(MM, ckpt_mm) },
	{ REC(VMA, ckpt_vma) },
	{ MARK(MM_END) },
	{ REC(PAGES, ckpt_pages) },
	{ REC(SAME, ckpt_same) },
	{ REC(SHMEM, ckpt_shmem), .read = ckpt_shmem_read },
	{ REC(AIO, ckpt_aio) },

	/* ipc/ */
	{ REC(IPC_SHM, ckpt_ipc_shm), .read = ckpt_shm_read },
	{ REC(FILE_SHM, ckpt_file_shm), .read = ckpt_file_read },
	{ REC(SEM_UNDO, ckpt_sem_undo), .process = true, .late = ckpt_sem_undo_late },
	{ REC(IPC_MQ, ckpt_ipc_mq), .read = ckpt_mqueue_read },
	{ REC(FILE_MQUEUE, ckpt_file_mqueue), .read = ckpt_file_read },

	/* files/ */
	{ REC(FDTABLE, ckpt_fdtable), .apply = ckpt_fdtable_apply },
	{ REC(FS, ckpt_fs), .late = ckpt_fs_late },
	{ REC(FILE_PATH, ckpt_file_path), .read = ckpt_file_read },
	{ REC(FILE_SHMEM, ckpt_file_shmem), .read = ckpt_file_read },
	{ REC(PIPE, ckpt_pipe), .read = ckpt_pipe_read },
	{ REC(FILE_EVENTFD, ckpt_file_eventfd), .read = ckpt_file_read },
	{ REC(FILE_SIGNALFD, ckpt_file_signalfd), .read = ckpt_file_read },
	{ REC(FILE_TIMERFD, ckpt_file_timerfd), .read = ckpt_file_read },
	{ REC(FILE_PIDFD, ckpt_file_pidfd), .read = ckpt_file_read },
	{ REC(UNLINKED, ckpt_unlinked), .read = ckpt_unlinked_read },
	{ REC(FILE_UNLINKED, ckpt_file_unlinked), .read = ckpt_file_read },
	{ REC(RMDIR, ckpt_rmdir), .read = ckpt_rmdir_read },
	{ REC(FILE_RMDIR, ckpt_file_rmdir), .read = ckpt_file_read },
	{ REC(FILE_NS, ckpt_file_ns), .read = ckpt_file_read },
	{ REC(FILE_PROC, ckpt_file_proc), .read = ckpt_file_read },
	{ REC(LOCKS, ckpt_locks), .read = ckpt_locks_read, .late = ckpt_locks_late },
	{ REC(FILE_INOTIFY, ckpt_file_inotify), .read = ckpt_file_read },
	{ REC(FILE_EPOLL, ckpt_file_epoll), .read = ckpt_file_read },
	{ REC(TTY, ckpt_tty), .read = ckpt_tty_read },
	{ REC(FILE_PTY, ckpt_file_pty), .read = ckpt_file_read },
	{ REC(FILE_INHERIT, ckpt_file_inherit), .read = ckpt_file_read },
	{ REC(FILE_PIPE, ckpt_file_pipe), .read = ckpt_file_read },

	/* net/ */
	{ REC(UNIX, ckpt_unix), .read = ckpt_unix_read },
	{ REC(FILE_UNIX, ckpt_file_unix), .read = ckpt_file_read },
	{ REC(FILE_INET, ckpt_file_inet), .read = ckpt_file_read },
	{ REC(TCP, ckpt_tcp), .read = ckpt_tcp_read },
	{ REC(FILE_NETLINK, ckpt_file_netlink), .read = ckpt_file_read },
	{ REC(UNIX_PEER, ckpt_unix_peer), .read = ckpt_unix_peer_read },
	{ REC(UNIX_QUEUE, ckpt_unix_queue), .read = ckpt_unix_queue_read },
};

/* the first that matches takes a file */
const struct ckpt_file_kind * const ckpt_file_kinds[] = {
	&ckpt_file_shm,
	&ckpt_file_shmem,
	&ckpt_file_mqueue,
	&ckpt_file_pipe,
	&ckpt_file_pty,
	&ckpt_file_unlinked,
	&ckpt_file_eventfd,
	&ckpt_file_inotify,
	&ckpt_file_signalfd,
	&ckpt_file_timerfd,
	&ckpt_file_pidfd,
	&ckpt_file_epoll,
	&ckpt_file_unix,
	&ckpt_file_inet,
	&ckpt_file_netlink,
	&ckpt_file_nsfile,
	&ckpt_file_proc,
	&ckpt_file_rmdir,
	&ckpt_file_path,
	&ckpt_file_inherit,
	NULL
};

#define HANDLED(n, t) { .name = n, .status = CKPT_KIND_HANDLED, .text = t }
#define REFUSED(n, t) { .name = n, .status = CKPT_KIND_REFUSED, .text = t }

static const struct ckpt_kind ckpt_kinds[] = {
	HANDLED("regs", "general, x87, SSE, AVX, AVX-512 registers, PKRU, segment bases"),
	HANDLED("syscall", "interrupted system calls go on with the time that was left"),
	HANDLED("thread", "tids, masks, stacks, robust lists, rseq, names, times"),
	HANDLED("share", "memory, descriptors, directories, handlers of several processes, vfork"),
	HANDLED("unshared", "threads with descriptors or directories of their own"),
	HANDLED("zombie-leader", "processes whose first thread has ended while others run"),
	REFUSED("io-context", "an I/O context of several tasks (CLONE_IO)"),
	HANDLED("cred", "user and group ids, capabilities, securebits"),
	HANDLED("sched", "policy, nice, priority, deadline, affinity"),
	HANDLED("ghost", "sessions and groups whose leader has ended or is outside of the tree"),
	HANDLED("signal", "handlers, masks, queues with siginfo, job-control stop"),
	HANDLED("timer", "interval timers, POSIX timers"),
	HANDLED("limits", "resource limits and usage"),
	HANDLED("seccomp", "strict mode, classic BPF filters"),
	REFUSED("seccomp-notify", "filters that ask a supervisor"),
	REFUSED("ptrace", "traced tasks"),
	HANDLED("sem-undo", "SysV semaphore operations to undo; the set must still be there at the restart"),
	REFUSED("namespace", "namespaces other than the caller's"),
	HANDLED("nsfile", "open files of /proc/PID/ns, of the caller's namespaces"),
	REFUSED("ioperm", "access to I/O ports"),
	REFUSED("ldt", "segment descriptors of modify_ldt, selectors other than 0"),
	REFUSED("sched-ext", "scheduling by a BPF program"),
	REFUSED("core-sched", "core scheduling cookies"),
	REFUSED("keyring", "keys in a thread or process keyring"),
	REFUSED("landlock", "Landlock domains"),
	REFUSED("lsm", "security labels other than the caller's"),
	REFUSED("syscall-dispatch", "system call user dispatch"),
	HANDLED("mm", "layout, heap and stack that grow, vDSO, mlockall, membarrier, THP and KSM settings"),
	HANDLED("anon", "private memory, also in swap, in huge pages, or without access"),
	HANDLED("cow", "private memory shared since a fork: stored once, shared again"),
	HANDLED("vma", "file mappings, private and shared; mlock, madvise, names, protection keys"),
	HANDLED("mempolicy", "NUMA policy of threads and of private mappings; refused: of shared memory, home nodes"),
	HANDLED("shmem", "shared anonymous memory, memfd with seals; refused: used outside of the tree"),
	HANDLED("sysv-shm", "SysV shared memory with id and key; refused: attached outside of the tree"),
	HANDLED("path", "regular files, directories, null, zero, full, random, urandom"),
	HANDLED("table", "descriptors, close-on-exec"),
	HANDLED("owner", "F_SETOWN, F_SETSIG, O_ASYNC; refused: an owner outside of the tree"),
	HANDLED("fs", "current directory, root, umask"),
	HANDLED("eventfd", "count, semaphore"),
	HANDLED("signalfd", "mask"),
	HANDLED("timerfd", "clock, time left, interval, ticks not read yet, absolute and cancelled on clock changes"),
	HANDLED("pidfd", "of processes of the tree, and of those that are gone"),
	HANDLED("unlinked", "removed regular files with up to 64 MiB, O_TMPFILE"),
	HANDLED("locks", "POSIX locks, flock, locks of open file descriptions"),
	REFUSED("lease", "leases of files (F_SETLEASE)"),
	HANDLED("inotify", "watches with their numbers, events not read yet"),
	HANDLED("epoll", "watches, what is ready, edges, one-shot, nested, closed descriptors"),
	HANDLED("fifo", "named pipes that only the tree has open, with data and size"),
	HANDLED("pipe", "pipes with both ends inside, with data and size"),
	HANDLED("aio", "contexts of Linux AIO with events not taken; refused: operations that do not end, polls"),
	HANDLED("hugetlb", "huge pages of the pool: MAP_HUGETLB, memfd, hugetlbfs; refused: SysV segments of them"),
	REFUSED("device-memory", "mappings of devices"),
	REFUSED("special-mapping", "mappings that only a driver can make again"),
	REFUSED("vma-flags", "mappings with flags of a newer kernel"),
	HANDLED("rmdir", "removed directories that are open or the current one"),
	REFUSED("cwd", "a current directory that cannot be named"),
	HANDLED("proc", "files of /proc: of the system and of processes of the tree"),
	REFUSED("pseudo-file", "files of debugfs, tracefs, securityfs, bpf and the like"),
	REFUSED("block-device", "block devices"),
	REFUSED("io_uring", "rings, also those nobody uses; start the program without"),
	REFUSED("userfaultfd", "page faults that another process answers"),
	REFUSED("fanotify", "watches of mounts and file systems"),
	REFUSED("perf_event", "performance counters"),
	REFUSED("bpf", "maps, programs, links"),
	REFUSED("memfd_secret", "memory that the kernel itself is not to read"),
	HANDLED("mqueue", "POSIX message queues with messages, mq_notify; refused: SIGEV_THREAD"),
	REFUSED("mount-api", "file systems that are being configured (fsopen)"),
	REFUSED("anon-inode", "other files that stand for an operation of the kernel"),
	HANDLED("unix", "AF_UNIX sockets: names, options, queues, credentials"),
	HANDLED("unix-queue", "passed files, credentials, message boundaries"),
	HANDLED("outside", "files also open outside: refused by kind, but regular files and pidfds"),
	HANDLED("inherit", "files left behind with --allow-leak, given with --inherit-fd"),
	HANDLED("tcp", "TCP connections inside of the tree, also half closed, with what is queued"),
	REFUSED("tcp-established",
		"TCP connections that lead out of the tree, of MPTCP, with urgent data, being made"),
	HANDLED("inet",
		"TCP and MPTCP sockets without a connection, UDP, datagrams; refused: other protocols, multicast"),
	REFUSED("tcp-accept", "connections that wait for accept()"),
	HANDLED("netlink", "netlink sockets with messages; refused: generic netlink, netfilter, connector"),
	REFUSED("packet", "packet sockets"),
	REFUSED("unix-peer", "AF_UNIX sockets connected to a process outside"),
	REFUSED("unix-path", "bound to a file that the caller does not reach"),
	REFUSED("socket-filter", "BPF filters and maps of sockets"),
	REFUSED("socket-option", "rare options of sockets"),
	HANDLED("pty", "pseudo terminals with both ends inside, controlling terminals, queues"),
	REFUSED("tty", "other terminals, and those that are open outside"),
	REFUSED("posix-timer", "POSIX timers on another process's CPU clock or a device's clock"),
};

/**
 * ckpt_rec_kind() - what a type of record means
 * @rec: CKPT_REC_*
 *
 * Return: its row, or NULL.
 */
const struct ckpt_rec_kind *ckpt_rec_kind(u16 rec)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ckpt_recs); i++)
		if (ckpt_recs[i].rec == rec)
			return &ckpt_recs[i];
	return NULL;
}

/**
 * ckpt_rec_name() - the name of a type of record
 * @type: CKPT_REC_*
 *
 * Return: the name, also of an unknown type.
 */
const char *ckpt_rec_name(u16 type)
{
	const struct ckpt_rec_kind *kind = ckpt_rec_kind(type);

	return kind ? kind->name : "a record of unknown type";
}

/**
 * ckpt_file_kind() - the kind that saves a file
 * @file: the file
 *
 * Return: the kind, or NULL.
 */
const struct ckpt_file_kind *ckpt_file_kind(struct file *file)
{
	const struct ckpt_file_kind * const *kind;

	for (kind = ckpt_file_kinds; *kind; kind++)
		if ((*kind)->match(file))
			return *kind;
	return NULL;
}

/**
 * ckpt_kind() - a row of the support matrix
 * @i: which
 *
 * Return: the row, or NULL after the last.
 */
const struct ckpt_kind *ckpt_kind(unsigned int i)
{
	return i < ARRAY_SIZE(ckpt_kinds) ? &ckpt_kinds[i] : NULL;
}
