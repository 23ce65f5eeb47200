// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"crctl/netlinkapi"
)

// saveOptions are the flags of checkpoint and check.
type saveOptions struct {
	target        target
	log           logOptions
	timeout       time.Duration
	quiet         bool
	allowLeak     []string
	job           bool
	unlinkedLimit uint32
	output        string
	kill          bool
	stop          bool
	stats         string
}

func setupCheckpoint(fs *pflag.FlagSet) func(context.Context, *env, []string) (int, error) {
	o := &saveOptions{}
	o.target.flags(fs)
	o.log.flags(fs)
	fs.StringVarP(&o.output, "output", "o", "", "`FILE` to write, \"-\" for the standard output")
	fs.BoolVar(&o.kill, "kill", false, "kill the processes once the image is complete")
	fs.BoolVar(&o.stop, "stop", false, "leave the processes stopped, as SIGSTOP does")
	fs.StringVar(&o.stats, "stats", "", "write figures to this `FILE`, as JSON")
	o.common(fs)
	return func(ctx context.Context, e *env, args []string) (int, error) {
		if err := o.checkSave(args); err != nil {
			return 0, err
		}
		return exitDone, o.save(ctx, e)
	}
}

// common defines the flags that checkpoint and check share.
func (o *saveOptions) common(fs *pflag.FlagSet) {
	fs.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long the processes may take to park")
	fs.BoolVar(&o.quiet, "quiet", false, "no progress")
	fs.StringArrayVar(&o.allowLeak, "allow-leak", nil,
		"leave files behind that are of this `KIND` and cannot be saved, or are shared with processes that are not saved; may be repeated")
	fs.Uint32Var(&o.unlinkedLimit, "unlinked-limit", 64, "save removed files with up to so much content (`MIB`)")
	fs.BoolVar(&o.job, "shell-job", false, "the processes are a job of a shell, whose terminal is left behind")
}

func (o *saveOptions) checkSave(args []string) error {
	if len(args) != 0 {
		return usagef("checkpoint takes no argument %q; name the image with -o", args[0])
	}
	if err := o.checkCommon(); err != nil {
		return err
	}
	if o.output == "" {
		return usagef("-o FILE is needed; \"-o -\" is the standard output")
	}
	if o.kill && o.stop {
		return usagef("--kill and --stop exclude each other")
	}
	return nil
}

func (o *saveOptions) checkCommon() error {
	if o.timeout <= 0 {
		return usagef("--timeout %v is not positive", o.timeout)
	}
	if o.unlinkedLimit == 0 {
		return usagef("--unlinked-limit 0 is not positive")
	}
	if o.job {
		o.allowLeak = append(o.allowLeak, "tty")
	}
	if err := o.target.check(); err != nil {
		return err
	}
	return o.log.check()
}

// save runs a checkpoint. A failed one leaves no image.
func (o *saveOptions) save(ctx context.Context, e *env) error {
	begin := time.Now()
	out, err := openOutput(o.output, e)
	if err != nil {
		return err
	}
	stats, err := o.operate(ctx, e, out.fd())
	if err != nil {
		out.discard()
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	return writeStats(o.stats, stats, begin)
}

// operate runs the session of a checkpoint or, with a negative fd, a check.
func (o *saveOptions) operate(ctx context.Context, e *env, fd int) (netlinkapi.Stats, error) {
	var none netlinkapi.Stats
	cgroup, err := o.target.open()
	if err != nil {
		return none, err
	}
	if cgroup >= 0 {
		defer func() { _ = unix.Close(cgroup) }()
	}
	logFD, closeLog, err := o.log.open()
	if err != nil {
		return none, err
	}
	defer closeLog()
	show := newProgress(e.stderr, o.quiet)
	defer show.end()
	req := &netlinkapi.CheckpointRequest{
		PID: o.target.pid, CgroupFD: cgroup, ImageFD: fd, LogFD: logFD,
		Timeout: o.timeout, AllowLeak: o.allowLeak, UnlinkedMax: uint64(o.unlinkedLimit) << 20,
		OnEvent: show.event,
	}
	if fd < 0 {
		req.Flags |= netlinkapi.FlagCheck
	}
	if o.kill {
		req.Flags |= netlinkapi.FlagKill
	}
	if o.stop {
		req.Flags |= netlinkapi.FlagStop
	}
	session, err := e.client().Checkpoint(ctx, req)
	if err != nil {
		return none, err
	}
	defer func() { _ = session.Close() }()
	return session.Wait(ctx)
}
