// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"crctl/image"
)

const lastPidFile = "/proc/sys/kernel/ns_last_pid"

// ownThreads is how many ids crctl's own threads may use at most.
const ownThreads = 200

// pidRange is the ids from first to last.
type pidRange struct{ first, last int }

func (r pidRange) overlaps(o pidRange) bool { return r.first <= o.last && o.first <= r.last }

// wanted gives the ids that the tree needs. TREE has no ids of threads, but
// most have been given out after their process's, so the next ones count too.
func wanted(head *image.Head) (pids map[int]bool, span pidRange) {
	pids = make(map[int]bool, len(head.Tasks))
	span.first = int(head.Tasks[0].PID)
	for _, g := range ghosts(head) {
		pids[g.id] = true
		span.first, span.last = min(span.first, g.id), max(span.last, g.id)
	}
	for _, t := range head.Tasks {
		pid, last := int(t.PID), int(t.PID)
		pids[pid] = true
		if t.Nthreads > 1 {
			last += int(t.Nthreads) + 32
		}
		span.first, span.last = min(span.first, pid), max(span.last, last)
	}
	return pids, span
}

// ghost is a session or a process group whose leader is not in the tree.
type ghost struct {
	id, pid int // its number, and one of its processes
	session int // of a process group: what it belongs to
}

// ghosts lists them, each once. 0 is outside of the pid namespace.
func ghosts(head *image.Head) []ghost {
	seen := map[int]bool{0: true}
	for _, t := range head.Tasks {
		seen[int(t.PID)] = true
	}
	var list []ghost
	add := func(id, pid, session int) {
		if !seen[id] {
			list = append(list, ghost{id, pid, session})
		}
		seen[id] = true
	}
	for _, t := range head.Tasks {
		add(int(t.SID), int(t.PID), 0)
	}
	for _, t := range head.Tasks {
		add(int(t.PGID), int(t.PID), int(t.SID))
	}
	return list
}

// joined tells whether the caller's session has this ghost, so that the restart
// can join it, or is to stand in for it.
func (g ghost) joined(head *image.Head, job bool) bool {
	root := head.Tasks[0]
	if job && (g.id == int(root.SID) || g.id == int(root.PGID)) {
		return true
	}
	own, err := unix.Getsid(0)
	if err != nil {
		return false
	}
	if g.session == 0 {
		return g.id == own
	}
	for _, p := range groupMembers(g.id) {
		if sid, err := unix.Getsid(p); err == nil {
			return sid == own && g.session == own
		}
	}
	return false
}

// groupMembers are the processes of a process group.
func groupMembers(pgid int) []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, n := range names {
		pid, err := strconv.Atoi(filepath.Base(n))
		if err != nil {
			continue
		}
		if g, err := unix.Getpgid(pid); err == nil && g == pgid {
			pids = append(pids, pid)
		}
	}
	return pids
}

// checkPids lists the pids of the tree that are taken, with their owners.
// Threads of crctl itself do not count: they can go away. job tells that the
// root's session and group are to be the caller's.
func checkPids(head *image.Head, job bool) error {
	own := ownTids()
	var errs errorList
	limit := readInt("/proc/sys/kernel/pid_max")
	for _, t := range head.Tasks {
		pid := int(t.PID)
		switch {
		case limit != 0 && pid >= limit:
			errs = append(errs, refused(fmt.Errorf("pid %d (%s) is beyond kernel.pid_max %d; raise it with: sysctl kernel.pid_max=%d",
				pid, image.CString(t.Comm[:]), limit, 1<<22)))
		case pid == os.Getpid():
			errs = append(errs, refused(fmt.Errorf("pid %d (%s) is taken by crctl itself; run it again and it gets another pid",
				pid, image.CString(t.Comm[:]))))
		case !own[pid] && taken(pid):
			errs = append(errs, refused(fmt.Errorf("pid %d (%s) is taken by %s; end it, or use --pidns",
				pid, image.CString(t.Comm[:]), owner(pid))))
		}
	}
	for _, g := range ghosts(head) {
		if own[g.id] && g.id != os.Getpid() || !taken(g.id) || g.joined(head, job) {
			continue
		}
		what := "session"
		if g.session != 0 {
			what = "process group"
		}
		errs = append(errs, refused(fmt.Errorf("%s %d of pid %d is taken by %s; "+
			"use --shell-job to join that of crctl, or --pidns", what, g.id, g.pid, owner(g.id))))
	}
	return errs.orNil()
}

// taken tells whether a process, a thread or a process group has this id.
func taken(pid int) bool {
	return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) || !errors.Is(unix.Kill(-pid, 0), unix.ESRCH)
}

// owner names who has an id.
func owner(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "a process group that still has members"
	}
	for _, line := range strings.Split(string(status), "\n") {
		if tgid, ok := strings.CutPrefix(line, "Tgid:"); ok {
			if tgid = strings.TrimSpace(tgid); tgid != strconv.Itoa(pid) {
				return fmt.Sprintf("a thread of process %s (%s)", tgid, comm(pid))
			}
		}
	}
	return fmt.Sprintf("process %d (%s)", pid, comm(pid))
}

// claimPids makes sure that the pids of the tree are free, of crctl's own
// threads as well: Go always has some. Those that are in the way go by
// executing crctl again, after the kernel was told to give out other ids.
func claimPids(head *image.Head, src *source, job bool) error {
	pids, span := wanted(head)
	err := checkPids(head, job)
	last := readInt(lastPidFile)
	near := span.overlaps(pidRange{last + 1, last + ownThreads})
	conflict := false
	for tid := range ownTids() {
		conflict = conflict || pids[tid] || (tid != os.Getpid() && span.first <= tid && tid <= span.last)
	}
	if near || conflict {
		// Also when err is set: running crctl again helps then.
		if werr := skipPids(span); werr != nil && err == nil && conflict {
			return fmt.Errorf("threads of crctl have pids of the image, and they cannot be moved: %w", werr)
		}
	}
	if err != nil || !conflict {
		return err
	}
	if src.moved {
		for tid := range ownTids() {
			if pids[tid] {
				return refused(fmt.Errorf("pid %d is taken by crctl itself; run it again", tid))
			}
		}
		return nil
	}
	return fmt.Errorf("execute crctl again: %w", src.execAgain())
}

// skipPids makes the kernel give out ids beyond span, or before it if there is
// no room beyond.
func skipPids(span pidRange) error {
	next := span.last
	if limit := readInt("/proc/sys/kernel/pid_max"); next+ownThreads >= limit {
		next = max(300, span.first/2)
	}
	return os.WriteFile(lastPidFile, []byte(strconv.Itoa(next)), 0)
}

// ownTids are the ids of crctl's threads.
func ownTids() map[int]bool {
	names, _ := filepath.Glob("/proc/self/task/*")
	tids := make(map[int]bool, len(names))
	for _, n := range names {
		if tid, err := strconv.Atoi(filepath.Base(n)); err == nil {
			tids[tid] = true
		}
	}
	return tids
}

// readInt reads a file of /proc with one number, 0 if it cannot.
func readInt(name string) int {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return n
}
