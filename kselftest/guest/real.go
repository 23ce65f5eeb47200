// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// realProgram is a program of Debian's, or a Go program, that counts: "tick 1", "tick 2" and so on, and
// "wrong ..." when it finds its own state broken. No number may be missing or come twice, whatever happens.
type realProgram struct {
	name string
	argv []string
	what string // for the demo
	soak bool   // takes packages that only the guests of "soak" and "demo" have, and time
}

var realPrograms = []realProgram{
	{"bash", []string{"bash", job.Demo + "/counter.sh"}, "bash, counting", false},
	{"python3", []string{"python3", job.Demo + "/single.py"}, "python3, one thread", false},
	{"python3-threads", []string{"python3", job.Demo + "/threads.py"}, "python3, 6 threads, locks, queue", false},
	{"sqlite3", []string{"bash", job.Demo + "/sqlite.sh"}, "sqlite3 in an open transaction", false},
	{"python3-pty", []string{"python3", job.Demo + "/spawn.py", "bash", job.Demo + "/counter.sh"}, "pty.spawn in python3", false},
	{"bash-terminal", []string{"python3", job.Demo + "/shell.py"}, "bash with job control on a terminal", false},
	{"go", []string{job.Payload + "/bin/goprog"}, "Go: goroutines, timers, GC, TCP", false},
	{"jobs", []string{"bash", job.Demo + "/jobs.sh"}, "pipelines and jobs in bash", true},
	{"pool", []string{"python3", job.Demo + "/pool.py"}, "python3 multiprocessing", false},
	{"goexec", []string{job.Payload + "/bin/goexec"}, "Go: os/exec, pipes", false},
	{"make", []string{"bash", job.Demo + "/make.sh"}, "make -j4 compiling C", true},
	{"nginx", []string{"bash", job.Demo + "/nginx.sh"}, "nginx with a client", true},
	{"redis", []string{"bash", job.Demo + "/redis.sh"}, "redis with clients, saving", true},
	{"postgres", []string{"bash", job.Demo + "/postgres.sh"}, "PostgreSQL in a transaction", true},
}

// Each real program is checkpointed ten times and left running, and is killed and restarted ten times.
var _ = func() struct{} {
	for _, p := range realPrograms {
		suite, limit := "", time.Minute
		if p.soak {
			suite, limit = "soak", 3*time.Minute
		}
		register(scenario{name: "real/" + p.name + " ref", suite: suite, alone: true, limit: limit, run: func(e *env) error {
			return e.real(p, e.rounds(10), func(*subject) error { return nil })
		}})
		register(scenario{name: "real/" + p.name + " continue", suite: suite, limit: limit, run: func(e *env) error {
			return e.real(p, e.rounds(10), func(s *subject) error { _, err := s.checkpoint("img"); return err })
		}})
		register(scenario{name: "real/" + p.name + " restart", suite: suite, limit: limit, run: func(e *env) error {
			// What came back comes back again.
			return e.real(p, max(2, e.rounds(10)), func(s *subject) error { return s.cycle("img") })
		}})
	}
	return struct{}{}
}()

// real runs a program through some rounds of something.
func (e *env) real(p realProgram, rounds int, round func(*subject) error) error {
	s, err := e.subject("run", p.argv...)
	if err != nil {
		return err
	}
	for i := 1; i <= rounds; i++ {
		if err := s.moves(); err != nil {
			return fmt.Errorf("before round %d: %w", i, err)
		}
		if err := round(s); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
	}
	if err := s.moves(); err != nil {
		return fmt.Errorf("after the last round: %w", err)
	}
	return s.end()
}

// ticks reads how far a program has counted, and checks that it never erred.
func (s *subject) ticks() (int, error) {
	data, err := os.ReadFile(s.path("out"))
	if err != nil {
		return 0, err
	}
	text := string(data)
	text = text[:strings.LastIndexByte(text, '\n')+1] // the last line may be half written
	n := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if num, ok := strings.CutPrefix(line, "tick "); ok {
			got, err := strconv.Atoi(num)
			if err != nil || got != n+1 {
				return n, fmt.Errorf("%q follows tick %d", line, n)
			}
			n = got
		} else if strings.HasPrefix(line, "wrong") {
			return n, fmt.Errorf("the program says: %s", line)
		}
	}
	return n, nil
}

// moves waits until the program has counted on by a few.
func (s *subject) moves() error {
	first, err := s.ticks()
	if err != nil {
		return err
	}
	for end := time.Now().Add(s.limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		n, err := s.ticks()
		if err != nil {
			return err
		}
		if n >= first+3 {
			return nil
		}
		select {
		case ws := <-s.proc.exit:
			return fmt.Errorf("the program ended with %s at tick %d\n%s", status(ws), n, s.words())
		default:
		}
	}
	return fmt.Errorf("the program does not move on from tick %d: %w\n%s\n%s", first, errTimeout, s.words(), stacks())
}

// end stops a real program and looks at what it said a last time.
func (s *subject) end() error {
	// All of its session: a shell's children would live on without it.
	unix.Kill(-s.proc.pid, unix.SIGKILL)
	if _, err := s.proc.wait(s.limit); err != nil {
		return fmt.Errorf("killing the program: %w\n%s", err, stacks())
	}
	for range 100 {
		if len(userTasks()) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, err := s.ticks()
	if words := s.words(); err == nil && words != "" {
		err = fmt.Errorf("the program complains:\n%s", words)
	}
	return err
}

// demo shows what checkpoint and restart are good for.
func (g *guest) demo() error {
	type row struct {
		what       string
		ckpt, rest stats
	}
	var rows []row
	for _, p := range realPrograms {
		if p.soak {
			continue
		}
		report("")
		report("=== %s", p.what)
		s := &subject{g: g, limit: 60 * time.Second, dir: filepath.Join(job.Work, "demo."+p.name)}
		if err := s.start(command{argv: p.argv}); err != nil {
			return err
		}
		if err := s.moves(); err != nil {
			return err
		}
		n, err := s.ticks()
		if err != nil {
			return err
		}
		report("$ crctl checkpoint --pid %d -o img --kill        (it has counted to %d)", s.proc.pid, n)
		r := row{what: p.what}
		if r.ckpt, err = s.checkpoint("img", "--kill"); err != nil {
			return fmt.Errorf("%s: %w", p.what, err)
		}
		if err := s.awaitDeath(); err != nil {
			return err
		}
		for _, l := range lines([]byte(logTail(s.path("checkpoint-1.log")))) {
			report("  %s", l)
		}
		if n, err = s.ticks(); err != nil {
			return err
		}
		report("killed at tick %d, nothing is left of it", n)
		report("$ crctl restart -i img --detach")
		if r.rest, err = s.restart("img"); err != nil {
			return fmt.Errorf("%s: %w", p.what, err)
		}
		for _, l := range lines([]byte(logTail(s.path("restart-2.log")))) {
			report("  %s", l)
		}
		if err := s.moves(); err != nil {
			return fmt.Errorf("%s: %w", p.what, err)
		}
		m, err := s.ticks()
		if err != nil {
			return err
		}
		report("it went on: %d ... %d, no number missing, none twice", n, m)
		if err := s.end(); err != nil {
			return err
		}
		rows = append(rows, r)
	}
	report("")
	report("%-34s %6s %8s %10s %10s %10s %10s", "program", "tasks", "threads", "image", "frozen", "total", "restart")
	for _, r := range rows {
		report("%-34s %6d %8d %10s %10s %10s %10s", r.what, r.ckpt.Tasks, r.ckpt.Threads, size(r.ckpt.Bytes),
			ms(r.ckpt.FrozenNS), ms(r.ckpt.TotalNS), ms(r.rest.TotalNS))
	}
	report("(on an emulated processor: a real one is ten to thirty times as fast)")
	report("# demo: all went on where they were")
	return nil
}

func ms(ns int64) string { return fmt.Sprintf("%.1f ms", float64(ns)/1e6) }

func size(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
