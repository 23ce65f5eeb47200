// SPDX-License-Identifier: MIT

package main

import (
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// An image whose program ran on while it was written is of one moment, too: memory that is private, shared, of
// files, locked, or special to fork has the same generation.
var _ = register(scenario{name: "scenario/moment", limit: 120 * time.Second, run: func(e *env) error {
	p := job.Program{Name: "mm/gen"}
	for range 3 {
		s := &subject{g: e.g, dir: e.path("gen"), limit: e.limit}
		if err := s.startTest(p, job.Restart); err != nil {
			return err
		}
		if _, err := s.awaitReady(); err != nil {
			return err
		}
		if _, err := s.checkpoint("img"); err != nil {
			return err
		}
		unix.Kill(s.proc.pid, unix.SIGKILL)
		if err := s.awaitDeath(); err != nil {
			return err
		}
		if _, err := s.restart("img"); err != nil {
			return err
		}
		if err := joined(s.finish(p, nil)); err != nil {
			return err
		}
	}
	return nil
}})
