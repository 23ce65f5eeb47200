// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/pflag"

	"crctl/image"
)

func setupInspect(fs *pflag.FlagSet) func(context.Context, *env, []string) (int, error) {
	asJSON := fs.Bool("json", false, "print JSON")
	treeOnly := fs.Bool("tree", false, "print the processes only")
	return func(_ context.Context, e *env, args []string) (int, error) {
		in, err := openImage(args, "inspect", e)
		if err != nil {
			return 0, err
		}
		defer func() { _ = in.Close() }()
		out := bufio.NewWriter(e.stdout)
		err = inspect(in, out, *asJSON, *treeOnly)
		if ferr := out.Flush(); err == nil {
			err = ferr
		}
		return exitDone, err
	}
}

// openImage opens the one image that a command line names, "-" is the standard
// input.
func openImage(args []string, name string, e *env) (io.ReadCloser, error) {
	if len(args) != 1 {
		return nil, usagef("%s takes one image, got %d arguments", name, len(args))
	}
	if args[0] == "-" {
		return io.NopCloser(bufio.NewReader(e.stdin)), nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{bufio.NewReaderSize(f, 1<<16), f}, nil
}

// inspect shows an image. A flaw does not hide what stands before it.
func inspect(in io.Reader, out io.Writer, asJSON, treeOnly bool) error {
	if treeOnly {
		r, err := image.NewReader(in)
		if err != nil {
			return err
		}
		head, err := r.ReadHead()
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(out, treeJSON(head))
		}
		_, err = fmt.Fprint(out, head.PrintTree())
		return err
	}
	if asJSON {
		return inspectJSON(in, out)
	}
	sum, errs := image.Verify(in, func(rec *image.Record) {
		if h, ok := rec.Fixed.(*image.Header); ok {
			printHeader(out, h)
		}
		ref := ""
		if rec.Objref != 0 {
			ref = fmt.Sprintf("#%d", rec.Objref)
		}
		fmt.Fprintf(out, "%10d %-14s %-5s %s\n", rec.Offset, rec.Kind(), ref, rec.Describe())
	})
	if sum.Head != nil {
		fmt.Fprintf(out, "\n%s\n%d records, %d objects, %d pages, %d bytes\n",
			sum.Head.PrintTree(), sum.Records, sum.Objects, sum.Pages, sum.Bytes)
	}
	return errorList(errs).orNil()
}

func printHeader(out io.Writer, h *image.Header) {
	fmt.Fprintf(out, "image version %d, written %s by module %s\nkernel %s %s\n\n%10s %-14s %-5s\n",
		h.Version, time.Unix(0, int64(h.WallNs)).UTC().Format(time.RFC3339), image.CString(h.Module[:]),
		image.CString(h.Release[:]), image.CString(h.Build[:]), "offset", "record", "object")
}

// inspectJSON prints one object as the records come: "records" is as long as
// the image, and then come the counts and the flaws.
func inspectJSON(in io.Reader, out io.Writer) error {
	var werr error
	print := func(format string, args ...any) {
		if werr == nil {
			_, werr = fmt.Fprintf(out, format, args...)
		}
	}
	separator := ""
	print("{\"records\": [")
	sum, errs := image.Verify(in, func(rec *image.Record) {
		text, err := json.Marshal(rec)
		if err != nil {
			werr = errors.Join(werr, err)
		}
		print("%s\n  %s", separator, text)
		separator = ","
	})
	problems := []string{}
	for _, err := range errs {
		problems = append(problems, err.Error())
	}
	end := struct {
		Count    uint64         `json:"count"`
		Objects  int            `json:"objects"`
		Pages    uint64         `json:"pages"`
		Bytes    uint64         `json:"bytes"`
		Counts   map[string]int `json:"counts"`
		Problems []string       `json:"problems"`
	}{sum.Records, sum.Objects, sum.Pages, sum.Bytes, sum.Counts, problems}
	text, err := json.MarshalIndent(end, "", "  ")
	if err != nil {
		return err
	}
	print("\n],%s\n", text[1:])
	if werr != nil {
		return werr
	}
	return errorList(errs).orNil()
}

// processJSON is a process with its children.
type processJSON struct {
	PID      uint32         `json:"pid"`
	PGID     uint32         `json:"pgid"`
	SID      uint32         `json:"sid"`
	Comm     string         `json:"comm"`
	Threads  uint32         `json:"threads"`
	Zombie   bool           `json:"zombie,omitempty"`
	Terminal bool           `json:"terminal,omitempty"`
	Children []*processJSON `json:"children,omitempty"`
}

func treeJSON(head *image.Head) *processJSON {
	all := make(map[uint32]*processJSON, len(head.Tasks))
	for _, t := range head.Tasks {
		p := &processJSON{PID: t.PID, PGID: t.PGID, SID: t.SID, Comm: image.CString(t.Comm[:]), Threads: t.Nthreads,
			Zombie: t.Flags&image.TaskZombie != 0, Terminal: t.Flags&image.TaskTTY != 0}
		all[t.PID] = p
		if parent := all[t.PPID]; parent != nil {
			parent.Children = append(parent.Children, p)
		}
	}
	return all[head.Tree.RootPID]
}
