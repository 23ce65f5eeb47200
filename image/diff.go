// SPDX-License-Identifier: MIT

package image

import (
	"fmt"
	"hash/crc32"
	"io"
)

// diffMax bounds the differences that Diff reports.
const diffMax = 1000

// entry is what Diff keeps of a record.
type entry struct {
	desc string
	data uint32 // CRC32C of the variable part, the table and the page data
	seen bool
}

// Diff compares two images record by record and returns the differences, one
// line each. Records are the same if they are of one type, about one
// object, in one process and thread, and the n-th of those. Of a, a line for
// each record is kept in memory; page data is compared by checksum.
func Diff(a, b io.Reader) ([]string, error) {
	var order []string
	old := map[string]*entry{}
	err := walk(a, func(key, desc string, data uint32) {
		old[key] = &entry{desc: desc, data: data}
		order = append(order, key)
	})
	if err != nil {
		return nil, fmt.Errorf("first image: %w", err)
	}
	var out []string
	err = walk(b, func(key, desc string, data uint32) {
		e, ok := old[key]
		switch {
		case !ok:
			out = append(out, fmt.Sprintf("+ %s: %s", key, desc))
			return
		case e.desc != desc:
			out = append(out, fmt.Sprintf("- %s: %s", key, e.desc), fmt.Sprintf("+ %s: %s", key, desc))
		case e.data != data:
			out = append(out, fmt.Sprintf("! %s: other data", key))
		}
		e.seen = true
	})
	if err != nil {
		return nil, fmt.Errorf("second image: %w", err)
	}
	for _, key := range order {
		if e := old[key]; !e.seen {
			out = append(out, fmt.Sprintf("- %s: %s", key, e.desc))
		}
	}
	if len(out) > diffMax {
		out = append(out[:diffMax], fmt.Sprintf("... and %d more", len(out)-diffMax))
	}
	return out, nil
}

// walk calls fn for each record with a key that is the same in a similar image.
func walk(r io.Reader, fn func(key, desc string, data uint32)) error {
	reader, err := NewReader(r)
	if err != nil {
		return err
	}
	count := map[string]int{}
	place := ""
	for {
		rec, err := reader.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch f := rec.Fixed.(type) {
		case *Task:
			place = fmt.Sprintf("pid %d ", f.PID)
		case *Thread:
			place = fmt.Sprintf("tid %d ", f.TID)
		}
		key := place + rec.Kind().String()
		if rec.Kind() == TypeTaskEnd {
			place = ""
		}
		if rec.Objref != 0 {
			key += fmt.Sprintf(" #%d", rec.Objref)
		}
		count[key]++
		if n := count[key]; n > 1 {
			key += fmt.Sprintf(" (%d)", n)
		}
		sum := crc32.New(castagnoli)
		_, _ = sum.Write(rec.Var)
		if rec.Kind() == TypePages {
			if _, err := io.Copy(sum, reader.PageData()); err != nil {
				return err
			}
		}
		switch f := rec.Fixed.(type) {
		case *Pages: // where they stand is not what they are
			f.PadBytes, f.DataCRC = 0, 0
		case *Tail:
			continue
		}
		fn(key, rec.Describe(), sum.Sum32())
	}
}
