// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"time"

	"crctl/kselftest/job"
)

// Programs are started all the time, so that checkpoints fall between vfork and exec: in all cases the program goes
// on, and each image brings it back.
var _ = register(scenario{name: "scenario/spawn", limit: 300 * time.Second, run: func(e *env) error {
	p := job.Program{Name: "task/spawn"}
	s := &subject{g: e.g, dir: e.path("spawn"), limit: e.limit}
	if err := s.startTest(p, job.Restart); err != nil {
		return err
	}
	if _, err := s.awaitReady(); err != nil {
		return err
	}
	for i := range 30 {
		if _, err := s.checkpoint("img"); err != nil {
			return fmt.Errorf("checkpoint %d: %w", i, err)
		}
		if i%3 != 2 {
			continue
		}
		if _, err := s.checkpoint("img", "--kill"); err != nil {
			return fmt.Errorf("checkpoint %d: %w", i, err)
		}
		if err := s.awaitDeath(); err != nil {
			return err
		}
		if _, err := s.restart("img"); err != nil {
			return fmt.Errorf("checkpoint %d: %w", i, err)
		}
	}
	return joined(s.finish(p, nil))
}})
