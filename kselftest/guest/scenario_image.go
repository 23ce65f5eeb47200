// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

const nobody = 65534

// user runs a command as an ordinary user with some capabilities.
func user(caps ...uintptr) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: caps}
}

// medley starts the program that has some of everything as a subject, as an ordinary user, with these files if there are
// any.
func (e *env) medley(name string, files ...*os.File) (*subject, error) {
	return e.prepared("task/medley", name, files...)
}

// prepared starts a test's program as a subject and waits until its state is built.
func (e *env) prepared(program, name string, files ...*os.File) (*subject, error) {
	s := &subject{g: e.g, dir: e.path(name), limit: e.limit}
	// A pid that is not given out again when the numbers wrap around.
	if err := setLastPid(250); err != nil {
		return nil, err
	}
	umask := unix.Umask(0) // the folder is the user's, too
	err := s.start(command{
		argv: []string{filepath.Join(job.Tests, program)},
		env:  []string{"CKPT_DIR=" + s.dir, "CKPT_MODE=continue"}, sys: user(), files: files,
	})
	unix.Umask(umask)
	if err != nil {
		return nil, err
	}
	done, err := s.awaitReady()
	if err == nil && done {
		out, _ := os.ReadFile(s.path("out"))
		err = fmt.Errorf("the program ended at once:\n%s%s", tail(string(out), 10), s.words())
	}
	if err != nil {
		return nil, err
	}
	return s, setLastPid(5000)
}

// medleyImage saves that program and ends it.
func (e *env) medleyImage(files ...*os.File) (*subject, error) {
	s, err := e.medley("medley", files...)
	if err != nil {
		return nil, err
	}
	return s, s.saveAndKill("img")
}

// fuzz runs a worker on an image; as root what is restarted does not reach user mode.
func (e *env) fuzz(img string, root bool, args ...string) error {
	argv := append([]string{"/run/agent", "-fuzz", "-image", img}, args...)
	sys := &syscall.SysProcAttr{Setsid: true}
	if root {
		argv = append(argv, "-stopped")
	} else {
		sys = user(unix.CAP_CHECKPOINT_RESTORE)
	}
	e.n++
	name := e.path(fmt.Sprintf("fuzz-%d.out", e.n))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := start(command{argv: argv, files: []*os.File{null, f, f}, sys: sys})
	if err != nil {
		return err
	}
	ws, err := p.wait(e.limit)
	out, _ := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("%v: %w\n%s%s", argv, err, tail(string(out), 40), stacks())
	}
	if ws != 0 {
		return fmt.Errorf("%v: %s\n%s", argv, status(ws), tail(string(out), 80))
	}
	comment("", tail(string(out), 12))
	return nil
}

// damaged restarts images that are cut off, have fields out of range, or are changed at random, as root and as a user.
func (e *env) damaged(cuts, fields, random int, seed int64) error {
	in, err := os.Open(filepath.Join(job.Tests, "task/medley"))
	if err != nil {
		return err
	}
	defer in.Close()
	// What a damaged program says must not change a file that is compared at the next restart.
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	s, err := e.medleyImage(in, out, out)
	if err != nil {
		return err
	}
	if err := os.Chmod(s.path("img"), 0o644); err != nil {
		return err
	}
	// Where an image ends is looked at before any right is: as a user that would be the same again.
	for _, try := range []struct {
		root bool
		how  string
		n    int
	}{
		{true, "cuts", cuts}, {true, "fields", fields}, {true, "random", random / 2},
		{false, "fields", fields / 4}, {false, "random", random / 2},
	} {
		if !try.root && try.how == "random" {
			seed++
		}
		if err := e.fuzz(s.path("img"), try.root, "-how", try.how, "-n", fmt.Sprint(try.n), "-seed", fmt.Sprint(seed)); err != nil {
			return err
		}
	}
	return nil
}

var _ = register(scenario{name: "scenario/image-damaged", limit: 5 * time.Minute, run: func(e *env) error {
	// Where to cut and which field to change is a matter of logic, which the fast kernel shows as well; what a random change
	// may do to memory only the debug kernel sees.
	if e.g.job.Debug {
		return e.damaged(20, 40, 500, 1)
	}
	return e.damaged(200, 400, 100, 1)
}})

// damagedTCP does so with connections, which only root can restart.
func (e *env) damagedTCP(cuts, fields, random int) error {
	s, err := e.prepared("net/tcp", "tcp")
	if err != nil {
		return err
	}
	if err := s.saveAndKill("img"); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-how", "cuts", "-n", fmt.Sprint(cuts)},
		{"-how", "fields", "-n", fmt.Sprint(fields)},
		{"-how", "random", "-n", fmt.Sprint(random)},
	} {
		if err := e.fuzz(s.path("img"), true, args...); err != nil {
			return err
		}
	}
	return nil
}

var _ = register(scenario{name: "scenario/image-damaged-tcp", limit: 10 * time.Minute, run: func(e *env) error {
	if e.g.job.Debug {
		return e.damagedTCP(5, 20, 25)
	}
	return e.damagedTCP(10, 100, 100)
}})

var _ = register(scenario{name: "scenario/image-fuzz", suite: "fuzz", limit: 2 * time.Hour, run: func(e *env) error {
	return e.damaged(200, 5000, 10000, e.g.job.Seed)
}})
