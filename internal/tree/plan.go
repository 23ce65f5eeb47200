// SPDX-License-Identifier: MIT

package tree

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// plan turns tasks into the lists that spawn walks.
//
// A process inherits its session from its parent, so a child in the
// session of its parent's own making is forked after the parent's setsid, and
// every other child before. A session or a group that does not come about that
// way (its leader is dead, or is outside the tree) is left to the kernel; a
// process of a session that began above the root stays in crctl's.
func plan(s *Spec, reportFD int) (*program, error) {
	if len(s.Tasks) == 0 {
		return nil, fmt.Errorf("the tree has no process")
	}
	p := &program{fd: reportFD, sleep: unix.Timespec{Nsec: 1e6}}
	p.addr.Family = unix.AF_NETLINK
	nodes := make([]node, len(s.Tasks))
	index := make(map[int]int, len(s.Tasks))
	session := make([]int, len(s.Tasks)) // that the process will be in; 0: crctl's
	// Backwards, so that the lists come out in the order of Tasks.
	for i, t := range s.Tasks {
		index[t.PID] = i
	}
	for i := range s.Tasks {
		t, n := &s.Tasks[i], &nodes[i]
		n.tid = int32(t.PID)
		n.args.setTID = uint64(uintptr(unsafe.Pointer(&n.tid)))
		n.args.setTIDSize = 1
		n.args.exitSignal = uint64(t.ExitSignal)
		msg := s.Join(t.PID)
		n.msg, n.msgLen = &msg[0], uintptr(len(msg))
		n.setsid = t.SID == t.PID
		switch {
		case n.setsid:
			session[i] = t.SID
		case i > 0:
			parent := index[t.PPID]
			session[i] = session[parent]
			if nodes[parent].setsid && t.SID != s.Tasks[parent].PID {
				session[i] = sessionAbove(s, session, index, parent)
			}
		}
	}
	for i := len(s.Tasks) - 1; i > 0; i-- {
		t := &s.Tasks[i]
		parent, ok := index[t.PPID]
		if !ok || parent >= i {
			return nil, fmt.Errorf("parent %d of pid %d does not stand before it", t.PPID, t.PID)
		}
		list := &nodes[parent].late
		if nodes[parent].setsid && t.SID != s.Tasks[parent].PID {
			list = &nodes[parent].early
		}
		nodes[i].next, *list = *list, &nodes[i]
	}
	for i, t := range s.Tasks {
		leader, ok := index[t.PGID]
		// A leader of a session already has a group of its own.
		if ok && !nodes[i].setsid && s.Tasks[leader].PGID == t.PGID && session[leader] == session[i] {
			nodes[i].pgid = int32(t.PGID)
		}
	}
	p.root = &nodes[0]
	// crctl waits for it, whatever its own parent waited for.
	p.root.args.exitSignal = uint64(unix.SIGCHLD)
	if s.PIDNS {
		addNamespace(p, s.Tasks[0].PID)
	}
	return p, nil
}

// sessionAbove is the session that the process i was forked into.
func sessionAbove(s *Spec, session []int, index map[int]int, i int) int {
	if i == 0 {
		return 0
	}
	parent := index[s.Tasks[i].PPID]
	if s.Tasks[parent].SID == s.Tasks[parent].PID && s.Tasks[i].SID == s.Tasks[i].PID {
		// i was forked early or late by a leader; its own setsid hides which.
		// spawn forks it early, because its session is not the parent's.
		return sessionAbove(s, session, index, parent)
	}
	return session[parent]
}

// addNamespace makes the root of p the first process of a new pid namespace,
// or puts an init above it if the root was another than pid 1.
func addNamespace(p *program, root int) {
	if root == 1 {
		p.root.args.flags |= unix.CLONE_NEWPID
		return
	}
	init := &node{tid: 1, reaper: true, late: p.root}
	init.args.flags = unix.CLONE_NEWPID
	init.args.exitSignal = uint64(unix.SIGCHLD)
	p.root = init
}
