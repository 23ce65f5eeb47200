// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVerifyGood(t *testing.T) {
	img := goodImage(t)
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(img), "a byte at a time": iotest.OneByteReader(bytes.NewReader(img)),
		"data with EOF": iotest.DataErrReader(bytes.NewReader(img)),
	} {
		sum, errs := Verify(r, nil)
		if len(errs) != 0 {
			t.Errorf("%s: %v", name, errs)
		}
		if sum.Pages != 3 || sum.Objects != 5 || sum.Bytes != uint64(len(img)) || sum.Counts["THREAD"] != 3 {
			t.Errorf("%s: %+v", name, sum)
		}
	}
}

// TestHeadStopsAfterTree is what a restart relies on: the kernel reads on.
func TestHeadStopsAfterTree(t *testing.T) {
	img := goodImage(t)
	under := bytes.NewReader(img)
	r, err := NewReader(under)
	if err != nil {
		t.Fatal(err)
	}
	head, err := r.ReadHead()
	if err != nil {
		t.Fatal(err)
	}
	pos, crc := r.Position()
	if got := uint64(len(img) - under.Len()); got != pos {
		t.Errorf("%d bytes consumed, but the position is %d", got, pos)
	}
	s := newSample(t)
	s.head()
	if wpos, wcrc := s.w.Position(); wpos != pos || wcrc != crc {
		t.Errorf("reader at %d %#x, writer at %d %#x", pos, crc, wpos, wcrc)
	}
	if len(head.Tasks) != 2 || head.Tasks[1].PPID != 100 || head.Tree.RootPID != 100 {
		t.Errorf("%+v", head)
	}
	if got := head.PrintTree(); !strings.HasPrefix(got, "100 sh (2 threads) group 100 session 100\n  101 ") {
		t.Errorf("tree:\n%s", got)
	}
}

// TestDamage flips every bit of a metadata byte and cuts the image everywhere.
func TestDamage(t *testing.T) {
	img := goodImage(t)
	for i := range img {
		bad := bytes.Clone(img)
		bad[i] ^= 0x10
		if _, errs := Verify(bytes.NewReader(bad), nil); len(errs) == 0 {
			t.Fatalf("a flipped bit at %#x goes unnoticed", i)
		}
	}
	for n := 0; n < len(img); n += 7 {
		_, errs := Verify(bytes.NewReader(img[:n]), nil)
		if len(errs) == 0 {
			t.Fatalf("an image of %d bytes instead of %d goes unnoticed", n, len(img))
		}
	}
	if _, errs := Verify(bytes.NewReader(append(bytes.Clone(img), 0)), nil); len(errs) != 1 {
		t.Errorf("a byte behind the end: %v", errs)
	}
}

func TestErrorsTellWhereAndWhat(t *testing.T) {
	s := newSample(t)
	s.head()
	at, _ := s.w.Position()
	if err := s.w.raw(Hdr{Type: uint16(TypeVMA), Fixed: 64, Len: 12}, make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
	_, errs := Verify(bytes.NewReader(s.buf.Bytes()), nil)
	var e *Error
	if len(errs) != 1 || !errors.As(errs[0], &e) || e.Offset != at ||
		!strings.Contains(e.Error(), "VMA: length 12 is shorter than its fixed part 64") {
		t.Errorf("%v", errs)
	}
	if _, err := NewReader(strings.NewReader("\x7fELF\x02\x01\x01\x00")); !errors.Is(err, ErrNotImage) {
		t.Errorf("an ELF file: %v", err)
	}
}

func TestWrittenError(t *testing.T) {
	s := newSample(t)
	s.head()
	if err := s.w.Fail(28, "no space left"); err != nil {
		t.Fatal(err)
	}
	_, errs := Verify(bytes.NewReader(s.buf.Bytes()), nil)
	var e *WrittenError
	if len(errs) != 1 || !errors.As(errs[0], &e) || e.Errno != 28 || e.Message != "no space left" {
		t.Errorf("%v", errs)
	}
}

// TestContradictions builds images whose records are right one by one.
func TestContradictions(t *testing.T) {
	tests := []struct {
		name, want string
		build      func(s *sample)
	}{
		{"reference to nothing", "exe refers to object 9", func(s *sample) {
			s.rec(TypeMM, 5, &MM{Exe: 9})
			s.rec(TypeMMEnd, 0, nil)
		}},
		{"object twice", "object 1 is defined twice", func(s *sample) {
			s.rec(TypeCred, 1, &Cred{})
			s.rec(TypeCred, 1, &Cred{})
		}},
		{"object without number", "without a number", func(s *sample) { s.rec(TypeCred, 0, &Cred{}) }},
		{"task without its files", "files refers to object 8", func(s *sample) {
			s.rec(TypeTask, 0, &Task{PID: 101, Nthreads: 1, Files: 8, Flags: TaskZombie})
			s.rec(TypeThread, 0, &Thread{TID: 101})
			s.rec(TypeTaskEnd, 0, nil)
		}},
		{"wrong type", "cred refers to object 1, which is FS", func(s *sample) {
			s.rec(TypeFS, 1, &FS{})
			s.rec(TypeTask, 0, &Task{PID: 101, Nthreads: 1, Flags: TaskZombie})
			s.rec(TypeThread, 0, &Thread{TID: 101, Cred: 1})
			s.rec(TypeTaskEnd, 0, nil)
		}},
		{"task that is not in the tree", "pid 7 is not in TREE", func(s *sample) {
			s.rec(TypeTask, 0, &Task{PID: 7, Flags: TaskZombie})
			s.rec(TypeTaskEnd, 0, nil)
		}},
		{"threads", "0 threads, but nthreads is 2", func(s *sample) {
			s.rec(TypeTask, 0, &Task{PID: 101, Nthreads: 2, Flags: TaskZombie})
			s.rec(TypeTaskEnd, 0, nil)
		}},
		{"missing tasks", "no TASK for pid 101", func(*sample) {}},
		{"overlap", "overlaps the mapping before", func(s *sample) {
			s.rec(TypeMM, 5, &MM{Nvmas: 2})
			s.rec(TypeVMA, 0, &VMA{Start: 0x1000, End: 0x3000})
			s.rec(TypeVMA, 0, &VMA{Start: 0x2000, End: 0x4000})
			s.rec(TypeMMEnd, 0, nil)
		}},
		{"pages of nothing", "object 77, which has no pages", func(s *sample) {
			if err := s.w.Pages(77, []Run{{0, 1, 0}}, make([]byte, 4096)); err != nil {
				s.t.Fatal(err)
			}
		}},
		{"pad", "pad field is not zero", func(s *sample) { s.rec(TypeThread, 0, &Thread{Pad: 1}) }},
		{"counts", "but its counts make 12", func(s *sample) { s.rec(TypeCred, 1, &Cred{Ngroups: 3}) }},
		{"entries", "entry_size 8 is less than 16", func(s *sample) {
			s.rec(TypeFdtable, 1, &Fdtable{N: 1, EntrySize: 8}, make([]byte, 8)...)
		}},
		{"unknown type", "UNKNOWN(0xfff): unknown type", func(s *sample) { s.rec(0xfff, 0, nil) }},
		{"second header", "a second HEADER", func(s *sample) {
			s.rec(TypeHeader, 0, &Header{Version: 1, PageSize: 4096})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSample(t)
			s.head()
			tt.build(s)
			_, errs := Verify(bytes.NewReader(s.tail()), nil)
			if all := errors.Join(errs...); all == nil || !strings.Contains(all.Error(), tt.want) {
				t.Errorf("got %v, want %q", all, tt.want)
			}
		})
	}
}

func TestBadTrees(t *testing.T) {
	for want, tasks := range map[string][]TreeTask{
		"is there twice":                 {{PID: 5}, {PID: 5, PPID: 5}},
		"does not stand before it":       {{PID: 5}, {PID: 6, PPID: 7}},
		"has a parent":                   {{PID: 5, PPID: 1}, {PID: 6, PPID: 5}},
		"out of range":                   {{PID: 1 << 23}, {PID: 6}},
		"exit signal 65":                 {{PID: 5, ExitSignal: 65}, {PID: 6}},
		"but HEADER has 2":               {{PID: 5}},
		"pid 0, group 0 or session 0 is": {{PID: 0}, {PID: 6}},
	} {
		s := newSample(t)
		s.rec(TypeHeader, 0, &Header{Version: ImageVersion, PageSize: 4096, Ntasks: 2})
		s.tree(tasks...)
		r, err := NewReader(&s.buf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = r.ReadHead(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestNewerWriter: appended fields are skipped, missing ones are zero.
func TestNewerWriter(t *testing.T) {
	s := newSample(t)
	s.head()
	longer := append(encode(t, &FS{Umask: 1, CwdLen: 1}), 1, 2, 3, 4, '/')
	if err := s.w.raw(Hdr{Type: uint16(TypeFS), Fixed: 20, Len: 21, Objref: 1}, longer); err != nil {
		t.Fatal(err)
	}
	if err := s.w.raw(Hdr{Type: uint16(TypeFS), Fixed: 4, Len: 4, Objref: 2}, []byte{2, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(&s.buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadHead(); err != nil {
		t.Fatal(err)
	}
	rec, err := r.Next()
	if err != nil || rec.Fixed.(*FS).Umask != 1 || string(rec.Var) != "/" || len(rec.Extra) != 4 {
		t.Errorf("longer: %+v, %v", rec, err)
	}
	rec, err = r.Next()
	if err != nil || *rec.Fixed.(*FS) != (FS{Umask: 2}) {
		t.Errorf("shorter: %+v, %v", rec, err)
	}
}

func TestDiff(t *testing.T) {
	a := goodImage(t)
	if d, err := Diff(bytes.NewReader(a), bytes.NewReader(a)); err != nil || len(d) != 0 {
		t.Errorf("the same image: %v, %v", d, err)
	}
	s := newSample(t)
	s.head()
	s.objects()
	s.rec(TypeFilePath, 9, &FilePath{}, []byte("/new")...)
	s.tasks()
	if err := s.w.Pages(5, []Run{{Start: 0x500000, Npages: 2}, {Start: 0x504000, Npages: 1}}, make([]byte, 3*4096)); err != nil {
		t.Fatal(err)
	}
	d, err := Diff(bytes.NewReader(a), bytes.NewReader(s.tail()))
	text := strings.Join(d, "\n")
	if err != nil || !strings.Contains(text, `+ FILE_PATH #9: "/new"`) || !strings.Contains(text, "! PAGES #5: other data") || len(d) != 2 {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestDescribe(t *testing.T) {
	var lines []string
	_, errs := Verify(bytes.NewReader(goodImage(t)), func(r *Record) {
		lines = append(lines, r.Kind().String()+" "+r.Describe())
		b, err := json.Marshal(r)
		if err != nil || !json.Valid(b) {
			t.Errorf("%s: %v", b, err)
		}
	})
	if len(errs) != 0 {
		t.Fatal(errs)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{`release="6.1.0-test"`, `FILE_PATH mode=0100755 size=10 "/bin/sh"`,
		`FS umask=022 cwd_len=5 root_len=1 "cwd /home root /"`, "VMA start=0x400000 end=0x402000"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}
