// SPDX-License-Identifier: MIT

package image

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// Writer writes the records of an image. Create it with NewWriter and end with
// Tail or Fail.
type Writer struct {
	w        io.Writer
	pos      uint64
	crc      uint32
	records  uint64
	pages    uint64
	pageSize uint32
	dataCRC  bool
}

// NewWriter writes the magic to w and returns a Writer for the records.
func NewWriter(w io.Writer) (*Writer, error) {
	wr := &Writer{w: w}
	return wr, wr.write([]byte(Magic))
}

// Position tells how many bytes are written and the checksum state there.
func (w *Writer) Position() (pos uint64, crc uint32) { return w.pos, w.crc }

// Record writes one record: fixed is a struct of this package (or nil), variable
// what follows it. PAGES and TAIL have methods of their own.
func (w *Writer) Record(t Type, objref uint32, fixed any, variable []byte) error {
	var body []byte
	if fixed != nil {
		var err error
		if body, err = binary.Append(nil, binary.LittleEndian, fixed); err != nil {
			return err
		}
	}
	n := len(body)
	body = append(body, variable...)
	if len(body) > RecordMax {
		return fmt.Errorf("%s: %d bytes are more than a record holds", t, len(body))
	}
	if h, ok := fixed.(*Header); ok {
		w.pageSize, w.dataCRC = h.PageSize, h.Flags&ImgDataCRC != 0
	}
	return w.raw(Hdr{Type: uint16(t), Fixed: uint16(n), Len: uint32(len(body)), Objref: objref}, body)
}

// raw writes a record after computing its checksum.
func (w *Writer) raw(h Hdr, body []byte) error {
	h.CRC = 0
	rec, err := binary.Append(nil, binary.LittleEndian, h)
	if err != nil {
		return err
	}
	rec = append(rec, body...)
	sum := crc32.Checksum(rec, castagnoli)
	binary.LittleEndian.PutUint32(rec[12:], sum)
	for len(rec)%Align != 0 {
		rec = append(rec, 0)
	}
	var crc [4]byte
	binary.LittleEndian.PutUint32(crc[:], sum)
	w.crc = crc32.Update(w.crc, castagnoli, crc[:])
	w.records++
	return w.write(rec)
}

// Pages writes a PAGES record for an object and its data: as many pages as the
// runs have together, in their order.
func (w *Writer) Pages(objref uint32, runs []Run, data []byte) error {
	if w.pageSize == 0 || len(data) == 0 || len(data)%int(w.pageSize) != 0 {
		return fmt.Errorf("PAGES: %d bytes in pages of %d", len(data), w.pageSize)
	}
	variable, err := encodeRuns(runs)
	if err != nil {
		return err
	}
	p := &Pages{Nruns: uint32(len(runs)), Npages: uint32(len(data) / int(w.pageSize))}
	end := w.pos + hdrSize + uint64(binary.Size(p)) + uint64(len(variable))
	p.PadBytes = uint32(-end & uint64(w.pageSize-1))
	if w.dataCRC {
		p.DataCRC = crc32.Checksum(data, castagnoli)
	}
	if err := w.Record(TypePages, objref, p, variable); err != nil {
		return err
	}
	w.pages += uint64(p.Npages)
	if err := w.write(make([]byte, p.PadBytes)); err != nil {
		return err
	}
	return w.write(data)
}

// Tail ends a complete image.
func (w *Writer) Tail() error {
	t := &Tail{Records: w.records, Bytes: w.pos, Pages: w.pages, CRC: w.crc}
	return w.Record(TypeTail, 0, t, nil)
}

// Fail ends the image of a checkpoint that failed; errno is positive.
func (w *Writer) Fail(errno int, message string) error {
	return w.Record(TypeError, 0, &ErrorRecord{Err: uint32(-int32(errno))}, []byte(message))
}

func (w *Writer) write(b []byte) error {
	n, err := w.w.Write(b)
	w.pos += uint64(n)
	return err
}
