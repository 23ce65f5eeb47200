// SPDX-License-Identifier: MIT

package tree

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestParseArea(t *testing.T) {
	for _, c := range []struct {
		in   string
		want area
		ok   bool
	}{
		{"7f00-8000", area{0x7f00, 0x8000}, true},
		{"c000000000-c000400000", area{0xc000000000, 0xc000400000}, true},
		{"7f00", area{}, false},
		{"7g00-8000", area{}, false},
	} {
		got, ok := parseArea(c.in)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("parseArea(%q) = %v, %v", c.in, got, ok)
		}
	}
}

// All that spawn follows must be inside of the mapping that is kept.
func TestPlace(t *testing.T) {
	s := &Spec{PIDNS: true, Join: func(pid int) []byte { return []byte{1, 2, byte(pid)} }}
	for i := range 20 {
		s.Tasks = append(s.Tasks, Task{PID: 10 + i, PPID: 10 + i/2, PGID: 10, SID: 10})
	}
	s.Tasks[0].PPID = 0
	p, err := plan(s, 5)
	if err != nil {
		t.Fatal(err)
	}
	moved, mem, err := place(p)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	low := uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	inside := func(what string, at unsafe.Pointer, size uintptr) {
		if a := uintptr(at); a < low || a+size > low+uintptr(len(mem)) {
			t.Errorf("%s is outside", what)
		}
	}
	inside("the program", unsafe.Pointer(moved), unsafe.Sizeof(*moved))
	seen := 0
	var walk func(a, b *node)
	walk = func(a, b *node) {
		for ; a != nil && b != nil; a, b = a.next, b.next {
			seen++
			inside("a node", unsafe.Pointer(b), unsafe.Sizeof(*b))
			if b.msg != nil {
				inside("a message", unsafe.Pointer(b.msg), b.msgLen)
				if string(unsafe.Slice(a.msg, a.msgLen)) != string(unsafe.Slice(b.msg, b.msgLen)) {
					t.Errorf("pid %d has another message", a.tid)
				}
			}
			if b.args.setTID != 0 && b.args.setTID != uint64(uintptr(unsafe.Pointer(&b.tid))) {
				t.Errorf("pid %d: set_tid points elsewhere", a.tid)
			}
			if a.tid != b.tid || a.pgid != b.pgid || a.setsid != b.setsid || a.reaper != b.reaper {
				t.Errorf("pid %d has changed", a.tid)
			}
			walk(a.early, b.early)
			walk(a.late, b.late)
		}
		if a != b && (a == nil) != (b == nil) {
			t.Error("a list has another length")
		}
	}
	walk(p.root, moved.root)
	if seen != len(s.Tasks)+1 {
		t.Errorf("%d nodes, want %d", seen, len(s.Tasks)+1)
	}
}
