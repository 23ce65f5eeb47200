/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The records of an image. Documentation/image-format tells the same in prose.
 *
 * An image is eight bytes of magic, then records, each at a multiple of eight
 * bytes from the beginning. All numbers are little endian. A record is a
 * struct ckpt_hdr, a fixed part of hdr.fixed bytes and a variable part, the
 * two together hdr.len bytes; zeros fill it up to a multiple of eight. A newer
 * writer may append fields to a fixed part: a reader takes the fields it
 * knows and skips the rest, and reads those that are missing as zero.
 *
 *	HEADER TREE object... (TASK ... TASK_END)... (PAGES | SAME)... TAIL
 *
 * An object (hdr.objref != 0) stands before whatever refers to it; only MM,
 * FDTABLE and FS stand among the records of the TASK that refers to them. An image
 * of a failed checkpoint ends with ERROR in place of TAIL.
 */
#ifndef _UAPI_CKPT_IMAGE_H
#define _UAPI_CKPT_IMAGE_H

#include <linux/types.h>

#define CKPT_MAGIC		"\x89" "CKPT\r\n\x1a"
#define CKPT_MAGIC_LEN		8
#define CKPT_IMAGE_VERSION	1
#define CKPT_ALIGN		8
#define CKPT_REC_MAX		(1u << 20)	/* largest hdr.len */

struct ckpt_hdr {
	__le16 type;		/* enum ckpt_rec */
	__le16 fixed;		/* bytes of the fixed part */
	__le32 len;		/* fixed and variable part, without padding */
	__le32 objref;		/* the object that the record defines, or is about */
	__le32 crc;		/* CRC32C of this header with crc 0, and len bytes */
};

enum ckpt_rec {
	CKPT_REC_HEADER		= 0x001,
	CKPT_REC_TREE		= 0x002,
	CKPT_REC_TAIL		= 0x003,
	CKPT_REC_ERROR		= 0x004,	/* variable: the message */
	CKPT_REC_DATA		= 0x005,	/* variable: bytes for objref */

	CKPT_REC_TASK		= 0x100,	/* a process begins */
	CKPT_REC_TASK_END	= 0x101,
	CKPT_REC_THREAD		= 0x102,	/* a thread begins; the leader first */
	CKPT_REC_REGS		= 0x103,
	CKPT_REC_FPU		= 0x104,
	CKPT_REC_CRED		= 0x105,	/* object */
	CKPT_REC_SCHED		= 0x106,
	CKPT_REC_SIGACTION	= 0x107,	/* object */
	CKPT_REC_SIGPENDING	= 0x108,	/* of the process or of a thread */
	CKPT_REC_TIMERS		= 0x109,	/* interval timers */
	CKPT_REC_POSIX_TIMER	= 0x10a,
	CKPT_REC_RLIMITS	= 0x10b,
	CKPT_REC_SECCOMP	= 0x10c,	/* object: the filters of a thread */
	CKPT_REC_SYSCALL	= 0x10d,	/* the system call a thread sleeps in */
	CKPT_REC_MEMPOLICY	= 0x10e,
	CKPT_REC_RUSAGE		= 0x10f,

	CKPT_REC_MM		= 0x200,	/* object: an address space begins */
	CKPT_REC_VMA		= 0x201,
	CKPT_REC_MM_END		= 0x202,
	CKPT_REC_PAGES		= 0x203,	/* followed by page data */
	CKPT_REC_SHMEM		= 0x204,	/* object: a shmem inode */
	CKPT_REC_SAME		= 0x205,	/* pages of an MM that another one has, too */
	CKPT_REC_AIO		= 0x206,	/* a context of asynchronous I/O of an MM */

	CKPT_REC_FDTABLE	= 0x300,	/* object */
	CKPT_REC_FS		= 0x301,	/* object: cwd, root, umask */
	CKPT_REC_FILE_PATH	= 0x310,	/* regular file, directory, device, O_PATH */
	CKPT_REC_FILE_PIPE	= 0x311,
	CKPT_REC_FILE_SHMEM	= 0x312,	/* memfd, shared anonymous memory */
	CKPT_REC_FILE_EVENTFD	= 0x313,
	CKPT_REC_FILE_TIMERFD	= 0x314,
	CKPT_REC_FILE_SIGNALFD	= 0x315,
	CKPT_REC_FILE_EPOLL	= 0x316,
	CKPT_REC_FILE_INOTIFY	= 0x317,
	CKPT_REC_FILE_PIDFD	= 0x318,
	CKPT_REC_FILE_PTY	= 0x319,
	CKPT_REC_FILE_INHERIT	= 0x31a,	/* stands for a file the caller gives */
	CKPT_REC_FILE_PROC	= 0x31b,
	CKPT_REC_PIPE		= 0x320,	/* object: pipe inode with its data */
	CKPT_REC_LOCKS		= 0x321,
	CKPT_REC_TTY		= 0x322,	/* object */
	CKPT_REC_UNLINKED	= 0x324,	/* object: a regular file without a name */
	CKPT_REC_RMDIR		= 0x325,	/* object: a directory that was removed */
	CKPT_REC_FILE_UNLINKED	= 0x330,
	CKPT_REC_FILE_RMDIR	= 0x331,
	CKPT_REC_FILE_NS	= 0x332,	/* a namespace that is held open */

	CKPT_REC_FILE_UNIX	= 0x400,	/* AF_UNIX socket */
	CKPT_REC_UNIX_QUEUE	= 0x401,	/* one message in the queue of a UNIX */
	CKPT_REC_FILE_INET	= 0x402,	/* AF_INET and AF_INET6 sockets */
	CKPT_REC_UNIX		= 0x403,	/* object: an AF_UNIX socket, open or not */
	CKPT_REC_UNIX_PEER	= 0x404,	/* how a UNIX stands to others */
	CKPT_REC_TCP		= 0x405,	/* the connection of a FILE_INET */
	CKPT_REC_FILE_NETLINK	= 0x406,

	CKPT_REC_IPC_SHM	= 0x500,	/* object: a SysV segment with page data */
	CKPT_REC_IPC_SEM	= 0x501,
	CKPT_REC_IPC_MSG	= 0x502,
	CKPT_REC_SEM_UNDO	= 0x503,	/* of a process, for one set */
	CKPT_REC_FILE_SHM	= 0x504,	/* what attaches a SysV segment */
	CKPT_REC_IPC_MQ		= 0x505,	/* object: a POSIX message queue */
	CKPT_REC_FILE_MQUEUE	= 0x506,

	CKPT_REC_NAMESPACE	= 0x600,
};

/* flags of struct ckpt_header */
#define CKPT_IMG_DATA_CRC	0x1	/* PAGES carry a checksum of their data */

struct ckpt_header {
	__le32 version;		/* CKPT_IMAGE_VERSION */
	__le32 flags;
	__le32 page_size;
	__le32 machine;		/* EM_* of <linux/elf-em.h> */
	__le64 wall_ns;		/* CLOCK_REALTIME at the capture */
	__le64 mono_ns;		/* CLOCK_MONOTONIC */
	__le64 boot_ns;		/* CLOCK_BOOTTIME */
	__le64 xfeatures;	/* x86: xstate components in use by some thread */
	__le32 vdso_pages;
	__le32 vvar_pages;
	__le32 vdso_crc;	/* CRC32C of the vDSO's pages */
	__le32 ntasks;
	__u8 release[64];	/* uname -r, NUL padded */
	__u8 build[64];		/* uname -v */
	__u8 module[32];	/* version of the module that wrote it */
};

/* TREE: fixed part, then ntasks entries of entry_size bytes, parents first */
struct ckpt_tree {
	__le32 ntasks;
	__le32 entry_size;
	__le32 root_pid;
	__le32 nthreads;
};

/* flags of struct ckpt_tree_task */
#define CKPT_TASK_ZOMBIE	0x1
#define CKPT_TASK_TTY		0x2	/* has a controlling terminal */
#define CKPT_TASK_FOREGROUND	0x4	/* its group has that terminal */
#define CKPT_TASK_SHARE_FILES	0x10	/* with the parent */
#define CKPT_TASK_SHARE_FS	0x20
#define CKPT_TASK_SHARE_MM	0x40
#define CKPT_TASK_SHARE_SIGHAND	0x80

struct ckpt_tree_task {
	__le32 pid;
	__le32 ppid;		/* 0 for the root */
	__le32 pgid;
	__le32 sid;
	__le32 flags;		/* CKPT_TASK_* */
	__le32 nthreads;
	__le32 exit_code;	/* of a zombie */
	__le32 exit_signal;	/* sent to the parent at the end */
	__u8 comm[16];
};

struct ckpt_tail {
	__le64 records;		/* all records before this one */
	__le64 bytes;		/* offset of this record */
	__le64 pages;
	__le32 crc;		/* CRC32C over the crc fields of all records before */
	__le32 pad;
};

struct ckpt_error {
	__le32 err;		/* negative errno, as two's complement */
	__le32 pad;
};

/* ---- task/ ---- */

struct ckpt_task {
	__le32 pid;
	__le32 nthreads;
	__le32 mm;		/* objref; 0 for a zombie */
	__le32 files;		/* objref */
	__le32 fs;		/* objref */
	__le32 exit_signal;
	__le32 flags;		/* CKPT_TASK_* */
	__le32 exit_code;
	__le32 oom_score_adj;	/* two's complement */
	__le32 oom_score_adj_min;
	__le32 sig_flags;	/* CKPT_SIG_* */
	__le32 stop_signal;	/* of a job-control stop, 0: its parent has seen it */
	__le32 tty;		/* objref of the controlling terminal, 0: left behind */
	__le32 sid;		/* session and group, 0: outside of the pid namespace */
	__le32 pgid;
	__le32 sighand;		/* objref; mm, files, fs and this may be another process's */
};

#define CKPT_SIG_SUBREAPER	0x1	/* is_child_subreaper */
#define CKPT_SIG_HAS_SUBREAPER	0x2
#define CKPT_SIG_STOPPED	0x4	/* group stop complete */
#define CKPT_SIG_CONTINUED	0x8	/* a parent has still to see SIGCONT */
#define CKPT_SIG_UNKILLABLE	0x10
#define CKPT_SIG_STOPPING	0x20	/* group stop not complete: begin again */

struct ckpt_thread_rec {
	__le32 tid;
	__le32 cred;		/* objref: subjective and real */
	__le32 seccomp;		/* objref of its filters, 0: none */
	__le32 flags;		/* CKPT_THREAD_* */
	__le64 blocked;
	__le64 saved_sigmask;
	__le64 altstack_sp;
	__le64 altstack_size;
	__le32 altstack_flags;
	__le32 personality;
	__le64 robust_list;
	__le64 clear_child_tid;
	__le64 set_child_tid;
	__le64 rseq;
	__le32 rseq_len;
	__le32 rseq_sig;
	__le64 timer_slack_ns;
	__le64 default_timer_slack_ns;
	__le64 utime_ns;
	__le64 stime_ns;
	__le64 runtime_ns;	/* sum_exec_runtime */
	__le64 start_ns;	/* CLOCK_MONOTONIC of creation */
	__le64 start_boot_ns;
	__le64 nvcsw;
	__le64 nivcsw;
	__le64 min_flt;
	__le64 maj_flt;
	__le32 pdeath_signal;
	__le32 ioprio;
	__u8 comm[16];
	__le64 seen_utime_ns;	/* what getrusage() has given, of the thread */
	__le64 seen_stime_ns;
	__le64 start_wall_ns;	/* CLOCK_REALTIME of creation, two's complement */
	__le32 seccomp_shared;	/* so many outer filters are in all threads of the process */
	__le32 stop_pending;	/* signal of a group stop it has to take part in */
	__le32 files;		/* objref, 0: those of its process */
	__le32 fs;
	__le32 exit_code;	/* of a first thread that has ended before others */
	__le32 pad;
};

#define CKPT_THREAD_SAVED_SIGMASK	0x1	/* saved_sigmask is to be put back */
#define CKPT_THREAD_NO_NEW_PRIVS	0x2
#define CKPT_THREAD_SECCOMP_STRICT	0x4
#define CKPT_THREAD_TSC_SIGSEGV		0x8	/* PR_SET_TSC */
#define CKPT_THREAD_CPUID_FAULT		0x10	/* ARCH_SET_CPUID off */
#define CKPT_THREAD_MCE_EARLY		0x20
#define CKPT_THREAD_MCE_KILL		0x40
#define CKPT_THREAD_IO_FLUSHER		0x80	/* PR_SET_IO_FLUSHER */
#define CKPT_THREAD_SSB_DISABLE		0x100	/* PR_SET_SPECULATION_CTRL */
#define CKPT_THREAD_SSB_FORCE		0x200
#define CKPT_THREAD_SSB_NOEXEC		0x400
#define CKPT_THREAD_IB_DISABLE		0x800
#define CKPT_THREAD_IB_FORCE		0x1000
#define CKPT_THREAD_ENDED		0x2000	/* has neither registers nor files */

/* x86-64 registers, in the order of struct user_regs_struct */
struct ckpt_regs {
	__le64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	__le64 orig_ax, ip, cs, flags, sp, ss, fs_base, gs_base, ds, es, fs, gs;
	__le64 tls[3];		/* GDT entries of set_thread_area */
};

/*
 * variable: xstate in the non-compacted format of XSAVE; what is beyond its end
 * is zero, and PKRU may be missing
 */
struct ckpt_fpu {
	__le64 xfeatures;	/* components that the thread uses */
	__le32 pkru;
	__le32 size;
};

/* variable: supplementary groups, __le32 each */
struct ckpt_cred {
	__le32 uid, gid, suid, sgid, euid, egid, fsuid, fsgid;
	__le32 securebits;
	__le32 ngroups;
	__le64 cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
};

/* variable: affinity mask, bit n of byte n/8 is CPU n */
struct ckpt_sched {
	__le32 policy;
	__le32 nice;		/* two's complement */
	__le32 rt_priority;
	__le32 flags;		/* SCHED_FLAG_* of <linux/sched.h> */
	__le64 runtime, deadline, period;	/* SCHED_DEADLINE, ns */
	__le32 util_min, util_max;
	__le32 mask_bytes;	/* 0: all CPUs */
	__le32 pad;
};

/* variable: 64 entries of struct ckpt_sigact */
struct ckpt_sigaction {
	__le32 n;
	__le32 entry_size;
};

struct ckpt_sigact {
	__le64 handler;
	__le64 flags;
	__le64 restorer;
	__le64 mask;
};

/* variable: n siginfo_t of the system call interface, 128 bytes each, in order */
struct ckpt_sigpending {
	__le64 mask;		/* pending; some may have no siginfo (lost for want of memory) */
	__le32 shared;		/* 1: of the process */
	__le32 n;
};

struct ckpt_timers {
	__le64 real_left_ns, real_interval_ns;	/* left 0: disarmed */
	__le64 virt_left_ns, virt_interval_ns;
	__le64 prof_left_ns, prof_interval_ns;
	__le64 real_late_ns;	/* expired so long ago, its signal is pending */
	__le32 next_id;		/* of the next POSIX timer */
	__le32 pad;
};

struct ckpt_posix_timer {
	__le32 id;
	__le32 clock;		/* CLOCK_* */
	__le32 clock_pid;	/* of a CPU clock: the process or thread */
	__le32 clock_type;	/* of a CPU clock: CPUCLOCK_* */
	__le32 notify;		/* SIGEV_* */
	__le32 signo;
	__le32 tid;		/* SIGEV_THREAD_ID */
	__le32 flags;		/* CKPT_PTIMER_* */
	__le64 value;		/* sigev_value */
	__le64 left_ns;		/* relative; of an armed one at least 1 */
	__le64 late_ns;		/* of a queued one: expired so long ago; when, on a CPU clock */
	__le64 interval_ns;
	__le32 overrun;
	__le32 overrun_last;
};

#define CKPT_PTIMER_ARMED	0x1
#define CKPT_PTIMER_ABSOLUTE	0x2	/* on the wall clock: left_ns is a time of that clock */
#define CKPT_PTIMER_QUEUED	0x4	/* its signal is pending; armed again when that is taken */

struct ckpt_rlimits {
	__le32 n;
	__le32 pad;
	__le64 limit[16][2];	/* current, maximum; RLIMIT_* order */
};

/*
 * variable: n filters, the outermost first; each is a struct
 * ckpt_seccomp_filter and its classic BPF program as it was loaded
 */
struct ckpt_seccomp {
	__le32 n;
	__le32 pad;
};

struct ckpt_seccomp_filter {
	__le32 flags;		/* SECCOMP_FILTER_FLAG_LOG */
	__le32 n;		/* instructions of 8 bytes each */
};

/*
 * How the system call that a thread sleeps in goes on after a restart. The
 * registers hold the user's view; this is what the kernel knew beside it.
 */
struct ckpt_syscall {
	__le32 how;		/* CKPT_SYSCALL_* */
	__le32 nr;
	__le64 left_ns;		/* until the timeout; ~0: none */
	__le64 done;		/* bytes that are already transferred */
	__le64 arg[6];		/* CKPT_SYSCALL_BLOCK: by restart function */
};

#define CKPT_SYSCALL_AGAIN	0	/* begin again */
#define CKPT_SYSCALL_LEFT	1	/* begin again with the time that is left */
#define CKPT_SYSCALL_REST	2	/* go on after `done` bytes, then return the sum */
#define CKPT_SYSCALL_NANOSLEEP	3	/* restart blocks: */
#define CKPT_SYSCALL_POLL	4
#define CKPT_SYSCALL_FUTEX	5
#define CKPT_SYSCALL_CPU_NANOSLEEP 6
#define CKPT_SYSCALL_ALARM_NANOSLEEP 7
#define CKPT_SYSCALL_VFORK	8	/* until the child with the tid arg[0] runs a program */

/* arg[2] of CKPT_SYSCALL_FUTEX */
#define CKPT_FUTEX_SHARED	0x1
#define CKPT_FUTEX_CLOCKRT	0x2	/* the timeout is of CLOCK_REALTIME */
#define CKPT_FUTEX_HAS_TIMEOUT	0x4

/* variable: node mask */
struct ckpt_mempolicy {
	__le32 mode;		/* MPOL_* */
	__le32 flags;
	__le32 mask_bytes;
	__le32 pad;
};

/* of the dead children, for getrusage(RUSAGE_CHILDREN) and the process */
struct ckpt_rusage {
	__le64 utime_ns, stime_ns;		/* of dead threads */
	__le64 cutime_ns, cstime_ns;
	__le64 nvcsw, nivcsw, cnvcsw, cnivcsw;
	__le64 min_flt, maj_flt, cmin_flt, cmaj_flt;
	__le64 inblock, oublock, cinblock, coublock;
	__le64 maxrss, cmaxrss;
	__le64 sum_sched_runtime;
	__le64 seen_utime_ns;	/* what getrusage() has given, of the process */
	__le64 seen_stime_ns;
};

/* ---- mm/ ---- */

/* variable: auxv, auxv_bytes */
struct ckpt_mm {
	__le64 start_code, end_code, start_data, end_data;
	__le64 start_brk, brk, start_stack;
	__le64 arg_start, arg_end, env_start, env_end;
	__le64 mmap_base;
	__le64 vdso;		/* address, 0: none */
	__le64 flags;		/* CKPT_MM_* */
	__le64 def_flags;	/* CKPT_VMA_* of mlockall(MCL_FUTURE) */
	__le32 dumpable;
	__le32 coredump_filter;
	__le32 exe;		/* objref */
	__le32 pkey_map;
	__le32 membarrier;
	__le32 nvmas;
	__le32 auxv_bytes;
	__le32 exec_pkey;	/* the key of memory that may only be executed, 0: none */
};

#define CKPT_MM_THP_DISABLE	0x1
#define CKPT_MM_KSM		0x2	/* PR_SET_MEMORY_MERGE */
#define CKPT_MM_MDWE		0x4	/* PR_SET_MDWE */
#define CKPT_MM_MDWE_NO_INHERIT	0x8

/*
 * variable: name of an anonymous mapping, without NUL, then mask_bytes of the
 * node mask of its NUMA policy, bit n of byte n/8 is node n
 */
struct ckpt_vma {
	__le64 start, end;
	__le64 offset;		/* in the file, bytes */
	__le64 flags;		/* CKPT_VMA_* */
	__le32 file;		/* objref, 0: anonymous */
	__le32 pkey;
	__le32 kind;		/* CKPT_VMAK_* */
	__le32 mempolicy_mode;	/* MPOL_* with MPOL_F_*, 0: none */
	__le64 huge_size;	/* of the huge pages of the pool, 0: none */
	__le32 anon_root;	/* number of its family of forked mappings, 0: of none */
	__le32 mask_bytes;
	__le32 anon;		/* number of its part in the family */
	__le32 pad;
};

#define CKPT_VMA_READ		0x00001
#define CKPT_VMA_WRITE		0x00002
#define CKPT_VMA_EXEC		0x00004
#define CKPT_VMA_SHARED		0x00008
#define CKPT_VMA_MAYWRITE	0x00010
#define CKPT_VMA_GROWSDOWN	0x00020
#define CKPT_VMA_LOCKED		0x00040
#define CKPT_VMA_LOCKONFAULT	0x00080
#define CKPT_VMA_NORESERVE	0x00100
#define CKPT_VMA_DONTFORK	0x00200
#define CKPT_VMA_WIPEONFORK	0x00400
#define CKPT_VMA_DONTDUMP	0x00800
#define CKPT_VMA_SEQ_READ	0x01000
#define CKPT_VMA_RAND_READ	0x02000
#define CKPT_VMA_HUGEPAGE	0x04000
#define CKPT_VMA_NOHUGEPAGE	0x08000
#define CKPT_VMA_MERGEABLE	0x10000
#define CKPT_VMA_SYNC		0x20000
#define CKPT_VMA_DROPPABLE	0x40000
#define CKPT_VMA_SEALED		0x80000
#define CKPT_VMA_ACCOUNT	0x100000	/* counts as committed memory */

#define CKPT_VMAK_ANON		0	/* private anonymous */
#define CKPT_VMAK_FILE		1	/* private or shared mapping of a file */
#define CKPT_VMAK_VDSO		2	/* vdso or vvar: nothing to map */
#define CKPT_VMAK_HUGETLB	3	/* anonymous hugetlb, private */
#define CKPT_VMAK_AIO		4	/* the ring of an AIO */

/*
 * A context of asynchronous I/O (io_setup) of the MM hdr.objref, after its VMAs.
 * Variable: struct io_event of the events that were not taken. Where one
 * record does not hold them all, others follow with the next ones.
 */
struct ckpt_aio {
	__le64 start;		/* of the ring; the program's name for the context */
	__le64 size;		/* of the ring, bytes */
	__le32 max_reqs;	/* what io_setup() was called with */
	__le32 head;		/* places in the ring */
	__le32 tail;
	__le32 first;		/* which of the events the first here is */
};

/*
 * Page data of an mm or a shmem object (hdr.objref): fixed part, nruns struct
 * ckpt_run, zeros up to a multiple of page_size from the beginning of the
 * stream, then npages pages in the order of the runs.
 */
struct ckpt_pages {
	__le32 nruns;
	__le32 npages;
	__le32 pad_bytes;	/* zeros between the end of the record and the data */
	__le32 data_crc;	/* CRC32C of the pages, with CKPT_IMG_DATA_CRC */
};

#define CKPT_PAGES_MAX	1024	/* largest npages, and so nruns */

struct ckpt_run {
	__le64 start;		/* virtual address, or offset in the object */
	__le32 npages;
	__le32 flags;
};

/*
 * Pages of an MM (hdr.objref) that are shared copy-on-write with others since a
 * fork. They are stored in the PAGES of another MM, which stand before this.
 * Variable: n entries of entry_size. Stands before the PAGES of its own MM.
 */
struct ckpt_same {
	__le32 n;		/* 1 to 4096 */
	__le32 entry_size;
};

struct ckpt_same_run {
	__le64 start;		/* virtual address */
	__le64 from;		/* virtual address in the other one */
	__le32 mm;		/* objref of the other one */
	__le32 npages;
};

/* variable: name without NUL. Content follows in PAGES. */
struct ckpt_shmem {
	__le64 size;
	__le32 seals;		/* F_SEAL_*; ~0: none possible */
	__le32 mode;
	__le32 uid, gid;
	__le32 flags;		/* CKPT_SHMEM_* */
	__le32 huge_shift;	/* of a hugetlb one */
};

#define CKPT_SHMEM_MEMFD	0x1
#define CKPT_SHMEM_NORESERVE	0x2
#define CKPT_SHMEM_HUGETLB	0x4
#define CKPT_SHMEM_SYSV		0x8

/* ---- ipc/ ---- */

struct ckpt_ipc_shm {
	__le64 size;
	__le32 id;
	__le32 key;		/* 0: IPC_PRIVATE, or removed */
	__le32 mode;		/* permissions */
	__le32 flags;		/* CKPT_SHM_* */
	__le32 uid, gid;
	__le32 cuid, cgid;	/* of the creator */
	__le64 atime, dtime, ctime;	/* seconds */
	__le32 cpid, lpid;	/* creator and last user, 0: not known any more */
};

#define CKPT_SHM_REMOVED	0x1	/* goes when the last one detaches it */
#define CKPT_SHM_LOCKED		0x2
#define CKPT_SHM_NORESERVE	0x4

/* variable: n __le16, what is added to each semaphore at the end of the process */
struct ckpt_sem_undo {
	__le32 id;
	__le32 key;
	__le32 n;		/* semaphores of the set */
	__le32 pad;
};

/*
 * Variable: its name without NUL. The messages follow in DATA records, the next to be
 * received first; seq is the priority.
 */
struct ckpt_ipc_mq {
	__le32 flags;		/* CKPT_MQ_* */
	__le32 mode;		/* permissions */
	__le32 uid, gid;
	__le32 maxmsg;
	__le32 msgsize;
	__le32 curmsgs;
	__le32 mtime_nsec;
	__le64 mtime_sec;
	__le64 ino;
	__le64 bytes;		/* of all messages */
	__le32 notify;		/* SIGEV_* + 1 of mq_notify(), 0: none */
	__le32 notify_pid;
	__le64 notify_value;
	__le32 notify_signo;
	__le32 pad;
};

#define CKPT_MQ_REMOVED		0x1	/* has no name */
#define CKPT_MQ_OUTSIDE		0x2	/* was open outside of the tree, too */

/* ---- files/ ---- */

/* the beginning of the fixed part of every FILE_* record */
struct ckpt_file {
	__le32 flags;		/* O_* as F_GETFL gives them, with O_PATH */
	__le32 inode;		/* objref of the inode object, where the kind has one */
	__le64 pos;
	__le32 owner_type;	/* F_OWNER_* + 1, 0: none */
	__le32 owner_pid;
	__le32 owner_sig;
	__le32 owner_uid;
	__le32 owner_euid;
	__le32 fmode;		/* bits F_GETFL does not show: 1: O_PATH; 2: write hint set */
};

/* variable: path as the caller of the checkpoint sees it, without NUL */
struct ckpt_file_path {
	struct ckpt_file f;
	__le32 mode;		/* S_IF* and permissions */
	__le32 rdev_major;
	__le32 rdev_minor;
	__le32 fs_magic;
	__le64 size;
	__le64 mtime_sec;
	__le32 mtime_nsec;
	__le32 build_id_len;
	__le64 ino;
	__le32 dev_major;
	__le32 dev_minor;
	__u8 fs_uuid[16];
	__u8 build_id[20];
	__u8 pad[4];
};

/*
 * A file that is shared with processes outside and was left behind, as the
 * caller of the checkpoint allowed; the caller of the restart gives another.
 * Variable: what it was, such as pipe:[123] or /dev/pts/3, without NUL.
 */
struct ckpt_file_inherit {
	struct ckpt_file f;
	__le32 mode;		/* S_IF* */
	__le32 rdev_major;
	__le32 rdev_minor;
	__le32 flags;		/* CKPT_INHERIT_* */
};

#define CKPT_INHERIT_TTY	0x1	/* the controlling terminal of some process */

/* what an end of a terminal holds; positions count from the first byte not read */
struct ckpt_ldisc {
	__le32 read;		/* bytes not read */
	__le32 canon;		/* of them in whole lines */
	__le32 commit;		/* of them visible to readers of raw input */
	__le32 line_start;	/* bytes before, where the current line began */
	__le32 echo;		/* bytes not echoed */
	__le32 echo_commit;
	__le32 echo_mark;
	__le32 flip;		/* bytes queued in the driver */
	__le32 lookahead;	/* of them seen already for flow control */
	__le32 column;
	__le32 canon_column;
	__le32 flags;		/* CKPT_LDISC_* */
};

#define CKPT_LDISC_LNEXT	0x1	/* the next character is taken literally */
#define CKPT_LDISC_ERASING	0x2
#define CKPT_LDISC_PUSH		0x4
#define CKPT_LDISC_NO_ROOM	0x8
#define CKPT_LDISC_STOPPED	0x10	/* output stopped, ^S */
#define CKPT_LDISC_TCO_STOPPED	0x20	/* with TCOOFF */

/*
 * A pseudo terminal. Variable, first of the master then of the slave: the bytes
 * not read, for each of them one byte that is 1 at the end of a line, the
 * bytes not echoed, the bytes queued in the driver.
 */
struct ckpt_tty {
	__le32 index;		/* of /dev/pts/ */
	__le32 flags;		/* CKPT_TTY_* */
	__le32 session;		/* whose controlling terminal it is, 0: nobody's */
	__le32 pgrp;		/* the foreground process group */
	__le32 uid;		/* of the slave's file */
	__le32 gid;
	__le32 mode;
	__le32 pktstatus;	/* TIOCPKT_* not read yet */
	__le16 rows;
	__le16 cols;
	__le16 xpixel;
	__le16 ypixel;
	__le32 iflag;		/* termios of the slave */
	__le32 oflag;
	__le32 cflag;
	__le32 lflag;
	__le32 ispeed;
	__le32 ospeed;
	__u8 cc[32];
	struct ckpt_ldisc master;
	struct ckpt_ldisc slave;
};

#define CKPT_TTY_LOCKED		0x1	/* the slave cannot be opened */
#define CKPT_TTY_PACKET		0x2	/* packet mode */
#define CKPT_TTY_EXCLUSIVE	0x4
#define CKPT_TTY_CLOSED		0x8	/* the slave was open, and is no more */
#define CKPT_TTY_HUNGUP		0x10	/* the master is closed */

struct ckpt_file_pty {
	struct ckpt_file f;	/* f.inode: the TTY */
	__le32 flags;		/* CKPT_PTY_* */
	__le32 pad;
};

#define CKPT_PTY_MASTER		0x1
#define CKPT_PTY_HUNGUP		0x2	/* this file is hung up */
#define CKPT_PTY_DEV_TTY	0x4	/* opened as /dev/tty */

struct ckpt_file_pipe {
	struct ckpt_file f;	/* f.inode: the PIPE */
	__le32 no_writer;	/* 1: of a FIFO, none has opened it since */
	__le32 pad;
};

/* a namespace; after a restart that which the tasks are in then */
struct ckpt_file_ns {
	struct ckpt_file f;
	__le32 type;		/* CLONE_NEW* */
	__le32 pad;
};

struct ckpt_file_eventfd {
	struct ckpt_file f;
	__le64 count;
	__le32 semaphore;	/* 1: EFD_SEMAPHORE */
	__le32 pad;
};

struct ckpt_file_signalfd {
	struct ckpt_file f;
	__le64 mask;		/* signals that it reads */
};

struct ckpt_file_timerfd {
	struct ckpt_file f;
	__le32 clock;		/* CLOCK_* */
	__le32 state;		/* CKPT_TIMERFD_* */
	__le32 settime_flags;	/* TFD_TIMER_* */
	__le32 pad;
	__le64 left_ns;		/* two's complement: an expired one, since when */
	__le64 expires_ns;	/* of an absolute one on the wall clock */
	__le64 interval_ns;
	__le64 ticks;		/* expirations that nobody has read */
};

#define CKPT_TIMERFD_ARMED	0x1
#define CKPT_TIMERFD_EXPIRED	0x2	/* a periodic one goes on when it is read */
#define CKPT_TIMERFD_CANCELED	0x4	/* the clock was set, nobody was told yet */

struct ckpt_file_pidfd {
	struct ckpt_file f;
	__le32 pid;		/* a process of the tree, 0: of one that is gone */
	__le32 thread;		/* 1: PIDFD_THREAD */
};

/*
 * Variable: path of its directory. The content follows in DATA records, seq of
 * which is the offset; what none of them covers is zero.
 */
struct ckpt_unlinked {
	__le64 size;
	__le64 mtime_sec;
	__le32 mtime_nsec;
	__le32 mode;		/* permissions */
	__le32 uid, gid;
};

struct ckpt_file_unlinked {
	struct ckpt_file f;	/* f.inode: the UNLINKED */
};

/* variable: the path that it had */
struct ckpt_rmdir {
	__le32 levels;		/* so many of the last parts of the path were removed */
	__le32 mode;		/* permissions */
	__le32 uid, gid;
};

struct ckpt_file_rmdir {
	struct ckpt_file f;	/* f.inode: the RMDIR */
};

/* variable: the path */
struct ckpt_file_proc {
	struct ckpt_file f;
	__le32 mode;		/* S_IFREG or S_IFDIR */
	__le32 pid_at;		/* where in the path the pid of a process begins, or 0 */
};

/*
 * Variable: n entries of entry_size. With an objref those of that open file;
 * without, among the records of a process, its POSIX locks.
 */
struct ckpt_locks {
	__le32 n;
	__le32 entry_size;
};

struct ckpt_lock {
	__le32 kind;		/* CKPT_LOCK_* */
	__le32 write;		/* 0: shared; 1: exclusive */
	__le32 fd;		/* of a POSIX lock: through which it was taken */
	__le32 pad;
	__le64 start, end;	/* the last byte; 2^63 - 1: to the end of the file */
};

#define CKPT_LOCK_POSIX	0
#define CKPT_LOCK_FLOCK	1
#define CKPT_LOCK_OFD	2

/* watches, then events follow in DATA records, one in each */
struct ckpt_file_inotify {
	struct ckpt_file f;
	__le32 n;		/* watches */
	__le32 next_wd;
};

/* followed by the path, without NUL */
struct ckpt_inotify_watch {
	__le32 wd;
	__le32 mask;		/* IN_* */
};

/* followed by the name, without NUL */
struct ckpt_inotify_event {
	__le32 wd;
	__le32 mask;
	__le32 cookie;
	__le32 pad;
};

/* n struct ckpt_epoll_watch follow in DATA records: the ready ones in order, then the rest */
struct ckpt_file_epoll {
	struct ckpt_file f;
	__le32 n;
	__le32 entry_size;
	__le32 busy_poll_usecs;	/* struct epoll_params */
	__le32 busy_poll_budget;
	__le32 prefer_busy_poll;
	__le32 pad;
};

struct ckpt_epoll_watch {
	__le32 file;		/* objref; may stand after this record */
	__le32 fd;		/* that it was added with */
	__le32 events;		/* EPOLL*; of a disarmed one-shot none is left */
	__le32 ready;		/* 1: in the list of the ready ones */
	__le64 data;
	__le32 signal_pid;	/* of a signalfd: whose signals, 0: nobody's any more */
	__le32 pad;
};

struct ckpt_file_shmem {
	struct ckpt_file f;	/* f.inode: the SHMEM */
};

struct ckpt_file_shm {
	struct ckpt_file f;	/* f.inode: the IPC_SHM */
};

struct ckpt_file_mqueue {
	struct ckpt_file f;	/* f.inode: the IPC_MQ */
};

/* data follows in DATA records with the same objref, one for each packet or run */
struct ckpt_pipe {
	__le32 ring_size;	/* slots */
	__le32 nbufs;
	__le32 flags;		/* 1: a FIFO, path follows */
	__le32 data_bytes;
	__le32 uid, gid;
	__le64 pad;
};

struct ckpt_data {
	__le32 flags;		/* CKPT_DATA_* */
	__le32 offset;		/* of a pipe buffer: where in its page the data begins */
	__le64 seq;
};

#define CKPT_DATA_PACKET	0x1	/* keep the boundary (O_DIRECT pipe, datagram) */
#define CKPT_DATA_LAST		0x2	/* the last of the object's */
#define CKPT_DATA_CAN_MERGE	0x4
#define CKPT_DATA_EVENT		0x8	/* of an inotify: an event, not a watch */
#define CKPT_DATA_SEND		0x10	/* of a TCP: the other end has not got it */
#define CKPT_DATA_ORPHAN	0x20	/* of a TCP: sent by an end that is closed */

/* variable: n entries of entry_size */
struct ckpt_fdtable {
	__le32 n;
	__le32 entry_size;
	__le32 max_fds;
	__le32 pad;
};

struct ckpt_fd {
	__le32 fd;
	__le32 flags;		/* 1: close on exec */
	__le32 file;		/* objref */
	__le32 pad;
};

/* variable: cwd path, then root path, without NULs */
struct ckpt_fs {
	__le32 umask;
	__le32 cwd_len;
	__le32 root_len;
	__le32 cwd;		/* objref of an RMDIR: it was removed, cwd_len is 0 */
};

/* ---- net/ ---- */

/* what all sockets have */
struct ckpt_sock {
	__le32 type;		/* SOCK_* */
	__le32 flags;		/* CKPT_SO_* */
	__le32 sndbuf;		/* as the kernel counts: twice what was asked for */
	__le32 rcvbuf;
	__le32 rcvlowat;
	__le32 locks;		/* 1: sndbuf was set by the program; 2: rcvbuf */
	__le32 priority;
	__le32 mark;
	__le32 backlog;		/* of listen(), or most queued datagrams */
	__le32 peek_off;	/* SO_PEEK_OFF, two's complement */
	__le32 linger;		/* seconds */
	__le32 mode;		/* of the socket's own inode */
	__le32 uid;
	__le32 gid;
	__le64 rcvtimeo_ns;	/* ~0: none */
	__le64 sndtimeo_ns;
};

#define CKPT_SO_PASSCRED	0x1
#define CKPT_SO_PASSSEC		0x2
#define CKPT_SO_PASSPIDFD	0x4
#define CKPT_SO_OOBINLINE	0x8
#define CKPT_SO_KEEPALIVE	0x10
#define CKPT_SO_LINGER		0x20
#define CKPT_SO_BROADCAST	0x40
#define CKPT_SO_TIMESTAMP	0x80
#define CKPT_SO_TIMESTAMPNS	0x100
#define CKPT_SO_TIMESTAMP_NEW	0x200
#define CKPT_SO_DONTROUTE	0x400
#define CKPT_SO_RXQ_OVFL	0x800
#define CKPT_SO_RCVMARK		0x1000
#define CKPT_SO_ALL		0x1fff

/*
 * An AF_UNIX socket. Variable: addr_len bytes of its address as getsockname()
 * gives it after the family, then path_len bytes of path, without NULs.
 */
struct ckpt_unix {
	struct ckpt_sock sk;
	__le32 flags;		/* CKPT_UNIX_* */
	__le32 addr_len;
	__le32 path_len;	/* where the bound socket file is, for the caller */
	__le32 path_mode;	/* of the socket file */
	__le32 path_uid;
	__le32 path_gid;
};

#define CKPT_UNIX_PATH		0x1	/* bound: can be reached by its path */
#define CKPT_UNIX_ABSTRACT	0x2	/* bound: can be reached by its abstract address */
#define CKPT_UNIX_GHOST		0x4	/* closed or outside, but others name it */
#define CKPT_UNIX_EMBRYO	0x8	/* waits in the backlog of a listener */

struct ckpt_file_unix {
	struct ckpt_file f;	/* f.inode: the UNIX */
};

/*
 * A TCP, MPTCP or UDP socket. Variable: nopts struct ckpt_inet_opt, those options
 * that differ from what a new socket has. The datagrams of a UDP socket follow in
 * DATA records, each a struct ckpt_udp_msg and the data.
 */
struct ckpt_file_inet {
	struct ckpt_file f;
	struct ckpt_sock sk;
	__le32 family;		/* AF_INET or AF_INET6 */
	__le32 protocol;	/* IPPROTO_* */
	__le32 state;		/* 7: closed or not connected; 1: connected; 10: listens */
	__le32 socket_state;	/* 1: never connected; 2: connecting; 3: was connected; 4: disconnecting */
	__le32 shutdown;	/* 1: for receiving; 2: for sending */
	__le32 err;		/* errno that the next call will report */
	__le32 flags;		/* CKPT_INET_* */
	__le32 nopts;
	__le32 port;		/* 0: not bound */
	__le32 peer_port;	/* 0: not connected */
	__u8 addr[16];		/* IPv4: the first 4 bytes */
	__u8 peer[16];
};

#define CKPT_INET_REUSEADDR	0x1
#define CKPT_INET_REUSEPORT	0x2
#define CKPT_INET_NO_CHECK	0x4	/* SO_NO_CHECK */
#define CKPT_INET_ADDR		0x8	/* bind() has chosen the address */
#define CKPT_INET_PORT		0x10	/* bind() has chosen the port */
#define CKPT_INET_DONE		0x20	/* its connection has ended */
#define CKPT_INET_ALL		0x3f

struct ckpt_inet_opt {
	__le32 level;		/* SOL_* */
	__le32 opt;
	__le32 len;
	__le32 pad;
	__u8 value[16];		/* as setsockopt() takes it */
};

/*
 * The connection of a FILE_INET with state 1 of TCP, after the FILE_INET of the
 * other end. Sequence numbers are as if all that is on the way were not sent yet:
 * snd_seq is rcv_seq + rcv_len of the other end. The bytes follow in DATA records.
 */
struct ckpt_tcp {
	__le32 peer;		/* objref of the other end, 0: it is closed */
	__le32 flags;		/* CKPT_TCP_* */
	__le32 snd_seq;		/* of the first byte that the other end has not got */
	__le32 rcv_seq;		/* of the first byte that is not read */
	__le32 snd_len;		/* bytes to be sent */
	__le32 rcv_len;		/* bytes to be read */
	__le32 orphan_len;	/* bytes that a closed other end has still to send */
	__le32 rcv_wnd;		/* how many more bytes the other end may send */
	__le32 window_clamp;
	__le32 rcv_ssthresh;
	__le32 mss;		/* the largest segment that the other end takes */
	__le32 advmss;		/* and the largest that this end takes */
	__le32 user_mss;	/* TCP_MAXSEG, 0: none */
	__le32 wscale;		/* of the windows that this end announces */
	__le32 tsval;		/* its clock for timestamps */
	__le32 pad;
};

#define CKPT_TCP_FIN_OUT	0x1	/* it will send no more */
#define CKPT_TCP_FIN_IN		0x2	/* it knows that the other end will not */
#define CKPT_TCP_SACK		0x4
#define CKPT_TCP_TSTAMP		0x8
#define CKPT_TCP_WSCALE		0x10
#define CKPT_TCP_ECN		0x20
#define CKPT_TCP_ALL		0x3f

struct ckpt_udp_msg {
	__le32 family;		/* of the datagram: AF_INET or AF_INET6 */
	__le32 sport;
	__le32 dport;
	__le32 ttl;		/* or hop limit */
	__le32 flow;		/* IPv4: TOS; IPv6: traffic class and flow label */
	__le32 iif;		/* interface it came in through */
	__u8 saddr[16];
	__u8 daddr[16];
	__u8 spec_dst[4];	/* of IP_PKTINFO */
	__le32 pad;
	__le64 tstamp;		/* ns of CLOCK_REALTIME, 0: none */
};

/*
 * A netlink socket. Variable: its groups, a bit for each, that of group 1 first.
 * The messages that wait follow in DATA records, each a struct ckpt_netlink_msg
 * and the data.
 */
struct ckpt_file_netlink {
	struct ckpt_file f;
	struct ckpt_sock sk;
	__le32 protocol;	/* NETLINK_* */
	__le32 flags;		/* CKPT_NETLINK_* */
	__le32 portid;		/* 0: it has none yet */
	__le32 dst_portid;	/* of connect() */
	__le32 dst_group;	/* of connect(), 0: none */
	__le32 err;		/* errno that the next call will report */
};

#define CKPT_NETLINK_PKTINFO		0x1
#define CKPT_NETLINK_BROADCAST_ERROR	0x2
#define CKPT_NETLINK_NO_ENOBUFS		0x4
#define CKPT_NETLINK_ALL_NSID		0x8
#define CKPT_NETLINK_CAP_ACK		0x10
#define CKPT_NETLINK_EXT_ACK		0x20
#define CKPT_NETLINK_STRICT_CHK		0x40
#define CKPT_NETLINK_CONGESTED		0x80	/* messages were lost, and are until all are read */
#define CKPT_NETLINK_ALL		0xff

struct ckpt_netlink_msg {
	__le32 portid;		/* of the sender, 0: the kernel */
	__le32 dst_group;	/* that it was sent to, 0: to this port */
	__le32 pid;		/* of the sender */
	__le32 uid;
	__le32 gid;
	__le32 flags;		/* CKPT_NETLINK_MSG_* */
	__le32 nsid;		/* of the network namespace that it is about */
	__le32 pad;
};

#define CKPT_NETLINK_MSG_NSID	0x1	/* nsid is known */

/* one for each UNIX that is not a ghost, after all objects */
struct ckpt_unix_peer {
	__le32 peer;		/* objref, 0: none */
	__le32 listener;	/* objref, of an embryo */
	__le32 state;		/* 1: connected, 7: not, 10: listens */
	__le32 shutdown;	/* 1: for receiving; 2: for sending */
	__le32 err;		/* errno that the next call will report */
	__le32 cred;		/* objref: who SO_PEERCRED tells, 0: none */
	__le32 cred_pid;
	__le32 pad;
};

/*
 * One message, in the order of the queue, after all UNIX_PEER. Variable: nfds
 * __le32 objrefs of passed files, then the data.
 */
struct ckpt_unix_queue {
	__le32 sender;		/* objref */
	__le32 flags;		/* CKPT_UNIX_MSG_* */
	__le32 pid;		/* SCM_CREDENTIALS */
	__le32 uid;
	__le32 gid;
	__le32 nfds;
	__le64 tstamp;		/* ns of CLOCK_REALTIME, 0: none */
};

#define CKPT_UNIX_MSG_CRED	0x1	/* pid, uid and gid hold something */
#define CKPT_UNIX_MSG_OOB	0x2	/* one byte sent with MSG_OOB */

#endif /* _UAPI_CKPT_IMAGE_H */
