// SPDX-License-Identifier: MIT

// Package ktap reads the Kernel Test Anything Protocol: a plan and one line for each test.
package ktap

import (
	"fmt"
	"strconv"
	"strings"
)

// Test is one test line.
type Test struct {
	OK       bool
	Name     string
	Skip     bool
	Why      string   // of a skip
	Comments []string // that followed it
}

// Result is all that was read.
type Result struct {
	Plan  int // -1 while there is none
	Tests []Test
	Bail  string // what follows "Bail out!"
	// Started is the test that was announced by "# begin NAME" and has no line yet.
	Started string
	skipAll string
}

// Parser takes a report line by line.
type Parser struct {
	Result
	err error
}

// NewParser returns a parser that has read nothing.
func NewParser() *Parser { return &Parser{Result: Result{Plan: -1}} }

// Parse reads a whole report. The error tells what a report may not be; see also Result.Problems.
func Parse(text string) (*Result, error) {
	p := NewParser()
	for line := range strings.Lines(text) {
		p.Line(strings.TrimRight(line, "\r\n"))
	}
	return &p.Result, p.err
}

// Line takes one line. It returns the test that this line reports, or nil.
func (p *Parser) Line(line string) *Test {
	switch {
	case strings.HasPrefix(line, "ok") || strings.HasPrefix(line, "not ok"):
		return p.test(line)
	case strings.HasPrefix(line, "1.."):
		p.plan(line[3:])
	case strings.HasPrefix(line, "Bail out!"):
		p.Bail = strings.TrimSpace(line[len("Bail out!"):])
		if p.Bail == "" {
			p.Bail = "no reason given"
		}
	case strings.HasPrefix(line, "# begin "):
		p.Started = line[len("# begin "):]
	case strings.HasPrefix(line, "#"):
		if n := len(p.Tests); n > 0 && p.Started == "" {
			p.Tests[n-1].Comments = append(p.Tests[n-1].Comments, strings.TrimPrefix(line[1:], " "))
		}
	}
	return nil
}

func (p *Parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *Parser) plan(s string) {
	num, why, skip := strings.Cut(s, "#")
	n, err := strconv.Atoi(strings.TrimSpace(num))
	switch {
	case err != nil || n < 0:
		p.fail("bad plan %q", "1.."+s)
	case p.Plan >= 0:
		p.fail("two plans")
	default:
		p.Plan = n
		if skip {
			p.skipAll = directive(why)
		}
	}
}

func (p *Parser) test(line string) *Test {
	rest, notOK := strings.CutPrefix(line, "not ok")
	if !notOK {
		rest = line[len("ok"):]
	}
	if rest != "" && rest[0] != ' ' {
		return nil // a word that begins with "ok"
	}
	t := Test{OK: !notOK}
	rest = strings.TrimSpace(rest)
	if num, after, _ := strings.Cut(rest, " "); num != "" {
		if n, err := strconv.Atoi(num); err == nil {
			if n != len(p.Tests)+1 {
				p.fail("test %d where %d was due", n, len(p.Tests)+1)
			}
			rest = after
		}
	}
	if name, dir, found := strings.Cut(rest, "# "); found {
		if why := directive(dir); why != "" {
			t.Skip, t.Why, rest = true, why, name
		}
	}
	t.Name = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(rest), "- "))
	p.Started = ""
	p.Tests = append(p.Tests, t)
	return &p.Tests[len(p.Tests)-1]
}

// directive returns the reason of "SKIP reason", or "" when it is no skip.
func directive(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 4 || !strings.EqualFold(s[:4], "SKIP") {
		return ""
	}
	if why := strings.TrimSpace(s[4:]); why != "" {
		return why
	}
	return "no reason given"
}

// SkipAll returns why a plan of no tests was skipped, or "".
func (r *Result) SkipAll() string { return r.skipAll }

// Problems lists why the report does not say "all passed". Skips are not judged here.
func (r *Result) Problems() (problems []string) {
	for _, t := range r.Tests {
		if !t.OK {
			problems = append(problems, "not ok: "+strings.Join(append([]string{t.Name}, t.Comments...), "\n"))
		}
	}
	if r.Bail != "" {
		problems = append(problems, "bailed out: "+r.Bail)
	}
	switch {
	case r.Plan < 0:
		problems = append(problems, "no plan")
	case len(r.Tests) != r.Plan:
		problems = append(problems, fmt.Sprintf("%d of %d tests in the report", len(r.Tests), r.Plan))
	}
	return problems
}
