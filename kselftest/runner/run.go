// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"crctl/internal/rootfs"
	"crctl/internal/vm"
	"crctl/kselftest/job"
)

// run is one call of the runner.
type run struct {
	o       *options
	repo    string
	dir     string // everything of this run
	kernel  *rootfs.KernelDir
	agent   string
	base    string // cached image
	payload string // read-only disk with what is under test

	mu             sync.Mutex
	passed, failed int
	started        time.Time
}

func newRun(o *options) (*run, error) {
	r := &run{o: o, started: time.Now()}
	var err error
	if r.repo, err = repository(); err != nil {
		return r, err
	}
	if r.kernel, err = rootfs.OpenKernel(o.kernelDir); err != nil {
		return r, err
	}
	if r.dir, err = os.MkdirTemp("", "crctl-run-"); err != nil {
		return r, err
	}
	if err := r.build(); err != nil {
		return r, err
	}
	r.base, err = rootfs.BaseImage(r.kernel, sets(o.suite)...)
	return r, err
}

func (r *run) close() {
	if r.dir == "" {
		return
	}
	if r.o.keep {
		fmt.Fprintln(os.Stderr, "# kept:", r.dir)
		return
	}
	os.RemoveAll(r.dir)
}

// progress prints a line that says how far the run is.
func (r *run) progress(format string, args ...any) {
	fmt.Printf("# [%6.1fs] %s\n", time.Since(r.started).Seconds(), fmt.Sprintf(format, args...))
}

func (r *run) do(ctx context.Context) error {
	switch {
	case r.o.shell:
		return r.interactive(ctx)
	case r.o.exec != "":
		return r.command(ctx)
	}
	return r.runSuite(ctx)
}

// disk makes a root disk for one guest.
func (r *run) disk(name string) (string, error) {
	p := filepath.Join(r.dir, name+".ext4")
	return p, rootfs.CopySparse(r.base, p)
}

// guest is one boot of one disk.
type guest struct {
	name    string
	job     job.Job
	disk    string
	report  io.Writer
	console bytes.Buffer
	limit   time.Duration
}

var errGuest = errors.New("the guest reported a failure")

// boot runs a guest. An error says why the run cannot count as passed, whatever the report says.
func (r *run) boot(ctx context.Context, g *guest) error {
	dir, err := os.MkdirTemp(r.dir, "vm-")
	if err != nil {
		return err
	}
	g.job.Kernel, g.job.Debug, g.job.Module, g.job.Release = r.o.name, r.o.debug(), r.o.module != "", r.kernel.Release
	g.job.Suite, g.job.Verbose, g.job.Seed = r.o.suite, r.o.verbose, r.o.seed
	initrd := filepath.Join(dir, "initramfs")
	if err := r.initramfs(initrd, &g.job); err != nil {
		return err
	}
	limit := g.limit
	if r.o.timeout != 0 {
		limit = r.o.timeout
	}
	if limit != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	var console io.Writer = &g.console
	if log, err := os.Create(filepath.Join(r.dir, "console-"+g.name+".log")); err == nil {
		defer log.Close()
		console = io.MultiWriter(&g.console, log)
	}
	if r.o.verbose {
		console = io.MultiWriter(console, os.Stderr)
	}
	code, err := vm.Run(ctx, vm.Config{
		Kernel: r.kernel.Image(r.o.bzImage), Initrd: initrd, Cmdline: r.cmdline(),
		Disks:  []vm.Disk{{Path: g.disk}, {Path: r.payload, ReadOnly: true}},
		Memory: r.o.memory, CPUs: r.o.cpus, Icount: r.o.icount, KVM: r.o.kvm,
		Console: console, Report: g.report, Interactive: r.o.shell, Dir: dir,
	})
	if errors.Is(err, context.Canceled) {
		return err // by a person, who needs no log
	}
	if bad := vm.ScanConsole(g.console.Bytes()); len(bad) > 0 {
		trouble := fmt.Errorf("the console tells of trouble:\n%s", g.tail(bad[0]))
		if err != nil {
			trouble = fmt.Errorf("%w; %w", err, trouble)
		}
		return trouble
	}
	if err != nil {
		return fmt.Errorf("%w; end of the console:\n%s", err, g.tail(""))
	}
	if code != vm.CodePass {
		return errGuest
	}
	return nil
}

// tail returns the end of the console log, or what follows the first line of trouble.
func (g *guest) tail(from string) string {
	text := strings.ReplaceAll(strings.TrimRight(g.console.String(), "\n"), "\r", "")
	all := strings.Split(text, "\n")
	first := max(0, len(all)-30)
	last := len(all)
	if from != "" {
		for i, l := range all {
			if l == from {
				first = max(0, i-3)
				last = min(len(all), first+90)
				break
			}
		}
	}
	return "    " + strings.Join(all[first:last], "\n    ")
}

func (r *run) cmdline() []string {
	c := []string{
		"console=ttyS0", "loglevel=7", "printk.devkmsg=on", "panic=-1", "oops=panic", "panic_on_warn=1", "hung_task_panic=1", "unknown_nmi_panic=1",
		"watchdog_thresh=60", "rcupdate.rcu_cpu_stall_timeout=120", "random.trust_cpu=on", "rdinit=/init",
		"systemd.unified_cgroup_hierarchy=1", "hugepages=16", "net.ifnames=0", "no_timer_check",
	}
	// Red zones, poison and free-checks; not where time or memory is measured, and KASAN does it better.
	if r.o.slubDebug && r.o.suite != "bench" && r.o.suite != "demo" && !r.o.debug() {
		c = append(c, "slub_debug=FZP")
	}
	// QEMU's TSC is the host's, so it is as steady; else the clock is the HPET, and each look at it leaves the guest's code,
	// or is even a system call, which Go does not survive when it is the one that is made to fail.
	if r.o.suite == "bench" || r.o.debug() {
		c = append(c, "tsc=reliable")
	}
	// An interrupt in the moment when identify_cpu() clears the boot processor's features finds no LA57 there, and KASAN takes
	// all memory for wild. Four levels are also less to walk.
	if r.o.debug() {
		c = append(c, "kmemleak=on", "no5lvl")
	}
	if r.o.append != "" {
		c = append(c, r.o.append)
	}
	return c
}

// stageOne are the modules that the first stage of the guest and ckpt.ko need, when they are not built in.
var stageOne = []string{"virtio_pci", "virtio_blk", "crc32c_generic", "crc32c_intel", "libcrc32c", "ext4", "virtio_rng"}

func (r *run) initramfs(to string, j *job.Job) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	c := rootfs.NewCpio(f)
	for _, d := range []string{"dev", "newroot"} {
		if err := c.Dir(d); err != nil {
			return err
		}
	}
	// Before devtmpfs is there, init's own output needs a console.
	if err := c.Char("dev/console", 0o600, 5, 1); err != nil {
		return err
	}
	agent, err := os.ReadFile(r.agent)
	if err != nil {
		return err
	}
	if err := c.File("init", 0o755, agent); err != nil {
		return err
	}
	j.LoadModules = nil
	for _, m := range r.kernel.Modules(stageOne...) {
		data, err := r.kernel.ReadModule(m)
		if err != nil {
			return err
		}
		name := rootfs.PlainName(m)
		j.LoadModules = append(j.LoadModules, name)
		if err := c.File("modules/"+name, 0o644, data); err != nil {
			return err
		}
	}
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if err := c.File("job.json", 0o644, text); err != nil {
		return err
	}
	if err := c.Close(); err != nil {
		return err
	}
	return f.Close()
}

// command is -exec.
func (r *run) command(ctx context.Context) error {
	disk, err := r.disk("exec")
	if err != nil {
		return err
	}
	g := &guest{name: "exec", disk: disk, report: os.Stdout, limit: 10 * time.Minute,
		job: job.Job{Action: job.Exec, Command: r.o.exec}}
	return r.boot(ctx, g)
}

// interactive is -shell.
func (r *run) interactive(ctx context.Context) error {
	disk, err := r.disk("shell")
	if err != nil {
		return err
	}
	return r.boot(ctx, &guest{name: "shell", disk: disk, report: os.Stderr, job: job.Job{Action: job.Shell}})
}
