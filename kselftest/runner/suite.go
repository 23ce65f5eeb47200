// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"crctl/internal/ktap"
	"crctl/kselftest/job"
)

// runSuite boots guests until every test has a line, and prints the totals.
func (r *run) runSuite(ctx context.Context) error {
	if r.o.suite == "demo" {
		return r.demo(ctx)
	}
	if r.o.suite == "bench" {
		return r.bench(ctx)
	}
	var programs []job.Program
	var err error
	if r.o.suite == "test" {
		if programs, err = r.programs(); err != nil {
			return err
		}
	}
	names, err := r.scenarios()
	if err != nil {
		return err
	}
	if len(programs)+len(names) == 0 {
		return errors.New("no test matches")
	}
	if r.o.suite != "test" {
		r.progress("seed %d", r.o.seed)
	}
	// Shares by turns: neighbours take about as long, so every guest gets some of each.
	shares := make([]job.Job, min(r.o.jobs, len(programs)+len(names)))
	for i, p := range programs {
		s := &shares[i%len(shares)]
		s.Programs = append(s.Programs, p)
	}
	for i, n := range names {
		s := &shares[(len(programs)+i)%len(shares)]
		s.Scenarios = append(s.Scenarios, n)
	}
	var wg sync.WaitGroup
	for i := range shares {
		wg.Go(func() { r.share(ctx, fmt.Sprintf("guest%d", i+1), shares[i]) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fmt.Printf("# totals: %d passed, %d failed\n", r.passed, r.failed)
	if r.failed > 0 {
		return fmt.Errorf("%d tests failed", r.failed)
	}
	return nil
}

// share runs one guest's part. When a guest dies, the test that it died in has failed, and a new guest on a
// new disk goes on with the rest.
func (r *run) share(ctx context.Context, name string, j job.Job) {
	for try := 1; len(j.Programs)+len(j.Scenarios) > 0 && ctx.Err() == nil; try++ {
		id := name
		if try > 1 {
			id = fmt.Sprintf("%s.%d", name, try)
		}
		disk, err := r.disk(id)
		if err != nil {
			r.bad(id+" disk", err.Error())
			return
		}
		j.Action, j.Boot = job.RunTests, 1
		done, began, err := r.watch(ctx, id, disk, j)
		if err != nil && ctx.Err() == nil {
			r.bad(began, err.Error())
		}
		var second []job.Program
		for _, p := range j.Programs {
			if n := p.Name + " " + job.Reboot; slices.Contains(p.Modes, job.Reboot) && done[n] {
				p.Modes = []string{job.Reboot}
				second = append(second, p)
			}
		}
		if len(second) > 0 && ctx.Err() == nil {
			again := job.Job{Action: job.RunTests, Boot: 2, Programs: second}
			if _, began, err := r.watch(ctx, id+"-reboot", disk, again); err != nil && ctx.Err() == nil {
				r.bad(began, err.Error())
			}
		}
		if err == nil {
			return
		}
		if began == "" {
			return // it did not even boot: another try would not, either
		}
		done[began] = true
		j = rest(j, done)
	}
}

// rest returns what is left of a job.
func rest(j job.Job, done map[string]bool) job.Job {
	left := j
	left.Programs, left.Scenarios = nil, nil
	for _, p := range j.Programs {
		p.Modes = slices.DeleteFunc(slices.Clone(p.Modes), func(m string) bool { return done[p.Name+" "+m] })
		if len(p.Modes) > 0 {
			left.Programs = append(left.Programs, p)
		}
	}
	for _, s := range j.Scenarios {
		if !done[s] {
			left.Scenarios = append(left.Scenarios, s)
		}
	}
	return left
}

// watch runs one boot and counts its lines. It returns the names that have a passed line, the test that was
// under way at the end, and why the boot as a whole failed.
func (r *run) watch(ctx context.Context, id, disk string, j job.Job) (done map[string]bool, began string, err error) {
	done = map[string]bool{}
	p := ktap.NewParser()
	lw := &lineWriter{}
	lw.line = func(line string) {
		t := p.Line(line)
		if p.Started != "" {
			began = p.Started
		}
		if t == nil {
			if strings.HasPrefix(line, "#  ") || r.o.verbose {
				fmt.Println(line)
			}
			return
		}
		done[t.Name] = t.OK
		what := t.Name
		if t.Skip {
			what += " # SKIP " + t.Why
		}
		if j.Boot == 2 {
			what += " (second boot)"
		}
		r.line(t.OK, id, what)
	}
	r.progress("%s: booting for %d programs, %d scenarios", id, len(j.Programs), len(j.Scenarios))
	g := &guest{name: id, job: j, disk: disk, report: lw, limit: r.limit(j)}
	err = r.boot(ctx, g)
	lw.flush()
	// Without a guest's own failure, only a complete plan counts. Single failures are counted already.
	if err == nil {
		if p.Bail != "" {
			err = fmt.Errorf("bailed out: %s", p.Bail)
		} else if p.Plan != len(p.Tests) {
			err = fmt.Errorf("%d lines, planned %d", len(p.Tests), p.Plan)
		}
	} else if errors.Is(err, errGuest) && p.Bail != "" {
		err = fmt.Errorf("bailed out: %s\n%s", p.Bail, g.tail(""))
	}
	for n := range done { // a failed test is done as well
		done[n] = true
	}
	for _, t := range p.Tests {
		if j.Boot == 1 && !t.OK && strings.HasSuffix(t.Name, " "+job.Reboot) {
			done[t.Name] = false
		}
	}
	if err == nil {
		began = ""
	}
	return done, began, err
}

// limit is for a whole boot: a guest that still reports is let go on for long.
func (r *run) limit(j job.Job) time.Duration {
	n := len(j.Scenarios) * 3
	for _, p := range j.Programs {
		n += len(p.Modes)
	}
	d := 3*time.Minute + time.Duration(n)*20*time.Second
	if r.o.debug() {
		d *= 4
	}
	return d
}

// line counts and prints one result.
func (r *run) line(ok bool, id, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	word := "ok"
	if ok {
		r.passed++
	} else {
		r.failed++
		word = "not ok"
	}
	fmt.Printf("%s %d %s\n", word, r.passed+r.failed, name)
}

// bad counts something that went wrong outside any test line.
func (r *run) bad(name, why string) {
	if name == "" {
		name = "boot"
	}
	r.line(false, "", name)
	for l := range strings.Lines(why) {
		fmt.Println("#   " + strings.TrimRight(l, "\n"))
	}
}

// lineWriter cuts what it is given into lines.
type lineWriter struct {
	buf  bytes.Buffer
	line func(string)
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.buf.Write(b)
	for {
		i := bytes.IndexByte(w.buf.Bytes(), '\n')
		if i < 0 {
			return len(b), nil
		}
		w.line(strings.TrimRight(string(w.buf.Next(i+1)), "\r\n"))
	}
}

func (w *lineWriter) flush() {
	if w.buf.Len() > 0 {
		w.line(w.buf.String())
		w.buf.Reset()
	}
}

// demo boots the demonstration, which prints what it does by itself.
func (r *run) demo(ctx context.Context) error {
	disk, err := r.disk("demo")
	if err != nil {
		return err
	}
	passed := false
	lw := &lineWriter{line: func(line string) {
		fmt.Println(line)
		passed = passed || line == "# demo: all went on where they were"
	}}
	err = r.boot(ctx, &guest{name: "demo", disk: disk, report: lw, limit: 15 * time.Minute, job: job.Job{Action: job.Demos}})
	lw.flush()
	if err == nil && !passed {
		err = errors.New("the demo did not come to its end")
	}
	return err
}
