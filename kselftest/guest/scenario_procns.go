// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"strings"
)

// In a new pid namespace a process has another number in the /proc of the old one: its files there must be its own.
var _ = register(scenario{name: "scenario/procns", run: func(e *env) error {
	s, err := e.subject("procns", "bash", "-c", `exec 9</proc/self/status 8</proc/$$/task/$$/status
		> ready
		while [ ! -e go ]; do sleep 0.05; done
		cat <&9 >nine
		cat <&8 >eight
		echo $$ >me`)
	if err != nil {
		return err
	}
	if _, err := s.awaitReady(); err != nil {
		return err
	}
	if err := s.saveAndKill("img"); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("go"), nil, 0o644); err != nil {
		return err
	}
	if _, err := e.want(0, "restart", "-i", s.path("img"), "--pidns"); err != nil {
		return err
	}
	me, err := os.ReadFile(s.path("me"))
	if err != nil {
		return err
	}
	for _, name := range []string{"nine", "eight"} {
		data, err := os.ReadFile(s.path(name))
		if err != nil {
			return err
		}
		_, list, _ := strings.Cut(string(data), "\nNSpid:")
		list, _, _ = strings.Cut(list, "\n")
		pids := strings.Fields(list)
		if len(pids) != 2 || pids[1] != strings.TrimSpace(string(me)) {
			return fmt.Errorf("%s is of %q, the program is %s:\n%s", name, pids, me, data)
		}
	}
	return nil
}})
