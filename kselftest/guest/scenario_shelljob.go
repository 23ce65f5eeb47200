// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// typist is somebody at a terminal.
type typist struct {
	master *os.File
	mu     sync.Mutex
	text   string
	mark   int // what was read before is not looked at again
	limit  time.Duration
}

func (t *typist) read() {
	buf := make([]byte, 4096)
	for {
		n, err := t.master.Read(buf)
		t.mu.Lock()
		t.text += string(buf[:n])
		t.mu.Unlock()
		if err != nil && !errors.Is(err, syscall.EAGAIN) {
			return
		}
	}
}

// types writes and waits for an answer.
func (t *typist) types(text, answer string) error {
	if _, err := t.master.WriteString(text); err != nil {
		return err
	}
	for end := time.Now().Add(t.limit); ; time.Sleep(5 * time.Millisecond) {
		t.mu.Lock()
		i := strings.Index(t.text[t.mark:], answer)
		if i >= 0 {
			t.mark += i + len(answer)
		}
		t.mu.Unlock()
		if i >= 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("no %q after %q; the terminal has:\n%s", answer, text, t.text)
		}
	}
}

// all types line by line.
func (t *typist) all(lines ...[2]string) error {
	for _, l := range lines {
		if err := t.types(l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}

// awaitChild waits for the only child of a process.
func awaitChild(pid int, limit time.Duration) (int, error) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
		child := 0
		if n, _ := fmt.Sscan(string(b), &child); n == 1 {
			return child, nil
		}
	}
	return 0, fmt.Errorf("process %d has no child: %w", pid, errTimeout)
}

// A program started from an interactive shell is saved, and comes back from another shell on another terminal
// as a job of it: it reads, it is stopped from the keyboard, and goes on with fg.
var _ = register(scenario{name: "scenario/shelljob", limit: 90 * time.Second, run: func(e *env) error {
	for _, how := range []string{"foreground", "other-group"} {
		if err := e.shellJob(how); err != nil {
			return fmt.Errorf("%s: %w", how, err)
		}
		if err := e.quiet(); err != nil {
			return err
		}
	}
	return nil
}})

// interactive starts a shell on a terminal of its own.
func (e *env) interactive() (*typist, *process, error) {
	tty, err := terminal()
	if err != nil {
		return nil, nil, err
	}
	t := &typist{master: tty.test, limit: e.limit}
	p, err := start(command{argv: []string{"bash", "--norc", "-i"}, env: []string{"PS1=prompt# ", "TERM=dumb"},
		files: []*os.File{tty.program, tty.program, tty.program},
		sys:   &syscall.SysProcAttr{Setsid: true, Setctty: true}})
	tty.program.Close()
	if err == nil {
		go t.read()
		err = t.types("bind 'set enable-bracketed-paste off'\n", "prompt# ")
	}
	return t, p, err
}

func (e *env) shellJob(how string) error {
	t, shell, err := e.interactive()
	if err != nil {
		return err
	}
	defer t.master.Close()
	defer unix.Kill(shell.pid, unix.SIGKILL)
	program := "bash -c 'while read -r l; do echo got-$l; done; exit 5'\n"
	if how == "other-group" {
		// The child of a process that leads the group: that one stays outside.
		program = "bash -c '(while read -r l; do echo got-$l; done; exit 5); true'\n"
	}
	if err := t.types(program+"one\n", "got-one"); err != nil {
		return err
	}
	pid, err := awaitChild(shell.pid, e.limit)
	if err == nil && how == "other-group" {
		pid, err = awaitChild(pid, e.limit)
	}
	if err != nil {
		return err
	}
	img := e.path(how + ".img")
	if err := e.says(3, "--shell-job", "checkpoint", "--pid", fmt.Sprint(pid), "-o", img); err != nil {
		return err
	}
	if _, err := e.want(0, "checkpoint", "--pid", fmt.Sprint(pid), "-o", img, "--shell-job", "--kill"); err != nil {
		return err
	}
	if err := t.types("", "prompt# "); err != nil {
		return err
	}
	// Its session lives on, in which this crctl is not.
	if err := e.says(3, "--shell-job", "restart", "-i", img); err != nil {
		return err
	}
	if how == "foreground" {
		// Back on the same terminal, without a word.
		if err := e.backAgain(t, "same", img); err != nil {
			return fmt.Errorf("on the same terminal: %w", err)
		}
	}
	other, shell2, err := e.interactive()
	if err != nil {
		return err
	}
	defer other.master.Close()
	defer unix.Kill(shell2.pid, unix.SIGKILL)
	if err := e.backAgain(other, how, img); err != nil {
		return fmt.Errorf("on another terminal: %w", err)
	}
	if err := t.types("exit\n", "exit"); err != nil {
		return err
	}
	if _, err := shell.wait(e.limit); err != nil {
		return err
	}
	if err := other.types("exit\n", "exit"); err != nil {
		return err
	}
	_, err = shell2.wait(e.limit)
	return err
}

// backAgain restarts the job from a shell and uses it.
func (e *env) backAgain(t *typist, how, img string) error {
	return t.all(
		[2]string{job.Crctl + " restart --shell-job -i " + img + "\n", ""},
		[2]string{"two\n", "got-two"},
		[2]string{"\x1a", "Stopped"},
		[2]string{"echo shell-$((1+1))\n", "shell-2"},
		[2]string{"fg\n", "restart"},
		[2]string{"three\n", "got-three"},
		[2]string{"\x04", "prompt# "},
		[2]string{"echo code-$?-\n", "code-5-"},
	)
}
