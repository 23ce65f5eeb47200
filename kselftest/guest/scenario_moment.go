// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// An image whose program ran on while it was written is of one moment, too: memory that is private, shared, of
// files, locked, or special to fork has the same generation.
var _ = register(scenario{name: "scenario/moment", limit: 120 * time.Second, run: func(e *env) error {
	p := job.Program{Name: "mm/gen"}
	for range e.rounds(3) {
		s, err := e.test("gen", p, job.Restart)
		if err != nil {
			return err
		}
		if _, err := s.checkpoint("img"); err != nil {
			return err
		}
		unix.Kill(s.proc.pid, unix.SIGKILL)
		if err := s.awaitDeath(); err != nil {
			return err
		}
		if _, err := s.restart("img"); err != nil {
			return err
		}
		if err := joined(s.finish(p, nil)); err != nil {
			return err
		}
	}
	return nil
}})

// A system call that ends while its process is captured makes the capture begin again. What the first one held of shared
// memory must not count as somebody outside.
var _ = register(scenario{name: "scenario/again", limit: 60 * time.Second, run: func(e *env) error {
	defer stopAt("")
	s, err := e.subject("again", "python3", "-uc", `
import mmap, select, signal
m = mmap.mmap(-1, 1 << 20)
m[5] = 7
signal.signal(signal.SIGUSR1, lambda *a: print("woken", m[5]))
print("ready")
select.epoll().poll()`)
	if err != nil {
		return err
	}
	said := func(what string, n int) error {
		for end := time.Now().Add(e.limit); ; time.Sleep(10 * time.Millisecond) {
			if text, _ := os.ReadFile(s.path("out")); strings.Count(string(text), what) == n {
				return nil
			}
			if time.Now().After(end) {
				return fmt.Errorf("the program does not say %q for the %d. time", what, n)
			}
		}
	}
	if err := said("ready\n", 1); err != nil {
		return err
	}
	for i := 1; i <= 5; i++ {
		o, err := e.begin("captured", "checkpoint", "--pid", fmt.Sprint(s.proc.pid), "-o", e.path("img"))
		if err != nil {
			return err
		}
		unix.Kill(s.proc.pid, unix.SIGUSR1)
		ws, err := o.end(e)
		if err != nil {
			return err
		}
		if ws.ExitStatus() != 0 {
			return fmt.Errorf("round %d: crctl ended with %s\n%s", i, status(ws), o.words())
		}
		if err := said("woken 7\n", i); err != nil {
			return err
		}
	}
	unix.Kill(s.proc.pid, unix.SIGKILL)
	_, err = s.proc.wait(e.limit)
	return err
}})

// With --stop no thread runs an instruction before SIGCONT.
var _ = register(scenario{name: "scenario/stopped", limit: 120 * time.Second, run: func(e *env) error {
	s, err := e.medleyImage()
	if err != nil {
		return err
	}
	for range e.rounds(10) {
		s.more = []string{"--stop"}
		if _, err := s.restart("img"); err != nil {
			return err
		}
		n := 0
		for _, t := range userTasks() {
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", t.pid))
			for _, d := range threads {
				n++
				if err := awaitState(d, 'T', e.limit); err != nil {
					return err
				}
			}
		}
		if n != 3 {
			return fmt.Errorf("%d threads were restarted, not 3", n)
		}
		out, _ := os.ReadFile(s.path("out"))
		if text := string(out); text != "1..9\n" {
			return fmt.Errorf("a stopped program said %q", text)
		}
		if err := s.saveAndKill("again"); err != nil {
			return err
		}
	}
	// The image of a stopped tree is that of a stopped tree.
	s.more = nil
	if _, err := s.restart("again"); err != nil {
		return err
	}
	for _, t := range userTasks() {
		unix.Kill(t.pid, unix.SIGCONT)
	}
	return joined(s.finish(job.Program{Name: "task/medley"}, nil))
}})

// awaitState waits until the thread of a folder of /proc is in a state.
func awaitState(dir string, state byte, limit time.Duration) error {
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		t, err := readTask(dir)
		if err == nil && t.state == state {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is in state %c, not in %c: %v", dir, t.state, state, err)
		}
	}
}
