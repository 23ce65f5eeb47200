// SPDX-License-Identifier: MIT

package netlinkapi

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// specLine is a line of the YNL specification: indentation, key and value. The
// specification keeps to one key in a line, so this is all of YAML it takes.
var specLine = regexp.MustCompile(`^( *)([a-z-]+):(?: (.*))?$`)

// specNumbers lists "c_name number" for all that ckpt.yaml gives a number.
func specNumbers(t *testing.T, spec string) map[string]int {
	t.Helper()
	numbers := map[string]int{}
	var section, prefix string
	next, flags := 1, false
	add := func(name string) {
		c := strings.ToUpper(strings.ReplaceAll(prefix+name, "-", "_"))
		numbers[c] = next
		if flags {
			next *= 2
		} else {
			next++
		}
	}
	for line := range strings.Lines(spec) {
		m := specLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		indent, key, value := len(m[1]), m[2], m[3]
		switch {
		case indent == 0:
			section = key
			if section == "operations" {
				next, flags = 1, false
			}
		case key == "name-prefix":
			prefix = value
			next, flags = 1, false
		case key == "type" && value == "flags":
			flags = true
		case key == "entries" && value != "":
			for _, name := range strings.Split(strings.Trim(value, "[] "), ", ") {
				add(name)
			}
		case key == "name" && (section == "definitions" && indent == 8 ||
			section == "attribute-sets" && indent == 8 || section == "operations" && indent == 6):
			add(value)
		}
	}
	return numbers
}

// headerNumbers lists the same of ckpt.h.
func headerNumbers(t *testing.T, header string) map[string]int {
	t.Helper()
	numbers := map[string]int{}
	enum := regexp.MustCompile(`(?ms)^enum \w+ \{\n(.*?)^\};`)
	entry := regexp.MustCompile(`^\s(CKPT_\w+)(?: = (\d+))?,`)
	for _, m := range enum.FindAllStringSubmatch(header, -1) {
		next := 0
		for line := range strings.Lines(m[1]) {
			e := entry.FindStringSubmatch(line)
			if e == nil {
				continue
			}
			if e[2] != "" {
				if _, err := fmt.Sscan(e[2], &next); err != nil {
					t.Fatal(err)
				}
			}
			if !strings.HasSuffix(e[1], "_UNSPEC") {
				numbers[e[1]] = next
			}
			next++
		}
	}
	flag := regexp.MustCompile(`(?m)^#define (CKPT_F_\w+)\s+(0x\w+)`)
	for _, m := range flag.FindAllStringSubmatch(header, -1) {
		if m[1] == "CKPT_F_ALL" {
			continue
		}
		n := 0
		if _, err := fmt.Sscan(m[2], &n); err != nil {
			t.Fatal(err)
		}
		numbers[m[1]] = n
	}
	return numbers
}

// TestSpec compares the YNL specification with the header.
func TestSpec(t *testing.T) {
	spec, err := os.ReadFile("../Documentation/netlink/specs/ckpt.yaml")
	if err != nil {
		t.Fatal(err)
	}
	header, err := os.ReadFile("../kmod/uapi/ckpt.h")
	if err != nil {
		t.Fatal(err)
	}
	have, want := specNumbers(t, string(spec)), headerNumbers(t, string(header))
	if len(want) < 40 {
		t.Errorf("only %d numbers in the header", len(want))
	}
	for name, n := range want {
		if have[name] != n {
			t.Errorf("%s is %d in ckpt.h, %d in ckpt.yaml", name, n, have[name])
		}
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is in ckpt.yaml only", name)
		}
	}
}
