// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"
	"time"
)

// A removed file that is larger than what is saved by default is saved when the user says so.
var _ = register(scenario{name: "scenario/unlinked-limit", limit: 120 * time.Second, run: func(e *env) error {
	s, err := e.subject("run", "python3", "-uc", "import os, time\nf = open('large', 'w+b')\nos.unlink('large')\n"+
		"f.seek(80 << 20)\nf.write(b'the end')\nf.flush()\nn = 0\nwhile True:\n  time.sleep(0.05)\n  n += 1\n"+
		"  f.seek(80 << 20)\n  if f.read() != b'the end' or os.fstat(f.fileno()).st_nlink != 0: print('wrong')\n  print('tick', n)\n")
	if err != nil {
		return err
	}
	if err := s.moves(); err != nil {
		return err
	}
	out, err := e.want(3, "checkpoint", "--pid", fmt.Sprint(s.proc.pid), "-o", s.path("img"))
	if err != nil {
		return err
	}
	if !strings.Contains(out, "raise --unlinked-limit") {
		return fmt.Errorf("the refusal does not tell what to do: %s", out)
	}
	if err := s.saveAndKill("img", "--unlinked-limit", "81"); err != nil {
		return err
	}
	if _, err := s.restart("img"); err != nil {
		return err
	}
	if err := s.moves(); err != nil {
		return err
	}
	return s.end()
}})
