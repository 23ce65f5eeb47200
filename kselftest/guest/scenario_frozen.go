// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pingPong are two processes that pass a byte to and fro: one that is lost ends it, one that comes twice is wrong.
const pingPong = `
import os
a, b = os.pipe()
c, d = os.pipe()
if os.fork() == 0:
  while True: os.write(d, os.read(a, 1))
n = 0
while True:
  n += 1
  os.write(b, bytes([n & 255]))
  if os.read(c, 1)[0] != n & 255: print("wrong", n)
  if n % 100 == 0: print("tick", n // 100)
`

// A frozen cgroup stops its processes in the signal code, where calls are over that they may seem to sleep in.
var _ = register(scenario{name: "scenario/frozen", limit: 60 * time.Second, run: func(e *env) error {
	const group = "/sys/fs/cgroup/cold"
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	defer os.Remove(group)
	freeze := func(state string) error {
		if err := os.WriteFile(filepath.Join(group, "cgroup.freeze"), []byte(state), 0); err != nil {
			return err
		}
		for end := time.Now().Add(e.limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
			events, err := os.ReadFile(filepath.Join(group, "cgroup.events"))
			if err != nil || strings.Contains(string(events), "frozen "+state) {
				return err
			}
		}
		return fmt.Errorf("the cgroup does not become frozen %s: %w\n%s", state, errTimeout, stacks())
	}
	s, err := e.subject("run", "python3", "-uc", pingPong)
	if err != nil {
		return err
	}
	cool := func() error {
		if err := s.moves(); err != nil {
			return err
		}
		for _, t := range userTasks() {
			if t.comm != "python3" {
				continue
			}
			if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), fmt.Append(nil, t.pid), 0); err != nil {
				return err
			}
		}
		return freeze("1")
	}
	defer stopAt("")
	for _, phase := range checkpointPhases {
		if err := cool(); err != nil {
			return fmt.Errorf("before crctl is killed at %s: %w", phase, err)
		}
		o, err := e.begin(phase, "checkpoint", "--pid", fmt.Sprint(s.proc.pid), "-o", s.path("img"))
		if err != nil {
			return err
		}
		unix.Kill(o.pid, unix.SIGKILL)
		if ws, err := o.end(e); err != nil || !ws.Signaled() {
			return fmt.Errorf("%s: the killed crctl: %v %v", phase, err, status(ws))
		}
		if err := e.quiet(); err != nil {
			return fmt.Errorf("%s: %w", phase, err)
		}
		if err := freeze("0"); err != nil {
			return err
		}
	}
	for i := range 2 * e.rounds(10) {
		if err := cool(); err != nil {
			return fmt.Errorf("before round %d: %w", i, err)
		}
		if i%2 == 0 {
			_, err = s.checkpoint("img")
		} else {
			err = s.saveAndKill("img")
		}
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if err := freeze("0"); err != nil {
			return err
		}
		if i%2 == 0 {
			continue
		}
		if _, err := s.restart("img"); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
	}
	if err := s.moves(); err != nil {
		return err
	}
	return s.end()
}})
