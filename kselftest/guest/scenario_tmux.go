// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"crctl/kselftest/job"
)

const tmuxConf = `set -s exit-empty off
set -g default-shell /bin/bash
new-session -d -s a -x 80 -y 24 'exec bash %s/counter.sh'
`

// A tmux server with a shell in a window: terminals, sessions, sockets and the screens that it keeps.
var _ = register(scenario{name: "real/tmux restart", suite: "soak", limit: time.Minute, run: func(e *env) error {
	conf, socket := e.path("conf"), e.path("socket")
	if err := os.WriteFile(conf, fmt.Appendf(nil, tmuxConf, job.Demo), 0o644); err != nil {
		return err
	}
	s := &subject{g: e.g, dir: e.path("run"), limit: e.limit}
	if err := s.start(command{argv: []string{"tmux", "-D", "-S", socket, "-f", conf},
		env: []string{"TERM=xterm", "LC_ALL=C.UTF-8", "HOME=/tmp"}}); err != nil {
		return err
	}
	last := 0
	for i := range 4 {
		n, err := e.tmuxTick(socket, last+3)
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		last = n
		if i == 3 {
			break
		}
		if err := s.cycle("img"); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
	}
	// New windows open, and the end is an end.
	for _, args := range [][]string{{"new-window", "-d", "-t", "a", "sleep 1000"}, {"kill-server"}} {
		if code, out, err := e.command(append([]string{"tmux", "-S", socket}, args...)...); err != nil || code != 0 {
			return fmt.Errorf("tmux %v: %v, exit code %d\n%s", args, err, code, out)
		}
	}
	_, err := s.proc.wait(e.limit)
	return err
}})

// tmuxTick reads the screen of the window until the program in it has counted so far.
func (e *env) tmuxTick(socket string, want int) (int, error) {
	out := ""
	for end := time.Now().Add(e.limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var err error
		if _, out, err = e.command("tmux", "-S", socket, "capture-pane", "-p", "-t", "a"); err != nil {
			return 0, err
		}
		n, before := 0, 0
		for line := range strings.Lines(out) {
			if _, err := fmt.Sscanf(line, "tick %d", &n); err != nil {
				continue
			}
			if before != 0 && n != before+1 {
				return n, fmt.Errorf("tick %d follows tick %d on the screen", n, before)
			}
			before = n
		}
		if before >= want {
			return before, nil
		}
	}
	return 0, fmt.Errorf("the program in the window does not come to tick %d: %w\n%s", want, errTimeout, out)
}
