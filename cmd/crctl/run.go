// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sort"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"crctl/internal/tree"
	"crctl/netlinkapi"
)

// version is that of the whole package; a test compares it with dkms.conf.
const version = "0.1.0"

// Exit codes. Scripts depend on them.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2
	exitRefused   = 3 // a resource cannot be saved, or an image does not fit here
	exitNotLoaded = 4
)

// env is the world around a command. Tests replace it.
type env struct {
	stdin  *os.File
	stdout *os.File
	stderr io.Writer
	client func() netlinkapi.Client
	create func(*tree.Spec) (*tree.Tree, error) // makes the processes of a restart
}

// command is one subcommand. setup defines its flags and returns what runs it
// with the arguments that are left; the int is its exit code when err is nil.
type command struct {
	name  string
	args  string
	short string
	setup func(fs *pflag.FlagSet) func(ctx context.Context, e *env, args []string) (int, error)
}

var commands = []command{
	{"checkpoint", "(--pid PID | --container CGROUP|NAME) -o FILE|-",
		"save a process tree; it is left running", setupCheckpoint},
	{"restart", "-i FILE|-", "bring a process tree back", setupRestart},
	{"inspect", "FILE", "show what an image holds", setupInspect},
	{"verify", "FILE", "tell whether an image can be restarted here", setupVerify},
	{"check", "(--pid PID | --container CGROUP|NAME)", "tell whether a checkpoint would succeed now", setupCheck},
	{"caps", "", "show what the module and the kernel can do", setupCaps},
}

// codeError is an error with an exit code of its own.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &codeError{exitUsage, fmt.Errorf(format, args...)}
}

func refused(err error) error { return &codeError{exitRefused, err} }

// errorList is several errors, of which the first decides the exit code.
type errorList []error

func (l errorList) Error() string {
	lines := make([]string, len(l))
	for i, err := range l {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

func (l errorList) Unwrap() []error { return l }

// orNil is l as an error, nil if it is empty.
func (l errorList) orNil() error {
	if len(l) == 0 {
		return nil
	}
	return l
}

func codeOf(err error) int {
	var list errorList
	if errors.As(err, &list) && len(list) > 0 {
		return codeOf(list[0])
	}
	var ce *codeError
	if errors.As(err, &ce) {
		return ce.code
	}
	if errors.Is(err, netlinkapi.ErrNotLoaded) {
		return exitNotLoaded
	}
	var oe *netlinkapi.OperationError
	// ESTALE: a file is not what it was at the checkpoint
	if errors.As(err, &oe) && (len(oe.Refused) > 0 || oe.Errno == unix.ESTALE) {
		return exitRefused
	}
	return exitFailed
}

// printError writes an error, one line for each of its parts.
func printError(w io.Writer, err error) {
	var list errorList
	if errors.As(err, &list) {
		for _, e := range list {
			printError(w, e)
		}
		return
	}
	var oe *netlinkapi.OperationError
	if errors.As(err, &oe) {
		printOperationError(w, oe)
		return
	}
	fmt.Fprintf(w, "crctl: %v\n", err)
}

func printOperationError(w io.Writer, oe *netlinkapi.OperationError) {
	for _, r := range oe.Refused {
		fmt.Fprintln(w, refusedLine(r))
	}
	for _, f := range oe.Failures {
		if f.TID != 0 {
			fmt.Fprintf(w, "crctl: pid %d (%s): %s%s\n", f.TID, comm(f.TID), f.Message, why(f.Errno))
		} else {
			fmt.Fprintf(w, "crctl: %s%s\n", f.Message, why(f.Errno))
		}
	}
	if len(oe.Refused)+len(oe.Failures) == 0 {
		fmt.Fprintf(w, "crctl: %v\n", oe)
	}
	if oe.Lost {
		fmt.Fprintln(w, "crctl: some messages of the module were lost; use --log FILE to get all")
	}
}

// why words an errno that says more than that an image is bad.
func why(errno int) string {
	if errno == 0 || unix.Errno(errno) == unix.EBADMSG {
		return ""
	}
	return ": " + unix.Errno(errno).Error()
}

func refusedLine(r netlinkapi.Refused) string {
	if r.TID == 0 {
		return fmt.Sprintf("refused: %s: %s", r.Kind, r.Message)
	}
	return fmt.Sprintf("refused: pid %d (%s): %s: %s", r.TID, comm(r.TID), r.Kind, r.Message)
}

// comm is the name of a process or thread, "?" if it is gone.
func comm(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "?"
	}
	return strings.TrimSuffix(string(b), "\n")
}

// run runs one command line and returns its exit code.
func run(args []string, e *env) int {
	if len(args) == 0 {
		usage(e.stderr)
		return exitUsage
	}
	switch args[0] {
	case "--version":
		fmt.Fprintln(e.stdout, "crctl", version)
		return exitDone
	case "-h", "--help":
		usage(e.stdout)
		return exitDone
	case "help":
		if len(args) == 1 {
			usage(e.stdout)
			return exitDone
		}
		args = []string{args[1], "--help"}
	}
	for i := range commands {
		if commands[i].name == args[0] {
			return commands[i].run(args[1:], e)
		}
	}
	fmt.Fprintf(e.stderr, "crctl: unknown command %q; \"crctl help\" lists them\n", args[0])
	return exitUsage
}

func (c *command) run(args []string, e *env) int {
	fs := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fn := c.setup(fs)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			c.help(e.stdout, fs)
			return exitDone
		}
		fmt.Fprintf(e.stderr, "crctl %s: %v; \"crctl help %s\" shows the usage\n", c.name, err, c.name)
		return exitUsage
	}
	ctx, stop := interruptible()
	defer stop()
	code, err := fn(ctx, e, fs.Args())
	if err != nil {
		printError(e.stderr, err)
		return codeOf(err)
	}
	return code
}

// interruptible is a context that SIGINT, SIGTERM and SIGHUP cancel. What they
// interrupt is undone before crctl ends.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	sigs := make(chan os.Signal, 1)
	signal.Notify(sigs, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	go func() {
		if s, ok := <-sigs; ok {
			cancel(fmt.Errorf("interrupted by %v; nothing was changed", s))
		}
	}()
	return ctx, func() {
		signal.Stop(sigs)
		close(sigs)
		cancel(nil)
	}
}

func (c *command) help(w io.Writer, fs *pflag.FlagSet) {
	fmt.Fprintf(w, "usage: crctl %s %s [options]\n\n%s\n", c.name, c.args, c.short)
	if text := fs.FlagUsages(); text != "" {
		fmt.Fprintf(w, "\n%s", text)
	}
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: crctl COMMAND [options]")
	fmt.Fprintln(w)
	for _, c := range commands {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.short)
	}
	fmt.Fprintln(w, "\n\"crctl help COMMAND\" shows the options of a command.")
	fmt.Fprintln(w, "exit codes: 0 done, 1 failed, 2 usage, 3 refused, 4 module not loaded")
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
