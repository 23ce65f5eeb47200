// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"crctl/image"
)

// source is the image of a restart: a descriptor that crctl reads up to the
// end of TREE, and the kernel from there.
type source struct {
	name   string
	fd     int
	reader *image.Reader
	prefix []byte       // read before crctl executed itself again
	seen   bytes.Buffer // all that was read so far
	moved  bool         // this is the second self
}

// streamEnv hands the image to a second self: "FD PREFIXFD".
const streamEnv = "CRCTL_RESTART_STREAM"

func openSource(name string, e *env) (*source, error) {
	if v, ok := os.LookupEnv(streamEnv); ok {
		_ = os.Unsetenv(streamEnv)
		return resumeSource(name, v)
	}
	if name == "-" {
		return &source{name: "standard input", fd: int(e.stdin.Fd())}, nil
	}
	// Not os.Open, which makes pipes non-blocking, and the kernel reads it.
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the image %s: %w", name, err)
	}
	return &source{name: name, fd: fd}, nil
}

// resumeSource is openSource in the second self.
func resumeSource(name, v string) (*source, error) {
	s := &source{name: name, moved: true}
	var prefix int
	if _, err := fmt.Sscan(v, &s.fd, &prefix); err != nil {
		return nil, fmt.Errorf("%s=%q: %w", streamEnv, v, err)
	}
	f := os.NewFile(uintptr(prefix), "prefix")
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	var err error
	s.prefix, err = io.ReadAll(f)
	if s.fd > 2 {
		unix.CloseOnExec(s.fd)
	}
	return s, err
}

func (s *source) close() {
	if s.fd > 2 {
		_ = unix.Close(s.fd)
	}
}

// readHead reads up to the end of TREE and no further.
func (s *source) readHead() (*image.Head, error) {
	r := io.TeeReader(io.MultiReader(bytes.NewReader(s.prefix), fdReader(s.fd)), &s.seen)
	var err error
	if s.reader, err = image.NewReader(r); err != nil {
		return nil, err
	}
	return s.reader.ReadHead()
}

// execAgain executes crctl again, which gives it new threads with new ids, and
// hands over what was read. It comes back only on failure.
func (s *source) execAgain() error {
	prefix, err := unix.MemfdCreate("prefix", 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(prefix) }()
	for b := s.seen.Bytes(); len(b) > 0; {
		n, err := unix.Write(prefix, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	if _, err := unix.FcntlInt(uintptr(s.fd), unix.F_SETFD, 0); err != nil {
		return err
	}
	env := append(os.Environ(), fmt.Sprintf("%s=%d %d", streamEnv, s.fd, prefix))
	return unix.Exec("/proc/self/exe", os.Args, env)
}

// fdReader reads a descriptor with plain system calls and no buffer.
type fdReader int

func (fd fdReader) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN): // somebody made a pipe non-blocking
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(b) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// splitInherit splits the value FD=WHAT of --inherit-fd.
func splitInherit(v string) (int, string, error) {
	num, what, ok := strings.Cut(v, "=")
	fd, err := strconv.Atoi(num)
	if !ok || err != nil || fd < 0 || what == "" {
		return 0, "", usagef("--inherit-fd %q is not FD=WHAT", v)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return 0, "", usagef("--inherit-fd %q: descriptor %d is not open", v, fd)
	}
	return fd, what, nil
}
