// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"crctl/image"
	"crctl/image/mutate"
	"crctl/internal/tree"
	"crctl/netlinkapi"
)

// The agent restarts damaged images in a process of its own ("agent -fuzz"), without crctl: that makes some dozens
// a second. Whatever an image says, the module must find an error or restart it, and leave nothing behind.
type fuzzer struct {
	good   []byte
	image  *mutate.Image
	flags  uint32
	client netlinkapi.Client
	only   int

	restarted, refused, head int
	unplaced                 map[string]int // errors that do not say where
	last                     error          // of the last one refused
}

// fuzzMain is the worker; it returns its exit code.
func fuzzMain(args []string) int {
	fs := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	file := fs.String("image", "", "good image")
	how := fs.String("how", "random", "random, fields or cuts")
	n := fs.Int("n", 100, "cases")
	seed := fs.Uint64("seed", 1, "of the random ones")
	stopped := fs.Bool("stopped", false, "what can be restarted does not reach user mode")
	only := fs.Int("only", -1, "run this case alone")
	if fs.Parse(args) != nil {
		return 2
	}
	f := &fuzzer{client: netlinkapi.New(), only: *only, unplaced: map[string]int{}}
	if *stopped {
		f.flags = netlinkapi.FlagStopped
	}
	err := f.load(*file)
	if err == nil {
		switch *how {
		case "random":
			err = f.random(*n, *seed)
		case "fields":
			err = f.fields(*n)
		case "cuts":
			err = f.cuts(*n)
		}
	}
	fmt.Printf("%s: %d damaged heads, %d refused, %d restarted\n", *how, f.head, f.refused, f.restarted)
	for msg, n := range f.unplaced {
		fmt.Printf("%6d times: %s\n", n, msg)
	}
	if err != nil {
		fmt.Println("FAILED:", err)
		return 1
	}
	return 0
}

func (f *fuzzer) load(file string) error {
	var err error
	if f.good, err = os.ReadFile(file); err != nil {
		return err
	}
	if f.image, err = mutate.Parse(f.good); err != nil {
		return err
	}
	// The good one must work, or the test would prove nothing.
	if err := f.try(-1, f.good, "the good image"); err != nil {
		return err
	}
	if f.restarted != 1 {
		return fmt.Errorf("the good image cannot be restarted: %w", f.last)
	}
	return nil
}

func (f *fuzzer) random(n int, seed uint64) error {
	for i := range n {
		// Each case has its own seed, so that it can be run alone.
		data, what := f.image.Random(rand.New(rand.NewPCG(seed, uint64(i))))
		if err := f.try(i, data, what); err != nil {
			return err
		}
	}
	return nil
}

// fields sets words of fixed parts to values that should be out of range, n of them spread over all.
func (f *fuzzer) fields(n int) error {
	values := []uint32{0xffffffff, 0x7fffffff, 0x80000000, 0x00100001}
	all := f.image.Words() * len(values)
	step := max(1, all/n)
	for i := 0; i < all; i += step {
		// Not in step with the values.
		data, what := f.image.SetWord(i/len(values), values[(i+i/len(values))%len(values)])
		if err := f.try(i, data, what); err != nil {
			return err
		}
	}
	return nil
}

// cuts truncates at every boundary, and at n places between.
func (f *fuzzer) cuts(n int) error {
	at := f.image.Boundaries()
	at = at[:len(at)-1]
	for i := range n {
		at = append(at, len(f.good)*i/n+i%16)
	}
	slices.Sort(at)
	for i, n := range slices.Compact(at) {
		before := f.restarted
		if err := f.try(i, f.good[:n], fmt.Sprintf("cut to %d bytes", n)); err != nil {
			return err
		}
		if f.restarted != before {
			return fmt.Errorf("an image that is cut to %d of %d bytes was restarted", n, len(f.good))
		}
	}
	return nil
}

// try restarts one image. An error is a fault of the module.
func (f *fuzzer) try(i int, data []byte, what string) (err error) {
	if f.only >= 0 && i >= 0 && i != f.only {
		return nil
	}
	if f.only >= 0 {
		fmt.Printf("case %d: %s\n", i, what)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("case %d (%s): %w", i, what, err)
		}
	}()
	watchdog := time.AfterFunc(90*time.Second, func() {
		fmt.Printf("FAILED: case %d (%s) hangs\n%s\n", i, what, stacks())
		os.Exit(1)
	})
	defer watchdog.Stop()
	fd, err := unix.MemfdCreate("image", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "image")
	defer file.Close()
	if _, err := file.Write(data); err != nil {
		return err
	}
	if _, err := file.Seek(0, 0); err != nil {
		return err
	}
	r, err := image.NewReader(file)
	var head *image.Head
	if err == nil {
		head, err = r.ReadHead()
	}
	if err != nil || head.Header.Ntasks > 64 {
		f.head++
		return nil
	}
	pids, err := f.restart(fd, r, head)
	if err == nil {
		f.restarted++
		// What it does in user mode is of no interest; that it dies is.
		if f.flags == 0 {
			time.Sleep(2 * time.Millisecond)
		}
	} else {
		f.refused++
		f.last = err
		if f.only >= 0 {
			fmt.Println("   ", err)
		}
		if !placed(err) {
			f.unplaced[err.Error()]++
		}
	}
	return f.gone(pids, err == nil)
}

// placed tells whether an error says where the flaw is.
func placed(err error) bool {
	msg := err.Error()
	return strings.Contains(msg, "image offset") || strings.Contains(msg, "ends at offset")
}

// restart does what crctl does; it returns the pids that may exist now.
func (f *fuzzer) restart(fd int, r *image.Reader, head *image.Head) ([]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	req := &netlinkapi.RestartRequest{ImageFD: fd, Tasks: len(head.Tasks), LogFD: -1, Timeout: 20 * time.Second, Flags: f.flags}
	req.StreamPos, req.StreamCRC = r.Position()
	s, err := f.client.Restart(ctx, req)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	spec := &tree.Spec{Join: s.JoinMessage}
	for _, t := range head.Tasks {
		spec.Tasks = append(spec.Tasks, tree.Task{
			PID: int(t.PID), PPID: int(t.PPID), PGID: int(t.PGID), SID: int(t.SID), ExitSignal: int(t.ExitSignal),
		})
	}
	t, err := tree.Create(spec)
	if err != nil {
		abort(err)
		s.Wait(ctx)
		return nil, err
	}
	go func() {
		for failure := range t.Failed {
			abort(failure)
		}
	}()
	var pids []int
	for _, t := range head.Tasks {
		pids = append(pids, int(t.PID))
	}
	_, err = s.Wait(ctx)
	if err == nil {
		for _, pid := range pids {
			defer unix.Kill(pid, unix.SIGKILL)
		}
	}
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, context.DeadlineExceeded) {
		return pids, fmt.Errorf("timeout: %w", err)
	}
	if err != nil {
		// Those that could not be made are not ours.
		pids = []int{t.PID}
	}
	return pids, err
}

// gone waits until nothing is left of a restart.
func (f *fuzzer) gone(pids []int, killed bool) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		left := ""
		for _, pid := range pids {
			if unix.Kill(pid, 0) != unix.ESRCH {
				left = fmt.Sprintf("process %d is left", pid)
			}
		}
		if n, err := os.ReadFile("/sys/module/ckpt/refcnt"); left == "" && err == nil && strings.TrimSpace(string(n)) != "0" {
			left = "the module is used " + strings.TrimSpace(string(n)) + " times"
		}
		if left == "" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s (restarted: %v)\n%s", left, killed, stacks())
		}
	}
}
