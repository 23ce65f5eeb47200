// SPDX-License-Identifier: MIT

package tree

import (
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A fork copies the page tables of all memory that was written, and makes every
// page of it fault once more in the parent. Of crctl's memory a child uses no
// more than its code, the plan and its stack; the rest is kept out of the forks.

// area is a range of addresses.
type area struct{ start, end uintptr }

// stackNear is what spawn needs of the stack around the frame of its caller:
// the chain of nosplit functions is shorter than that by far.
const stackNear = 8 << 10

// place moves a plan out of Go's heap, into a mapping of its own, which the
// caller unmaps. Nothing in it may point to the heap then.
func place(p *program) (*program, []byte, error) {
	var nodes []*node
	size := int(unsafe.Sizeof(*p))
	var count func(n *node)
	count = func(n *node) {
		for ; n != nil; n = n.next {
			nodes = append(nodes, n)
			size += int(unsafe.Sizeof(*n)) + int(n.msgLen+7)&^7
			count(n.early)
			count(n.late)
		}
	}
	count(p.root)
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, nil, err
	}
	free := unsafe.Pointer(unsafe.SliceData(mem))
	take := func(n uintptr) unsafe.Pointer {
		at := free
		free = unsafe.Add(free, (n+7)&^7)
		return at
	}
	moved := (*program)(take(unsafe.Sizeof(*p)))
	*moved = *p
	to := make(map[*node]*node, len(nodes))
	for _, n := range nodes {
		to[n] = (*node)(take(unsafe.Sizeof(*n)))
	}
	for _, n := range nodes {
		m := to[n]
		*m = *n
		m.early, m.late, m.next = to[n.early], to[n.late], to[n.next]
		if n.args.setTID != 0 {
			m.args.setTID = uint64(uintptr(unsafe.Pointer(&m.tid)))
		}
		if n.msg != nil {
			m.msg = (*byte)(take(n.msgLen))
			copy(unsafe.Slice(m.msg, n.msgLen), unsafe.Slice(n.msg, n.msgLen))
		}
	}
	moved.root = to[p.root]
	return moved, mem, nil
}

// ballast lists the private memory of this process without the areas to keep.
// Without /proc it is empty, which costs time only.
func ballast(keep ...area) []area {
	maps, _ := os.ReadFile("/proc/self/maps")
	var list []area
	for _, line := range strings.Split(string(maps), "\n") {
		f := strings.Fields(line)
		if len(f) < 5 || (f[1] != "rw-p" && f[1] != "---p") || (len(f) > 5 && f[5] == "[stack]") {
			continue
		}
		a, ok := parseArea(f[0])
		if !ok {
			continue
		}
		for _, k := range keep {
			if k.start < a.end && a.start < k.end {
				ok = false
			}
		}
		if ok {
			list = append(list, a)
		}
	}
	return list
}

func parseArea(s string) (a area, ok bool) {
	start, end, ok := strings.Cut(s, "-")
	if !ok {
		return a, false
	}
	for _, h := range []struct {
		text string
		to   *uintptr
	}{{start, &a.start}, {end, &a.end}} {
		for _, c := range []byte(h.text) {
			d := strings.IndexByte("0123456789abcdef", c)
			if d < 0 {
				return a, false
			}
			*h.to = *h.to<<4 | uintptr(d)
		}
	}
	return a, true
}

// advise tells the kernel whether forks copy the areas, leaving out the stack
// that it runs on. Errors do not matter: memory that is gone costs nothing.
//
//go:nosplit
//go:norace
//go:noinline
func advise(areas []area, advice uintptr) {
	var here byte
	sp := uintptr(unsafe.Pointer(&here))
	low, high := (sp-stackNear)&^4095, (sp+stackNear)&^4095
	for i := range areas {
		a := &areas[i]
		if low < a.end && a.start < high {
			if a.start < low {
				syscall.RawSyscall6(unix.SYS_MADVISE, a.start, low-a.start, advice, 0, 0, 0)
			}
			if high < a.end {
				syscall.RawSyscall6(unix.SYS_MADVISE, high, a.end-high, advice, 0, 0, 0)
			}
			continue
		}
		syscall.RawSyscall6(unix.SYS_MADVISE, a.start, a.end-a.start, advice, 0, 0, 0)
	}
}
