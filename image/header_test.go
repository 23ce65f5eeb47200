// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const header = "../kmod/uapi/ckpt_image.h"

// goStructs are the structs of this package by their name in ckpt_image.h.
func goStructs() map[string]reflect.Type {
	all := map[string]reflect.Type{}
	add := func(c string, v any) { all[c] = reflect.Indirect(reflect.ValueOf(v)).Type() }
	for _, k := range kinds {
		if k.New != nil {
			add("ckpt_"+strings.ToLower(k.Name), k.New())
		}
	}
	add("ckpt_hdr", Hdr{})
	add("ckpt_error", ErrorRecord{})
	add("ckpt_tree_task", TreeTask{})
	add("ckpt_sigact", Sigact{})
	add("ckpt_seccomp_filter", SeccompFilter{})
	add("ckpt_run", Run{})
	add("ckpt_same_run", SameRun{})
	add("ckpt_inet_opt", INETOpt{})
	add("ckpt_udp_msg", UDPMsg{})
	add("ckpt_netlink_msg", NetlinkMsg{})
	add("ckpt_fd", FD{})
	add("ckpt_file", File{})
	add("ckpt_epoll_watch", EpollWatch{})
	add("ckpt_sock", Sock{})
	add("ckpt_lock", Lock{})
	add("ckpt_inotify_watch", InotifyWatch{})
	add("ckpt_inotify_event", InotifyEvent{})
	add("ckpt_ldisc", Ldisc{})
	return all
}

// TestHeader compiles the C header and compares the size of each struct and the
// offset of each of its fields with those of the Go struct.
func TestHeader(t *testing.T) {
	src, err := os.ReadFile(header)
	if err != nil {
		t.Fatal(err)
	}
	structs := goStructs()
	var c, want strings.Builder
	fmt.Fprintf(&c, "#include <stddef.h>\n#include <stdio.h>\n#include %q\nint main(void)\n{\n", "ckpt_image.h")
	for _, m := range regexp.MustCompile(`(?m)^struct (ckpt_\w+) \{`).FindAllStringSubmatch(string(src), -1) {
		typ, ok := structs[m[1]]
		if !ok {
			typ, ok = structs[strings.TrimSuffix(m[1], "_rec")]
		}
		if !ok {
			t.Errorf("struct %s has no Go struct: go generate ./image, and add it to goStructs", m[1])
			continue
		}
		size := binary.Size(reflect.New(typ).Interface())
		fmt.Fprintf(&c, "printf(\"%s %%zu\\n\", sizeof(struct %s));\n", m[1], m[1])
		fmt.Fprintf(&want, "%s %d\n", m[1], size)
		offset := 0
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := f.Tag.Get("json")
			fmt.Fprintf(&c, "printf(\"%s.%s %%zu\\n\", offsetof(struct %s, %s));\n", m[1], name, m[1], name)
			fmt.Fprintf(&want, "%s.%s %d\n", m[1], name, offset)
			offset += binary.Size(reflect.New(f.Type).Interface())
		}
	}
	fmt.Fprintf(&c, "return sizeof(CKPT_MAGIC) - 1 != CKPT_MAGIC_LEN || CKPT_REC_MAX != %d;\n}\n", RecordMax)
	if got := compileAndRun(t, c.String()); got != want.String() {
		t.Errorf("C and Go differ; run go generate ./image\nC:\n%s\nGo:\n%s", got, want.String())
	}
}

func compileAndRun(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "layout.c")
	if err := os.WriteFile(name, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "layout")
	cmd := exec.Command("gcc", "-Wall", "-Werror", "-I", filepath.Dir(header), "-o", exe, name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	out, err := exec.Command(exe).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestGenerated tells when the header has changed and records_gen.go has not.
func TestGenerated(t *testing.T) {
	out := filepath.Join(t.TempDir(), "records_gen.go")
	cmd := exec.Command("go", "run", "crctl/internal/gencontract", "-header", header, "-o", out, "-pkg", "image")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	fresh, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("records_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(fresh, have) {
		t.Error("records_gen.go is stale: run go generate ./image")
	}
}
