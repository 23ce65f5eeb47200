// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// forwarded are the signals that crctl passes on to the root process, so that
// a service manager can treat crctl as the program itself.
var forwarded = []os.Signal{
	unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGCONT, unix.SIGWINCH,
}

// waitRoot waits for the root process and ends as it did: with its exit code,
// or by the signal that killed it.
func waitRoot(run *running, tty *terminal) (int, error) {
	sigs := make(chan os.Signal, 16)
	signal.Notify(sigs, forwarded...)
	defer signal.Stop(sigs)
	for {
		select {
		case s := <-sigs:
			if s == unix.SIGCONT {
				tty.give()
			}
			forward(run.root, s)
		case <-run.tree.Stopped:
			tty.stop()
		case ws := <-run.tree.Exited:
			tty.take()
			if ws.Signaled() {
				dieBy(ws.Signal())
				return 128 + int(ws.Signal()), nil
			}
			return ws.ExitStatus(), nil
		}
	}
}

// forward sends a signal on. What a terminal sends reaches the whole
// foreground group: a root in crctl's own group has it already.
func forward(pid int, s os.Signal) {
	sig, ok := s.(unix.Signal)
	if !ok {
		return
	}
	fromTerminal := sig == unix.SIGINT || sig == unix.SIGQUIT || sig == unix.SIGWINCH
	if group, err := unix.Getpgid(pid); fromTerminal && err == nil && group == unix.Getpgrp() {
		return
	}
	_ = unix.Kill(pid, sig)
}

// dieBy ends crctl by a signal, without a core file of its own. It comes back
// only if the signal does not kill.
var dieBy = func(sig unix.Signal) {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	signal.Reset(sig)
	_ = unix.Kill(unix.Getpid(), sig)
	// The signal may be handled by another thread a moment later.
	_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e8}, nil)
}
