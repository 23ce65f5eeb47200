// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"crctl/kselftest/job"
)

// tests runs the programs and scenarios of the job.
//
// Lines come in groups: the programs of one folder (task/, mm/, ...) and then one for unloading and loading the
// module, which shows references that a program has left in it.
func (g *guest) tests() error {
	if g.job.Boot == 2 {
		// Pids of the first boot must be free, and our own threads and helpers must not take them.
		if err := setLastPid(20000); err != nil {
			return err
		}
	} else if err := setLastPid(2000); err != nil {
		return err
	}
	report("KTAP version 1")
	report("1..%d", g.plan())
	if g.job.Module {
		g.begin("module load")
		g.result("module load", problem(g.insmod()))
	}
	group := ""
	for _, p := range g.job.Programs {
		if d := path.Dir(p.Name); d != group {
			g.reload(group)
			group = d
		}
		for _, m := range p.Modes {
			name := p.Name + " " + m
			g.begin(name)
			g.result(name, g.settled(g.program(p, m)))
		}
	}
	g.reload(group)
	for _, s := range g.job.Scenarios {
		g.begin(s)
		g.runScenario(s)
	}
	if len(g.job.Scenarios) > 0 {
		g.reload("scenario")
	}
	if g.job.Module {
		g.begin("module unload")
		var problems []string
		if g.job.Debug {
			problems = g.kernelLeaks()
		} else {
			problems = problem(g.rmmod())
		}
		g.result("module unload", problems)
	}
	if g.failed > 0 {
		report("# %d failed", g.failed)
	}
	return nil
}

// plan counts the lines that tests writes.
func (g *guest) plan() int {
	n, group := len(g.job.Scenarios), ""
	groups := 0
	for _, p := range g.job.Programs {
		n += len(p.Modes)
		if d := path.Dir(p.Name); d != group {
			groups++
			group = d
		}
	}
	if len(g.job.Scenarios) > 0 {
		groups++
	}
	if g.job.Module {
		n += groups + 2
	}
	return n
}

func (g *guest) begin(name string) { report("# begin %s", name) }

// reload unloads the module and loads it again, between groups.
func (g *guest) reload(group string) {
	if group == "" || !g.job.Module {
		return
	}
	name := group + " module reload"
	g.begin(name)
	err := g.rmmod()
	if err == nil {
		err = g.insmod()
	}
	g.result(name, problem(err))
}

func problem(err error) []string {
	if err == nil {
		return nil
	}
	return []string{err.Error()}
}

func setLastPid(n int) error {
	if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", fmt.Append(nil, n), 0); err != nil {
		return fmt.Errorf("choosing the next pid: %w", err)
	}
	return nil
}

// settled adds what a test has left behind to its problems, and removes it.
func (g *guest) settled(problems []string) []string {
	var left []task
	for range 100 { // orphans are reaped soon
		if left = userTasks(); len(left) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, t := range left {
		problems = append(problems, fmt.Sprintf("left behind: process %d (%s), state %c, parent %d", t.pid, t.comm, t.state, t.ppid))
	}
	if len(left) > 0 {
		problems = append(problems, stacks())
		killAll()
	}
	if g.job.Module {
		if n, err := moduleUsers(); err == nil && n != "0" {
			problems = append(problems, "the module is still used "+n+" times")
		}
	}
	return problems
}

// moduleUsers returns the module's reference count, which may take a moment to fall.
func moduleUsers() (n string, err error) {
	for range 100 {
		var data []byte
		if data, err = os.ReadFile("/sys/module/ckpt/refcnt"); err != nil {
			return "", err
		}
		if n = strings.TrimSpace(string(data)); n == "0" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return n, nil
}

// allowedSkips lists, for each program, the reasons for which it may skip a test or all of them. A skip that
// is not here is a failure: it would hide a regression.
var allowedSkips = map[string][]string{}

// skipAllowed tells whether a program may skip for this reason.
func skipAllowed(program, why string) bool {
	return slices.ContainsFunc(allowedSkips[program], func(s string) bool { return strings.Contains(why, s) })
}

// limit scales a time limit to the kernel: KASAN and lockdep cost a factor of three to five.
func (g *guest) limit(d time.Duration) time.Duration {
	if g.job.Debug {
		return 5 * d
	}
	return d
}

// timeout is how long one step of a program may take.
func (g *guest) timeout(p job.Program) time.Duration {
	d := 20 * time.Second
	if s := time.Duration(p.Seconds) * time.Second; s > d {
		d = s
	}
	return g.limit(d)
}
