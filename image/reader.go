// SPDX-License-Identifier: MIT

package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Reader reads the records of an image one after the other. It never reads
// beyond the record that it returns, so that the kernel can go on from there,
// and it holds one record (1 MiB at most) in memory. Create it with NewReader.
type Reader struct {
	r       io.Reader
	pos     uint64 // bytes consumed
	crc     uint32 // CRC32C of the crc fields so far
	records uint64
	pages   uint64

	pageSize uint32 // of HEADER; 0 before it
	dataCRC  bool   // PAGES carry a checksum of their data
	page     *pageReader
	buf      []byte
	done     bool
	err      error
}

// NewReader checks the magic of r and returns a Reader for what follows.
func NewReader(r io.Reader) (*Reader, error) {
	var magic [MagicLen]byte
	if n, err := io.ReadFull(r, magic[:]); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, &Error{Err: fmt.Errorf("%w: it has only %d bytes", ErrNotImage, n)}
		}
		return nil, &Error{Err: err}
	}
	if string(magic[:]) != Magic {
		return nil, &Error{Err: fmt.Errorf("%w: it begins with %q", ErrNotImage, magic)}
	}
	return &Reader{r: r, pos: MagicLen}, nil
}

// Position tells how many bytes of the stream are consumed, and the state of
// the checksum there: CKPT_A_STREAM_POS and CKPT_A_STREAM_CRC of RESTART.
func (r *Reader) Position() (pos uint64, crc uint32) { return r.pos, r.crc }

// Next returns the next record. After the TAIL, or the ERROR record of a failed
// checkpoint, it returns io.EOF without reading on. Page data of the
// record before that nobody has read is skipped. Errors are of type *Error.
func (r *Reader) Next() (*Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	rec, err := r.next()
	if err != nil {
		r.err = err
	}
	return rec, err
}

func (r *Reader) next() (*Record, error) {
	if r.page != nil {
		if err := r.page.finish(); err != nil {
			return nil, err
		}
		r.page = nil
	}
	if r.done {
		return nil, io.EOF
	}
	rec, err := r.readRecord()
	if err != nil {
		return nil, err
	}
	if err := r.note(rec); err != nil {
		return nil, &Error{rec.Offset, rec.Kind().String(), err}
	}
	return rec, nil
}

// readRecord reads one record and checks what holds for every type.
func (r *Reader) readRecord() (*Record, error) {
	rec := &Record{Offset: r.pos}
	var raw [hdrSize]byte
	if err := r.full(raw[:]); err != nil {
		return nil, &Error{rec.Offset, "", unexpectedEOF(err)}
	}
	if _, err := binary.Decode(raw[:], binary.LittleEndian, &rec.Hdr); err != nil {
		return nil, &Error{rec.Offset, "", err}
	}
	fail := func(format string, args ...any) (*Record, error) {
		return nil, &Error{rec.Offset, rec.Kind().String(), fmt.Errorf(format, args...)}
	}
	if rec.Len > RecordMax {
		return fail("length %d is more than %d", rec.Len, RecordMax)
	}
	if rec.Len < uint32(rec.Hdr.Fixed) {
		return fail("length %d is shorter than its fixed part %d", rec.Len, rec.Hdr.Fixed)
	}
	padded := (int(rec.Len) + Align - 1) &^ (Align - 1)
	if cap(r.buf) < padded {
		r.buf = make([]byte, padded)
	}
	body := r.buf[:padded]
	if err := r.full(body); err != nil {
		return fail("%w", unexpectedEOF(err))
	}
	if !allZero(body[rec.Len:]) {
		return fail("the padding is not zero")
	}
	binary.LittleEndian.PutUint32(raw[12:], 0)
	sum := crc32.Update(crc32.Checksum(raw[:], castagnoli), castagnoli, body[:rec.Len])
	if sum != rec.CRC {
		return fail("checksum %#08x, but the record has %#08x: the image is damaged", sum, rec.CRC)
	}
	fixed := body[:rec.Hdr.Fixed]
	rec.Var = body[rec.Hdr.Fixed:rec.Len]
	rec.Extra = fixed
	if k, ok := kinds[rec.Kind()]; ok && k.New != nil {
		rec.Fixed = k.New()
		extra, err := decodeFixed(fixed, rec.Fixed)
		if err != nil {
			return fail("%w", err)
		}
		rec.Extra = extra
	}
	return rec, nil
}

// note keeps what later records depend on, and counts.
func (r *Reader) note(rec *Record) error {
	if r.records == 0 && rec.Kind() != TypeHeader {
		return errors.New("the first record is not HEADER")
	}
	switch f := rec.Fixed.(type) {
	case *Header:
		if r.records != 0 {
			return errors.New("a second HEADER")
		}
		if err := f.check(); err != nil {
			return err
		}
		r.pageSize, r.dataCRC = f.PageSize, f.Flags&ImgDataCRC != 0
	case *Pages:
		if err := r.startPages(rec, f); err != nil {
			return err
		}
	case *Tail:
		if err := r.checkTail(rec, f); err != nil {
			return err
		}
		r.done = true
	case *ErrorRecord:
		r.done = true
	}
	var crc [4]byte
	binary.LittleEndian.PutUint32(crc[:], rec.CRC)
	r.crc = crc32.Update(r.crc, castagnoli, crc[:])
	r.records++
	return nil
}

func (r *Reader) checkTail(rec *Record, t *Tail) error {
	switch {
	case t.Records != r.records:
		return fmt.Errorf("records %d, but %d were read: records are missing", t.Records, r.records)
	case t.Bytes != rec.Offset:
		return fmt.Errorf("bytes %d, but it stands at %d", t.Bytes, rec.Offset)
	case t.Pages != r.pages:
		return fmt.Errorf("pages %d, but %d were read", t.Pages, r.pages)
	case t.CRC != r.crc:
		return fmt.Errorf("crc %#08x, but %#08x was computed: records were exchanged", t.CRC, r.crc)
	}
	return nil
}

// full reads all of b and counts it.
func (r *Reader) full(b []byte) error {
	n, err := io.ReadFull(r.r, b)
	r.pos += uint64(n)
	return err
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
