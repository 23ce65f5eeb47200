// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"crctl/image"
	"crctl/image/imagetest"
	"crctl/internal/tree"
	"crctl/netlinkapi"
)

// TestMain makes crctl a command of the scripts, with a fake module whose
// behaviour the variable MODULE chooses.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"crctl":   func() { os.Exit(run(os.Args[1:], fakeEnv())) },
		"mkimage": func() { os.Exit(mkimage(os.Args[1:])) },
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}

func fakeEnv() *env {
	return &env{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		client: func() netlinkapi.Client { return fakeClient(os.Getenv("MODULE")) },
		create: fakeCreate,
	}
}

// mkimage FILE [key=value] writes a synthetic image.
func mkimage(args []string) int {
	pid := uint32(freePid())
	o := imagetest.Options{}
	for _, a := range args[1:] {
		key, v, _ := strings.Cut(a, "=")
		switch key {
		case "pid":
			n, err := strconv.ParseUint(v, 10, 32)
			if err != nil {
				panic(err)
			}
			pid = uint32(n)
		case "path":
			o.Path, o.File = v, &image.FilePath{Mode: unix.S_IFREG | 0o644, Size: 3}
		case "fail":
			o.Fail = v
		case "machine":
			o.Header = func(h *image.Header) { h.Machine = 183 }
		}
	}
	b, err := imagetest.Build([]imagetest.Process{
		{PID: pid, PGID: pid, SID: pid, Comm: "demo"},
		{PID: pid + 1, PPID: pid, PGID: pid, SID: pid, Comm: "child"},
	}, o)
	if err == nil {
		err = os.WriteFile(args[0], b, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// freePid is the first of two pids that nobody has, far from those that the
// kernel gives out now.
func freePid() int {
	limit := readInt("/proc/sys/kernel/pid_max")
	pid := (readInt(lastPidFile) + limit/2) % limit
	for pid < 1000 || pid > limit-1000 || taken(pid) || taken(pid+1) {
		if pid += 2; pid > limit-1000 {
			pid = 1000
		}
	}
	return pid
}

// fakeClient behaves as its value says: "", "absent", "refuse", "fail", "deny".
type fakeClient string

func (c fakeClient) Caps(context.Context) (*netlinkapi.Caps, error) {
	if c == "absent" {
		return nil, netlinkapi.ErrNotLoaded
	}
	return &netlinkapi.Caps{Version: "0.1.0", ImageVersion: 1, Kernel: "6.1.0-test", Symbols: 77, Kinds: []netlinkapi.Kind{
		{Name: "pipe", Handled: true, Text: "pipes and FIFOs"}, {Name: "io_uring", Text: "not yet"},
	}}, nil
}

func (c fakeClient) Checkpoint(_ context.Context, req *netlinkapi.CheckpointRequest) (netlinkapi.Session, error) {
	if c == "absent" {
		return nil, netlinkapi.ErrNotLoaded
	}
	if c == "deny" {
		return nil, &netlinkapi.RequestError{Op: "checkpoint", Errno: unix.ESRCH, Message: "no such process"}
	}
	s := &fakeSession{behaviour: string(c)}
	if req.Flags&netlinkapi.FlagCheck == 0 {
		if _, err := unix.Write(req.ImageFD, []byte("image of a test\n")); err != nil {
			return nil, err
		}
	}
	if req.LogFD >= 0 {
		line := fmt.Sprintf("flags %d timeout %v leaks %v\n", req.Flags, req.Timeout, req.AllowLeak)
		if _, err := unix.Write(req.LogFD, []byte(line)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (c fakeClient) Restart(_ context.Context, req *netlinkapi.RestartRequest) (netlinkapi.Session, error) {
	if req.LogFD >= 0 {
		line := fmt.Sprintf("tasks %d inherit %v\n", req.Tasks, req.Inherit)
		if _, err := unix.Write(req.LogFD, []byte(line)); err != nil {
			return nil, err
		}
	}
	if pos, err := unix.Seek(req.ImageFD, 0, 1); err == nil && uint64(pos) != req.StreamPos {
		return nil, fmt.Errorf("the image stands at %d, but the request says %d", pos, req.StreamPos)
	}
	return &fakeSession{behaviour: string(c)}, nil
}

type fakeSession struct{ behaviour string }

func (s *fakeSession) FD() int                { return -1 }
func (s *fakeSession) JoinMessage(int) []byte { return make([]byte, 36) }
func (s *fakeSession) Close() error           { return nil }

func (s *fakeSession) Wait(ctx context.Context) (netlinkapi.Stats, error) {
	stats := netlinkapi.Stats{FrozenNS: 12e6, TotalNS: 50e6, Bytes: 4096, Tasks: 2, Threads: 3, Pages: 1}
	switch s.behaviour {
	case "refuse":
		return stats, &netlinkapi.OperationError{Errno: unix.EOPNOTSUPP, Refused: []netlinkapi.Refused{
			{TID: 4194300, Kind: "io_uring", Message: "fd 5 is an io_uring; close it"},
			{TID: 4194301, Kind: "aio", Message: "3 requests in flight"},
		}}
	case "fail":
		return stats, &netlinkapi.OperationError{Errno: unix.ENOSPC,
			Failures: []netlinkapi.Failure{{Errno: 28, Message: "cannot write the image: no space left"}}}
	case "childfails":
		<-ctx.Done()
		return stats, context.Cause(ctx)
	}
	return stats, nil
}

// fakeCreate makes no process. ROOTEXIT is the wait status of the root.
func fakeCreate(s *tree.Spec) (*tree.Tree, error) {
	status, _ := strconv.Atoi(os.Getenv("ROOTEXIT"))
	failed := make(chan *tree.Failure, 1)
	exited := make(chan unix.WaitStatus, 1)
	if os.Getenv("MODULE") == "childfails" {
		failed <- &tree.Failure{PID: s.Tasks[1].PID, What: "create the process", Errno: unix.EEXIST}
	} else {
		exited <- unix.WaitStatus(status)
	}
	close(failed)
	return &tree.Tree{PID: s.Tasks[0].PID, Failed: failed, Exited: exited}, nil
}

func TestVersion(t *testing.T) {
	conf, err := os.ReadFile("../../kmod/dkms.conf")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`PACKAGE_VERSION="(.*)"`).FindSubmatch(conf)
	if m == nil || string(m[1]) != version {
		t.Errorf("crctl is %s, dkms.conf has %q", version, m)
	}
}

func TestExitCodes(t *testing.T) {
	plain := errors.New("plain")
	for want, err := range map[int]error{
		exitFailed:    errorList{plain, refused(plain)},
		exitUsage:     usagef("no"),
		exitRefused:   errorList{refused(plain), plain},
		exitNotLoaded: fmt.Errorf("caps: %w", netlinkapi.ErrNotLoaded),
	} {
		if got := codeOf(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	if got := codeOf(&netlinkapi.RequestError{Errno: syscall.EPERM}); got != exitFailed {
		t.Errorf("not permitted: %d", got)
	}
}

func TestFindCgroup(t *testing.T) {
	old := cgroupRoot
	defer func() { cgroupRoot = old }()
	cgroupRoot = t.TempDir()
	id := strings.Repeat("0123456789abcdef", 4)
	dirs := map[string]string{
		"nginx": "system.slice/nginx.service", "web": "lxc.payload.web", "box": "machine.slice/machine-box.scope",
		id: "system.slice/docker-" + id + ".scope", id[:12]: "system.slice/docker-" + id + ".scope",
		"system.slice/nginx.service": "system.slice/nginx.service", "/user.slice": "user.slice",
	}
	for _, d := range dirs {
		if err := os.MkdirAll(filepath.Join(cgroupRoot, d, "child"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range dirs {
		if got, err := findCgroup(name); err != nil || got != filepath.Join(cgroupRoot, want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"nobody", "0123", "../etc", "child"} {
		if got, err := findCgroup(name); err == nil {
			t.Errorf("%s: %q, no error", name, got)
		}
	}
}

func TestClockOffsets(t *testing.T) {
	now := uint64(clock(unix.CLOCK_MONOTONIC))
	if c := clockOffsets(&image.Header{MonoNs: now / 2, BootNs: now / 2}); c != nil {
		t.Errorf("clocks that went on: %+v", c)
	}
	c := clockOffsets(&image.Header{MonoNs: now + 3600e9, BootNs: now + 7200e9})
	if c == nil || c.Monotonic.Minutes() < 59 || c.Monotonic.Minutes() > 60 || c.Boottime < c.Monotonic {
		t.Errorf("clocks that must not go back: %+v", c)
	}
}

func TestPidConflicts(t *testing.T) {
	head := func(pids ...uint32) *image.Head {
		h := &image.Head{}
		for _, p := range pids {
			h.Tasks = append(h.Tasks, image.TreeTask{PID: p, Nthreads: 1})
		}
		return h
	}
	err := checkPids(head(1, uint32(os.Getpid()), 1<<22-1), false)
	text := fmt.Sprint(err)
	for _, want := range []string{"pid 1 () is taken by process 1", "taken by crctl itself", "beyond kernel.pid_max"} {
		if !strings.Contains(text, want) && (want != "beyond kernel.pid_max" || readInt("/proc/sys/kernel/pid_max") < 1<<22) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if codeOf(err) != exitRefused {
		t.Errorf("exit code %d", codeOf(err))
	}
	if err := checkPids(head(uint32(freePid())), false); err != nil {
		t.Errorf("a free pid: %v", err)
	}
}
