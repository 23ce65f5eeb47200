// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// ends is what a program talks to: its side is among the program's files, the test has the other.
type ends struct{ program, test *os.File }

func (e *ends) close() {
	e.program.Close()
	e.test.Close()
}

// stdinPipe is a pipe that the test writes to, outPipe one that it reads from.
func stdinPipe() (*ends, error) {
	r, w, err := os.Pipe()
	return &ends{r, w}, err
}

func outPipe() (*ends, error) {
	r, w, err := os.Pipe()
	return &ends{w, r}, err
}

func unixPair() (*ends, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &ends{os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")}, nil
}

func terminal() (*ends, error) {
	m, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		return nil, err
	}
	n, err := unix.IoctlGetInt(m, unix.TIOCGPTN)
	if err != nil {
		return nil, err
	}
	s, err := unix.Open(fmt.Sprintf("/dev/pts/%d", n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &ends{os.NewFile(uintptr(s), "tty"), os.NewFile(uintptr(m), "ptmx")}, nil
}

// answer writes a line and reads one that contains it, with "got" before it.
func answer(to, from *os.File, text string, limit time.Duration) error {
	if _, err := fmt.Fprintln(to, text); err != nil {
		return err
	}
	lines := make(chan string, 1)
	go func() {
		r := bufio.NewReader(from)
		for {
			line, err := r.ReadString('\n')
			// A terminal echoes what is typed.
			if err != nil || strings.HasPrefix(line, "got ") {
				lines <- strings.TrimSpace(line)
				return
			}
		}
	}()
	select {
	case line := <-lines:
		if line != "got "+text {
			return fmt.Errorf("the answer to %q is %q", text, line)
		}
		return nil
	case <-time.After(limit):
		return fmt.Errorf("no answer to %q", text)
	}
}

// inheritCase is a program that says "got LINE" on descriptor 1 for each line of descriptor 0.
type inheritCase struct {
	name    string
	kinds   []string
	in, out func() (*ends, error) // out nil: the same as in
}

var inheritCases = []inheritCase{
	{"pipes", []string{"pipe"}, stdinPipe, outPipe},
	{"terminal", []string{"tty"}, terminal, nil},
	{"socket", []string{"unix-peer"}, unixPair, nil},
	{"mixed", []string{"pipe", "unix-peer"}, stdinPipe, unixPair},
}

// open makes what a case needs: the two may be the same.
func (c *inheritCase) open() (in, out *ends, err error) {
	if in, err = c.in(); err != nil {
		return nil, nil, err
	}
	out = in
	if c.out != nil {
		out, err = c.out()
	}
	return in, out, err
}

func (e *env) inherit(c *inheritCase) error {
	in, out, err := c.open()
	if err != nil {
		return err
	}
	defer in.close()
	defer out.close()
	p, err := start(command{
		argv:  []string{"bash", "-c", "while read -r l; do echo \"got $l\"; done"},
		files: []*os.File{in.program, out.program, out.program}, sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	if err := answer(in.test, out.test, "before", e.limit); err != nil {
		return err
	}
	names := map[string]string{}
	for _, fd := range []string{"0", "1"} {
		if names[fd], err = os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.pid, fd)); err != nil {
			return err
		}
	}
	img, pid := e.path(c.name+".img"), fmt.Sprint(p.pid)
	if text, err := e.want(3, "checkpoint", "--pid", pid, "-o", img); err != nil {
		return err
	} else if !strings.Contains(text, c.kinds[0]+":") || !strings.Contains(text, "--allow-leak") {
		return fmt.Errorf("the refusal does not tell what to do:\n%s", text)
	}
	save := []string{"checkpoint", "--kill", "--pid", pid, "-o", img}
	for _, k := range c.kinds {
		save = append(save, "--allow-leak", k)
	}
	if _, err := e.want(0, save...); err != nil {
		return err
	}
	if _, err := p.wait(e.limit); err != nil {
		return err
	}
	text, err := e.want(0, "inspect", img)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !strings.Contains(text, n) {
			return fmt.Errorf("inspect does not show %s:\n%s", n, text)
		}
	}
	for _, args := range [][]string{{}, {"--inherit-fd", "0=nothing"}, {"--inherit-fd", "0=4711", "--detach"}} {
		if code, text, err := e.crctl(append([]string{"restart", "-i", img}, args...)...); err != nil || code == 0 {
			return fmt.Errorf("restart %v: %v, exit code %d\n%s", args, err, code, text)
		}
	}
	return e.inheritRestart(c, img, names)
}

func (e *env) inheritRestart(c *inheritCase, img string, names map[string]string) error {
	in, out, err := c.open()
	if err != nil {
		return err
	}
	defer in.close()
	defer out.close()
	text, err := os.OpenFile(e.path(c.name+".text"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer text.Close()
	args := []string{job.Crctl, "restart", "-i", img, "--inherit-fd", "3=" + names["0"]}
	if names["1"] != names["0"] {
		args = append(args, "--inherit-fd", "4="+names["1"])
	}
	p, err := start(command{argv: args, files: []*os.File{in.program, text, text, in.program, out.program},
		sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return err
	}
	told, aerr := "", answer(in.test, out.test, "after", e.limit)
	if aerr == nil {
		if c.name == "terminal" {
			_, aerr = in.test.Write([]byte{4}) // ^D
		}
		// Only the processes hold the other ends now.
		in.program.Close()
		in.test.Close()
	}
	ws, werr := p.wait(e.limit)
	if b, err := os.ReadFile(text.Name()); err == nil {
		told = string(b)
	}
	if aerr != nil || werr != nil || ws.ExitStatus() > 1 {
		return fmt.Errorf("restart: %v, %v, %s\n%s", aerr, werr, status(ws), told)
	}
	return nil
}

// Files that lead out of the tree are left behind, and the restart is given others.
var _ = register(scenario{name: "scenario/inherit", limit: 60 * time.Second, run: func(e *env) error {
	for i := range inheritCases {
		if err := e.inherit(&inheritCases[i]); err != nil {
			return fmt.Errorf("%s: %w", inheritCases[i].name, err)
		}
		if err := e.quiet(); err != nil {
			return fmt.Errorf("%s: %w", inheritCases[i].name, err)
		}
	}
	return nil
}})
