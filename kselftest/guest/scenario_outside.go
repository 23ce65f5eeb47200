// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// event opens a file that the kernel makes, and names the kind.
func event(fd int, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "event"), nil
}

// outsideKinds are what a program and the test have both, in the order of their descriptors from 3 on.
var outsideKinds = []struct {
	kind string
	open func() (*os.File, error)
}{
	{"eventfd", func() (*os.File, error) { return event(unix.Eventfd(7, unix.EFD_CLOEXEC)) }},
	{"timerfd", func() (*os.File, error) { return event(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)) }},
	{"signalfd", func() (*os.File, error) { return event(unix.Signalfd(-1, &unix.Sigset_t{}, unix.SFD_CLOEXEC)) }},
	{"epoll", func() (*os.File, error) { return event(unix.EpollCreate1(unix.EPOLL_CLOEXEC)) }},
	{"inotify", func() (*os.File, error) { return event(unix.InotifyInit1(unix.IN_CLOEXEC)) }},
	{"unix", func() (*os.File, error) {
		return event(unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0))
	}},
	{"inet", func() (*os.File, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		return l.(*net.TCPListener).File()
	}},
	{"unlinked", func() (*os.File, error) {
		f, err := os.CreateTemp(job.Work, "removed")
		if err == nil {
			err = os.Remove(f.Name())
		}
		return f, err
	}},
}

func outside(e *env) error {
	in, err := stdinPipe()
	if err != nil {
		return err
	}
	defer in.close()
	out, err := outPipe()
	if err != nil {
		return err
	}
	defer out.close()
	files, allow := []*os.File{in.program, out.program, out.program}, []string{"--allow-leak", "pipe"}
	for _, k := range outsideKinds {
		f, err := k.open()
		if err != nil {
			return fmt.Errorf("%s: %w", k.kind, err)
		}
		defer f.Close()
		files = append(files, f)
		allow = append(allow, "--allow-leak", k.kind)
	}
	// Its position is common: worth a line, no more.
	text, err := os.OpenFile(e.path("text"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer text.Close()
	p, err := start(command{
		argv:  []string{"bash", "-c", "while read -r l; do echo \"got $l\"; done"},
		files: append(files[:len(files):len(files)], text), sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	if err := answer(in.test, out.test, "before", e.limit); err != nil {
		return err
	}
	img, log := e.path("img"), e.path("log")
	save := []string{"checkpoint", "--pid", fmt.Sprint(p.pid), "-o", img, "--log", log}
	said, err := e.want(3, save...)
	if err != nil {
		return err
	}
	for _, k := range outsideKinds {
		want := fmt.Sprintf(`(?s)%s:.*\n?.*process %d \(.*--allow-leak %s`, k.kind, os.Getpid(), k.kind)
		if !regexp.MustCompile(want).MatchString(said) {
			return fmt.Errorf("%s: nobody tells who has it (%s):\n%s", k.kind, want, said)
		}
	}
	if _, err := e.want(0, append(append(save, "--kill"), allow...)...); err != nil {
		return err
	}
	if _, err := p.wait(e.limit); err != nil {
		return err
	}
	data, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	if !strings.Contains(string(data), "writes to text at the same position") {
		return fmt.Errorf("nothing tells of the common position:\n%s", data)
	}
	args := []string{job.Crctl, "restart", "-i", img}
	for i, m := range regexp.MustCompile(`left behind as object (\d+)`).FindAllStringSubmatch(string(data), -1) {
		args = append(args, "--inherit-fd", fmt.Sprintf("%d=%s", 3+i, m[1]))
	}
	if want := 4 + 2*(2+len(outsideKinds)); len(args) != want {
		return fmt.Errorf("%q has not %d arguments:\n%s", args, want, data)
	}
	words, err := os.Create(e.path("words"))
	if err != nil {
		return err
	}
	defer words.Close()
	files = append([]*os.File{in.program, words, words, in.program, out.program}, files[3:]...)
	p, err = start(command{argv: args, files: files, sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return err
	}
	err = answer(in.test, out.test, "after", e.limit)
	in.program.Close()
	in.test.Close()
	if ws, werr := p.wait(e.limit); err != nil || werr != nil || ws.ExitStatus() > 1 {
		told, _ := os.ReadFile(words.Name())
		return fmt.Errorf("restart: %v, %v, %s\n%s", err, werr, status(ws), told)
	}
	return nil
}

// Files that a process outside of the tree has, too, are refused by name or, where it is allowed, given again.
var _ = register(scenario{name: "scenario/outside", limit: 60 * time.Second, run: outside})
