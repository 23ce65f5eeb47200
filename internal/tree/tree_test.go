// SPDX-License-Identifier: MIT

package tree

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// job is a shell (100) in a session of its own with a pipeline (101, 102, both
// in group 101), a daemon (103) in its own session whose child (104) stayed in
// the shell's, and a process (105) of a session that began outside.
var job = []Task{
	{PID: 100, PPID: 0, PGID: 100, SID: 100},
	{PID: 102, PPID: 100, PGID: 101, SID: 100, ExitSignal: 17},
	{PID: 101, PPID: 100, PGID: 101, SID: 100, ExitSignal: 17},
	{PID: 103, PPID: 100, PGID: 103, SID: 103, ExitSignal: 17},
	{PID: 104, PPID: 103, PGID: 100, SID: 100, ExitSignal: 17},
	{PID: 105, PPID: 100, PGID: 50, SID: 50, ExitSignal: 17},
}

func names(n *node) string {
	var s []string
	for ; n != nil; n = n.next {
		s = append(s, fmt.Sprint(n.tid))
	}
	return strings.Join(s, " ")
}

func joinStub(int) []byte { return make([]byte, 36) }

func TestPlan(t *testing.T) {
	p, err := plan(&Spec{Tasks: job, Join: joinStub}, 9)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(p.root.early); got != "103 105" {
		t.Errorf("forked before setsid: %q", got)
	}
	if got := names(p.root.late); got != "102 101" {
		t.Errorf("forked after setsid: %q", got)
	}
	for n := p.root.late; n != nil; n = n.next {
		if n.pgid != 101 || n.setsid {
			t.Errorf("pid %d: group %d, setsid %v", n.tid, n.pgid, n.setsid)
		}
	}
	daemon := p.root.early
	if !daemon.setsid || names(daemon.early) != "104" || daemon.late != nil {
		t.Errorf("daemon: setsid %v, early %q, late %q", daemon.setsid, names(daemon.early), names(daemon.late))
	}
	// 104 was forked into the session above 103, which is not the shell's
	// because 103 was forked before it began: its group is for the kernel.
	if daemon.early.pgid != 0 {
		t.Errorf("pid 104: group %d", daemon.early.pgid)
	}
}

func TestPlanNamespace(t *testing.T) {
	p, err := plan(&Spec{Tasks: job, Join: joinStub, PIDNS: true}, 9)
	if err != nil {
		t.Fatal(err)
	}
	if !p.root.reaper || p.root.late.tid != 100 || p.root.args.flags != unix.CLONE_NEWPID {
		t.Errorf("root %+v", p.root)
	}
	init := []Task{{PID: 1, PGID: 1, SID: 1}}
	if p, err = plan(&Spec{Tasks: init, Join: joinStub, PIDNS: true}, 9); err != nil || p.root.reaper {
		t.Errorf("a root that was pid 1 needs no init above it: %+v, %v", p.root, err)
	}
}

func TestPlanRefusesBadTrees(t *testing.T) {
	bad := [][]Task{
		nil,
		{{PID: 5}, {PID: 7, PPID: 6}},
		{{PID: 5}, {PID: 6, PPID: 7}, {PID: 7, PPID: 5}},
	}
	for _, tasks := range bad {
		if _, err := plan(&Spec{Tasks: tasks, Join: joinStub}, 9); err == nil {
			t.Errorf("no error for %+v", tasks)
		}
	}
}

// needPids ends the test where the caller cannot choose pids.
func needPids(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs the right to choose pids")
	}
	// Orphans come to this process, so that it can wait for them.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
}

// reap waits until no process of a tree is left.
func reap(tasks []Task) {
	for _, task := range tasks {
		_, _ = unix.Wait4(task.PID, nil, unix.WALL, nil)
	}
}

// collect reads the failures and the end of a tree.
func collect(t *testing.T, tr *Tree) ([]*Failure, unix.WaitStatus) {
	t.Helper()
	var all []*Failure
	failed := tr.Failed
	timeout := time.After(20 * time.Second)
	exited := false
	var ws unix.WaitStatus
	for !exited || failed != nil {
		select {
		case f, ok := <-failed:
			if !ok {
				failed = nil
				continue
			}
			all = append(all, f)
		case ws = <-tr.Exited:
			exited = true
		case <-timeout:
			t.Fatal("the processes do not end")
		}
	}
	return all, ws
}

// base is where the pids of the tests begin: half of all pids away from those
// that the kernel gives out now, and free.
var base = func() int {
	limit, last := 32768, 0
	for name, v := range map[string]*int{"pid_max": &limit, "ns_last_pid": &last} {
		if b, err := os.ReadFile("/proc/sys/kernel/" + name); err == nil {
			_, _ = fmt.Sscan(string(b), v)
		}
	}
	// Another run of these tests at the same time begins elsewhere.
	first := (last + limit/2 + os.Getpid()%16*700) % limit
	for ; ; first++ {
		if first < 1000 || first > limit-1000 {
			first = 1000
		}
		free := 0
		for free < 700 && unix.Kill(first+free, 0) == unix.ESRCH {
			free++
		}
		if free == 700 {
			return first
		}
		first += free
	}
}()

func shifted(tasks []Task) []Task {
	out := append([]Task(nil), tasks...)
	for i := range out {
		t := &out[i]
		for _, p := range []*int{&t.PID, &t.PPID, &t.PGID, &t.SID} {
			if *p != 0 {
				*p += base
			}
		}
	}
	return out
}

// TestCreate makes real processes. Their JOIN goes to a family that does not
// exist, so each of them reports that and ends.
func TestCreate(t *testing.T) {
	needPids(t)
	for _, ns := range []bool{false, true} {
		t.Run(fmt.Sprintf("pidns=%v", ns), func(t *testing.T) {
			tasks := shifted(job)
			tr, err := Create(&Spec{Tasks: tasks, Join: joinBad, PIDNS: ns})
			if errors.Is(err, unix.EPERM) {
				t.Skip("not permitted here: ", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			failures, ws := collect(t, tr)
			if !ns {
				reap(tasks)
			}
			got := map[int]bool{}
			for _, f := range failures {
				got[f.PID] = true
				if f.Errno != unix.ENOENT || f.What != stageNames[stageJoin] {
					t.Errorf("%v", f)
				}
			}
			for _, task := range tasks {
				// The end of the root ends a whole namespace, so there the
				// others may not get that far.
				if !got[task.PID] && (!ns || task.PPID == 0) {
					t.Errorf("pid %d did not get to its JOIN: %v", task.PID, failures)
				}
			}
			if ws.ExitStatus() != 1 {
				t.Errorf("the root ended with %v", ws)
			}
		})
	}
}

// joinBad is a message to a family that does not exist.
func joinBad(int) []byte {
	return []byte{20, 0, 0, 0, 0xfe, 0x7f, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0}
}

func TestCreateTakenPid(t *testing.T) {
	needPids(t)
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	_, err := Create(&Spec{Tasks: []Task{{PID: cmd.Process.Pid, PGID: 1, SID: 1}}, Join: joinBad})
	if errors.Is(err, unix.EPERM) {
		t.Skip("not permitted here: ", err)
	}
	if !errors.Is(err, unix.EEXIST) || !strings.Contains(err.Error(), "taken") {
		t.Errorf("root with a taken pid: %v", err)
	}
	tasks := []Task{{PID: base + 500, PGID: base + 500, SID: base + 500}, {PID: cmd.Process.Pid, PPID: base + 500}}
	tr, err := Create(&Spec{Tasks: tasks, Join: joinBad})
	if err != nil {
		t.Fatal(err)
	}
	failures, _ := collect(t, tr)
	if len(failures) != 1 || failures[0].PID != cmd.Process.Pid || !errors.Is(failures[0], unix.EEXIST) {
		t.Errorf("child with a taken pid: %v", failures)
	}
}

func TestCreateClock(t *testing.T) {
	needPids(t)
	clock := &ClockOffsets{Monotonic: time.Hour, Boottime: 2 * time.Hour}
	tasks := []Task{{PID: base + 600, PGID: base + 600, SID: base + 600}}
	tr, err := Create(&Spec{Tasks: tasks, Join: joinBad, Clock: clock})
	if errors.Is(err, unix.EPERM) {
		t.Skip("not permitted here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	collect(t, tr)
}

func TestOffsetOf(t *testing.T) {
	const text = "monotonic     -864000         5\nboottime           7 999999999\n"
	for clock, want := range map[string]time.Duration{
		"monotonic": -864000*time.Second + 5, "boottime": 7*time.Second + 999999999, "other": 0,
	} {
		if got := offsetOf(text, clock); got != want {
			t.Errorf("%s: %v, want %v", clock, got, want)
		}
	}
}

func TestOffset(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1500 * time.Millisecond: "1 500000000", -time.Nanosecond: "-1 999999999", -2 * time.Second: "-2 0", 0: "0 0",
	} {
		if got := offset(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
