// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"crctl/kselftest/job"
)

// A scenario drives crctl itself: streams, signals, full disks, exit codes. One file each, which adds itself
// to the table; the name is what the runner's -run sees, so it starts with "scenario/".
type scenario struct {
	name string
	run  func(*env) error
	// slow ones get this much time (the limit is for a single command otherwise).
	limit   time.Duration
	kernels []string // nil: all
	suite   string   // "": test
	alone   bool     // needs no module, runs in a suite without one, too
}

var scenarios = []scenario{}

func register(s scenario) struct{} {
	scenarios = append(scenarios, s)
	return struct{}{}
}

// env is what a scenario works with.
type env struct {
	g     *guest
	dir   string
	limit time.Duration
	n     int
}

func (e *env) path(name string) string { return filepath.Join(e.dir, name) }

// crctl runs it with the given arguments. The error is for a command that could not run or did not end.
func (e *env) crctl(args ...string) (code int, out string, err error) {
	return e.command(append([]string{job.Crctl}, args...)...)
}

func (e *env) command(argv ...string) (code int, out string, err error) {
	e.n++
	return run(e.limit, e.path(fmt.Sprintf("command-%d.out", e.n)), argv...)
}

// want runs crctl and requires an exit code; it returns the output.
func (e *env) want(code int, args ...string) (string, error) {
	got, out, err := e.crctl(args...)
	if err == nil && got != code {
		err = fmt.Errorf("crctl %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, tail(out, 40))
	}
	return out, err
}

// says runs crctl and requires an exit code and a word in the output.
func (e *env) says(code int, word string, args ...string) error {
	out, err := e.want(code, args...)
	if err == nil && !strings.Contains(out, word) {
		err = fmt.Errorf("crctl %s does not say %q:\n%s", strings.Join(args, " "), word, out)
	}
	return err
}

// subject starts a shell command to take checkpoints of, with its output in NAME/out.
func (e *env) subject(name string, argv ...string) (*subject, error) {
	s := &subject{g: e.g, dir: e.path(name), limit: e.limit}
	return s, s.start(command{argv: argv})
}

// test starts a test program in folder NAME and waits until it is ready.
func (e *env) test(name string, p job.Program, mode string) (*subject, error) {
	s := &subject{g: e.g, dir: e.path(name), limit: e.limit}
	err := s.startTest(p, mode)
	if err == nil {
		_, err = s.awaitReady()
	}
	return s, err
}

// rounds is how often to do again what may fall on another moment each time: n times, and a tenth of that on the debug
// kernel, which is many times slower.
func (e *env) rounds(n int) int {
	if e.g.job.Debug {
		return max(1, n/10)
	}
	return n
}

// listScenarios tells the runner on the host what there is.
func listScenarios() {
	list := []job.Scenario{}
	for _, s := range scenarios {
		list = append(list, job.Scenario{Name: s.name, Kernels: s.kernels, Suite: s.suite, Alone: s.alone})
	}
	json.NewEncoder(os.Stdout).Encode(list)
}

func (g *guest) runScenario(name string) {
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
	if i < 0 {
		g.result(name, []string{"no such scenario"})
		return
	}
	s := scenarios[i]
	if s.limit == 0 {
		s.limit = 30 * time.Second
	}
	e := &env{g: g, dir: filepath.Join(job.Work, strings.ReplaceAll(name, "/", ".")), limit: g.limit(s.limit)}
	os.RemoveAll(e.dir)
	err := os.MkdirAll(e.dir, 0o777)
	if err == nil {
		err = s.run(e)
	}
	if err != nil {
		killAll()
	}
	g.result(name, g.settled(problem(err)))
	if err == nil {
		os.RemoveAll(e.dir)
	}
}
