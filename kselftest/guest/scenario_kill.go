// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// The module's parameter stop_at makes an operation wait at a phase; what happens to the parties then is tested here.
var (
	checkpointPhases = []string{"parking", "parked", "captured", "writing", "pages", "tail"}
	restartPhases    = []string{"joining", "reading", "late", "go"}
)

func stopAt(phase string) error {
	if phase == "" {
		phase = "none" // a write of nothing is none
	}
	return os.WriteFile("/sys/module/ckpt/parameters/stop_at", []byte(phase), 0)
}

// operation is a crctl that runs in the background.
type operation struct {
	*process
	out string // file
	log string
}

// begin starts crctl and waits until it stands at the phase.
func (e *env) begin(phase string, args ...string) (*operation, error) {
	if err := stopAt(phase); err != nil {
		return nil, err
	}
	e.n++
	o := &operation{out: e.path(fmt.Sprintf("begin-%d.out", e.n)), log: e.path(fmt.Sprintf("begin-%d.log", e.n))}
	p, err := e.spawn(o.out, nil, append(append([]string{job.Crctl}, args...), "--log", o.log)...)
	if err != nil {
		return nil, err
	}
	o.process = p
	for end := time.Now().Add(e.limit); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if sleepsIn(p.pid, "ckpt_phase") {
			return o, nil
		}
		select {
		case ws := <-p.exit:
			p.exit = answered(ws)
			return nil, fmt.Errorf("crctl %v did not stop at %q: %s\n%s%s", args, phase, status(ws), o.words(), logTail(o.log))
		default:
		}
	}
	return nil, fmt.Errorf("crctl %v does not come to %q\n%s", args, phase, stacks())
}

func (o *operation) words() string {
	data, _ := os.ReadFile(o.out)
	return tail(string(data), 20)
}

// spawn starts a command with its output in a file.
func (e *env) spawn(out string, sys *syscall.SysProcAttr, argv ...string) (*process, error) {
	f, err := os.Create(out)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	if sys == nil {
		sys = &syscall.SysProcAttr{Setsid: true}
	}
	return start(command{argv: argv, files: []*os.File{null, f, f}, sys: sys})
}

// end lets the operation go on and returns how crctl ended.
func (o *operation) end(e *env) (syscall.WaitStatus, error) {
	err := stopAt("")
	ws, werr := o.wait(e.limit)
	if werr != nil {
		return 0, fmt.Errorf("crctl does not end: %w\n%s%s", werr, stacks(), logTail(o.log))
	}
	return ws, err
}

// quiet requires that no operation is left in the module.
func (e *env) quiet() error {
	n, err := moduleUsers()
	if err == nil && n != "0" {
		err = fmt.Errorf("the module is still used %s times\n%s", n, stacks())
	}
	return err
}

// blocked starts the program whose threads sleep in all kinds of system calls.
func (e *env) blocked(name string) (*subject, error) {
	return e.test(name, job.Program{Name: "task/blocked"}, job.Continue)
}

// unharmed lets the program end and returns what it complains about.
func (s *subject) unharmed() error {
	if p := s.finish(job.Program{Name: "task/blocked"}, nil); len(p) > 0 {
		return errors.New(strings.Join(p, "\n"))
	}
	return nil
}

// crctl is killed at each phase of a checkpoint: the program does not notice, and nothing is left.
var _ = register(scenario{name: "scenario/kill-checkpoint", limit: 60 * time.Second, run: func(e *env) error {
	defer stopAt("")
	s, err := e.blocked("blocked")
	if err != nil {
		return err
	}
	for _, phase := range checkpointPhases {
		for _, more := range [][]string{nil, {"--kill"}, {"--stop"}} {
			dir := e.path("images")
			os.RemoveAll(dir)
			os.Mkdir(dir, 0o777)
			args := append([]string{"checkpoint", "--pid", fmt.Sprint(s.proc.pid), "-o", dir + "/img"}, more...)
			o, err := e.begin(phase, args...)
			if err != nil {
				return err
			}
			if err := unix.DeleteModule("ckpt", unix.O_NONBLOCK); !errors.Is(err, unix.EAGAIN) {
				return fmt.Errorf("%s: the module is unloaded: %v", phase, err)
			}
			unix.Kill(o.pid, unix.SIGKILL)
			if ws, err := o.wait(e.limit); err != nil || !ws.Signaled() {
				return fmt.Errorf("%s %v: the killed crctl: %v %v\n%s", phase, more, err, status(ws), stacks())
			}
			if err := stopAt(""); err != nil {
				return err
			}
			if err := e.quiet(); err != nil {
				return fmt.Errorf("%s %v: %w", phase, more, err)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				return fmt.Errorf("%s %v: %s is left", phase, more, left[0].Name())
			}
			if t, err := readTask(fmt.Sprintf("/proc/%d", s.proc.pid)); err != nil || strings.ContainsRune("TZX", rune(t.state)) {
				return fmt.Errorf("%s %v: the program is in state %c (%v)", phase, more, t.state, err)
			}
		}
	}
	return s.unharmed()
}})

// crctl is killed at each phase of a restart: no process is left, and the image is good for another one.
var _ = register(scenario{name: "scenario/kill-restart", limit: 60 * time.Second, run: func(e *env) error {
	defer stopAt("")
	s, err := e.blocked("blocked")
	if err != nil {
		return err
	}
	if err := s.saveAndKill("img"); err != nil {
		return err
	}
	for _, phase := range restartPhases {
		for _, more := range [][]string{nil, {"--detach"}} {
			o, err := e.begin(phase, append([]string{"restart", "-i", s.path("img")}, more...)...)
			if err != nil {
				return err
			}
			if err := unix.DeleteModule("ckpt", unix.O_NONBLOCK); !errors.Is(err, unix.EAGAIN) {
				return fmt.Errorf("%s: the module is unloaded: %v", phase, err)
			}
			unix.Kill(o.pid, unix.SIGKILL)
			if _, err := o.wait(e.limit); err != nil {
				return fmt.Errorf("%s %v: the killed crctl: %v\n%s", phase, more, err, stacks())
			}
			if err := stopAt(""); err != nil {
				return err
			}
			if err := e.quiet(); err != nil {
				return fmt.Errorf("%s %v: %w", phase, more, err)
			}
			if err := nobodyLeft(); err != nil {
				return fmt.Errorf("%s %v: %w", phase, more, err)
			}
		}
	}
	if _, err := s.restart("img"); err != nil {
		return err
	}
	return s.unharmed()
}})

func nobodyLeft() error {
	for range 300 {
		if len(userTasks()) == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("processes are left:\n%s", stacks())
}

// A process of the restarted tree is killed at each phase: the restart fails, and nothing is left.
var _ = register(scenario{name: "scenario/kill-restarted", limit: 60 * time.Second, run: func(e *env) error {
	defer stopAt("")
	s, err := e.medleyImage()
	if err != nil {
		return err
	}
	for _, phase := range restartPhases[1:] {
		o, err := e.begin(phase, "restart", "-i", s.path("img"))
		if err != nil {
			return err
		}
		unix.Kill(s.proc.pid, unix.SIGKILL)
		ws, err := o.end(e)
		if err != nil {
			return fmt.Errorf("%s: %w", phase, err)
		}
		if ws == 0 {
			return fmt.Errorf("%s: the root was killed, and crctl says that all is well", phase)
		}
		if err := nobodyLeft(); err != nil {
			return fmt.Errorf("%s: %w", phase, err)
		}
	}
	return e.quiet()
}})

// The program is killed or stopped at each phase of its checkpoint.
var _ = register(scenario{name: "scenario/kill-target", limit: 60 * time.Second, run: func(e *env) error {
	defer stopAt("")
	for _, phase := range checkpointPhases {
		for _, sig := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP, unix.SIGTERM} {
			s, err := e.subject("sleep", "sleep", "1000")
			if err != nil {
				return err
			}
			o, err := e.begin(phase, "checkpoint", "--pid", fmt.Sprint(s.proc.pid), "-o", e.path("img"))
			if err != nil {
				return err
			}
			unix.Kill(s.proc.pid, sig)
			ws, err := o.end(e)
			if err != nil {
				return fmt.Errorf("%s, %v: %w", phase, sig, err)
			}
			code := ws.ExitStatus()
			// Before all of it is captured the end may come first, afterwards the image is complete.
			ended := code == 1 && strings.Contains(o.words(), "has ended")
			if code != 0 && !(phase == "parking" && (code == 1 || code == 3)) &&
				!((phase == "parked" || phase == "captured") && ended) || ws.Signaled() {
				return fmt.Errorf("%s, %v: crctl ended with %s\n%s", phase, sig, status(ws), o.words())
			}
			if sig == unix.SIGSTOP {
				if err := awaitState(fmt.Sprintf("/proc/%d", s.proc.pid), 'T', e.limit); err != nil {
					return fmt.Errorf("%s: a stopped program: %w", phase, err)
				}
				unix.Kill(s.proc.pid, unix.SIGKILL)
			}
			if _, err := s.proc.wait(e.limit); err != nil {
				return fmt.Errorf("%s, %v: the program does not end: %w\n%s", phase, sig, err, stacks())
			}
			if err := e.quiet(); err != nil {
				return fmt.Errorf("%s, %v: %w", phase, sig, err)
			}
		}
	}
	return nil
}})

// Programs that never stand still: checkpoints succeed or say why not, and the programs go on.
var _ = register(scenario{name: "scenario/restless", limit: 90 * time.Second, run: func(e *env) error {
	scripts := map[string]string{
		"fork":   "while :; do /bin/true; done",
		"exec":   `n=$((${1:-0} + 1)); echo $n > alive; exec sh "$0" $n`,
		"orphan": "while :; do (/bin/true & ) ; done",
	}
	for name, text := range scripts {
		dir := e.path(name)
		script := e.path(name + ".sh")
		if err := os.WriteFile(script, []byte(text+"\n"), 0o755); err != nil {
			return err
		}
		s := &subject{g: e.g, dir: dir, limit: e.limit}
		if err := s.start(command{argv: []string{"sh", script}}); err != nil {
			return err
		}
		saved := 0
		rounds := e.rounds(15)
		for i := range rounds {
			code, out, err := e.crctl("checkpoint", "--pid", fmt.Sprint(s.proc.pid), "-o", e.path("img"))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if code == 0 {
				saved++
			}
			if code != 0 && strings.TrimSpace(out) == "" {
				return fmt.Errorf("%s: checkpoint %d: exit code %d without a word", name, i, code)
			}
			if unix.Kill(s.proc.pid, 0) != nil {
				return fmt.Errorf("%s: checkpoint %d (%d) has ended the program\n%s", name, i, code, out)
			}
		}
		comment("", fmt.Sprintf("%s: %d of %d saved", name, saved, rounds))
		killAll()
	}
	return e.quiet()
}})

// Two operations that want the same process: the second one is told so.
var _ = register(scenario{name: "scenario/twice-at-once", limit: 60 * time.Second, run: func(e *env) error {
	defer stopAt("")
	s, err := e.blocked("blocked")
	if err != nil {
		return err
	}
	pid := fmt.Sprint(s.proc.pid)
	for _, phase := range checkpointPhases[1:] {
		o, err := e.begin(phase, "checkpoint", "--pid", pid, "-o", e.path("img"))
		if err != nil {
			return err
		}
		if err := e.says(1, "another checkpoint", "checkpoint", "--pid", pid, "-o", e.path("img2")); err != nil {
			return fmt.Errorf("%s: %w", phase, err)
		}
		if ws, err := o.end(e); err != nil || ws != 0 {
			return fmt.Errorf("%s: the first checkpoint: %v %s\n%s", phase, err, status(ws), o.words())
		}
	}
	if err := s.saveAndKill("img"); err != nil {
		return err
	}
	s.proc = &process{pid: s.proc.pid, exit: reap.expect(s.proc.pid)}
	o, err := e.begin("late", "restart", "-i", s.path("img"), "--detach")
	if err != nil {
		return err
	}
	if err := e.says(3, "pid "+pid, "restart", "-i", s.path("img"), "--detach"); err != nil {
		return err
	}
	if ws, err := o.end(e); err != nil || ws != 0 {
		return fmt.Errorf("the first restart: %v %s\n%s", err, status(ws), o.words())
	}
	return s.unharmed()
}})

// child returns the first child of a process.
func child(pid int) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(string(data), &pid); err != nil {
		return 0, fmt.Errorf("process %d has no child: %w", pid, err)
	}
	return pid, nil
}

// A vfork child that does not run a program cannot be stopped without its parent: the checkpoint gives up in time, by
// name.
var _ = register(scenario{name: "scenario/timeout", limit: 30 * time.Second, run: func(e *env) error {
	s, err := e.test("vfork", job.Program{Name: "task/vfork"}, job.Continue)
	if err != nil {
		return err
	}
	pid, err := child(s.proc.pid)
	if err == nil {
		pid, err = child(pid)
	}
	if err != nil {
		return err
	}
	begin := time.Now()
	err = e.says(1, "vfork", "checkpoint", "--pid", fmt.Sprint(pid), "-o", e.path("img"), "--timeout", "1s")
	if err != nil {
		return err
	}
	if took := time.Since(begin); took < time.Second || took > e.g.limit(5*time.Second) {
		return fmt.Errorf("--timeout 1s took %v", took)
	}
	if p := s.finish(job.Program{Name: "task/vfork"}, nil); len(p) > 0 {
		return errors.New(strings.Join(p, "\n"))
	}
	return e.quiet()
}})
