// SPDX-License-Identifier: MIT

package image

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFrameOfModule gives damaged images to the framing code of the module,
// built for the host with sanitizers, and compares what it finds with Reader.
func TestFrameOfModule(t *testing.T) {
	prog := filepath.Join(t.TempDir(), "frame")
	cc := exec.Command("gcc", "-g", "-O1", "-Wall", "-Werror", "-fsanitize=address,undefined",
		"-fno-sanitize-recover=all", "-I../kselftest/host", "-o", prog, "../kselftest/host/frame.c")
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cc.Args, err, out)
	}
	good := goodImage(t)
	if got := frames(t, prog, good); !strings.HasSuffix(got, " end\n") {
		t.Fatalf("a good image: %s", got)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	cases := [][]byte{nil}
	for i := 0; i < 60; i++ {
		cases = append(cases, good[:rnd.IntN(len(good))])
	}
	for i := 0; i < 200; i++ {
		bad := bytes.Clone(good)
		for n := 1 + rnd.IntN(3); n > 0; n-- {
			bad[rnd.IntN(len(bad))] = byte(rnd.Uint32())
		}
		if i%2 == 0 {
			repair(bad)
		}
		cases = append(cases, bad)
	}
	for i, data := range cases {
		got := frames(t, prog, data)
		// What the module's framing finds, Reader must find as well, at that offset or before.
		last := got[strings.LastIndexByte(strings.TrimSuffix(got, "\n"), '\n')+1:]
		if strings.HasSuffix(last, " end\n") {
			continue
		}
		if err := readFrames(data); err == nil {
			t.Errorf("case %d: the module finds %q, Reader nothing", i, last)
		}
	}
}

func frames(t *testing.T, prog string, data []byte) string {
	t.Helper()
	cmd := exec.Command(prog)
	cmd.Stdin = bytes.NewReader(data)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	// ptrace, which leak detection takes, is not to be had everywhere.
	cmd.Env = append(cmd.Environ(), "ASAN_OPTIONS=detect_leaks=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	return string(out)
}

// readFrames reads all records of an image, and returns the first error.
func readFrames(data []byte) error {
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	for {
		if _, err := r.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("next record: %w", err)
		}
	}
}
