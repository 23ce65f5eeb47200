// SPDX-License-Identifier: MIT

package rootfs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The archive must be one that cpio itself can read.
func TestCpio(t *testing.T) {
	var b bytes.Buffer
	c := NewCpio(&b)
	for _, err := range []error{
		c.File("init", 0o755, []byte("#!/bin/sh\n")),
		c.File("deep/down/below/file", 0o644, []byte("x")),
		c.File("deep/empty", 0o600, nil),
		c.Symlink("link", "deep/empty"),
		c.Dir("dev"), c.Dir("dev"),
		c.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if b.Len()%512 != 0 {
		t.Errorf("%d bytes are no whole blocks", b.Len())
	}
	if n := bytes.Count(b.Bytes(), []byte("070701")); n != 9 { // deep, deep/down, deep/down/below, dev, trailer and 4 more
		t.Errorf("%d entries, want 9", n)
	}
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		t.Log("no cpio here: format checked by hand only")
		return
	}
	dir := t.TempDir()
	cmd := exec.Command(cpio, "-id", "--quiet")
	cmd.Dir, cmd.Stdin = dir, &b
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v: %s", err, out)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "deep/down/below/file")); err != nil || string(data) != "x" {
		t.Errorf("file: %q, %v", data, err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "link")); err != nil || to != "deep/empty" {
		t.Errorf("link: %q, %v", to, err)
	}
}

func TestParseDepends(t *testing.T) {
	got := parseDepends("libc6 (>= 2.36), python3:any | python, , a|b (= 1)")
	want := [][]string{{"libc6"}, {"python3", "python"}, {"a", "b"}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClosure(t *testing.T) {
	p := &Packages{
		pkgs: map[string]pkg{
			"a": {depends: [][]string{{"none", "b"}, {"virtual"}}},
			"b": {depends: [][]string{{"a"}, {"perl"}}}, "c": {}, "perl": {}, "d": {},
		},
		provides: map[string]string{"virtual": "c"},
	}
	closure, missing := p.Closure("a", "x|d", "y|z")
	if s := strings.Join(closure, " "); s != "a b c d" {
		t.Errorf("closure %q", s)
	}
	if !slices.Equal(missing, []string{"y"}) {
		t.Errorf("missing %q", missing)
	}
}

func TestModuleOrder(t *testing.T) {
	k := &KernelDir{
		name: map[string]string{"ext4": "fs/ext4.ko.xz", "jbd2": "fs/jbd2.ko.xz"},
		dep:  map[string][]string{"fs/ext4.ko.xz": {"fs/mbcache.ko.xz", "fs/jbd2.ko.xz"}},
	}
	if got := k.Modules("ext4", "jbd2", "builtin"); !slices.Equal(got, []string{"fs/jbd2.ko.xz", "fs/mbcache.ko.xz", "fs/ext4.ko.xz"}) {
		t.Errorf("order %q", got)
	}
	if n := PlainName("kernel/net/nf-tables.ko.xz"); n != "nf_tables.ko" {
		t.Errorf("plain name %q", n)
	}
}
