// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"crctl/image"
	"crctl/internal/tree"
	"crctl/netlinkapi"
)

type restartOptions struct {
	input   string
	detach  bool
	pidfile string
	log     logOptions
	pidns   bool
	root    string
	stats   string
	inherit []string
	job     bool
	stop    bool
	timeout time.Duration
}

func setupRestart(fs *pflag.FlagSet) func(context.Context, *env, []string) (int, error) {
	o := &restartOptions{}
	fs.StringVarP(&o.input, "input", "i", "", "image to read (`FILE`), \"-\" for the standard input")
	fs.BoolVar(&o.detach, "detach", false, "end when the processes run again, do not wait for the root process")
	fs.StringVar(&o.pidfile, "pidfile", "", "write the pid of the root process to this `FILE`")
	o.log.flags(fs)
	fs.BoolVar(&o.pidns, "pidns", false, "restart in a new pid namespace")
	fs.StringVar(&o.root, "root", "", "restart with this root directory (`DIR`)")
	fs.StringVar(&o.stats, "stats", "", "write figures to this `FILE`, as JSON")
	fs.StringArrayVar(&o.inherit, "inherit-fd", nil,
		"the open descriptor FD replaces a file of the image, named by its object number or path (`FD=WHAT`); may be repeated")
	fs.BoolVar(&o.job, "shell-job", false, "put the root into the session and on the terminal of crctl")
	fs.BoolVar(&o.stop, "stop", false, "leave the processes stopped, as SIGSTOP does, before their first instruction")
	fs.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long the processes may take to join")
	return func(ctx context.Context, e *env, args []string) (int, error) {
		if err := o.check(args); err != nil {
			return 0, err
		}
		return o.restart(ctx, e)
	}
}

func (o *restartOptions) check(args []string) error {
	switch {
	case len(args) != 0:
		return usagef("restart takes no argument %q; name the image with -i", args[0])
	case o.input == "":
		return usagef("-i FILE is needed; \"-i -\" is the standard input")
	case o.job && o.pidns:
		return usagef("--shell-job and --pidns exclude each other: a session does not reach into a new pid namespace")
	case o.timeout <= 0:
		return usagef("--timeout %v is not positive", o.timeout)
	}
	for _, in := range o.inherit {
		if _, _, err := splitInherit(in); err != nil {
			return err
		}
	}
	return o.log.check()
}

// restart brings the image back and, unless it detaches, waits for the root.
func (o *restartOptions) restart(ctx context.Context, e *env) (int, error) {
	begin := time.Now()
	client := e.client()
	if _, err := client.Caps(ctx); err != nil {
		return 0, err
	}
	src, err := openSource(o.input, e)
	if err != nil {
		return 0, err
	}
	defer src.close()
	inherit, err := o.resolveInherit(src)
	if err != nil {
		return 0, err
	}
	head, err := src.readHead()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", src.name, err)
	}
	if err := fits(head); err != nil {
		return 0, err
	}
	if !o.pidns {
		if err := claimPids(head, src, o.job); err != nil {
			return 0, err
		}
	}
	logFD, closeLog, err := o.log.open()
	if err != nil {
		return 0, err
	}
	defer closeLog()
	show := newProgress(e.stderr, false)
	req := &netlinkapi.RestartRequest{
		ImageFD: src.fd, Tasks: len(head.Tasks), LogFD: logFD, Timeout: o.timeout,
		Inherit: inherit, OnEvent: show.event,
	}
	if o.job {
		req.Flags |= netlinkapi.FlagShellJob
		if !o.detach {
			req.Flags |= netlinkapi.FlagForeground
		}
	}
	if o.stop {
		req.Flags |= netlinkapi.FlagStopped
	}
	req.StreamPos, req.StreamCRC = src.reader.Position()
	if o.root != "" {
		req.Prepare = func() (func(), error) { return nil, tree.Chroot(o.root) }
	}
	run, err := o.begin(ctx, e, client, req, head)
	show.end()
	if err != nil {
		return 0, err
	}
	if err := o.report(run, begin); err != nil {
		return 0, err
	}
	if o.detach {
		return exitDone, nil
	}
	return waitRoot(run, newTerminal(o.jobGroup(head)))
}

// jobGroup is the process group of the root of a job, 0 if it is crctl's.
func (o *restartOptions) jobGroup(head *image.Head) int {
	if !o.job {
		return 0
	}
	for _, t := range head.Tasks {
		if t.PID == head.Tasks[0].PGID {
			return int(t.PID)
		}
	}
	return 0
}

// running is a restart that succeeded.
type running struct {
	tree  *tree.Tree
	root  int // pid of the root as the caller sees it
	stats netlinkapi.Stats
}

// begin starts the session, makes the processes and waits until they run.
func (o *restartOptions) begin(ctx context.Context, e *env, c netlinkapi.Client,
	req *netlinkapi.RestartRequest, head *image.Head) (*running, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	session, err := c.Restart(ctx, req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = session.Close() }()
	t, err := e.create(o.spec(head, session))
	if err != nil {
		cancel(err)
		_, werr := session.Wait(ctx)
		return nil, joinErrors(createError(err), werr, err)
	}
	watched := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(watched)
		watchTree(t, over, cancel)
	}()
	stats, err := session.Wait(ctx)
	close(over)
	<-watched
	if err != nil {
		cause := context.Cause(ctx)
		var failure *tree.Failure
		if errors.As(cause, &failure) {
			return nil, joinErrors(createError(cause), err, cause)
		}
		return nil, err
	}
	root := t.PID
	if o.pidns && head.Tasks[0].PID != 1 {
		root = onlyChild(t.PID)
	}
	return &running{t, root, stats}, nil
}

// rootGrace is how long the module may take to report after the root has ended.
const rootGrace = 2 * time.Second

// watchTree aborts the restart when a process cannot be made, or when the root
// ends before the module has reported: a root that is killed before it joined
// sends no event.
func watchTree(t *tree.Tree, over <-chan struct{}, abort context.CancelCauseFunc) {
	failed, exited := t.Failed, t.Exited
	keep := make(chan unix.WaitStatus, 1)
	var grace <-chan time.Time
	defer func() {
		select {
		case ws := <-keep: // waitRoot wants it
			t.Exited = keep
			keep <- ws
		default:
		}
	}()
	for {
		select {
		case <-over:
			return
		case f, ok := <-failed:
			if ok {
				abort(f)
			} else {
				failed = nil
			}
		case ws := <-exited:
			exited = nil
			keep <- ws
			grace = time.After(rootGrace)
		case <-grace:
			abort(errors.New("the root process ended before it was restored; the module's log (--log FILE) may tell why"))
		}
	}
}

// createError gives the failure of a process the exit code that it deserves.
func createError(err error) error {
	if errors.Is(err, unix.EEXIST) {
		return refused(err)
	}
	return err
}

// joinErrors lists a first error and, unless it says the same, a second.
func joinErrors(first, second, same error) error {
	if second == nil || errors.Is(second, same) {
		return first
	}
	return errorList{first, second}
}

// spec is what the tree package makes of an image's head.
func (o *restartOptions) spec(head *image.Head, s netlinkapi.Session) *tree.Spec {
	spec := &tree.Spec{Join: s.JoinMessage, PIDNS: o.pidns, Root: o.root, Stops: o.job, Clock: clockOffsets(&head.Header)}
	for _, t := range head.Tasks {
		spec.Tasks = append(spec.Tasks, tree.Task{
			PID: int(t.PID), PPID: int(t.PPID), PGID: int(t.PGID), SID: int(t.SID), ExitSignal: int(t.ExitSignal),
		})
	}
	return spec
}

// clockOffsets tells whether the clocks of the image are ahead of this boot's.
// They must not go back, so the processes get a time namespace then. On the
// boot of the checkpoint, and on a later state of another, they just went on.
func clockOffsets(h *image.Header) *tree.ClockOffsets {
	mono, boot := clock(unix.CLOCK_MONOTONIC), clock(unix.CLOCK_BOOTTIME)
	if int64(h.MonoNs) <= mono && int64(h.BootNs) <= boot {
		return nil
	}
	return &tree.ClockOffsets{
		Monotonic: time.Duration(max(int64(h.MonoNs)-mono, 0)),
		Boottime:  time.Duration(max(int64(h.BootNs)-boot, 0)),
	}
}

// clock reads a clock, in nanoseconds.
func clock(id int32) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// report writes the files that the caller asked for.
func (o *restartOptions) report(run *running, begin time.Time) error {
	if o.pidfile != "" {
		if err := os.WriteFile(o.pidfile, []byte(strconv.Itoa(run.root)+"\n"), 0o644); err != nil {
			return fmt.Errorf("write the pid file (the processes run): %w", err)
		}
	}
	return writeStats(o.stats, run.stats, begin)
}

// onlyChild is the child of an init of a new pid namespace, the init itself
// if it has none any more.
func onlyChild(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	child := 0
	if _, serr := fmt.Sscan(string(b), &child); err != nil || serr != nil {
		return pid
	}
	return child
}
