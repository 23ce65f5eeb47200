// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A program close to the limit of its memory cgroup writes all its memory again and again. A copy-on-write
// snapshot of it would have it killed.
var _ = register(scenario{name: "scenario/memcg", limit: 180 * time.Second, run: func(e *env) error {
	const root, group = "/sys/fs/cgroup", "/sys/fs/cgroup/tight"
	if err := os.WriteFile(root+"/cgroup.subtree_control", []byte("+memory"), 0); err != nil {
		return err
	}
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	defer os.Remove(group)
	for file, text := range map[string]string{"memory.max": "64M", "memory.swap.max": "0"} {
		if err := os.WriteFile(filepath.Join(group, file), []byte(text), 0); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	s, err := e.subject("run", "sh", "-c", "echo $$ >"+group+"/cgroup.procs && exec python3 -uc '"+
		"import mmap\nm = mmap.mmap(-1, 36 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\nn = 0\n"+
		"while True:\n  n += 1\n  c = bytes([n & 255]) * 65536\n"+
		"  for i in range(0, len(m), 65536):\n    if m[i] != (n - 1) & 255: print(\"wrong\", i)\n    m[i:i + 65536] = c\n"+
		"  print(\"tick\", n)\n'")
	if err != nil {
		return err
	}
	if err := s.moves(); err != nil {
		return err
	}
	for range e.rounds(3) {
		if _, err := s.checkpoint("img"); err != nil {
			return err
		}
		if err := s.moves(); err != nil {
			return err
		}
	}
	log, err := os.ReadFile(s.path("checkpoint-1.log"))
	if err != nil || !strings.Contains(string(log), "no room for a snapshot") {
		return fmt.Errorf("the log does not say that there is no room for a snapshot: %w\n%s", err, log)
	}
	events, err := os.ReadFile(filepath.Join(group, "memory.events"))
	if err != nil {
		return err
	}
	if !strings.Contains(string(events), "oom_kill 0\n") {
		return fmt.Errorf("out of memory:\n%s", events)
	}
	return s.end()
}})
