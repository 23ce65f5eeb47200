// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// script runs a shell command and returns its output.
func (e *env) script(text string, args ...any) (int, string, error) {
	return e.command("bash", "-c", fmt.Sprintf(text, args...))
}

// Images go where a stream can go; a full disk or a closed pipe is an error that harms nobody.
var _ = register(scenario{name: "scenario/streams", limit: 60 * time.Second, run: func(e *env) error {
	s, err := e.blocked("blocked")
	if err != nil {
		return err
	}
	pid := s.proc.pid
	full := e.path("full")
	if err := os.Mkdir(full, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", full, "tmpfs", 0, "size=64k"); err != nil {
		return err
	}
	defer unix.Unmount(full, unix.MNT_DETACH)
	crctl := job.Crctl
	for _, c := range []struct {
		name, text string
		code       int
		says       string
	}{
		{"a full disk", fmt.Sprintf("%s checkpoint --pid %d -o %s/img", crctl, pid, full), 1, "no space"},
		{"a full disk, to kill", fmt.Sprintf("%s checkpoint --kill --pid %d -o %s/img", crctl, pid, full), 1, "no space"},
		{"a full device", fmt.Sprintf("%s checkpoint --pid %d -o /dev/full", crctl, pid), 1, "wrong kind"}, // has no write_iter
		{"a closed pipe", fmt.Sprintf("set -o pipefail; %s checkpoint --pid %d -o - | head -c 1000 >/dev/null", crctl, pid), 1, "pipe"},
		{"a closed pipe, to kill", fmt.Sprintf("set -o pipefail; %s checkpoint --kill --pid %d -o - | head -c 1000 >/dev/null", crctl, pid), 1, "pipe"},
		{"a slow pipe", fmt.Sprintf("set -o pipefail; %s checkpoint --pid %d -o - | (sleep 1; cat >%s)", crctl, pid, e.path("slow")), 0, ""},
		{"--logfd", fmt.Sprintf("%s checkpoint --pid %d -o %s --logfd 3 3>%s && grep -q 'checkpoint done' %[4]s", crctl, pid, e.path("img"), e.path("fd3")), 0, ""},
		{"a log descriptor that is closed", fmt.Sprintf("%s checkpoint --pid %d -o %s --logfd 9", crctl, pid, e.path("img")), 2, "9"},
		{"a folder", fmt.Sprintf("%s checkpoint --pid %d -o %s", crctl, pid, e.dir), 1, "directory"},
		{"no folder", fmt.Sprintf("%s checkpoint --pid %d -o %s/no/img", crctl, pid, e.dir), 1, "no such file"},
		{"a flag that is none", fmt.Sprintf("%s checkpoint --pid %d --nonsense", crctl, pid), 2, "nonsense"},
		{"two ends", fmt.Sprintf("%s checkpoint --pid %d -o %s --kill --stop", crctl, pid, e.path("img")), 2, "exclude"},
		{"no image", fmt.Sprintf("%s restart -i %s/no", crctl, e.dir), 1, "no such file"},
		{"not an image", fmt.Sprintf("%s restart -i /bin/bash", crctl), 1, "not an image"},
		{"check", fmt.Sprintf("%s check --pid %d", crctl, pid), 0, ""},
		{"inspect", fmt.Sprintf("%s inspect %s >/dev/null && %[1]s inspect --json %[2]s >/dev/null", crctl, e.path("slow")), 0, ""},
	} {
		code, out, err := e.command("bash", "-c", c.text)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if code != c.code || !strings.Contains(strings.ToLower(out), c.says) {
			return fmt.Errorf("%s: exit code %d, want %d and %q\n%s", c.name, code, c.code, c.says, out)
		}
		if err := e.quiet(); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if left, _ := os.ReadDir(full); len(left) > 0 {
			return fmt.Errorf("%s: %s is left", c.name, left[0].Name())
		}
		if unix.Kill(pid, 0) != nil {
			return fmt.Errorf("%s: the program has ended", c.name)
		}
	}
	// Saved through a pipe and a filter, and back.
	code, out, err := e.script("set -o pipefail; %s checkpoint --kill --pid %d -o - | gzip -1 >%s", crctl, pid, e.path("img.gz"))
	if err != nil || code != 0 {
		return fmt.Errorf("checkpoint through gzip: %v, exit code %d\n%s", err, code, out)
	}
	if err := s.awaitDeath(); err != nil {
		return err
	}
	s.proc = &process{pid: pid, exit: reap.expect(pid)}
	code, out, err = e.script("set -o pipefail; gzip -dc %s | %s restart -i - --detach", e.path("img.gz"), crctl)
	if err != nil || code != 0 {
		return fmt.Errorf("restart through gzip: %v, exit code %d\n%s", err, code, out)
	}
	return s.unharmed()
}})
