// SPDX-License-Identifier: MIT

package ktap

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		problems   []string // substrings, one for each problem; nil: none
		err        string
		skips      int
	}{
		{name: "good", text: "KTAP version 1\n1..2\nok 1 a\nok 2 - b\n# diagnostics\n"},
		{name: "no numbers", text: "1..2\nok - a\nok - b\n"},
		{name: "carriage returns", text: "1..1\r\nok 1 a\r\n"},
		{name: "plan at the end", text: "ok 1 a\n1..1\n"},
		{name: "truncated", text: "1..3\nok 1 a\nok 2 b\n", problems: []string{"2 of 3"}},
		{name: "truncated in a line", text: "1..2\nok 1 a\no", problems: []string{"1 of 2"}},
		{name: "too many", text: "1..1\nok 1 a\nok 2 b\n", problems: []string{"2 of 1"}},
		{name: "empty", text: "", problems: []string{"no plan"}},
		{name: "no plan", text: "ok 1 a\n", problems: []string{"no plan"}},
		{name: "failure", text: "1..2\nnot ok 1 a\n# why\nok 2 b\n", problems: []string{"a\nwhy"}},
		{name: "bail", text: "1..2\nok 1 a\nBail out! broken\n", problems: []string{"broken", "1 of 2"}},
		{name: "skip", text: "1..2\nok 1 a # SKIP no such thing\nok 2 b # skip\n", skips: 2},
		{name: "hash in a name", text: "1..1\nok 1 a # b\n"},
		{name: "failed skip is a failure", text: "1..1\nnot ok 1 a # SKIP x\n", problems: []string{"a"}, skips: 1},
		{name: "out of order", text: "1..2\nok 2 a\nok 1 b\n", err: "test 2 where 1 was due"},
		{name: "two plans", text: "1..1\n1..1\nok 1 a\n", err: "two plans"},
		{name: "bad plan", text: "1..x\n", problems: []string{"no plan"}, err: "bad plan"},
		{name: "okay is no test", text: "1..0\nokay\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Parse(tc.text)
			if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			got := r.Problems()
			if len(got) != len(tc.problems) {
				t.Fatalf("problems %q, want %q", got, tc.problems)
			}
			for i := range got {
				if !strings.Contains(got[i], tc.problems[i]) {
					t.Errorf("problem %q, want %q", got[i], tc.problems[i])
				}
			}
			skips := 0
			for _, x := range r.Tests {
				if x.Skip {
					skips++
				}
			}
			if skips != tc.skips {
				t.Errorf("%d skips, want %d", skips, tc.skips)
			}
		})
	}
}

func TestSkipAll(t *testing.T) {
	r, err := Parse("1..0 # SKIP not on this kernel\n")
	if err != nil || r.SkipAll() != "not on this kernel" || r.Problems() != nil {
		t.Errorf("got %q, %v, %v", r.SkipAll(), r.Problems(), err)
	}
}

func TestStarted(t *testing.T) {
	p := NewParser()
	p.Line("1..2")
	p.Line("# begin a")
	if p.Started != "a" {
		t.Errorf("started %q", p.Started)
	}
	if got := p.Line("ok 1 a"); got == nil || p.Started != "" {
		t.Errorf("line %v, started %q", got, p.Started)
	}
}
