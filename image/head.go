// SPDX-License-Identifier: MIT

package image

import (
	"errors"
	"fmt"
)

// MachineX8664 is EM_X86_64, the only Header.Machine so far.
const MachineX8664 = 62

// check looks at what every reader of the image depends on.
func (h *Header) check() error {
	if h.Version != ImageVersion {
		return fmt.Errorf("version %d; this crctl reads version %d only", h.Version, ImageVersion)
	}
	if h.PageSize < 4096 || h.PageSize > 65536 || h.PageSize&(h.PageSize-1) != 0 {
		return fmt.Errorf("page_size %d is none", h.PageSize)
	}
	if unknown := h.Flags &^ uint32(ImgDataCRC); unknown != 0 {
		return fmt.Errorf("unknown flags %#x", unknown)
	}
	return nil
}

// Head is what an image begins with: all that is needed to make the processes
// before the kernel restores them.
type Head struct {
	Header Header
	Tree   Tree
	Tasks  []TreeTask // parents first; Tasks[0] is the root
}

// ReadHead reads HEADER and TREE and not one byte more, and checks them.
func (r *Reader) ReadHead() (*Head, error) { return r.readHeadFor(func(*Record) {}) }

// readHeadFor is ReadHead that shows both records to visit.
func (r *Reader) readHeadFor(visit func(*Record)) (*Head, error) {
	rec, err := r.Next()
	if err != nil {
		return nil, err
	}
	visit(rec)
	h := &Head{}
	if f, ok := rec.Fixed.(*Header); ok {
		h.Header = *f
	}
	if rec, err = r.Next(); err != nil {
		return nil, err
	}
	visit(rec)
	tree, ok := rec.Fixed.(*Tree)
	if !ok {
		err := errors.New("the second record is not TREE")
		if werr := writtenError(rec); werr != nil {
			err = werr
		}
		return nil, &Error{rec.Offset, rec.Kind().String(), err}
	}
	h.Tree = *tree
	h.Tasks, err = rec.TreeTasks()
	if err == nil {
		err = h.check()
	}
	if err != nil {
		return nil, &Error{rec.Offset, "TREE", err}
	}
	return h, nil
}

// TreeTasks returns the entries of a TREE record.
func (r *Record) TreeTasks() ([]TreeTask, error) {
	t, ok := r.Fixed.(*Tree)
	if !ok {
		return nil, fmt.Errorf("%s has no tree", r.Kind())
	}
	return decodeEntries[TreeTask](r.Var, t.Ntasks, t.EntrySize)
}

// pidMax is PID_MAX_LIMIT of the kernel.
const pidMax = 1 << 22

// check tells whether the tree is one: every pid once, parents first, one root.
func (h *Head) check() error {
	if len(h.Tasks) == 0 {
		return errors.New("no task")
	}
	if h.Header.Ntasks != h.Tree.Ntasks {
		return fmt.Errorf("ntasks %d, but HEADER has %d", h.Tree.Ntasks, h.Header.Ntasks)
	}
	if h.Tasks[0].PID != h.Tree.RootPID {
		return fmt.Errorf("the first task is %d, but root_pid is %d", h.Tasks[0].PID, h.Tree.RootPID)
	}
	seen := make(map[uint32]bool, len(h.Tasks))
	threads := uint64(0)
	for i, t := range h.Tasks {
		switch {
		case t.PID == 0 || t.PID >= pidMax || t.PGID >= pidMax || t.SID >= pidMax:
			return fmt.Errorf("task %d: pid %d, group %d or session %d is out of range", i, t.PID, t.PGID, t.SID)
		case seen[t.PID]:
			return fmt.Errorf("pid %d is there twice", t.PID)
		case i == 0 && t.PPID != 0:
			return fmt.Errorf("root %d has a parent %d", t.PID, t.PPID)
		case i != 0 && !seen[t.PPID]:
			return fmt.Errorf("parent %d of pid %d does not stand before it", t.PPID, t.PID)
		case t.ExitSignal > 64:
			return fmt.Errorf("pid %d: exit signal %d", t.PID, t.ExitSignal)
		}
		seen[t.PID] = true
		threads += uint64(t.Nthreads)
	}
	if threads != uint64(h.Tree.Nthreads) {
		return fmt.Errorf("the tasks have %d threads, but nthreads is %d", threads, h.Tree.Nthreads)
	}
	return nil
}

// writtenError gives the error that an ERROR record holds, or nil.
func writtenError(rec *Record) error {
	e, ok := rec.Fixed.(*ErrorRecord)
	if !ok {
		return nil
	}
	return &WrittenError{Errno: -int(int32(e.Err)), Message: string(rec.Var)}
}
