// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"testing"
)

func FuzzReader(f *testing.F) {
	f.Add(goodImage(f))
	s := newSample(f)
	s.head()
	if err := s.w.Fail(5, "gone"); err != nil {
		f.Fatal(err)
	}
	f.Add(s.buf.Bytes())
	f.Add([]byte(Magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		// Once as it is, once with the checksums made right, or nothing
		// behind them would ever be reached.
		readAll(t, data)
		repair(data)
		readAll(t, data)
	})
}

func readAll(t *testing.T, data []byte) {
	sum, errs := Verify(bytes.NewReader(data), func(r *Record) {
		_ = r.Describe()
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
	if len(errs) == 0 && (sum.Head == nil || sum.Bytes != uint64(len(data))) {
		t.Errorf("no error, but %+v", sum)
	}
	if sum.Head != nil {
		_ = sum.Head.PrintTree()
	}
}

// repair puts the right checksum into every record header of data.
func repair(data []byte) {
	for pos := MagicLen; pos+hdrSize <= len(data); {
		end := pos + hdrSize + int(binary.LittleEndian.Uint32(data[pos+4:]))
		if end > len(data) || end < pos {
			return
		}
		binary.LittleEndian.PutUint32(data[pos+12:], 0)
		binary.LittleEndian.PutUint32(data[pos+12:], crc32.Checksum(data[pos:end], castagnoli))
		fixed := data[pos+hdrSize:]
		if Type(binary.LittleEndian.Uint16(data[pos:])) == TypePages && len(fixed) >= 12 {
			pages := int(binary.LittleEndian.Uint32(fixed[4:])) % PagesMax
			end = (end+Align-1)&^(Align-1) + int(binary.LittleEndian.Uint32(fixed[8:])%65536) + pages*4096
		}
		pos = (end + Align - 1) &^ (Align - 1)
	}
}
