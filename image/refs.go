// SPDX-License-Identifier: MIT

package image

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
)

// Ref is a field of a record that refers to an object.
type Ref struct {
	Field  string // name in ckpt_image.h
	Objref uint32 // 0: to none
}

// Refs returns what a record refers to, in its fixed part and its entries.
func Refs(rec *Record) []Ref {
	refs := structRefs(nil, rec.Fixed)
	if entries, err := rec.Entries(); err == nil {
		for _, e := range entries {
			refs = structRefs(refs, e)
		}
	}
	return refs
}

// structRefs collects the fields that ckpt_image.h marks as objref.
func structRefs(refs []Ref, s any) []Ref {
	if s == nil {
		return refs
	}
	v := reflect.Indirect(reflect.ValueOf(s))
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case f.Type.Kind() == reflect.Struct:
			refs = structRefs(refs, v.Field(i).Interface())
		case f.Tag.Get("ckpt") == "objref":
			refs = append(refs, Ref{f.Tag.Get("json"), uint32(v.Field(i).Uint())})
		}
	}
	return refs
}

func is(want Type) func(Type) bool { return func(t Type) bool { return t == want } }

func isFile(t Type) bool { return strings.HasPrefix(t.String(), "FILE_") }

// refTypes tells what a field may refer to, by its name in ckpt_image.h.
var refTypes = map[string]func(Type) bool{
	"mm": is(TypeMM), "files": is(TypeFdtable), "fs": is(TypeFS),
	"sighand": is(TypeSigaction), "cred": is(TypeCred), "seccomp": is(TypeSeccomp), "tty": is(TypeTTY),
	"peer": is(TypeUnix), "listener": is(TypeUnix), "sender": is(TypeUnix),
	"exe": isFile, "file": func(t Type) bool { return isFile(t) || t == TypeShmem },
}

// Entries returns the table in the variable part of a record, as structs of
// this package, or nil if its type has none.
func (r *Record) Entries() ([]any, error) {
	switch f := r.Fixed.(type) {
	case *Tree:
		return entries[TreeTask](r.Var, f.Ntasks, f.EntrySize)
	case *Fdtable:
		return entries[FD](r.Var, f.N, f.EntrySize)
	case *Sigaction:
		return entries[Sigact](r.Var, f.N, f.EntrySize)
	case *Pages:
		return entries[Run](r.Var, f.Nruns, runSize)
	case *Same:
		return entries[SameRun](r.Var, f.N, f.EntrySize)
	}
	return nil, nil
}

func entries[T any](raw []byte, n, size uint32) ([]any, error) {
	list, err := decodeEntries[T](raw, n, size)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out, nil
}

// varLengths tells how long the variable part of a record must be, where
// its fixed part says so.
var varLengths = map[Type]func(*Record) uint64{
	TypeTree:       func(r *Record) uint64 { f := r.Fixed.(*Tree); return uint64(f.Ntasks) * uint64(f.EntrySize) },
	TypeCred:       func(r *Record) uint64 { return uint64(r.Fixed.(*Cred).Ngroups) * 4 },
	TypeFPU:        func(r *Record) uint64 { return uint64(r.Fixed.(*FPU).Size) },
	TypeSched:      func(r *Record) uint64 { return uint64(r.Fixed.(*Sched).MaskBytes) },
	TypeSigaction:  func(r *Record) uint64 { f := r.Fixed.(*Sigaction); return uint64(f.N) * uint64(f.EntrySize) },
	TypeSigpending: func(r *Record) uint64 { return uint64(r.Fixed.(*Sigpending).N) * 128 },
	TypeSeccomp:    filtersLength,
	TypeMempolicy:  func(r *Record) uint64 { return uint64(r.Fixed.(*Mempolicy).MaskBytes) },
	TypeMM:         func(r *Record) uint64 { return uint64(r.Fixed.(*MM).AuxvBytes) },
	TypeSame:       func(r *Record) uint64 { f := r.Fixed.(*Same); return uint64(f.N) * uint64(f.EntrySize) },
	TypeFdtable:    func(r *Record) uint64 { f := r.Fixed.(*Fdtable); return uint64(f.N) * uint64(f.EntrySize) },
	TypeUnix:       func(r *Record) uint64 { f := r.Fixed.(*Unix); return uint64(f.AddrLen) + uint64(f.PathLen) },
	TypeFS:         func(r *Record) uint64 { f := r.Fixed.(*FS); return uint64(f.CwdLen) + uint64(f.RootLen) },
}

// filtersLength walks the filters of a SECCOMP record. A length that does not fit ends the walk.
func filtersLength(r *Record) uint64 {
	const head = 8 // struct ckpt_seccomp_filter
	at := uint64(0)
	for range r.Fixed.(*Seccomp).N {
		if at+head > uint64(len(r.Var)) {
			return at + head
		}
		at += head + uint64(binary.LittleEndian.Uint32(r.Var[at+4:]))*8
	}
	return at
}

// checkShape checks one record by itself.
func checkShape(rec *Record) []error {
	var errs []error
	if length, ok := varLengths[rec.Kind()]; ok {
		if want := length(rec); want != uint64(len(rec.Var)) {
			errs = append(errs, fmt.Errorf("variable part of %d bytes, but its counts make %d", len(rec.Var), want))
		}
	}
	if _, err := rec.Entries(); err != nil {
		errs = append(errs, err)
	}
	if !padsZero(rec.Fixed) {
		errs = append(errs, fmt.Errorf("its pad field is not zero"))
	}
	return errs
}

// padsZero tells whether the fields of a struct that are named pad are zero.
func padsZero(s any) bool {
	if s == nil {
		return true
	}
	v := reflect.Indirect(reflect.ValueOf(s))
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.Struct && !padsZero(f.Interface()) {
			return false
		}
		if v.Type().Field(i).Name == "Pad" && !f.IsZero() {
			return false
		}
	}
	return true
}
