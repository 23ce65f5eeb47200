// SPDX-License-Identifier: MIT

package image

import (
	"errors"
	"fmt"
	"io"
)

// Summary is what Verify counted, whatever it found.
type Summary struct {
	Head    *Head // nil if it could not be read
	Records uint64
	Pages   uint64
	Bytes   uint64
	Objects int
	Counts  map[string]int // records by name
}

// problemsMax bounds what Verify reports of one image.
const problemsMax = 100

// Verify reads a whole image and returns all flaws that it finds: damage, and
// contradictions between records. It stops at the first that makes it
// impossible to read on. visit, if any, gets every record on the way.
func Verify(r io.Reader, visit func(*Record)) (*Summary, []error) {
	v := &verifier{
		sum:     &Summary{Counts: map[string]int{}},
		objects: map[uint32]Type{},
		pids:    map[uint32]bool{},
		tids:    map[uint32]bool{},
	}
	reader, err := NewReader(r)
	if err != nil {
		return v.sum, []error{err}
	}
	v.sum.Head, err = reader.readHeadFor(func(rec *Record) {
		v.count(rec)
		if visit != nil {
			visit(rec)
		}
	})
	if err != nil {
		return v.sum, []error{err}
	}
	for _, t := range v.sum.Head.Tasks {
		v.pids[t.PID] = false
	}
	for len(v.problems) < problemsMax {
		rec, err := reader.Next()
		if err == io.EOF {
			v.end(r, reader)
			break
		}
		if err != nil {
			v.problems = append(v.problems, err)
			break
		}
		v.count(rec)
		v.record(rec)
		if visit != nil {
			visit(rec)
		}
	}
	v.sum.Bytes, _ = reader.Position()
	v.sum.Pages = reader.pages
	v.sum.Objects = len(v.objects)
	return v.sum, v.problems
}

// verifier keeps what the records of an image promise each other.
type verifier struct {
	sum      *Summary
	problems []error

	objects map[uint32]Type // objref to the record that defined it
	pids    map[uint32]bool // of TREE; true: its TASK was there
	tids    map[uint32]bool

	task    *Task // between TASK and TASK_END
	taskRec Record
	threads uint32
	mm      *MM // between MM and MM_END
	mmRef   uint32
	vmas    uint32
	lastEnd uint64
	inPages bool
	ended   bool // TAIL or ERROR
}

func (v *verifier) count(rec *Record) {
	v.sum.Records++
	v.sum.Counts[rec.Kind().String()]++
}

func (v *verifier) problem(rec *Record, format string, args ...any) {
	v.problems = append(v.problems, &Error{rec.Offset, rec.Kind().String(), fmt.Errorf(format, args...)})
}

// record checks one record against those before it.
func (v *verifier) record(rec *Record) {
	kind, known := kinds[rec.Kind()]
	if !known {
		v.problem(rec, "unknown type of record; it takes a newer crctl")
		return
	}
	if v.inPages && rec.Kind() != TypePages && rec.Kind() != TypeSame && rec.Kind() != TypeTail && rec.Kind() != TypeError {
		v.problem(rec, "stands after page data")
	}
	if rec.Kind() != TypeTask {
		v.references(rec)
	}
	v.define(rec, kind)
	for _, err := range checkShape(rec) {
		v.problem(rec, "%w", err)
	}
	if check, ok := orderChecks[rec.Kind()]; ok {
		check(v, rec)
	}
}

// define notes the object that a record defines, or looks up the one it is about.
func (v *verifier) define(rec *Record, kind Kind) {
	switch {
	case kind.Object && rec.Objref == 0:
		v.problem(rec, "defines an object without a number")
	case kind.Object:
		if t, dup := v.objects[rec.Objref]; dup {
			v.problem(rec, "object %d is defined twice; the first is %s", rec.Objref, t)
		}
		v.objects[rec.Objref] = rec.Kind()
	case rec.Objref != 0:
		if _, ok := v.objects[rec.Objref]; !ok {
			v.problem(rec, "is about object %d, which is not defined before it", rec.Objref)
		}
	}
}

// references checks that what a record refers to is there and of the right type.
func (v *verifier) references(rec *Record) {
	for _, ref := range Refs(rec) {
		if ref.Objref == 0 {
			continue
		}
		t, ok := v.objects[ref.Objref]
		if !ok {
			v.problem(rec, "%s refers to object %d, which is not defined before it", ref.Field, ref.Objref)
			continue
		}
		if want, ok := refTypes[ref.Field]; ok && !want(t) {
			v.problem(rec, "%s refers to object %d, which is %s", ref.Field, ref.Objref, t)
		}
	}
}

// orderChecks are the checks of records that must stand in an order.
var orderChecks = map[Type]func(*verifier, *Record){
	TypeHeader: func(v *verifier, r *Record) { v.problem(r, "a second one") },
	TypeTree:   func(v *verifier, r *Record) { v.problem(r, "a second one") },
	TypeTask:   (*verifier).beginTask, TypeTaskEnd: (*verifier).endTask, TypeThread: (*verifier).thread,
	TypeMM: (*verifier).beginMM, TypeVMA: (*verifier).vma, TypeMMEnd: (*verifier).endMM,
	TypePages: (*verifier).pages, TypeSame: (*verifier).same, TypeTail: (*verifier).tail, TypeError: (*verifier).failed,
}

func (v *verifier) beginTask(rec *Record) {
	t := *rec.Fixed.(*Task)
	if v.task != nil {
		v.problem(rec, "TASK %d begins inside TASK %d", t.PID, v.task.PID)
	}
	seen, ok := v.pids[t.PID]
	switch {
	case !ok:
		v.problem(rec, "pid %d is not in TREE", t.PID)
	case seen:
		v.problem(rec, "a second one for pid %d", t.PID)
	}
	v.pids[t.PID] = true
	v.task, v.threads = &t, 0
	v.taskRec = *rec
	if t.Flags&TaskZombie == 0 && (t.MM == 0 || t.Files == 0 || t.FS == 0) {
		v.problem(rec, "pid %d runs, but has no mm, files or fs", t.PID)
	}
}

func (v *verifier) endTask(rec *Record) {
	if v.task == nil {
		v.problem(rec, "without a TASK")
		return
	}
	// What a TASK refers to may also stand among the records of its process.
	v.references(&v.taskRec)
	if v.threads != v.task.Nthreads {
		v.problem(rec, "pid %d has %d threads, but nthreads is %d", v.task.PID, v.threads, v.task.Nthreads)
	}
	v.task = nil
}

func (v *verifier) thread(rec *Record) {
	t := rec.Fixed.(*Thread)
	if v.task == nil {
		v.problem(rec, "outside of a TASK")
		return
	}
	if v.threads == 0 && t.TID != v.task.PID {
		v.problem(rec, "the first thread of pid %d is %d, not its leader", v.task.PID, t.TID)
	}
	if v.tids[t.TID] {
		v.problem(rec, "tid %d is there twice", t.TID)
	}
	v.tids[t.TID] = true
	v.threads++
}

func (v *verifier) beginMM(rec *Record) {
	m := *rec.Fixed.(*MM)
	if v.mm != nil {
		v.problem(rec, "begins inside another MM")
	}
	v.mm, v.mmRef, v.vmas, v.lastEnd = &m, rec.Objref, 0, 0
}

func (v *verifier) vma(rec *Record) {
	a := rec.Fixed.(*VMA)
	if v.mm == nil {
		v.problem(rec, "outside of an MM")
		return
	}
	page := uint64(v.sum.Head.Header.PageSize)
	switch {
	case a.Start >= a.End || a.Start%page != 0 || a.End%page != 0:
		v.problem(rec, "%#x to %#x is no mapping", a.Start, a.End)
	case a.Start < v.lastEnd:
		v.problem(rec, "%#x to %#x overlaps the mapping before, which ends at %#x", a.Start, a.End, v.lastEnd)
	}
	v.lastEnd = a.End
	v.vmas++
}

func (v *verifier) endMM(rec *Record) {
	if v.mm == nil {
		v.problem(rec, "without an MM")
		return
	}
	if v.vmas != v.mm.Nvmas {
		v.problem(rec, "%d mappings, but nvmas is %d", v.vmas, v.mm.Nvmas)
	}
	v.mm = nil
}

func (v *verifier) pages(rec *Record) {
	v.inPages = true
	if v.task != nil || v.mm != nil {
		v.problem(rec, "inside a TASK or an MM")
	}
	if t := v.objects[rec.Objref]; t != TypeMM && t != TypeShmem {
		v.problem(rec, "is about object %d, which has no pages", rec.Objref)
	}
}

func (v *verifier) same(rec *Record) {
	v.inPages = true
	if v.task != nil || v.mm != nil {
		v.problem(rec, "inside a TASK or an MM")
	}
	if t := v.objects[rec.Objref]; t != TypeMM {
		v.problem(rec, "is about object %d, which is not an MM", rec.Objref)
	}
	page := uint64(v.sum.Head.Header.PageSize)
	runs, _ := rec.Entries() // checkShape tells
	for _, e := range runs {
		r := e.(*SameRun)
		switch {
		case r.Npages == 0 || r.Start%page != 0 || r.From%page != 0:
			v.problem(rec, "run of %d pages at %#x, from %#x", r.Npages, r.Start, r.From)
		case r.MM == rec.Objref:
			v.problem(rec, "the run at %#x is from the same MM", r.Start)
		}
	}
}

func (v *verifier) tail(rec *Record) {
	v.ended = true
	if v.task != nil || v.mm != nil {
		v.problem(rec, "inside a TASK or an MM")
	}
	for _, t := range v.sum.Head.Tasks {
		if !v.pids[t.PID] {
			v.problem(rec, "no TASK for pid %d of TREE", t.PID)
		}
	}
}

func (v *verifier) failed(rec *Record) {
	v.ended = true
	v.problem(rec, "%w", writtenError(rec))
}

// end checks that nothing follows the image.
func (v *verifier) end(r io.Reader, reader *Reader) {
	pos, _ := reader.Position()
	var b [1]byte
	if n, _ := io.ReadFull(r, b[:]); n != 0 {
		v.problems = append(v.problems, &Error{Offset: pos, Err: errors.New("bytes follow the end of the image")})
	}
}
