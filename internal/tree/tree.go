// SPDX-License-Identifier: MIT

// Package tree makes the processes of a restart: each with the pid that it had,
// each the child of the right parent, and each ends in a JOIN that hands it to
// the kernel module. Go cannot run in a forked child, so the forking is
// one loop of raw system calls (fork.go) over a plan that is made before.
package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Task is one process to make.
type Task struct {
	PID, PPID, PGID, SID int
	ExitSignal           int
}

// Spec is what Create makes.
type Spec struct {
	Tasks []Task               // parents first; Tasks[0] is the root
	Join  func(pid int) []byte // netlink message that hands a process over
	PIDNS bool                 // below an init in a new pid namespace
	Root  string               // root directory of all of them, "": the caller's
	Clock *ClockOffsets        // nil: the caller's clocks
	Stops bool                 // Stopped tells of them
}

// ClockOffsets are added to the clocks of the caller's time namespace.
type ClockOffsets struct{ Monotonic, Boottime time.Duration }

// Failure is a process that could not be made or handed over.
type Failure struct {
	PID   int
	What  string
	Errno syscall.Errno
}

func (f *Failure) Error() string {
	if f.Errno == unix.EEXIST {
		return fmt.Sprintf("pid %d: %s: the pid is taken, by a process, a thread, a session or a process group; "+
			"end its owner, or use --pidns", f.PID, f.What)
	}
	return fmt.Sprintf("pid %d: %s: %v", f.PID, f.What, f.Errno)
}

// Unwrap returns the errno.
func (f *Failure) Unwrap() error { return f.Errno }

// Tree is a tree of processes that was begun.
type Tree struct {
	// PID is what Create's caller sees: of the root, or of the init above it.
	PID int
	// Failed gets what the processes report. It is closed when all are handed
	// over or gone.
	Failed <-chan *Failure
	// Exited gets the wait status of the root when it ends, once.
	Exited <-chan unix.WaitStatus
	// Stopped tells that a signal has stopped the root, if Spec.Stops is set.
	Stopped <-chan struct{}
}

// Create makes the processes. It returns when the root exists; the others make
// each other. On error nothing is left of them.
func Create(s *Spec) (*Tree, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make the report pipe: %w", err)
	}
	p, err := plan(s, pipe[1])
	if err != nil {
		_ = unix.Close(pipe[0])
		_ = unix.Close(pipe[1])
		return nil, err
	}
	type result struct {
		pid int
		err error
	}
	made := make(chan result)
	go func() {
		// Never unlocked: the thread has a root and a time namespace of its
		// own from now on and must not go back to Go.
		runtime.LockOSThread()
		pid, err := createOnThread(s, p)
		made <- result{pid, err}
	}()
	r := <-made
	_ = unix.Close(pipe[1])
	reports := os.NewFile(uintptr(pipe[0]), "reports")
	if r.err != nil {
		_ = reports.Close()
		return nil, r.err
	}
	failed := make(chan *Failure, len(s.Tasks)+1)
	exited := make(chan unix.WaitStatus, 1)
	stopped := make(chan struct{}, 1)
	go watch(s, r.pid, reports, failed, exited, stopped)
	return &Tree{PID: r.pid, Failed: failed, Exited: exited, Stopped: stopped}, nil
}

// createOnThread does what has to be done on one thread.
func createOnThread(s *Spec, p *program) (int, error) {
	if s.Clock != nil {
		if err := enterTimeNamespace(s.Clock); err != nil {
			return 0, err
		}
	}
	if s.Root != "" {
		if err := Chroot(s.Root); err != nil {
			return 0, err
		}
	}
	p, mem, err := place(p)
	if err != nil {
		return 0, fmt.Errorf("place the plan of the tree: %w", err)
	}
	plan := uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	areas := ballast(area{plan, plan + uintptr(len(mem))})
	syscall.ForkLock.Lock()
	// The stack does not move from here on.
	runtimeBeforeFork()
	advise(areas, unix.MADV_DONTFORK)
	pid, errno := spawn(p)
	advise(areas, unix.MADV_DOFORK)
	runtimeAfterFork()
	syscall.ForkLock.Unlock()
	_ = unix.Munmap(mem)
	if errno != 0 {
		return 0, &Failure{PID: s.Tasks[0].PID, What: "create the process", Errno: errno}
	}
	return int(pid), nil
}

// Chroot gives the calling thread, which must be locked, a root of its own.
func Chroot(dir string) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare(CLONE_FS): %w", err)
	}
	if err := unix.Chroot(dir); err != nil {
		return fmt.Errorf("chroot to %s: %w", dir, err)
	}
	return unix.Chdir("/")
}

// enterTimeNamespace makes a time namespace for the children of this thread.
func enterTimeNamespace(c *ClockOffsets) error {
	if err := unix.Unshare(unix.CLONE_NEWTIME); err != nil {
		return fmt.Errorf("make a time namespace: %w", err)
	}
	// Not /proc/self, which is the first thread, nor /proc/thread-self, which
	// has no such file.
	name := fmt.Sprintf("/proc/%d/timens_offsets", unix.Gettid())
	// A new one begins with those of the caller's, and what is written replaces them.
	now, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the clocks of the time namespace: %w", err)
	}
	text := fmt.Sprintf("monotonic %s\nboottime %s\n",
		offset(c.Monotonic+offsetOf(string(now), "monotonic")), offset(c.Boottime+offsetOf(string(now), "boottime")))
	if err := os.WriteFile(name, []byte(text), 0); err != nil {
		return fmt.Errorf("set the clocks of the time namespace: %w", err)
	}
	return nil
}

// offsetOf finds the offset of a clock in timens_offsets.
func offsetOf(text, clock string) time.Duration {
	for line := range strings.Lines(text) {
		var name string
		var sec, nsec int64
		if n, _ := fmt.Sscan(line, &name, &sec, &nsec); n == 3 && name == clock {
			return time.Duration(sec)*time.Second + time.Duration(nsec)
		}
	}
	return 0
}

// offset writes seconds, rounded down, and nanoseconds from 0.
func offset(d time.Duration) string {
	sec, nsec := int64(d/time.Second), int64(d%time.Second)
	if nsec < 0 {
		sec, nsec = sec-1, nsec+int64(time.Second)
	}
	return fmt.Sprintf("%d %d", sec, nsec)
}

var stageNames = map[int32]string{
	stageClone:  "create the process",
	stageSetsid: "begin its session",
	stageSocket: "open a netlink socket",
	stageJoin:   "join the restart",
}

// watch reads reports and waits for the child that Create made.
func watch(s *Spec, pid int, reports io.ReadCloser, failed chan<- *Failure, exited chan<- unix.WaitStatus,
	stopped chan<- struct{}) {
	rootStatus := make(chan unix.WaitStatus, 1)
	go func() {
		defer close(failed)
		defer func() { _ = reports.Close() }()
		var r report
		for binary.Read(reports, binary.NativeEndian, &r) == nil {
			if r.Stage == stageExit {
				rootStatus <- unix.WaitStatus(r.Value)
				continue
			}
			failed <- &Failure{PID: int(r.PID), What: stageNames[r.Stage], Errno: syscall.Errno(r.Value)}
		}
	}()
	var ws unix.WaitStatus
	options := unix.WALL
	if s.Stops {
		options |= unix.WUNTRACED
	}
	for {
		_, err := unix.Wait4(pid, &ws, options, nil)
		if err == nil && ws.Stopped() {
			stopped <- struct{}{}
			continue
		}
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if s.PIDNS {
		select {
		case ws = <-rootStatus:
		case <-time.After(time.Second): // the init was killed: its own status
		}
	}
	exited <- ws
}
