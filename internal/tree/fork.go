// SPDX-License-Identifier: MIT

package tree

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The runtime's own preparations for a fork: they block all signals and forbid
// the stack to grow. What comes after a fork is never Go again, so
// runtime_AfterForkInChild is not needed.

//go:linkname runtimeBeforeFork syscall.runtime_BeforeFork
func runtimeBeforeFork()

//go:linkname runtimeAfterFork syscall.runtime_AfterFork
func runtimeAfterFork()

// cloneArgs is struct clone_args of <linux/sched.h>, first 80 bytes.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal uint64
	stack, stackSize, tls, setTID, setTIDSize     uint64
}

// node is a process to be made. Everything in it is prepared before the first
// fork, because a child can only make system calls.
type node struct {
	early, late *node // first child to fork before and after setsid
	next        *node // sibling in one of these lists
	args        cloneArgs
	tid         int32 // what args.setTID points to
	setsid      bool
	reaper      bool // init of a new pid namespace, not a process of the tree
	pgid        int32
	msg         *byte // JOIN
	msgLen      uintptr
}

// stages of failure that a child reports.
const (
	stageClone = iota + 1
	stageSetsid
	stageSocket
	stageJoin
	stageExit // not a failure: the root has ended, as the reaper tells
)

// report is what a child writes to the report pipe.
type report struct {
	PID   int32
	Stage int32
	Value int32 // errno, or the wait status of stageExit
}

// program is what spawn works on.
type program struct {
	root   *node
	fd     int // write end of the report pipe
	addr   unix.RawSockaddrNetlink
	report report
	answer [64]byte      // of the kernel to a JOIN that failed
	sleep  unix.Timespec // between two tries of setpgid
}

// setpgidTries bounds how long a process waits for the leader of its group:
// the leader may be a sibling that is not made yet. About 3 s.
const setpgidTries = 3000

// spawn makes the processes of p and returns the pid of the root, in the parent
// only. A child is a copy of this one thread with a runtime that does not work
// any more, so all of it is one function without calls to Go: a loop in
// place of recursion, raw system calls, no write of a pointer to the heap.
//
//go:nosplit
//go:norace
//go:noinline
func spawn(p *program) (pid uintptr, err syscall.Errno) {
	var me *node
	var e syscall.Errno
	var stage int32
	late := false
	for n := p.root; ; {
		if n != nil {
			pid, _, e = syscall.RawSyscall6(unix.SYS_CLONE3,
				uintptr(unsafe.Pointer(&n.args)), unsafe.Sizeof(n.args), 0, 0, 0, 0)
			if e == 0 && pid == 0 {
				me, n, late = n, n.early, false
				continue
			}
			if me == nil {
				return pid, e
			}
			if e != 0 {
				p.report.PID, stage = n.tid, stageClone
				break
			}
			n = n.next
			continue
		}
		if !late {
			p.report.PID = me.tid
			if me.setsid {
				if _, _, e = syscall.RawSyscall6(unix.SYS_SETSID, 0, 0, 0, 0, 0, 0); e != 0 {
					stage = stageSetsid
					break
				}
			}
			late, n = true, me.late
			continue
		}
		if me.reaper {
			// Copies of the session would keep it alive.
			syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, 0, uintptr(p.fd-1), 0, 0, 0, 0)
			syscall.RawSyscall6(unix.SYS_CLOSE_RANGE, uintptr(p.fd+1), 1<<31, 0, 0, 0, 0)
			for {
				pid, _, e = syscall.RawSyscall6(unix.SYS_WAIT4, ^uintptr(0),
					uintptr(unsafe.Pointer(&p.report.Value)), unix.WALL, 0, 0, 0)
				if e == syscall.EINTR {
					continue
				}
				if e != 0 || int32(pid) == me.late.tid {
					break
				}
			}
			p.report.PID, p.report.Stage = int32(pid), stageExit
			syscall.RawSyscall6(unix.SYS_WRITE, uintptr(p.fd),
				uintptr(unsafe.Pointer(&p.report)), unsafe.Sizeof(p.report), 0, 0, 0)
			for {
				syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
			}
		}
		if me.pgid != 0 {
			for try := 0; try < setpgidTries; try++ {
				_, _, e = syscall.RawSyscall6(unix.SYS_SETPGID, 0, uintptr(me.pgid), 0, 0, 0, 0)
				if e == 0 {
					break
				}
				syscall.RawSyscall6(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&p.sleep)), 0, 0, 0, 0, 0)
			}
		}
		var s uintptr
		s, _, e = syscall.RawSyscall6(unix.SYS_SOCKET, unix.AF_NETLINK,
			unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC, 0, 0, 0)
		if e != 0 {
			stage = stageSocket
			break
		}
		stage = stageJoin
		_, _, e = syscall.RawSyscall6(unix.SYS_SENDTO, s, uintptr(unsafe.Pointer(me.msg)), me.msgLen, 0,
			uintptr(unsafe.Pointer(&p.addr)), unsafe.Sizeof(p.addr))
		if e == 0 {
			// The kernel did not take this process over: it says why.
			pid, _, e = syscall.RawSyscall6(unix.SYS_RECVFROM, s, uintptr(unsafe.Pointer(&p.answer)),
				unsafe.Sizeof(p.answer), unix.MSG_DONTWAIT, 0, 0)
			if e == 0 && pid >= unix.SizeofNlMsghdr+4 {
				e = syscall.Errno(-*(*int32)(unsafe.Add(unsafe.Pointer(&p.answer), unix.SizeofNlMsghdr)))
			}
		}
		break
	}
	p.report.Stage, p.report.Value = stage, int32(e)
	syscall.RawSyscall6(unix.SYS_WRITE, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.report)), unsafe.Sizeof(p.report), 0, 0, 0)
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 1, 0, 0, 0, 0, 0)
	}
}
