// SPDX-License-Identifier: MIT

// Command runner boots test guests and judges what they say. Documentation/testing.rst tells how to use it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"syscall"
	"time"

	"crctl/internal/rootfs"
)

// options are the command line.
type options struct {
	kernelDir, name, module, crctl string
	suite, run, exec               string
	shell, keep, verbose, kvm      bool
	bzImage, slubDebug             bool
	packages                       bool
	jobs, cpus                     int
	memory, icount, append         string
	timeout                        time.Duration
	seed                           int64
}

func parse() (*options, error) {
	o := &options{}
	flag.StringVar(&o.kernelDir, "kernel", "", "`DIR` with vmlinuz, release, modules/ and perhaps vmlinux")
	flag.StringVar(&o.name, "name", "stock", "what the kernel is: stock, 6.12 or debug")
	flag.StringVar(&o.module, "module", "", "ckpt.ko to test; without it no module is loaded, and only \"ref\" runs")
	flag.StringVar(&o.crctl, "crctl", "", "crctl to test")
	flag.StringVar(&o.suite, "suite", "test", "test, demo, bench, fuzz, soak or faults")
	flag.StringVar(&o.run, "run", "", "only tests whose \"program mode\" matches this `REGEX`")
	flag.StringVar(&o.exec, "exec", "", "boot, load the module, run this shell `command`, print its output and end")
	flag.BoolVar(&o.shell, "shell", false, "boot, load the module, and give the console to the terminal")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder of the run, with disks and logs")
	flag.BoolVar(&o.verbose, "v", false, "show what the guests say")
	flag.BoolVar(&o.kvm, "kvm", false, "use /dev/kvm")
	flag.BoolVar(&o.bzImage, "bzimage", false, "boot the compressed kernel even when there is a vmlinux (slower, with KASLR)")
	flag.BoolVar(&o.slubDebug, "slub-debug", true, "check the slab caches on kernels without KASAN")
	flag.BoolVar(&o.packages, "packages", false, "print the Debian packages that the suite's guest is made of, and end")
	flag.IntVar(&o.jobs, "jobs", 0, "guests at the same time; 0: one for every two processors")
	flag.IntVar(&o.cpus, "smp", 2, "processors of a guest")
	flag.StringVar(&o.memory, "m", "", "memory of a guest (3G, bench 4G)")
	flag.StringVar(&o.icount, "icount", "", "count instructions instead of time, e.g. shift=4,sleep=off (implies -smp 1)")
	flag.StringVar(&o.append, "append", "", "more for the kernel's command line")
	flag.DurationVar(&o.timeout, "timeout", 0, "for one guest; 0: by what it has to do")
	flag.Int64Var(&o.seed, "seed", 0, "of random tests; 0: a new one, which is printed")
	flag.Parse()
	if flag.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if o.packages {
		return o, nil
	}
	if o.kernelDir == "" {
		return nil, errors.New("-kernel is missing")
	}
	switch o.name {
	case "stock", "6.12", "debug":
	default:
		return nil, fmt.Errorf("-name %q: want stock, 6.12 or debug", o.name)
	}
	if o.memory == "" {
		o.memory = "3G"
		if o.suite == "bench" {
			o.memory = "4G" // 1 GiB of a program, and its image
		}
	}
	if o.icount != "" {
		o.cpus = 1
	}
	if o.jobs == 0 {
		o.jobs = max(1, runtime.NumCPU()/2)
	}
	if o.seed == 0 {
		o.seed = time.Now().UnixNano()
	}
	if _, err := regexp.Compile(o.run); err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	return o, nil
}

func (o *options) debug() bool { return o.name == "debug" }

func main() {
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		os.Exit(2)
	}
	if o.packages {
		for _, s := range sets(o.suite) {
			for _, p := range rootfs.Sets[s] {
				fmt.Println(p)
			}
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	r, err := newRun(o)
	if err == nil {
		err = r.do(ctx)
	}
	stop()
	r.close()
	if err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		os.Exit(1)
	}
}

// sets names the package sets of a suite's guest.
func sets(suite string) []string {
	switch suite {
	case "demo", "soak":
		return []string{"base", "programs"}
	case "bench":
		return []string{"base", "bench"}
	}
	return []string{"base"}
}
