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
	s, err := e.test("spawn", p, job.Restart)
	if err != nil {
		return err
	}
	for i := range e.rounds(30) {
		if _, err := s.checkpoint("img"); err != nil {
			return fmt.Errorf("checkpoint %d: %w", i, err)
		}
		if i%3 != 2 {
			continue
		}
		if err := s.cycle("img"); err != nil {
			return fmt.Errorf("checkpoint %d: %w", i, err)
		}
	}
	return joined(s.finish(p, nil))
}})
