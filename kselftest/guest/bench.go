// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// Everything of a comparison is on a tmpfs: a disk would be measured instead of the tools.
const (
	benchDir  = "/tmp/bench"
	benchNote = "/tmp/bench.note"
)

// compare measures crctl and criu in turns, so that whatever slows the machine down meets both.
func (g *guest) compare() error {
	// The first run of criu looks at the kernel and keeps what it found.
	if code, out, err := run(2*time.Minute, "/tmp/criu.out", "criu", "check"); err != nil || code != 0 {
		return fmt.Errorf("criu check: exit code %d, %v\n%s", code, err, out)
	}
	if _, _, err := run(time.Minute, "/tmp/crctl.out", job.Crctl, "caps"); err != nil {
		return err
	}
	for _, c := range g.job.Cells {
		for round := range c.Rounds {
			tools := []benchTool{crctlTool{}, criuTool{}}
			if round%2 == 1 {
				tools[0], tools[1] = tools[1], tools[0]
			}
			for _, t := range tools {
				s := job.Sample{Cell: c.Name, Tool: t.name(), Round: round}
				if err := measure(c, t, &s); err != nil {
					s.Error = err.Error()
				}
				data, err := json.Marshal(s)
				if err != nil {
					return err
				}
				report("sample %s", data)
				killAll()
				os.RemoveAll(benchDir)
				os.Remove(benchNote)
			}
		}
	}
	report("# bench: complete")
	return nil
}

// benchTool is a program that saves and restarts others.
type benchTool interface {
	name() string
	checkpoint(pid int, kill bool) []string
	restart() []string
	frozen() (int64, error)
}

type crctlTool struct{}

func (crctlTool) name() string { return "crctl" }

func (crctlTool) checkpoint(pid int, kill bool) []string {
	argv := []string{job.Crctl, "checkpoint", "--pid", fmt.Sprint(pid), "-o", benchDir + "/img", "--quiet", "--stats", "/tmp/bench.stats"}
	if kill {
		argv = append(argv, "--kill")
	}
	return argv
}

func (crctlTool) restart() []string {
	return []string{job.Crctl, "restart", "-i", benchDir + "/img", "--detach"}
}

func (crctlTool) frozen() (int64, error) { return readStats("/tmp/bench.stats").FrozenNS, nil }

type criuTool struct{}

func (criuTool) name() string { return "criu" }

func (criuTool) checkpoint(pid int, kill bool) []string {
	argv := []string{"criu", "dump", "-t", fmt.Sprint(pid), "-D", benchDir, "-o", "/tmp/criu.log", "-v1"}
	if !kill {
		argv = append(argv, "-R")
	}
	return argv
}

func (criuTool) restart() []string {
	return []string{"criu", "restore", "-D", benchDir, "-d", "-o", "/tmp/criu.log", "-v1"}
}

func (criuTool) frozen() (int64, error) { return criuFrozen(benchDir + "/stats-dump") }

// timed runs a command of a tool and returns how long it took.
func timed(argv []string) (int64, error) {
	begin := time.Now()
	code, out, err := run(10*time.Minute, "/tmp/bench.out", argv...)
	ns := time.Since(begin).Nanoseconds()
	if err == nil && code != 0 {
		log, _ := os.ReadFile("/tmp/criu.log")
		err = fmt.Errorf("%s: exit code %d: %s", strings.Join(argv[:2], " "), code, tail(out+string(log), 5))
	}
	os.Remove("/tmp/criu.log")
	return ns, err
}

// measure takes one program through a checkpoint that leaves it running, one that kills it, and a restart.
func measure(c job.Cell, t benchTool, s *job.Sample) error {
	if err := os.MkdirAll(benchDir, 0o755); err != nil {
		return err
	}
	thp := "0"
	if c.THP {
		thp = "1"
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	argv := []string{job.Tests + "/bench/load", benchNote, fmt.Sprint(c.MiB), thp, fmt.Sprint(c.Threads), fmt.Sprint(c.Procs),
		fmt.Sprint(c.Files), fmt.Sprint(c.Pairs), fmt.Sprint(c.VMAs), fmt.Sprint(c.Micros)}
	p, err := start(command{argv: argv, dir: "/tmp", files: []*os.File{null, null, null}, sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return err
	}
	note, err := openNote()
	if err != nil {
		return err
	}
	defer unix.Munmap(note)
	period := time.Duration(c.Micros) * time.Microsecond
	time.Sleep(100*time.Millisecond + 2*period)
	noteLongest(note)
	time.Sleep(300*time.Millisecond + 2*period)
	s.Idle = noteLongest(note)

	if s.Checkpoint, err = timed(t.checkpoint(p.pid, false)); err != nil {
		return err
	}
	time.Sleep(50*time.Millisecond + 2*period)
	s.Stall = noteLongest(note)
	if s.Frozen, err = t.frozen(); err != nil {
		return err
	}
	if s.Bytes, err = folderSize(benchDir); err != nil {
		return err
	}
	if err := os.RemoveAll(benchDir); err != nil {
		return err
	}
	if err := os.Mkdir(benchDir, 0o755); err != nil {
		return err
	}
	if s.Kill, err = timed(t.checkpoint(p.pid, true)); err != nil {
		return err
	}
	if _, err := p.wait(30 * time.Second); err != nil {
		return fmt.Errorf("the killed program: %w", err)
	}
	exit := reap.expect(p.pid)
	if s.Restart, err = timed(t.restart()); err != nil {
		reap.forget(p.pid)
		return err
	}
	before := binary.NativeEndian.Uint64(note)
	for end := time.Now().Add(10*time.Second + 20*period); binary.NativeEndian.Uint64(note) < before+3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return errors.New("the restarted program does not tick")
		}
	}
	unix.Kill(p.pid, unix.SIGKILL)
	if _, err := (&process{pid: p.pid, exit: exit}).wait(30 * time.Second); err != nil {
		return fmt.Errorf("the restarted program: %w", err)
	}
	return nil
}

// openNote maps what the program tells about itself, when it is ready. The fields are those of struct note.
func openNote() ([]byte, error) {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		st, err := os.Stat(benchNote)
		if err != nil || st.Size() == 0 {
			continue
		}
		f, err := os.OpenFile(benchNote, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		note, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		f.Close()
		if err != nil {
			return nil, err
		}
		for ; time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if binary.NativeEndian.Uint64(note[16:]) == 1 {
				return note, nil
			}
		}
	}
	return nil, fmt.Errorf("the program did not get ready: %w", errTimeout)
}

// noteLongest reads the longest time between two ticks and begins anew.
func noteLongest(note []byte) int64 {
	ns := binary.NativeEndian.Uint64(note[8:])
	binary.NativeEndian.PutUint64(note[8:], 0)
	return int64(ns)
}

func folderSize(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}
