// SPDX-License-Identifier: MIT

package image

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Field is a field of a record, for people and for JSON.
type Field struct {
	Name  string // as in ckpt_image.h; of a nested struct with its path: "f.pos"
	Value any    // uint64, string, []uint64 or [][]uint64
}

// textFields are the byte arrays that hold NUL padded text.
var textFields = map[string]bool{"comm": true, "release": true, "build": true, "module": true}

// Fields lists the fields of a struct of this package, in their order.
func Fields(s any) []Field {
	if s == nil {
		return nil
	}
	return fields(nil, "", reflect.Indirect(reflect.ValueOf(s)))
}

func fields(list []Field, prefix string, v reflect.Value) []Field {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		f := v.Field(i)
		switch {
		case strings.HasPrefix(name, "pad") && f.IsZero() && name != "pad_bytes":
		case f.Kind() == reflect.Struct:
			list = fields(list, prefix+name+".", f)
		default:
			list = append(list, Field{prefix + name, value(name, f)})
		}
	}
	return list
}

func value(name string, f reflect.Value) any {
	if f.Kind() != reflect.Array {
		return f.Uint()
	}
	if f.Type().Elem().Kind() == reflect.Uint8 {
		b := make([]byte, f.Len())
		reflect.Copy(reflect.ValueOf(b), f)
		if textFields[name] {
			return CString(b)
		}
		return hex.EncodeToString(b)
	}
	if f.Type().Elem().Kind() == reflect.Array {
		rows := make([][]uint64, f.Len())
		for i := range rows {
			rows[i] = value(name, f.Index(i)).([]uint64)
		}
		return rows
	}
	nums := make([]uint64, f.Len())
	for i := range nums {
		nums[i] = f.Index(i).Uint()
	}
	return nums
}

// textual are the types whose variable part is text.
var textual = map[Type]bool{TypeError: true, TypeFilePath: true, TypeFileInherit: true, TypeVMA: true, TypeShmem: true, TypePipe: true}

// Text returns the variable part of a record that holds text, and "" for others.
func (r *Record) Text() string {
	if fs, ok := r.Fixed.(*FS); ok && uint64(fs.CwdLen)+uint64(fs.RootLen) == uint64(len(r.Var)) {
		return "cwd " + string(r.Var[:fs.CwdLen]) + " root " + string(r.Var[fs.CwdLen:])
	}
	if textual[r.Kind()] {
		return string(r.Var)
	}
	return ""
}

// Describe tells what a record says, in one line: the fields that are not zero,
// then its text.
func (r *Record) Describe() string {
	var b strings.Builder
	for _, f := range Fields(r.Fixed) {
		if s := format(f); strings.Trim(s, "0x[] \"") != "" {
			fmt.Fprintf(&b, " %s=%s", f.Name, s)
		}
	}
	if text := r.Text(); text != "" {
		fmt.Fprintf(&b, " %q", text)
	} else if len(r.Var) > 0 {
		fmt.Fprintf(&b, " +%d bytes", len(r.Var))
	}
	return strings.TrimPrefix(b.String(), " ")
}

// bases are the fields that people do not read in decimal, by the last part of
// their name.
var bases = map[string]string{
	"flags": "%#x", "start": "%#x", "end": "%#x", "ip": "%#x", "sp": "%#x", "mode": "%#o", "umask": "%#o",
	"data_crc": "%#x", "crc": "%#x", "vdso_crc": "%#x", "xfeatures": "%#x", "fs_magic": "%#x", "mask": "%#x",
}

// format writes a value; large numbers are most likely addresses or masks.
func format(f Field) string {
	switch v := f.Value.(type) {
	case uint64:
		name := f.Name[strings.LastIndexByte(f.Name, '.')+1:]
		if layout, ok := bases[name]; ok {
			return fmt.Sprintf(layout, v)
		}
		if v > 1<<32 && !strings.HasSuffix(name, "_ns") && !strings.HasSuffix(name, "size") {
			return fmt.Sprintf("%#x", v)
		}
		return strconv.FormatUint(v, 10)
	case string:
		return strconv.Quote(v)
	}
	return fmt.Sprint(f.Value)
}

// MarshalJSON writes a record as an object: offset, record, objref, its fields,
// its table (entries), its text, and how long a variable part of bytes is.
func (r *Record) MarshalJSON() ([]byte, error) {
	list := []Field{{"offset", r.Offset}, {"record", r.Kind().String()}}
	if r.Objref != 0 {
		list = append(list, Field{"objref", uint64(r.Objref)})
	}
	list = append(list, Field{"fields", object(Fields(r.Fixed))})
	if table, err := r.Entries(); err == nil && table != nil {
		rows := make([]object, len(table))
		for i, e := range table {
			rows[i] = Fields(e)
		}
		list = append(list, Field{"entries", rows})
	} else if text := r.Text(); text != "" {
		list = append(list, Field{"text", text})
	} else if len(r.Var) > 0 {
		list = append(list, Field{"bytes", uint64(len(r.Var))})
	}
	return object(list).MarshalJSON()
}

// object is a JSON object that keeps the order of its fields.
type object []Field

func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, f.Name)
		b = append(b, ':')
		v, err := json.Marshal(f.Value)
		if err != nil {
			return nil, err
		}
		b = append(b, v...)
	}
	return append(b, '}'), nil
}

// PrintTree returns the processes of the tree, one in a line, children indented.
func (h *Head) PrintTree() string {
	depth := make(map[uint32]int, len(h.Tasks))
	children := make(map[uint32][]TreeTask, len(h.Tasks))
	for _, t := range h.Tasks {
		children[t.PPID] = append(children[t.PPID], t)
	}
	var b strings.Builder
	// With a stack of its own: an image may have a very deep tree.
	stack := append([]TreeTask(nil), h.Tasks[0])
	for len(stack) > 0 {
		t := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		fmt.Fprintf(&b, "%*s%d %s", 2*depth[t.PID], "", t.PID, CString(t.Comm[:]))
		if t.Nthreads > 1 {
			fmt.Fprintf(&b, " (%d threads)", t.Nthreads)
		}
		if t.Flags&TaskZombie != 0 {
			b.WriteString(" (zombie)")
		}
		if t.Flags&TaskForeground != 0 {
			b.WriteString(" (in the foreground of a terminal)")
		} else if t.Flags&TaskTTY != 0 {
			b.WriteString(" (has a terminal)")
		}
		fmt.Fprintf(&b, " group %d session %d\n", t.PGID, t.SID)
		for _, c := range children[t.PID] {
			depth[c.PID] = min(depth[t.PID]+1, 40)
		}
		for i := len(children[t.PID]) - 1; i >= 0; i-- {
			stack = append(stack, children[t.PID][i])
		}
	}
	return b.String()
}
