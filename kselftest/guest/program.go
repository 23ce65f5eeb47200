// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"crctl/internal/ktap"
	"crctl/kselftest/job"
)

// subject is a running program that checkpoints are taken of.
type subject struct {
	g     *guest
	dir   string // its work folder
	proc  *process
	limit time.Duration
	more  []string // arguments for crctl restart
	n     int      // checkpoints and restarts so far, for names of logs
}

// saved is what the second boot must know of a subject.
type saved struct{ Pid int }

// program takes one C program through one mode and returns what went wrong.
func (g *guest) program(p job.Program, mode string) []string {
	s := &subject{g: g, limit: g.timeout(p), more: p.Restart,
		dir: filepath.Join(job.Work, strings.ReplaceAll(p.Name, "/", ".")+"."+mode)}
	if mode == job.Reboot && g.job.Boot == 2 {
		return s.finish(p, s.secondBoot())
	}
	if err := s.startTest(p, mode); err != nil {
		return []string{err.Error()}
	}
	done, err := s.awaitReady()
	if err != nil {
		return s.giveUp(err)
	}
	if done {
		return s.finish(p, nil) // it said why, e.g. a skip
	}
	switch {
	case p.Refused != "" && mode != job.Ref:
		err = s.refused(p.Refused)
	case mode == job.Continue:
		_, err = s.checkpoint("img")
	case mode == job.Restart:
		err = s.cycle("img")
	case mode == job.Twice:
		if err = s.cycle("img"); err == nil {
			err = s.cycle("img2")
		}
	case mode == job.Reboot:
		if err = s.saveAndKill("img"); err == nil {
			return problem(s.remember())
		}
	}
	return s.finish(p, err)
}

func (s *subject) path(name string) string { return filepath.Join(s.dir, name) }

func (s *subject) startTest(p job.Program, mode string) error {
	return s.start(command{
		argv: []string{filepath.Join(job.Tests, p.Name)},
		env:  []string{"CKPT_DIR=" + s.dir, "CKPT_MODE=" + mode},
	})
}

// start runs a command as a subject: its own session and, if the command has no files, nothing on stdin, its words in
// out and err.
func (s *subject) start(c command) error {
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return err
	}
	if c.files == nil {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		defer null.Close()
		c.files = []*os.File{null}
		for _, n := range []string{"out", "err"} {
			f, err := os.OpenFile(s.path(n), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
			if err != nil {
				return err
			}
			defer f.Close()
			c.files = append(c.files, f)
		}
	}
	c.dir = s.dir
	if c.sys == nil {
		c.sys = &syscall.SysProcAttr{}
	}
	c.sys.Setsid = true
	var err error
	s.proc, err = start(c)
	return err
}

// awaitReady waits for the "ready" file. done means that the program has ended instead.
func (s *subject) awaitReady() (done bool, err error) {
	for end := time.Now().Add(s.limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if how, err := os.ReadFile(s.path("ready")); err == nil {
			if strings.TrimSpace(string(how)) == "sleeping" {
				s.awaitSleep()
			}
			return false, nil
		}
		select {
		case ws := <-s.proc.exit:
			s.proc.exit = answered(ws)
			return true, nil
		default:
		}
	}
	return false, fmt.Errorf("the program did not get ready: %w", errTimeout)
}

// awaitSleep gives a program time to fall asleep in the system call under test.
func (s *subject) awaitSleep() {
	time.Sleep(s.g.limit(200 * time.Millisecond))
	for range 40 {
		awake := 0
		for _, t := range userTasks() {
			threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", t.pid))
			for _, d := range threads {
				if th, err := readTask(d); err == nil && !strings.ContainsRune("STtDZ", rune(th.state)) {
					awake++
				}
			}
		}
		if awake == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func answered(ws syscall.WaitStatus) <-chan syscall.WaitStatus {
	ch := make(chan syscall.WaitStatus, 1)
	ch <- ws
	return ch
}

// checkpoint takes one into a file of the work folder and returns crctl's statistics.
func (s *subject) checkpoint(img string, more ...string) (stats, error) {
	s.n++
	base := s.path(fmt.Sprintf("checkpoint-%d", s.n))
	argv := append([]string{job.Crctl, "checkpoint", "--pid", fmt.Sprint(s.proc.pid), "-o", s.path(img),
		"--log", base + ".log", "--stats", base + ".json"}, more...)
	code, out, err := run(s.limit, base+".out", argv...)
	if err != nil {
		return stats{}, fmt.Errorf("checkpoint: %w\n%s", err, logTail(base+".log"))
	}
	if code != 0 {
		return stats{}, fmt.Errorf("checkpoint: exit code %d\n%s%s", code, out, logTail(base+".log"))
	}
	return readStats(base + ".json"), nil
}

// restart starts the subject again from an image; the same pid must come back.
func (s *subject) restart(img string) (stats, error) {
	s.n++
	base := s.path(fmt.Sprintf("restart-%d", s.n))
	pid := s.proc.pid
	s.proc = &process{pid: pid, exit: reap.expect(pid)}
	os.Remove(s.path("pid"))
	argv := append([]string{job.Crctl, "restart", "-i", s.path(img), "--detach", "--pidfile", s.path("pid"),
		"--log", base + ".log", "--stats", base + ".json"}, s.more...)
	code, out, err := run(s.limit, base+".out", argv...)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d\n%s", code, out)
	}
	if err != nil {
		reap.forget(pid)
		return stats{}, fmt.Errorf("restart: %w\n%s", err, logTail(base+".log"))
	}
	data, err := os.ReadFile(s.path("pid"))
	if err != nil {
		return stats{}, fmt.Errorf("restart: %w", err)
	}
	if got := strings.TrimSpace(string(data)); got != fmt.Sprint(pid) {
		return stats{}, fmt.Errorf("restart: pid %s came back as %s", fmt.Sprint(pid), got)
	}
	return readStats(base + ".json"), nil
}

// cycle is checkpoint --kill and restart.
func (s *subject) cycle(img string) error {
	if err := s.saveAndKill(img); err != nil {
		return err
	}
	_, err := s.restart(img)
	return err
}

// saveAndKill takes a checkpoint that ends the subject, and waits until nothing is left of it.
func (s *subject) saveAndKill(img string, more ...string) error {
	if _, err := s.checkpoint(img, append(more, "--kill")...); err != nil {
		return err
	}
	return s.awaitDeath()
}

// awaitDeath waits until a killed subject and all it started are gone.
func (s *subject) awaitDeath() error {
	ws, err := s.proc.wait(s.limit)
	if err != nil {
		return fmt.Errorf("the killed program did not end: %w\n%s", err, stacks())
	}
	if !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
		return fmt.Errorf("the program that was to be killed ended with %s\n%s", status(ws), s.words())
	}
	for range 200 {
		if len(userTasks()) == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("processes of the killed program are still there:\n%s", stacks())
}

// refused takes a checkpoint that must fail with the name of a kind.
func (s *subject) refused(kind string) error {
	s.n++
	base := s.path("refused")
	code, out, err := run(s.limit, base+".out", job.Crctl, "checkpoint", "--pid", fmt.Sprint(s.proc.pid),
		"-o", s.path("img"), "--log", base+".log")
	if err != nil {
		return fmt.Errorf("checkpoint: %w\n%s", err, logTail(base+".log"))
	}
	log, _ := os.ReadFile(base + ".log")
	if code != 3 {
		return fmt.Errorf("checkpoint: exit code %d, want 3 (refused)\n%s%s", code, out, logTail(base+".log"))
	}
	if !strings.Contains(string(log), kind) && !strings.Contains(out, kind) {
		return fmt.Errorf("the refusal does not name %q:\n%s%s", kind, out, logTail(base+".log"))
	}
	return nil
}

// remember leaves a note for the second boot.
func (s *subject) remember() error {
	note, err := json.Marshal(saved{Pid: s.proc.pid})
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("saved.json"), note, 0o644)
}

// secondBoot restarts what the first boot has saved.
func (s *subject) secondBoot() error {
	var note saved
	data, err := os.ReadFile(s.path("saved.json"))
	if err == nil {
		err = json.Unmarshal(data, &note)
	}
	if err != nil {
		return fmt.Errorf("the first boot saved nothing: %w", err)
	}
	s.proc = &process{pid: note.Pid}
	_, err = s.restart("img")
	return err
}

// finish lets the program go on, waits for its end and judges its report.
func (s *subject) finish(p job.Program, err error) []string {
	if err != nil {
		return s.giveUp(err)
	}
	if err := os.WriteFile(s.path("go"), nil, 0o644); err != nil {
		return s.giveUp(err)
	}
	ws, err := s.proc.wait(s.limit)
	if err != nil {
		return s.giveUp(fmt.Errorf("after the point: %w\n%s", err, stacks()))
	}
	out, err := os.ReadFile(s.path("out"))
	if err != nil {
		return problem(err)
	}
	r, err := ktap.Parse(string(out))
	problems := append(problem(err), r.Problems()...)
	if ws != 0 && (len(problems) == 0 || ws.Signaled()) {
		problems = append(problems, "ended with "+status(ws))
	}
	if why := r.SkipAll(); why != "" && !skipAllowed(p.Name, why) {
		problems = append(problems, "skipped, which is not in the table: "+why)
	}
	for _, t := range r.Tests {
		if t.Skip && !skipAllowed(p.Name, t.Why) {
			problems = append(problems, "skipped, which is not in the table: "+t.Why)
		}
	}
	if words := s.words(); words != "" && len(problems) > 0 {
		problems = append(problems, words)
	}
	for i := 1; i <= s.n && len(problems) > 0; i++ {
		problems = append(problems, logTail(s.path(fmt.Sprintf("restart-%d.log", i))))
	}
	if len(problems) == 0 && !s.g.job.Verbose {
		os.RemoveAll(s.dir) // images of a hundred programs would fill the disk
	}
	return problems
}

// words returns what the program wrote to stderr.
func (s *subject) words() string {
	data, _ := os.ReadFile(s.path("err"))
	return tail(string(data), 20)
}

// giveUp ends a program that went wrong.
func (s *subject) giveUp(err error) []string {
	problems := []string{err.Error()}
	if out, err := os.ReadFile(s.path("out")); err == nil && len(out) > 0 {
		problems = append(problems, "so far it said:\n"+tail(string(out), 20))
	}
	if w := s.words(); w != "" {
		problems = append(problems, w)
	}
	killAll()
	return problems
}

// killAll kills every process but the agent, and waits for their end.
func killAll() {
	for range 200 {
		tasks := userTasks()
		if len(tasks) == 0 {
			return
		}
		for _, t := range tasks {
			if err := unix.Kill(t.pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				comment("", err.Error())
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func logTail(file string) string {
	data, err := os.ReadFile(file)
	if err != nil || len(data) == 0 {
		return ""
	}
	return filepath.Base(file) + ":\n" + tail(string(data), 40)
}

// tail returns the last n lines.
func tail(s string, n int) string {
	l := lines([]byte(s))
	return strings.Join(l[max(0, len(l)-n):], "\n")
}

// headTail is the beginning and the end of a long text, n lines of each: a crash says at first why.
func headTail(s string, n int) string {
	l := lines([]byte(s))
	if len(l) > 2*n {
		l = append(append(l[:n:n], "..."), l[len(l)-n:]...)
	}
	return strings.Join(l, "\n")
}

// stats are what "crctl --stats" writes, as far as anybody here looks at it.
type stats struct {
	FrozenNS int64 `json:"frozen_ns"`
	TotalNS  int64 `json:"total_ns"`
	Bytes    int64 `json:"bytes"`
	Tasks    int64 `json:"tasks"`
	Threads  int64 `json:"threads"`
	Pages    int64 `json:"pages"`
}

func readStats(file string) (st stats) {
	if data, err := os.ReadFile(file); err == nil {
		json.Unmarshal(data, &st)
	}
	return st
}
