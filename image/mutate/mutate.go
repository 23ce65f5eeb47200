// SPDX-License-Identifier: MIT

// Package mutate damages images for tests. What it makes has right checksums
// where that is wanted, so that the damage gets past them to the code that has
// to find it.
package mutate

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"slices"

	"crctl/image"
)

const hdrSize = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// part is one record with the page data that follows it.
type part struct {
	kind    image.Type
	fixed   uint16 // what its header says
	objref  uint32
	body    []byte
	data    []byte // pages
	keep    bool   // the counts and paddings in it are meant to be wrong
	fakeLen int32  // added to the length of the header
	fakeCRC uint32 // xor
	fakePad byte
	offset  int // in the image that was parsed
}

// Image is an image in pieces.
type Image struct {
	parts []part
	size  int
}

// Parse takes a good image apart.
func Parse(data []byte) (*Image, error) {
	if len(data) < image.MagicLen || string(data[:image.MagicLen]) != image.Magic {
		return nil, image.ErrNotImage
	}
	m := &Image{size: len(data)}
	for pos := image.MagicLen; pos < len(data); {
		if pos+hdrSize > len(data) {
			return nil, fmt.Errorf("offset %d: no record", pos)
		}
		h := data[pos:]
		p := part{
			kind: image.Type(binary.LittleEndian.Uint16(h)), fixed: binary.LittleEndian.Uint16(h[2:]),
			objref: binary.LittleEndian.Uint32(h[8:]), offset: pos,
		}
		n := int(binary.LittleEndian.Uint32(h[4:]))
		end := (pos + hdrSize + n + image.Align - 1) &^ (image.Align - 1)
		if n > image.RecordMax || end > len(data) {
			return nil, fmt.Errorf("offset %d: a record that is cut off", pos)
		}
		p.body = slices.Clone(data[pos+hdrSize : pos+hdrSize+n])
		if p.kind == image.TypePages {
			from := end + int(binary.LittleEndian.Uint32(p.body[8:]))
			end = from + int(binary.LittleEndian.Uint32(p.body[4:]))*pageSize
			if end > len(data) {
				return nil, fmt.Errorf("offset %d: page data that is cut off", pos)
			}
			p.data = data[from:end]
		}
		m.parts = append(m.parts, p)
		pos = end
	}
	return m, nil
}

const pageSize = 4096

// Boundaries are the offsets at which records begin, and where the image ends.
func (m *Image) Boundaries() []int {
	list := []int{0}
	for i := range m.parts {
		list = append(list, m.parts[i].offset)
	}
	return append(list, m.size)
}

// clone copies what a mutation changes.
func (m *Image) clone() *Image {
	c := &Image{parts: slices.Clone(m.parts), size: m.size}
	for i := range c.parts {
		c.parts[i].body = slices.Clone(c.parts[i].body)
	}
	return c
}

// Bytes puts the image together, with the right lengths, checksums, paddings and
// counts except where a part says that they are meant to be wrong.
func (m *Image) Bytes() []byte {
	out := append(make([]byte, 0, m.size+pageSize), image.Magic...)
	var crc uint32
	var records, pages uint64
	for i := range m.parts {
		p := &m.parts[i]
		if !p.keep && p.kind == image.TypePages && len(p.body) >= 12 {
			end := len(out) + hdrSize + len(p.body)
			binary.LittleEndian.PutUint32(p.body[8:], uint32(-end&(pageSize-1)))
		}
		if !p.keep && p.kind == image.TypeTail && len(p.body) >= 28 {
			binary.LittleEndian.PutUint64(p.body, records)
			binary.LittleEndian.PutUint64(p.body[8:], uint64(len(out)))
			binary.LittleEndian.PutUint64(p.body[16:], pages)
			binary.LittleEndian.PutUint32(p.body[24:], crc)
		}
		start := len(out)
		var h [hdrSize]byte
		binary.LittleEndian.PutUint16(h[:], uint16(p.kind))
		binary.LittleEndian.PutUint16(h[2:], p.fixed)
		binary.LittleEndian.PutUint32(h[4:], uint32(int32(len(p.body))+p.fakeLen))
		binary.LittleEndian.PutUint32(h[8:], p.objref)
		out = append(append(out, h[:]...), p.body...)
		sum := crc32.Checksum(out[start:], castagnoli) ^ p.fakeCRC
		binary.LittleEndian.PutUint32(out[start+12:], sum)
		for len(out)%image.Align != 0 {
			out = append(out, p.fakePad)
		}
		if p.kind == image.TypePages {
			if len(p.body) >= 12 {
				out = append(out, make([]byte, binary.LittleEndian.Uint32(p.body[8:])&(pageSize-1))...)
			}
			out = append(out, p.data...)
			pages += uint64(len(p.data) / pageSize)
		}
		crc = crc32.Update(crc, castagnoli, out[start+12:start+16])
		records++
	}
	return out
}

// Objects returns the objrefs that are defined.
func (m *Image) objects() (list []uint32) {
	for i := range m.parts {
		if k, ok := image.Lookup(m.parts[i].kind); ok && k.Object {
			list = append(list, m.parts[i].objref)
		}
	}
	return list
}

// values are those that tend to be forgotten.
var values = []uint64{
	0, 1, 2, 7, 8, 31, 32, 63, 64, 255, 4095, 4096, 4097, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff,
	1 << 32, 1 << 47, 1<<47 - 4096, 1 << 62, 1<<63 - 1, 1 << 63, ^uint64(0), ^uint64(4095),
	0xffff888000000000, 0xffffffff81000000, 0xffffffffff600000,
}

// Words is how many 32-bit words the fixed parts have, for SetWord.
func (m *Image) Words() int {
	n := 0
	for i := range m.parts {
		n += int(m.parts[i].fixed) / 4
	}
	return n
}

// SetWord returns the image with one word of a fixed part changed, and what it is.
func (m *Image) SetWord(word int, value uint32) ([]byte, string) {
	c := m.clone()
	for i := range c.parts {
		p := &c.parts[i]
		if n := int(p.fixed) / 4; word >= n {
			word -= n
			continue
		}
		p.keep = p.kind == image.TypeTail || p.kind == image.TypePages && word == 2
		binary.LittleEndian.PutUint32(p.body[word*4:], value)
		return c.Bytes(), fmt.Sprintf("record %d (%v): word %d is %#x", i, p.kind, word, value)
	}
	return nil, "no such word"
}

// Random returns the image with some random damage, and what it is.
func (m *Image) Random(r *rand.Rand) ([]byte, string) {
	c := m.clone()
	what := ""
	for n := 1 + r.IntN(3); n > 0; n-- {
		what += c.damage(r) + "; "
	}
	out := c.Bytes()
	// Sometimes without the checksums.
	if r.IntN(20) == 0 {
		at := r.IntN(len(out))
		out[at] ^= 1 << r.IntN(8)
		what += fmt.Sprintf("a bit of byte %d; ", at)
	}
	if r.IntN(20) == 0 {
		out = out[:r.IntN(len(out))]
		what += fmt.Sprintf("cut to %d bytes; ", len(out))
	}
	return out, what
}

// pick chooses a part; those with page data alone are seldom interesting.
func (m *Image) pick(r *rand.Rand) int {
	i := r.IntN(len(m.parts))
	for try := 0; try < 3 && (m.parts[i].kind == image.TypePages || m.parts[i].kind == image.TypeVMA); try++ {
		i = r.IntN(len(m.parts))
	}
	return i
}

func (m *Image) damage(r *rand.Rand) string {
	i := m.pick(r)
	p := &m.parts[i]
	name := fmt.Sprintf("record %d (%v)", i, p.kind)
	switch r.IntN(16) {
	case 0:
		m.parts = slices.Delete(m.parts, i, i+1)
		if len(m.parts) == 0 {
			m.parts = []part{*p}
		}
		return name + " left out"
	case 1:
		m.parts = slices.Insert(m.parts, r.IntN(len(m.parts)+1), clonePart(*p))
		return name + " twice"
	case 2:
		j := r.IntN(len(m.parts))
		m.parts[i], m.parts[j] = m.parts[j], m.parts[i]
		return fmt.Sprintf("%s exchanged with %d", name, j)
	case 3:
		p.objref = m.ref(r)
		return fmt.Sprintf("%s: objref %d", name, p.objref)
	case 4:
		return name + m.frame(r, p)
	case 5, 6, 7:
		if n := len(p.body) - int(p.fixed); n > 0 {
			return name + change(r, p, int(p.fixed), n)
		}
	}
	if p.fixed == 0 || int(p.fixed) > len(p.body) {
		return name + " as it is"
	}
	if p.kind == image.TypeTail || p.kind == image.TypePages && r.IntN(4) == 0 {
		p.keep = true
	}
	if r.IntN(4) == 0 && int(p.fixed) >= 4 {
		at := r.IntN(int(p.fixed)/4) * 4
		v := m.ref(r)
		binary.LittleEndian.PutUint32(p.body[at:], v)
		return fmt.Sprintf("%s: %d at %d", name, v, at)
	}
	return name + change(r, p, 0, int(p.fixed))
}

func clonePart(p part) part {
	p.body = slices.Clone(p.body)
	return p
}

// ref is the number of some object.
func (m *Image) ref(r *rand.Rand) uint32 {
	if list := m.objects(); len(list) > 0 && r.IntN(8) != 0 {
		return list[r.IntN(len(list))]
	}
	return r.Uint32() >> r.IntN(32)
}

// frame damages a header.
func (m *Image) frame(r *rand.Rand, p *part) string {
	switch r.IntN(6) {
	case 0:
		p.kind = m.parts[r.IntN(len(m.parts))].kind
		return fmt.Sprintf(": type %v", p.kind)
	case 1:
		p.fixed = uint16(int(p.fixed) + (r.IntN(9)-4)*4)
		return fmt.Sprintf(": fixed part of %d bytes", p.fixed)
	case 2:
		p.fakeLen = int32(values[r.IntN(len(values))])
		return fmt.Sprintf(": length %+d", p.fakeLen)
	case 3:
		p.body = p.body[:r.IntN(len(p.body)+1)]
		return fmt.Sprintf(": cut to %d bytes", len(p.body))
	case 4:
		p.body = append(p.body, make([]byte, r.IntN(40))...)
		return fmt.Sprintf(": now of %d bytes", len(p.body))
	}
	p.fakeCRC, p.fakePad = r.Uint32N(2), byte(r.IntN(2))
	return ": checksum or padding"
}

// change sets some bytes of body[from:from+n].
func change(r *rand.Rand, p *part, from, n int) string {
	v := values[r.IntN(len(values))]
	switch r.IntN(4) {
	case 0:
		v = r.Uint64() >> r.IntN(64)
	case 1:
		at := from + r.IntN(n)
		p.body[at] ^= 1 << r.IntN(8)
		return fmt.Sprintf(": a bit of byte %d", at)
	}
	switch {
	case n >= 8 && r.IntN(2) == 0:
		at := from + r.IntN(n/8)*8
		binary.LittleEndian.PutUint64(p.body[at:], v)
		return fmt.Sprintf(": %#x at %d", v, at)
	case n >= 4:
		at := from + r.IntN(n/4)*4
		binary.LittleEndian.PutUint32(p.body[at:], uint32(v))
		return fmt.Sprintf(": %#x at %d", uint32(v), at)
	}
	at := from + r.IntN(n)
	p.body[at] = byte(v)
	return fmt.Sprintf(": %#x at %d", byte(v), at)
}

// Edit calls fn for every record, with its type and its body; fn returns what
// the body is to be.
func (m *Image) Edit(fn func(image.Type, []byte) []byte) []byte {
	c := m.clone()
	for i := range c.parts {
		c.parts[i].body = fn(c.parts[i].kind, c.parts[i].body)
	}
	return c.Bytes()
}

// Twice writes each record of a type two times in a row.
func (m *Image) Twice(t image.Type) []byte {
	c := m.clone()
	var parts []part
	for _, p := range c.parts {
		parts = append(parts, p)
		if p.kind == t {
			parts = append(parts, clonePart(p))
		}
	}
	c.parts = parts
	return c.Bytes()
}

// Offset finds a field in the fixed part of a type of record, by the name that
// it has in ckpt_image.h. A name that is not there is a mistake of the test.
func Offset(t image.Type, field string) int {
	kind, ok := image.Lookup(t)
	if !ok || kind.New == nil {
		panic(fmt.Sprintf("%v has no fields", t))
	}
	typ := reflect.TypeOf(kind.New()).Elem()
	at := 0
	for i := range typ.NumField() {
		if typ.Field(i).Tag.Get("json") == field {
			return at
		}
		at += binary.Size(reflect.Zero(typ.Field(i).Type).Interface())
	}
	panic(fmt.Sprintf("%v has no field %s", t, field))
}
