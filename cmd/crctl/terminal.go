// SPDX-License-Identifier: MIT

package main

import (
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"
)

// terminal is crctl's controlling terminal, while crctl stands between a shell
// and a job that it restarted: the job has a process group of its own, as it
// had before, and the shell only knows crctl's.
type terminal struct {
	fd   int // -1: none, or crctl's own group is that of the root, too
	pgrp int // crctl's own
	job  int // the root's
}

// newTerminal opens it for a job whose root is in the group job, 0 if there is
// none. SIGTTOU is ignored from then on: crctl's group is in the
// background while the job has the terminal.
func newTerminal(job int) *terminal {
	t := &terminal{-1, unix.Getpgrp(), job}
	if job == 0 || job == t.pgrp {
		return t
	}
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return t
	}
	signal.Ignore(unix.SIGTTOU)
	t.fd = fd
	return t
}

// foreground is the group that has the terminal.
func (t *terminal) foreground() int {
	pgrp, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	if err != nil {
		return -1
	}
	return pgrp
}

// give hands the terminal to the job, if crctl has it.
func (t *terminal) give() {
	if t.fd >= 0 && t.foreground() == t.pgrp {
		_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.job)
	}
}

// take gets the terminal back from the job, whose group the shell does not know.
func (t *terminal) take() {
	if t.fd >= 0 && t.foreground() == t.job {
		_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.pgrp)
	}
}

// stop does for crctl's own group what has stopped the root, so that the shell
// sees its job stop, and lets both go on when the shell does.
func (t *terminal) stop() {
	if t.fd < 0 {
		return
	}
	t.take()
	for _, pid := range groupMembers(t.pgrp) {
		if pid != unix.Getpid() {
			_ = unix.Kill(pid, unix.SIGTSTP)
		}
	}
	// A signal to this thread stops it before the call returns. It does not stop
	// where no shell could let the group go on: then the job goes on at once.
	runtime.LockOSThread()
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGTSTP)
	runtime.UnlockOSThread()
	t.give()
	_ = unix.Kill(-t.job, unix.SIGCONT)
}
