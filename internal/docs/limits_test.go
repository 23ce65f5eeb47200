// SPDX-License-Identifier: MIT

// Package docs has tests that keep Documentation/ in line with the sources.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// row is one of the support matrix in Documentation/limits.rst.
type row struct{ name, status, what, test string }

// kmodElsewhere names the sources of handled kinds that share a file with another.
var kmodElsewhere = map[string]string{
	"unix-queue": "net/unixq",
	"inherit":    "restart",
	"sysv-shm":   "ipc/shm",
	"ghost":      "task/group",
	"anon":       "mm/pages",
	"owner":      "files/file",
	"unshared":   "task/share",

	"zombie-leader": "task/thread",
}

// undescribed are names that may still be without a row, or without a source or test of their name.
var undescribed = map[string]bool{
	"aio": true, "block-device": true, "cred": true, "cwd": true, "device-memory": true, "fifo": true,
	"fs": true, "hugetlb": true, "ioperm": true, "ldt": true, "limits": true, "mempolicy": true, "mm": true,
	"namespace": true, "path": true, "pipe": true, "posix-timer": true, "proc": true, "ptrace": true,
	"sched": true, "seccomp": true, "sem-undo": true, "shmem": true, "signal": true, "special-mapping": true,
	"thread": true, "timer": true, "unlinked": true, "vma": true,
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// matrix reads all rows of the tables with the four columns.
func matrix(t *testing.T) map[string]row {
	t.Helper()
	var cells [][]string
	inTable := false
	for line := range strings.Lines(read(t, "Documentation/limits.rst")) {
		text := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, ".. list-table::"):
			inTable = true
		case text != "" && !strings.HasPrefix(line, " "):
			inTable = false
		case !inTable || text == "" || strings.HasPrefix(text, ":"):
		case strings.HasPrefix(line, "   * - "):
			cells = append(cells, []string{strings.TrimPrefix(line, "   * - ")})
		case strings.HasPrefix(line, "     - "):
			last := len(cells) - 1
			cells[last] = append(cells[last], strings.TrimPrefix(line, "     - "))
		default:
			last := len(cells) - 1
			cells[last][len(cells[last])-1] += " " + text
		}
	}
	rows := map[string]row{}
	for _, c := range cells {
		for i := range c {
			c[i] = strings.TrimSpace(c[i])
		}
		if len(c) != 4 {
			t.Errorf("limits.rst: row %q has %d columns, want name, status, what, test", c[0], len(c))
			continue
		}
		r := row{c[0], c[1], c[2], c[3]}
		if r.name == "name" {
			continue
		}
		if r.status != "handled" && r.status != "refused" {
			t.Errorf("limits.rst: %s: status %q, want handled or refused", r.name, r.status)
		}
		if _, twice := rows[r.name]; twice {
			t.Errorf("limits.rst: %s has two rows", r.name)
		}
		rows[r.name] = r
	}
	if len(rows) == 0 {
		t.Fatal("limits.rst: no rows")
	}
	return rows
}

// kinds reads ckpt_kinds[] of kmod/registry.c: name to status.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, f := range regexp.MustCompile(`(?m)^\t(HANDLED|REFUSED)\("([^"]+)"`).FindAllStringSubmatch(read(t, "kmod/registry.c"), -1) {
		if _, twice := m[f[2]]; twice {
			t.Errorf("registry.c: %s stands twice in ckpt_kinds[]", f[2])
		}
		m[f[2]] = strings.ToLower(f[1])
	}
	if len(m) == 0 {
		t.Fatal("registry.c: no kinds")
	}
	return m
}

// refusals finds the kinds that ckpt_refuse() is called with: where each is.
func refusals(t *testing.T) map[string]string {
	t.Helper()
	literal := regexp.MustCompile(`"([^"]+)"`)
	call := regexp.MustCompile(`\bckpt_refuse\(`)
	what := regexp.MustCompile(`(?ms)^static const char \*ckpt_\w+_what\(.*?^}`)
	said := regexp.MustCompile(`return "([^"]+)"`)
	m := map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, "kmod"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".c" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(data)
		for _, at := range call.FindAllStringIndex(text, -1) {
			for _, s := range literal.FindAllStringSubmatch(argument(text[at[1]:], 2), -1) {
				m[s[1]] = path
			}
		}
		for _, f := range what.FindAllString(text, -1) {
			for _, s := range said.FindAllStringSubmatch(f, -1) {
				m[s[1]] = path
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(m) == 0 {
		t.Fatal("kmod/: no refusals")
	}
	return m
}

// argument returns the nth argument of a call, given what follows its parenthesis.
func argument(s string, n int) string {
	depth, begin := 0, 0
	for i, c := range s {
		switch {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ')', c == ',' && depth == 0:
			if n == 0 {
				return s[begin:i]
			}
			if c == ')' {
				return ""
			}
			n--
			begin = i + 1
		}
	}
	return ""
}

// isSource tells whether a C source of a kind's name is below a folder.
func isSource(t *testing.T, dir, name string) bool {
	t.Helper()
	name = strings.ReplaceAll(name, "-", "_")
	for _, pattern := range []string{"*", "*/*"} {
		found, err := filepath.Glob(filepath.Join(root, dir, pattern, name+".c"))
		if err != nil {
			t.Fatal(err)
		}
		if found != nil {
			return true
		}
	}
	return false
}

func TestMatrixMatchesRegistry(t *testing.T) {
	rows, refused := matrix(t), refusals(t)
	all := kinds(t)
	for name, status := range all {
		switch r, ok := rows[name]; {
		case !ok && !undescribed[name]:
			t.Errorf("%s is in ckpt_kinds[] of registry.c and has no row in limits.rst", name)
		case ok && r.status != status:
			t.Errorf("%s is %s in registry.c, and %s in limits.rst", name, status, r.status)
		}
	}
	for name, r := range rows {
		if _, ok := all[name]; ok {
			continue
		}
		if _, ok := refused[name]; !ok || r.status == "handled" {
			t.Errorf("%s (%s) is in limits.rst, and not in ckpt_kinds[] of registry.c", name, r.status)
		}
	}
}

func TestEveryRefusalHasARow(t *testing.T) {
	rows := matrix(t)
	for name, where := range refusals(t) {
		r, ok := rows[name]
		if !ok && !undescribed[name] {
			t.Errorf("%s refuses %q, which has no row in limits.rst", where, name)
		}
		// A kind that is handled can have members that are not; the row says which.
		if ok && r.status == "handled" && !undescribed[name] && !strings.Contains(strings.ToLower(r.what), "refused") {
			t.Errorf("%s refuses %q, and its row in limits.rst does not say what of it is refused", where, name)
		}
	}
}

func TestEveryKindHasSourceAndTest(t *testing.T) {
	for name, r := range matrix(t) {
		if r.test == "" {
			t.Errorf("limits.rst: %s names no test and does not say why there is none", name)
		}
		if strings.HasPrefix(r.test, "none") {
			if r.status == "handled" {
				t.Errorf("limits.rst: %s is handled and has no test", name)
			}
			continue
		}
		for test := range strings.SplitSeq(r.test, ",") {
			test = strings.TrimSpace(test)
			if strings.HasPrefix(test, "scenario/") || strings.HasPrefix(test, "real/") {
				continue // the agent's; its table is in Go
			}
			if _, err := os.Stat(filepath.Join(root, "kselftest", test+".c")); err != nil {
				t.Errorf("limits.rst: %s: there is no test kselftest/%s.c", name, test)
			}
		}
	}
	for name, status := range kinds(t) {
		if status != "handled" || undescribed[name] {
			continue
		}
		if src, ok := kmodElsewhere[name]; ok {
			if _, err := os.Stat(filepath.Join(root, "kmod", src+".c")); err != nil {
				t.Errorf("%s: there is no kmod/%s.c", name, src)
			}
		} else if !isSource(t, "kmod", name) {
			t.Errorf("%s is handled, and no file of kmod/ has its name", name)
		}
		// A row that names other tests has been checked above.
		if _, ok := matrix(t)[name]; !ok && !isSource(t, "kselftest", name) {
			t.Errorf("%s is handled, and no test in kselftest/ has its name", name)
		}
	}
}
