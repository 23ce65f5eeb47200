// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"crctl/kselftest/job"
)

// declaration matches what a C program says about itself; see kselftest/ckpt.h.
var declaration = regexp.MustCompile(`(?m)^(REFUSED|MODES|SECONDS|KERNELS|RESTART_ARGS)\(\s*"?([^")]*)"?\s*\)`)

// parseProgram reads the declarations of a C program.
func parseProgram(name string, source []byte) (job.Program, error) {
	p := job.Program{Name: name, Modes: job.Modes}
	for _, m := range declaration.FindAllSubmatch(source, -1) {
		arg := string(m[2])
		switch string(m[1]) {
		case "REFUSED":
			p.Refused = arg
			p.Modes = []string{job.Ref, job.Continue}
		case "MODES":
			p.Modes = strings.Fields(arg)
			for _, mode := range p.Modes {
				if !slices.Contains(job.Modes, mode) {
					return p, fmt.Errorf("%s: unknown mode %q", name, mode)
				}
			}
		case "SECONDS":
			n, err := strconv.Atoi(strings.TrimSpace(arg))
			if err != nil {
				return p, fmt.Errorf("%s: SECONDS(%s): %w", name, arg, err)
			}
			p.Seconds = n
		case "KERNELS":
			p.Kernels = strings.Fields(arg)
		case "RESTART_ARGS":
			p.Restart = strings.Fields(arg)
		}
	}
	return p, nil
}

// programs lists the C programs with the modes that this run takes them through.
func (r *run) programs() ([]job.Program, error) {
	dir := filepath.Join(r.repo, "kselftest")
	only := regexp.MustCompile(r.o.run)
	var list []job.Program
	sources, err := filepath.Glob(filepath.Join(dir, "*/*.c"))
	if err != nil {
		return nil, err
	}
	deeper, err := filepath.Glob(filepath.Join(dir, "*/*/*.c"))
	if err != nil {
		return nil, err
	}
	for _, src := range append(sources, deeper...) {
		name := strings.TrimSuffix(strings.TrimPrefix(src, dir+"/"), ".c")
		if _, err := os.Stat(filepath.Join(dir, "out", name)); err != nil {
			continue // not one of the Makefile's
		}
		if strings.HasPrefix(name, "bench/") {
			continue // no test
		}
		text, err := os.ReadFile(src)
		if err != nil {
			return nil, err
		}
		p, err := parseProgram(name, text)
		if err != nil {
			return nil, err
		}
		if p.Kernels != nil && !slices.Contains(p.Kernels, r.o.name) {
			continue
		}
		var modes []string
		for _, m := range p.Modes {
			if only.MatchString(name+" "+m) && (r.o.module != "" || m == job.Ref) && r.takes(name, m) {
				modes = append(modes, m)
			}
		}
		if p.Modes = modes; modes != nil {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b job.Program) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// takes says whether the suite of this kernel has a mode. The debug kernel is many times slower: there a
// program goes through the two modes that run the module's code, not through those that check the program
// itself (ref) or repeat the two (twice, reboot), unless -run names tests. It has no room for a 1 GiB process.
func (r *run) takes(name, mode string) bool {
	if !r.o.debug() || r.o.run != "" || r.o.module == "" {
		return true
	}
	return (mode == job.Continue || mode == job.Restart) && name != "mm/big"
}

// scenarios asks the agent, which has the table.
func (r *run) scenarios() ([]string, error) {
	out, err := exec.Command(r.agent, "-list").Output()
	if err != nil {
		return nil, fmt.Errorf("asking the agent for its scenarios: %w", err)
	}
	var all []job.Scenario
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("asking the agent for its scenarios: %w", err)
	}
	only := regexp.MustCompile(r.o.run)
	var names []string
	for _, s := range all {
		suite := s.Suite
		if suite == "" {
			suite = "test"
		}
		if suite == r.o.suite && only.MatchString(s.Name) && (r.o.module != "" || s.Alone) &&
			(!s.Alone || r.takes(s.Name, job.Ref)) && (s.Kernels == nil || slices.Contains(s.Kernels, r.o.name)) {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
