// SPDX-License-Identifier: MIT

// Package image reads, writes and checks the images of crctl. It needs neither
// the kernel module nor any right: an image is a stream of records that are
// read front to back, one at a time and without seeking, and whatever it says
// is checked before it is used. Documentation/image-format.rst describes it.
package image

import (
	"encoding/binary"
	"fmt"
)

// Magic is what every image begins with. Its bytes are chosen so that a
// transfer that changes line ends or clears the eighth bit spoils it.
const Magic = "\x89CKPT\r\n\x1a"

// RecordMax is the largest Hdr.Len of a record, in bytes.
const RecordMax = 1 << 20

// hdrSize is the size of struct ckpt_hdr in bytes.
const hdrSize = 16

// Type is the type of a record, enum ckpt_rec of ckpt_image.h.
type Type uint16

// String gives the name of the type as in ckpt_image.h, without CKPT_REC_.
func (t Type) String() string {
	if k, ok := kinds[t]; ok {
		return k.Name
	}
	return fmt.Sprintf("UNKNOWN(0x%03x)", uint16(t))
}

// Kind is what the format says of one type of record.
type Kind struct {
	Name   string
	New    func() any // makes an empty fixed part; nil: it has none
	Object bool       // hdr.objref is an object that the record defines
}

// Lookup returns the Kind of a type, and whether the type is known.
func Lookup(t Type) (Kind, bool) {
	k, ok := kinds[t]
	return k, ok
}

// Record is one record of an image. What it points to is valid until the
// Reader reads the next one.
type Record struct {
	Hdr
	Offset uint64 // of its header, in bytes from the beginning of the image
	Fixed  any    // fixed part: pointer to the struct of its Kind, or nil
	Var    []byte // variable part
	Extra  []byte // what a newer writer appended to the fixed part
}

// Kind returns the record's type. (Hdr.Type is the number as it was read.)
func (r *Record) Kind() Type { return Type(r.Hdr.Type) }

// decodeFixed fills dst from raw. A field that raw is too short for is zero;
// what raw has beyond dst is returned.
func decodeFixed(raw []byte, dst any) ([]byte, error) {
	size := binary.Size(dst)
	if len(raw) >= size {
		_, err := binary.Decode(raw, binary.LittleEndian, dst)
		return raw[size:], err
	}
	full := make([]byte, size)
	copy(full, raw)
	_, err := binary.Decode(full, binary.LittleEndian, dst)
	return nil, err
}

// decodeEntries splits the n entries of a table in a variable part. size is
// what the image says an entry has; newer entries may be longer than T.
func decodeEntries[T any](raw []byte, n, size uint32) ([]T, error) {
	var zero T
	if min := binary.Size(zero); int(size) < min {
		return nil, fmt.Errorf("entry_size %d is less than %d", size, min)
	}
	if uint64(n)*uint64(size) > uint64(len(raw)) {
		return nil, fmt.Errorf("%d entries of %d bytes do not fit into %d bytes", n, size, len(raw))
	}
	entries := make([]T, n)
	for i := range entries {
		if _, err := binary.Decode(raw[i*int(size):], binary.LittleEndian, &entries[i]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// CString gives the text of a NUL padded field.
func CString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
