// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func splitPath(name string) []string {
	if strings.Contains(name, "/") {
		return nil
	}
	return filepath.SplitList(os.Getenv("PATH"))
}

// task is what /proc/PID/stat says.
type task struct {
	pid, ppid, sid int
	comm           string
	state          byte
	flags          uint64
}

const kernelThread = 0x00200000 // PF_KTHREAD

func readTask(dir string) (task, error) {
	data, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return task{}, err
	}
	// The name can hold blanks and parentheses: fields count from the last ')'.
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 1 || end < open {
		return task{}, fmt.Errorf("reading %s/stat: odd text", dir)
	}
	f := strings.Fields(string(data[end+1:]))
	if len(f) < 7 {
		return task{}, fmt.Errorf("reading %s/stat: short", dir)
	}
	var t task
	t.pid, _ = strconv.Atoi(strings.TrimSpace(string(data[:open])))
	t.comm = string(data[open+1 : end])
	t.state = f[0][0]
	t.ppid, _ = strconv.Atoi(f[1])
	t.sid, _ = strconv.Atoi(f[3])
	t.flags, _ = strconv.ParseUint(f[6], 10, 64)
	return t, nil
}

// userTasks lists all processes except the agent and the kernel's own.
func userTasks() (tasks []task) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		t, err := readTask(d)
		if err == nil && t.pid != 1 && t.flags&kernelThread == 0 {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// stacks tells where every user thread is.
func stacks() string {
	var b strings.Builder
	for _, t := range userTasks() {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", t.pid))
		for _, d := range threads {
			th, err := readTask(d)
			if err != nil {
				continue
			}
			sys, _ := os.ReadFile(d + "/syscall")
			var stack []byte
			if wchan, _ := os.ReadFile(d + "/wchan"); string(wchan) != "0" {
				stack, _ = os.ReadFile(d + "/stack")
			}
			fmt.Fprintf(&b, "task %d/%d %s state %c parent %d syscall %s\n", t.pid, th.pid, th.comm, th.state, th.ppid, strings.TrimSpace(string(sys)))
			for _, l := range lines(stack) {
				fmt.Fprintf(&b, "    %s\n", l)
			}
		}
	}
	return b.String()
}

// sleepsIn tells whether some thread of a process sleeps in a kernel function, and in none that this calls.
//
// Not /proc/PID/stack: that walks the stack of a thread that may be running,
// and reads what KASAN takes for an access out of bounds. The kernel keeps a
// thread asleep while it looks for wchan.
func sleepsIn(pid int, function string) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", pid))
	return slices.ContainsFunc(threads, func(file string) bool {
		name, err := os.ReadFile(file)
		return err == nil && string(name) == function
	})
}

// kernelLeaks unloads the module and asks the debug kernel what it found.
func (g *guest) kernelLeaks() (bad []string) {
	if err := g.rmmod(); err != nil {
		bad = append(bad, err.Error())
	}
	if data, err := os.ReadFile("/proc/lockdep_stats"); err == nil {
		for _, l := range lines(data) {
			if f := strings.Fields(l); len(f) == 2 && f[0] == "debug_locks:" && f[1] != "1" {
				bad = append(bad, "lockdep has turned itself off")
			}
		}
	}
	const leak = "/sys/kernel/debug/kmemleak"
	if _, err := os.Stat(leak); err != nil {
		return bad
	}
	// A scan looks through all pages in use and all objects: what is only cached costs it most of its time.
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return append(bad, err.Error())
	}
	// An object is reported when it is unreferenced in two scans and older than 5 seconds.
	for i := range 2 {
		time.Sleep(time.Duration(i) * 6 * time.Second)
		if err := os.WriteFile(leak, []byte("scan"), 0); err != nil {
			return append(bad, fmt.Sprintf("kmemleak scan: %v", err))
		}
	}
	if data, err := os.ReadFile(leak); err != nil {
		bad = append(bad, fmt.Sprintf("reading kmemleak: %v", err))
	} else if len(data) > 0 {
		bad = append(bad, string(data))
	}
	return bad
}
