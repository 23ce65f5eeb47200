// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"testing"
)

// sample builds a small image that is right in every respect: pid 100 with two
// threads and a zombie child 101, a few files and three pages. edit, if any, may
// change what is written before the tail.
type sample struct {
	t   testing.TB
	buf bytes.Buffer
	w   *Writer
}

func newSample(t testing.TB) *sample {
	s := &sample{t: t}
	var err error
	if s.w, err = NewWriter(&s.buf); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sample) rec(typ Type, objref uint32, fixed any, variable ...byte) {
	s.t.Helper()
	if err := s.w.Record(typ, objref, fixed, variable); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sample) head() {
	h := &Header{Version: ImageVersion, Flags: ImgDataCRC, PageSize: 4096, Machine: MachineX8664, Ntasks: 2,
		WallNs: 1750000000e9, MonoNs: 5e9, BootNs: 6e9}
	copy(h.Release[:], "6.1.0-test")
	copy(h.Module[:], "0.1.0")
	s.rec(TypeHeader, 0, h)
	s.tree(
		TreeTask{PID: 100, PGID: 100, SID: 100, Nthreads: 2, ExitSignal: 17, Comm: [16]byte{'s', 'h'}},
		TreeTask{PID: 101, PPID: 100, PGID: 100, SID: 100, Flags: TaskZombie, Nthreads: 1, ExitSignal: 17},
	)
}

func (s *sample) tree(tasks ...TreeTask) {
	n := uint32(0)
	for _, t := range tasks {
		n += t.Nthreads
	}
	s.rec(TypeTree, 0, &Tree{Ntasks: uint32(len(tasks)), EntrySize: 48, RootPID: tasks[0].PID, Nthreads: n},
		encode(s.t, tasks)...)
}

func (s *sample) objects() {
	s.rec(TypeCred, 1, &Cred{Ngroups: 1}, 5, 0, 0, 0)
	s.rec(TypeFilePath, 2, &FilePath{Size: 10, Mode: 0o100755}, []byte("/bin/sh")...)
	s.rec(TypeFdtable, 3, &Fdtable{N: 1, EntrySize: 16}, encode(s.t, []FD{{FD: 1, File: 2}})...)
	s.rec(TypeMM, 5, &MM{Exe: 2, Nvmas: 2, AuxvBytes: 16}, make([]byte, 16)...)
	s.rec(TypeVMA, 0, &VMA{Start: 0x400000, End: 0x402000, File: 2, Kind: VmakFile})
	s.rec(TypeVMA, 0, &VMA{Start: 0x500000, End: 0x508000})
	s.rec(TypeMMEnd, 0, nil)
}

func (s *sample) tasks() {
	s.rec(TypeTask, 0, &Task{PID: 100, Nthreads: 2, MM: 5, Files: 3, FS: 4})
	s.rec(TypeFS, 4, &FS{Umask: 0o22, CwdLen: 5, RootLen: 1}, []byte("/home/")...)
	s.rec(TypeThread, 0, &Thread{TID: 100, Cred: 1})
	s.rec(TypeRegs, 0, &Regs{IP: 0x400100})
	s.rec(TypeThread, 0, &Thread{TID: 107, Cred: 1})
	s.rec(TypeTaskEnd, 0, nil)
	s.rec(TypeTask, 0, &Task{PID: 101, Nthreads: 1, Flags: TaskZombie})
	s.rec(TypeThread, 0, &Thread{TID: 101})
	s.rec(TypeTaskEnd, 0, nil)
}

func (s *sample) pages() {
	data := bytes.Repeat([]byte("page"), 3*1024)
	if err := s.w.Pages(5, []Run{{Start: 0x500000, Npages: 2}, {Start: 0x504000, Npages: 1}}, data); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sample) tail() []byte {
	if err := s.w.Tail(); err != nil {
		s.t.Fatal(err)
	}
	return s.buf.Bytes()
}

func goodImage(t testing.TB) []byte {
	s := newSample(t)
	s.head()
	s.objects()
	s.tasks()
	s.pages()
	return s.tail()
}
