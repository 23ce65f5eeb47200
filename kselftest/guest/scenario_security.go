// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"crctl/image"
	"crctl/image/mutate"
	"crctl/kselftest/job"
)

// An attack is an edit of a good image, restarted by a user who has CAP_CHECKPOINT_RESTORE and nothing else.
type attack struct {
	name string
	edit func(image.Type, []byte) []byte
	// twice is a type of record that comes two times instead.
	twice image.Type
	// mayRun: it may be restarted, as long as it has no more rights than its caller.
	mayRun bool
}

// set gives a field at an offset of a type of record a value.
func set[T uint32 | uint64](t image.Type, value T, offsets ...int) func(image.Type, []byte) []byte {
	return func(kind image.Type, body []byte) []byte {
		for _, at := range offsets {
			if kind != t {
				continue
			}
			switch v := any(value).(type) {
			case uint32:
				binary.LittleEndian.PutUint32(body[at:], v)
			case uint64:
				binary.LittleEndian.PutUint64(body[at:], v)
			}
		}
		return body
	}
}

// swapFile makes the file of one path another one, with all that a restart compares.
func swapFile(from, to string) func(image.Type, []byte) []byte {
	return func(kind image.Type, body []byte) []byte {
		n := binary.Size(image.FilePath{})
		if kind != image.TypeFilePath || len(body) < n || !strings.HasSuffix(string(body[n:]), from) {
			return body
		}
		var st unix.Stat_t
		if unix.Stat(to, &st) != nil {
			return body
		}
		var f image.FilePath
		if _, err := binary.Decode(body[:n], binary.LittleEndian, &f); err != nil {
			return body
		}
		f.Mode, f.Size, f.Ino = st.Mode, uint64(st.Size), st.Ino
		f.MtimeSec, f.MtimeNsec = uint64(st.Mtim.Sec), uint32(st.Mtim.Nsec)
		f.F.Flags, f.F.Pos = unix.O_RDONLY, 0
		var b bytes.Buffer
		binary.Write(&b, binary.LittleEndian, &f)
		b.WriteString(to)
		return b.Bytes()
	}
}

// secret is a file that only root may read.
const secret = "/run/secret"

const kernelAddress = uint64(0xffff888000001000)

func attacks() []attack {
	at := mutate.Offset
	uids := []int{0, 8, 16, 24}
	return []attack{
		{name: "uid 0", edit: set(image.TypeCred, uint32(0), uids...)},
		{name: "gid 0", edit: set(image.TypeCred, uint32(0), 4, 12, 20, 28)},
		{name: "permitted capabilities", edit: set(image.TypeCred, uint64(1)<<21, at(image.TypeCred, "cap_permitted"), at(image.TypeCred, "cap_effective"))},
		{name: "ambient capabilities", edit: set(image.TypeCred, ^uint64(0), at(image.TypeCred, "cap_inheritable"), at(image.TypeCred, "cap_ambient"))},
		{name: "securebits", edit: set(image.TypeCred, uint32(0x2f), at(image.TypeCred, "securebits"))},
		{name: "oom_score_adj", edit: set(image.TypeTask, ^uint32(999), at(image.TypeTask, "oom_score_adj"), at(image.TypeTask, "oom_score_adj_min"))},
		{name: "a limit", edit: set(image.TypeRlimits, uint64(40), 8+13*16+8)}, // RLIMIT_NICE
		{name: "a real-time policy", edit: set(image.TypeSched, uint32(1), 0, 8)},
		{name: "a nice value", edit: set(image.TypeSched, ^uint32(19), 4)},
		{name: "the instruction pointer", edit: set(image.TypeRegs, kernelAddress, at(image.TypeRegs, "ip"))},
		{name: "the fs base", edit: set(image.TypeRegs, kernelAddress, at(image.TypeRegs, "fs_base"))},
		{name: "the gs base", edit: set(image.TypeRegs, kernelAddress, at(image.TypeRegs, "gs_base"))},
		{name: "the code segment", edit: set(image.TypeRegs, uint64(0x10), at(image.TypeRegs, "cs")), mayRun: true},
		{name: "the flags", edit: set(image.TypeRegs, uint64(0x3f3200), at(image.TypeRegs, "flags")), mayRun: true},
		{name: "the stack pointer", edit: set(image.TypeRegs, kernelAddress, at(image.TypeRegs, "sp")), mayRun: true},
		{name: "registers that come twice", twice: image.TypeRegs},
		{name: "system calls that come twice", twice: image.TypeSyscall},
		{name: "the robust list", edit: set(image.TypeThread, kernelAddress, at(image.TypeThread, "robust_list"))},
		{name: "rseq", edit: set(image.TypeThread, kernelAddress, at(image.TypeThread, "rseq"))},
		{name: "clear_child_tid", edit: set(image.TypeThread, kernelAddress, at(image.TypeThread, "clear_child_tid"))},
		{name: "CPU times that overflow", edit: set(image.TypeThread, uint64(1)<<63+1, at(image.TypeThread, "utime_ns"), at(image.TypeThread, "stime_ns"))},
		{name: "the vDSO", edit: set(image.TypeMM, kernelAddress, at(image.TypeMM, "vdso"))},
		{name: "a mapping", edit: set(image.TypeVMA, kernelAddress, at(image.TypeVMA, "start"))},
		{name: "a mapping at 0", edit: set(image.TypeVMA, uint64(0), at(image.TypeVMA, "start"))},
		{name: "a file of root's", edit: swapFile("/err", secret)},
		{name: "a file of /proc", edit: swapFile("/err", "/proc/self/mem")},
		{name: "a set-user-id program", edit: swapFile("task/medley", "/usr/bin/su"), mayRun: true},
	}
}

// A hostile image gives nobody rights that the caller of the restart does not have.
var _ = register(scenario{name: "scenario/hostile-image", limit: 60 * time.Second, run: func(e *env) error {
	s, err := e.medleyImage()
	if err != nil {
		return err
	}
	good, err := os.ReadFile(s.path("img"))
	if err != nil {
		return err
	}
	m, err := mutate.Parse(good)
	if err != nil {
		return err
	}
	restart := func(a attack, data []byte) (int, string, error) {
		name := s.path("edited")
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return 0, "", err
		}
		os.Chmod(name, 0o644)
		e.n++
		out := e.path(fmt.Sprintf("attack-%d.out", e.n))
		p, err := e.spawn(out, user(unix.CAP_CHECKPOINT_RESTORE), job.Crctl, "restart", "-i", name, "--detach")
		if err != nil {
			return 0, "", err
		}
		ws, err := p.wait(e.limit)
		text, _ := os.ReadFile(out)
		if err != nil {
			return 0, "", fmt.Errorf("%s: %w\n%s", a.name, err, stacks())
		}
		return ws.ExitStatus(), string(text), nil
	}
	try := func(a attack, data []byte) error {
		code, out, err := restart(a, data)
		if err != nil {
			return err
		}
		if code == 0 {
			err = noMoreRights(s.proc.pid)
			if !a.mayRun {
				err = fmt.Errorf("it was restarted")
			}
			killAll()
		} else if code != 1 && code != 3 || strings.TrimSpace(out) == "" {
			err = fmt.Errorf("exit code %d: %s", code, out)
		}
		if err == nil {
			err = nobodyLeft()
		}
		if err == nil {
			err = e.quiet()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		comment("", fmt.Sprintf("%s: exit code %d %s", a.name, code, strings.TrimSpace(tail(out, 1))))
		return nil
	}
	if err := try(attack{name: "the good image", mayRun: true}, good); err != nil {
		return err
	}
	if err := os.WriteFile(secret, []byte("not for all"), 0o600); err != nil {
		return err
	}
	var bad []string
	for _, a := range attacks() {
		var data []byte
		if a.edit != nil {
			data = m.Edit(a.edit)
		} else {
			data = m.Twice(a.twice)
		}
		if bytes.Equal(data, good) {
			bad = append(bad, a.name+": the image has nothing to edit")
			continue
		}
		if err := try(a, data); err != nil {
			bad = append(bad, err.Error())
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("%s", strings.Join(bad, "\n"))
	}
	return nil
}})

// noMoreRights checks what the kernel says about a restarted process.
func noMoreRights(pid int) error {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil // it has died of the edit
	}
	for _, l := range lines(data) {
		name, value, _ := strings.Cut(l, ":")
		f := strings.Fields(value)
		switch name {
		case "Uid", "Gid":
			for _, id := range f {
				if id != fmt.Sprint(nobody) {
					return fmt.Errorf("it has %s", l)
				}
			}
		case "CapPrm", "CapEff", "CapAmb":
			var caps uint64
			fmt.Sscanf(f[0], "%x", &caps)
			if caps&^(1<<unix.CAP_CHECKPOINT_RESTORE) != 0 {
				return fmt.Errorf("it has %s", l)
			}
		}
	}
	return nil
}

// Who may not save what, and how crctl says so.
var _ = register(scenario{name: "scenario/rights", limit: 60 * time.Second, run: func(e *env) error {
	mine := &subject{g: e.g, dir: e.path("mine"), limit: e.limit}
	umask := unix.Umask(0)
	err := mine.start(command{argv: []string{"sleep", "1000"}, sys: user()})
	unix.Umask(umask)
	if err != nil {
		return err
	}
	roots, err := e.subject("roots", "sleep", "1000")
	if err != nil {
		return err
	}
	if err := os.Chmod(e.dir, 0o777); err != nil {
		return err
	}
	caps := []uintptr{unix.CAP_CHECKPOINT_RESTORE}
	kthread := 2
	for _, c := range []struct {
		name string
		sys  *syscall.SysProcAttr
		pid  int
		code int
		says string
	}{
		{"no capability", user(), mine.proc.pid, 1, "CAP_CHECKPOINT_RESTORE"},
		{"a user's own process", user(caps...), mine.proc.pid, 0, ""},
		{"another user's process", user(caps...), roots.proc.pid, 1, "ptrace"},
		{"a kernel thread", nil, kthread, 1, "kernel thread"},
		{"init", nil, 1, 1, "init"},
		{"no process", nil, 32000, 1, "no such process"},
	} {
		e.n++
		out := e.path(fmt.Sprintf("rights-%d.out", e.n))
		p, err := e.spawn(out, c.sys, job.Crctl, "checkpoint", "--pid", fmt.Sprint(c.pid), "-o", e.path(fmt.Sprintf("img-%d", e.n)))
		if err != nil {
			return err
		}
		ws, err := p.wait(e.limit)
		text, _ := os.ReadFile(out)
		if err != nil || ws.ExitStatus() != c.code || !strings.Contains(string(text), c.says) {
			return fmt.Errorf("%s: %v, %s, want exit code %d and %q\n%s", c.name, err, status(ws), c.code, c.says, text)
		}
	}
	// A tree that crctl is part of.
	code, out, err := e.command("sh", "-c", job.Crctl+" checkpoint --pid $$ -o "+e.path("self")+"; exit $?")
	if err != nil || code != 1 || !strings.Contains(out, "caller") {
		return fmt.Errorf("an ancestor of crctl: %v, exit code %d\n%s", err, code, out)
	}
	killAll()
	return e.quiet()
}})
