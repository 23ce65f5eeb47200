// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"crctl/image"
	"crctl/internal/tree"
	"crctl/internal/vm"
	"crctl/netlinkapi"
)

// The agent lets one allocation after the other fail ("agent -faults"): /proc/PID/task/TID/fail-nth of a kernel with
// fault injection counts those of one thread. Each time there has to be an errno, or success, and nothing is left.
type faulter struct {
	fuzzer
	pid int // to save
}

// calm is how many successes in a row mean that there is no allocation left to fail.
const calm = 12

func faultsMain(args []string) int {
	fs := flag.NewFlagSet("faults", flag.ContinueOnError)
	file := fs.String("image", "", "to restart")
	pid := fs.Int("pid", 0, "process to save")
	who := fs.String("who", "checkpoint", "whose allocations fail: checkpoint, restart or task")
	step := fs.Int("step", 1, "only every so many")
	limit := fs.Int("max", 1<<20, "stop after so many")
	if fs.Parse(args) != nil {
		return 2
	}
	f := &faulter{pid: *pid}
	f.client, f.flags, f.unplaced = netlinkapi.New(), netlinkapi.FlagStopped, map[string]int{}
	var err error
	if *file != "" {
		f.good, err = os.ReadFile(*file)
	}
	settle()
	failed, good, n := 0, 0, 1
	for ; err == nil && good < calm && n <= *limit; n += *step {
		watchdog := time.AfterFunc(120*time.Second, func() {
			fmt.Printf("FAILED: %s, fault %d: hangs\n%s\n", *who, n, stacks())
			os.Exit(1)
		})
		var fault error
		switch *who {
		case "checkpoint":
			fault, err = f.checkpoint(n)
		default:
			fault, err = f.restartWith(*who, n)
		}
		watchdog.Stop()
		if fault != nil {
			failed++
			good = 0
			if !hasErrno(fault) {
				err = fmt.Errorf("no errno: %v", fault)
			}
			f.unplaced[fault.Error()]++
		} else {
			good++
		}
	}
	fmt.Printf("%s: %d faults, %d operations failed\n", *who, n, failed)
	if err != nil {
		fmt.Printf("FAILED: %s, fault %d: %v\n", *who, n, err)
		return 1
	}
	return 0
}

// settle lets the runtime map all that it is going to need: its own allocations are on the same thread, and it does not
// survive one that fails.
func settle() {
	runtime.MemProfileRate = 0
	ballast := make([]byte, 128<<20)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	runtime.KeepAlive(ballast)
	ballast = nil
	runtime.GC()
}

func hasErrno(err error) bool {
	var errno unix.Errno
	return errors.As(err, &errno)
}

func failNth(pid, tid, n int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/task/%d/fail-nth", pid, tid), fmt.Append(nil, n), 0)
}

// onThread makes the n-th allocation of the calling thread fail, until what it returns is called: what the Go runtime does
// on the thread afterwards must not. So that is one write, again when it is the one that fails.
func onThread(n int) func() (func(), error) {
	return func() (func(), error) {
		none, nth := []byte("0"), fmt.Append(nil, n)
		fd, err := unix.Open(fmt.Sprintf("/proc/self/task/%d/fail-nth", unix.Gettid()), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		_, err = unix.Write(fd, nth)
		return func() {
			for range 1000 {
				if _, err := unix.Write(fd, none); err == nil {
					break
				}
			}
			unix.Close(fd)
		}, err
	}
}

func (f *faulter) checkpoint(n int) (fault, err error) {
	fd, err := unix.MemfdCreate("image", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	s, fault := f.client.Checkpoint(ctx, &netlinkapi.CheckpointRequest{
		PID: f.pid, CgroupFD: -1, ImageFD: fd, LogFD: -1, Timeout: 20 * time.Second, Prepare: onThread(n),
	})
	if fault == nil {
		_, fault = s.Wait(ctx)
		s.Close()
	}
	if err := f.gone(nil, false); err != nil {
		return fault, err
	}
	if unix.Kill(f.pid, 0) != nil {
		return fault, fmt.Errorf("the program has ended after %v", fault)
	}
	return fault, nil
}

// restartWith lets an allocation of the coordinator fail, or one of the root process.
func (f *faulter) restartWith(who string, n int) (fault, err error) {
	fd, err := unix.MemfdCreate("image", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "image")
	defer file.Close()
	if _, err := file.Write(f.good); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, 0); err != nil {
		return nil, err
	}
	r, err := image.NewReader(file)
	if err != nil {
		return nil, err
	}
	head, err := r.ReadHead()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	req := &netlinkapi.RestartRequest{ImageFD: fd, Tasks: len(head.Tasks), LogFD: -1, Timeout: 20 * time.Second, Flags: f.flags}
	req.StreamPos, req.StreamCRC = r.Position()
	if who == "restart" {
		req.Prepare = onThread(n)
	} else if err := stopAt("reading"); err != nil {
		return nil, err
	}
	defer stopAt("")
	s, fault := f.client.Restart(ctx, req)
	if fault != nil {
		return fault, f.gone(nil, false)
	}
	defer s.Close()
	spec := &tree.Spec{Join: s.JoinMessage}
	var pids []int
	for _, t := range head.Tasks {
		pids = append(pids, int(t.PID))
		spec.Tasks = append(spec.Tasks, tree.Task{
			PID: int(t.PID), PPID: int(t.PPID), PGID: int(t.PGID), SID: int(t.SID), ExitSignal: int(t.ExitSignal),
		})
	}
	t, fault := tree.Create(spec)
	if fault != nil {
		abort(fault)
		s.Wait(ctx)
		s.Close()
		return fault, f.gone(nil, false)
	}
	go func() {
		for failure := range t.Failed {
			abort(failure)
		}
	}()
	if who == "task" {
		if err := f.arm(t.PID, n); err != nil {
			return nil, err
		}
	}
	_, fault = s.Wait(ctx)
	s.Close()
	for _, pid := range pids {
		if fault == nil {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
	return fault, f.gone(pids, fault == nil)
}

// arm waits until all processes have joined, and sets the fault of one.
func (f *faulter) arm(pid, n int) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if !sleepsIn(os.Getpid(), "ckpt_phase") {
			continue
		}
		if err := failNth(pid, pid, n); err != nil {
			return err
		}
		return stopAt("")
	}
	return fmt.Errorf("the restart does not come to reading\n%s", stacks())
}

func tellKernel(text string) error {
	return os.WriteFile("/dev/kmsg", []byte("<4>"+text), 0)
}

// faults runs the workers; the kernel must have been built for it.
func (e *env) faults(step, limit int) error {
	for _, dir := range []string{"failslab", "fail_page_alloc", "fail_usercopy", "fail_futex"} {
		for name, value := range map[string]string{"ignore-gfp-wait": "N", "verbose": "0", "min-order": "0", "ignore-gfp-highmem": "N"} {
			file := "/sys/kernel/debug/" + dir + "/" + name
			if _, err := os.Stat(file); err != nil {
				continue // each has its own settings
			}
			if err := os.WriteFile(file, []byte(value), 0); err != nil {
				return err
			}
		}
	}
	if err := tellKernel(vm.FaultsOn); err != nil {
		return err
	}
	defer tellKernel(vm.FaultsOff)
	worker := func(args ...string) error {
		e.n++
		out := e.path(fmt.Sprintf("faults-%d.out", e.n))
		// Go stops its threads by a signal to let others run. A fault that hits the frame of that signal is a SIGSEGV.
		p, err := e.spawn(out, nil, append([]string{"env", "GODEBUG=asyncpreemptoff=1", "/run/agent", "-faults", "-step", fmt.Sprint(step), "-max", fmt.Sprint(limit)}, args...)...)
		if err != nil {
			return err
		}
		ws, err := p.wait(e.limit)
		text, _ := os.ReadFile(out)
		if err != nil || ws != 0 {
			return fmt.Errorf("%v: %v, %s\n%s", args, err, status(ws), headTail(string(text), 40))
		}
		comment("", strings.TrimSpace(string(text)))
		return nil
	}
	s, err := e.medley("medley")
	if err != nil {
		return err
	}
	if err := worker("-who", "checkpoint", "-pid", fmt.Sprint(s.proc.pid)); err != nil {
		return err
	}
	if err := s.saveAndKill("img"); err != nil {
		return err
	}
	for _, who := range []string{"restart", "task"} {
		if err := worker("-who", who, "-image", s.path("img")); err != nil {
			return err
		}
	}
	// After all that it still works.
	if _, err := s.restart("img"); err != nil {
		return err
	}
	killAll()
	return e.quiet()
}

var _ = register(scenario{name: "scenario/faults-some", kernels: []string{"debug"}, limit: 3 * time.Minute, run: func(e *env) error {
	return e.faults(10, 1500)
}})

var _ = register(scenario{name: "scenario/faults", kernels: []string{"debug"}, suite: "faults", limit: time.Hour, run: func(e *env) error {
	return e.faults(1, 1<<20)
}})
