// SPDX-License-Identifier: MIT

// Package imagetest builds small images for tests. They are right in every
// respect that package image checks, but no kernel would run them.
package imagetest

import (
	"bytes"
	"encoding/binary"

	"crctl/image"
)

// Process is a process of a synthetic image.
type Process struct {
	PID, PPID, PGID, SID uint32
	Comm                 string
}

// Options change what Build makes.
type Options struct {
	Header func(*image.Header) // edits the header before it is written
	File   *image.FilePath     // a file that every process has open and mapped, with
	Path   string              // this path
	Fail   string              // ends the image with this error, not with a tail
}

// Build makes an image of processes, parents first, each with one thread and
// one page of memory.
func Build(procs []Process, o Options) ([]byte, error) {
	var buf bytes.Buffer
	w, err := image.NewWriter(&buf)
	if err != nil {
		return nil, err
	}
	b := &builder{w: w}
	b.head(procs, o)
	const cred, files, fs, path, mm = 1, 2, 3, 4, 10
	fds := []image.FD{}
	b.rec(image.TypeCred, cred, &image.Cred{}, nil)
	vma := &image.VMA{Start: 0x400000, End: 0x401000}
	if o.File != nil {
		b.rec(image.TypeFilePath, path, o.File, []byte(o.Path))
		fds = append(fds, image.FD{FD: 3, File: path})
		vma.File, vma.Kind = path, image.VmakFile
	}
	b.rec(image.TypeFdtable, files, &image.Fdtable{N: uint32(len(fds)), EntrySize: 16}, fds)
	b.rec(image.TypeFS, fs, &image.FS{CwdLen: 1, RootLen: 1}, []byte("//"))
	for i := range procs {
		ref := uint32(mm + i)
		b.rec(image.TypeMM, ref, &image.MM{Nvmas: 1}, nil)
		b.rec(image.TypeVMA, 0, vma, nil)
		b.rec(image.TypeMMEnd, 0, nil, nil)
	}
	for i, p := range procs {
		b.rec(image.TypeTask, 0, &image.Task{PID: p.PID, Nthreads: 1, MM: uint32(mm + i), Files: files, FS: fs}, nil)
		b.rec(image.TypeThread, 0, &image.Thread{TID: p.PID, Cred: cred}, nil)
		b.rec(image.TypeTaskEnd, 0, nil, nil)
	}
	for i := range procs {
		b.pages(uint32(mm + i))
	}
	b.end(o)
	return buf.Bytes(), b.err
}

// builder keeps the first error.
type builder struct {
	w   *image.Writer
	err error
}

func (b *builder) rec(t image.Type, objref uint32, fixed, variable any) {
	if b.err != nil {
		return
	}
	var raw []byte
	if variable != nil {
		raw, b.err = binary.Append(nil, binary.LittleEndian, variable)
	}
	if b.err == nil {
		b.err = b.w.Record(t, objref, fixed, raw)
	}
}

func (b *builder) head(procs []Process, o Options) {
	h := &image.Header{
		Version: image.ImageVersion, Flags: image.ImgDataCRC, PageSize: 4096,
		Machine: image.MachineX8664, Ntasks: uint32(len(procs)), WallNs: 1750000000e9,
	}
	copy(h.Release[:], "6.1.0-test")
	copy(h.Build[:], "#1 SMP")
	copy(h.Module[:], "0.1.0")
	if o.Header != nil {
		o.Header(h)
	}
	b.rec(image.TypeHeader, 0, h, nil)
	tasks := make([]image.TreeTask, len(procs))
	for i, p := range procs {
		tasks[i] = image.TreeTask{PID: p.PID, PPID: p.PPID, PGID: p.PGID, SID: p.SID, Nthreads: 1, ExitSignal: 17}
		copy(tasks[i].Comm[:15], p.Comm)
	}
	b.rec(image.TypeTree, 0, &image.Tree{
		Ntasks: uint32(len(tasks)), EntrySize: uint32(binary.Size(image.TreeTask{})),
		RootPID: procs[0].PID, Nthreads: uint32(len(tasks)),
	}, tasks)
}

func (b *builder) pages(mm uint32) {
	if b.err == nil {
		b.err = b.w.Pages(mm, []image.Run{{Start: 0x400000, Npages: 1}}, bytes.Repeat([]byte("page"), 1024))
	}
}

func (b *builder) end(o Options) {
	if b.err != nil {
		return
	}
	if o.Fail != "" {
		b.err = b.w.Fail(5, o.Fail)
	} else {
		b.err = b.w.Tail()
	}
}
