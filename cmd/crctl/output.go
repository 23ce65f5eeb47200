// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"crctl/netlinkapi"
)

// output is where an image goes. A file gets its name when it is complete.
type output struct {
	file *os.File
	name string // to rename it to; "" if it is no regular file
	// unnamed: it has no name yet.
	unnamed bool
}

func openOutput(name string, e *env) (*output, error) {
	if name == "-" {
		if isTerminal(e.stdout) {
			return nil, usagef("-o - would write an image to a terminal; name a file, or use a pipe")
		}
		return &output{file: e.stdout}, nil
	}
	st, err := os.Stat(name)
	if err == nil && !st.Mode().IsRegular() {
		if st.IsDir() {
			return nil, fmt.Errorf("%s is a directory", name)
		}
		// A pipe or a device: nothing to rename. Not os.OpenFile, which
		// makes pipes non-blocking, and the kernel writes to it.
		fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", name, err)
		}
		return &output{file: os.NewFile(uintptr(fd), name)}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// Readable by the owner only: it holds the memory of the processes. With
	// O_TMPFILE nothing is left of it when crctl is killed.
	fd, err := unix.Open(filepath.Dir(name), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return &output{file: os.NewFile(uintptr(fd), name), name: name, unnamed: true}, nil
	}
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.partial")
	if err != nil {
		return nil, fmt.Errorf("create the image: %w", err)
	}
	return &output{file: file, name: name}, nil
}

func (o *output) fd() int { return int(o.file.Fd()) }

// commit makes the image durable and gives it its name.
func (o *output) commit() error {
	if o.name == "" {
		return o.file.Close()
	}
	err := o.file.Sync()
	partial := o.file.Name()
	if err == nil && o.unnamed {
		// A link cannot replace a file, so it gets another name first.
		partial = fmt.Sprintf("%s.%d.partial", o.name, os.Getpid())
		_ = os.Remove(partial)
		err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", o.fd()), unix.AT_FDCWD, partial, unix.AT_SYMLINK_FOLLOW)
	}
	if cerr := o.file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(partial, o.name)
	}
	if err != nil {
		if partial != o.name {
			_ = os.Remove(partial)
		}
		return fmt.Errorf("finish %s: %w", o.name, err)
	}
	return nil
}

// discard removes what a failed checkpoint has written.
func (o *output) discard() {
	if o.name == "" {
		return
	}
	_ = o.file.Close()
	if !o.unnamed {
		_ = os.Remove(o.file.Name())
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// logOptions say where the module's log goes.
type logOptions struct {
	file string
	fd   int
}

func (l *logOptions) flags(fs *pflag.FlagSet) {
	fs.StringVar(&l.file, "log", "", "write the module's log to this `FILE`")
	fs.IntVar(&l.fd, "logfd", -1, "write the module's log to this open descriptor (`N`)")
}

func (l *logOptions) check() error {
	if l.file != "" && l.fd >= 0 {
		return usagef("--log and --logfd exclude each other")
	}
	if l.fd >= 0 {
		if _, err := unix.FcntlInt(uintptr(l.fd), unix.F_GETFD, 0); err != nil {
			return usagef("--logfd %d is not open", l.fd)
		}
	}
	return nil
}

// open returns the descriptor of the log, -1 for none.
func (l *logOptions) open() (int, func(), error) {
	if l.file == "" {
		return l.fd, func() {}, nil
	}
	fd, err := unix.Open(l.file, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return -1, nil, fmt.Errorf("open the log %s: %w", l.file, err)
	}
	return fd, func() { _ = unix.Close(fd) }, nil
}

// writeStats writes the figures of an operation to name, if there is one.
func writeStats(name string, s netlinkapi.Stats, begin time.Time) error {
	if name == "" {
		return nil
	}
	text, err := json.MarshalIndent(struct {
		netlinkapi.Stats
		WallNS int64 `json:"wall_ns"` // of the command
	}{s, time.Since(begin).Nanoseconds()}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

// progress shows the phases of an operation on a terminal, in one line.
type progress struct {
	w     io.Writer
	dirty bool
}

func newProgress(w io.Writer, quiet bool) *progress {
	if quiet || !isTerminal(w) {
		return &progress{}
	}
	return &progress{w: w}
}

func (p *progress) event(ev netlinkapi.Event) {
	if phase, ok := ev.(netlinkapi.Phase); ok && p.w != nil {
		fmt.Fprintf(p.w, "\r\x1b[K%s ...", phase.Name)
		p.dirty = true
	}
}

// end removes the line. Call it when the operation is over.
func (p *progress) end() {
	if p.dirty {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.dirty = false
	}
}

// nanos prints nanoseconds for people.
func nanos(ns uint64) string {
	return time.Duration(ns).Round(10 * time.Microsecond).String()
}
