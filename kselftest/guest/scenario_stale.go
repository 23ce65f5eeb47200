// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

func joined(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return errors.New(strings.Join(problems, "\n"))
}

// A restart names the file that is not what it was, and goes well when the file is put back.
var _ = register(scenario{name: "scenario/stale", limit: 120 * time.Second, run: func(e *env) error {
	s, err := e.subject("run", "python3", "-uc", "import time\nf = open('data', 'w+')\nf.write('text')\nf.flush()\ng = open('plain')\n"+
		"print('tick 1')\nn = 1\nwhile True:\n  time.sleep(0.05)\n  n += 1\n  print('tick', n)\n")
	if err != nil {
		return err
	}
	os.WriteFile(s.path("plain"), []byte("plain text"), 0o644)
	if err := s.moves(); err != nil {
		return err
	}
	if err := s.saveAndKill("img"); err != nil {
		return err
	}
	name, spare := s.path("plain"), s.path("spare")
	st, err := os.Stat(name)
	if err != nil {
		return err
	}
	mtime := st.ModTime()
	write := func(text string) error { return os.WriteFile(name, []byte(text), 0o644) }
	back := func() error { return errors.Join(write("plain text"), os.Chtimes(name, mtime, mtime)) }
	aside := func() error { return os.Rename(name, spare) }
	for _, c := range []struct {
		what, word string
		do, undo   func() error
	}{
		{"longer", "size", func() error { return write("plain text and more") }, back},
		{"touched", "modification time", func() error { return os.Chtimes(name, time.Now(), time.Now()) }, back},
		{"gone", "cannot be found", aside, func() error { return os.Rename(spare, name) }},
		{"replaced", "inode", func() error { return errors.Join(aside(), write("plain text"), os.Chtimes(name, mtime, mtime)) },
			func() error { return os.Rename(spare, name) }},
		{"of another type", "type", func() error { return errors.Join(aside(), os.Mkdir(name, 0o755)) },
			func() error { return errors.Join(os.Remove(name), os.Rename(spare, name)) }},
	} {
		if err := c.do(); err != nil {
			return err
		}
		out, err := e.want(3, "restart", "-i", s.path("img"), "--detach")
		if err != nil {
			return fmt.Errorf("a file that is %s: %w", c.what, err)
		}
		if !strings.Contains(out, name) || !strings.Contains(out, c.word) {
			return fmt.Errorf("a file that is %s: the error names neither it nor %q:\n%s", c.what, c.word, out)
		}
		if err := c.undo(); err != nil {
			return err
		}
	}
	if _, err := s.restart("img"); err != nil {
		return err
	}
	if err := s.moves(); err != nil {
		return err
	}
	return s.end()
}})
