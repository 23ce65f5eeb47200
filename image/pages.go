// SPDX-License-Identifier: MIT

package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// runSize is the size of struct ckpt_run in bytes.
const runSize = 16

// Runs returns the runs of a PAGES record.
func (r *Record) Runs() ([]Run, error) {
	p, ok := r.Fixed.(*Pages)
	if !ok {
		return nil, fmt.Errorf("%s has no runs", r.Kind())
	}
	return decodeEntries[Run](r.Var, p.Nruns, runSize)
}

// PageData returns the page data of the PAGES record that Next returned last:
// npages pages in the order of the runs. It is valid until the next Next.
// Reading it to the end also checks its checksum, if the image has one.
func (r *Reader) PageData() io.Reader {
	if r.page == nil {
		return eof{}
	}
	return r.page
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// startPages checks a PAGES record and consumes the zeros before its data.
func (r *Reader) startPages(rec *Record, p *Pages) error {
	if p.Npages == 0 || p.Npages > PagesMax {
		return fmt.Errorf("npages %d is not 1 to %d", p.Npages, PagesMax)
	}
	if p.Nruns == 0 || p.Nruns > p.Npages {
		return fmt.Errorf("nruns %d is not 1 to npages %d", p.Nruns, p.Npages)
	}
	if uint64(len(rec.Var)) != uint64(p.Nruns)*runSize {
		return fmt.Errorf("%d bytes of runs, but nruns is %d", len(rec.Var), p.Nruns)
	}
	runs, err := rec.Runs()
	if err != nil {
		return err
	}
	sum := uint64(0)
	for _, run := range runs {
		if run.Npages == 0 || run.Start%uint64(r.pageSize) != 0 {
			return fmt.Errorf("run of %d pages at %#x", run.Npages, run.Start)
		}
		if last := run.Start + (uint64(run.Npages)-1)*uint64(r.pageSize); last < run.Start {
			return fmt.Errorf("run of %d pages at %#x wraps around", run.Npages, run.Start)
		}
		sum += uint64(run.Npages)
	}
	if sum != uint64(p.Npages) {
		return fmt.Errorf("the runs have %d pages, but npages is %d", sum, p.Npages)
	}
	want := -r.pos & uint64(r.pageSize-1)
	if uint64(p.PadBytes) != want {
		return fmt.Errorf("pad_bytes %d, but the next page boundary is %d bytes away", p.PadBytes, want)
	}
	pad := make([]byte, want)
	if err := r.full(pad); err != nil {
		return unexpectedEOF(err)
	}
	if !allZero(pad) {
		return errors.New("the bytes before the page data are not zero")
	}
	r.pages += sum
	r.page = &pageReader{r: r, left: sum * uint64(r.pageSize), want: p.DataCRC, offset: rec.Offset}
	if !r.dataCRC && p.DataCRC != 0 {
		return errors.New("data_crc is set, but the header says that page data has no checksum")
	}
	return nil
}

// pageReader reads the page data of one PAGES record.
type pageReader struct {
	r      *Reader
	left   uint64 // bytes
	crc    uint32
	want   uint32
	offset uint64 // of the record
}

func (p *pageReader) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, p.check()
	}
	if uint64(len(b)) > p.left {
		b = b[:p.left]
	}
	n, err := p.r.r.Read(b)
	p.r.pos += uint64(n)
	p.left -= uint64(n)
	if p.r.dataCRC {
		p.crc = crc32.Update(p.crc, castagnoli, b[:n])
	}
	if err == io.EOF && p.left == 0 {
		err = nil
	}
	if err != nil {
		return n, &Error{p.r.pos, "PAGES", unexpectedEOF(err)}
	}
	return n, nil
}

// check returns io.EOF if the data that was read is what was written.
func (p *pageReader) check() error {
	if p.r.dataCRC && p.crc != p.want {
		return &Error{p.offset, "PAGES", fmt.Errorf(
			"page data has checksum %#08x, but the record has %#08x: the image is damaged", p.crc, p.want)}
	}
	return io.EOF
}

// finish skips what nobody has read.
func (p *pageReader) finish() error {
	var buf [64 << 10]byte
	for {
		if _, err := p.Read(buf[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// encodeRuns makes the variable part of a PAGES record.
func encodeRuns(runs []Run) ([]byte, error) {
	return binary.Append(nil, binary.LittleEndian, runs)
}
