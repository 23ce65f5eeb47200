// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The agent is init: restarted processes become its children without its doing, and everybody's orphans too.
// So one goroutine reaps all children, and hands each status to whoever waits for that pid.
type reaper struct {
	sync.Mutex
	waiters map[int]chan syscall.WaitStatus
}

var reap = &reaper{waiters: map[int]chan syscall.WaitStatus{}}

func startReaper() { go reap.loop() }

func (r *reaper) loop() {
	for {
		// Look first and take it under the lock: start() holds the lock from fork until it has noted the pid.
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err != nil {
			time.Sleep(2 * time.Millisecond) // ECHILD: no child now
			continue
		}
		r.Lock()
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		if err == nil && pid > 0 {
			if ch := r.waiters[pid]; ch != nil {
				ch <- ws
				delete(r.waiters, pid)
			}
		}
		r.Unlock()
	}
}

// expect returns where the status of a pid will come, of a process that another one will make.
func (r *reaper) expect(pid int) <-chan syscall.WaitStatus {
	r.Lock()
	defer r.Unlock()
	return r.expectLocked(pid)
}

func (r *reaper) expectLocked(pid int) <-chan syscall.WaitStatus {
	ch := make(chan syscall.WaitStatus, 1)
	r.waiters[pid] = ch
	return ch
}

func (r *reaper) forget(pid int) {
	r.Lock()
	defer r.Unlock()
	delete(r.waiters, pid)
}

// command is a process to start; files are its descriptors 0, 1, 2 and on.
type command struct {
	argv  []string
	env   []string // added to the agent's
	dir   string
	files []*os.File
	sys   *syscall.SysProcAttr
}

type process struct {
	pid  int
	exit <-chan syscall.WaitStatus
}

func start(c command) (*process, error) {
	path, err := lookPath(c.argv[0])
	if err != nil {
		return nil, err
	}
	fds := make([]uintptr, len(c.files))
	for i, f := range c.files {
		fds[i] = f.Fd()
	}
	reap.Lock()
	defer reap.Unlock()
	pid, err := syscall.ForkExec(path, c.argv, &syscall.ProcAttr{
		Dir: c.dir, Env: append(os.Environ(), c.env...), Files: fds, Sys: c.sys,
	})
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.argv[0], err)
	}
	return &process{pid: pid, exit: reap.expectLocked(pid)}, nil
}

var errTimeout = errors.New("took too long")

// wait waits for the end of a process, at most for limit.
func (p *process) wait(limit time.Duration) (syscall.WaitStatus, error) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case ws := <-p.exit:
		return ws, nil
	case <-t.C:
		return 0, errTimeout
	}
}

// status words a wait status: "exit 3", "signal killed".
func status(ws syscall.WaitStatus) string {
	if ws.Signaled() {
		return "signal " + ws.Signal().String()
	}
	return fmt.Sprintf("exit %d", ws.ExitStatus())
}

// run starts a command with its output in a file and waits for it; a late one is killed.
func run(limit time.Duration, outFile string, argv ...string) (code int, out string, err error) {
	f, err := os.OpenFile(outFile, os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, "", err
	}
	defer null.Close()
	p, err := start(command{argv: argv, files: []*os.File{null, f, f}, sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return 0, "", err
	}
	ws, err := p.wait(limit)
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", argv[0], err, stacks())
		syscall.Kill(-p.pid, syscall.SIGKILL)
		p.wait(5 * time.Second)
	}
	data, rerr := os.ReadFile(outFile)
	if err == nil {
		err = rerr
	}
	code = ws.ExitStatus()
	if ws.Signaled() {
		code = 128 + int(ws.Signal())
	}
	return code, string(data), err
}

func lookPath(name string) (string, error) {
	for _, dir := range append([]string{""}, splitPath(name)...) {
		p := name
		if dir != "" {
			p = dir + "/" + name
		} else if name[0] != '/' {
			continue
		}
		if st, err := os.Stat(p); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("starting %s: not found", name)
}
