// SPDX-License-Identifier: MIT

// Package vm runs a kernel in QEMU and watches what it says.
//
// A guest has two ISA serial ports, because those need no module: ttyS0 is the kernel's console, ttyS1
// carries the report of the agent. It ends through isa-debug-exit; every other way of ending (a panic, a
// dead init, a time-out) leaves QEMU with another exit code, so that nothing but the agent can say "done".
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The agent writes one of these bytes to isa-debug-exit; QEMU then exits with 2*code+1.
const (
	CodePass = 0x10 // everything asked for was done
	CodeFail = 0x11 // something went wrong, the report says what
)

// ExitPort is the I/O port of isa-debug-exit.
const ExitPort = 0xf4

// Disk is a raw image, seen by the guest as the next of vda, vdb, ...
type Disk struct {
	Path     string
	ReadOnly bool
}

// Config describes one boot.
type Config struct {
	Kernel  string // a bzImage, or a vmlinux with a PVH note, which boots faster
	Initrd  string
	Cmdline []string
	Disks   []Disk
	Memory  string // as QEMU takes it: "3G"
	CPUs    int
	// Icount, when not empty, makes guest time count instructions ("shift=4,sleep=off"); one CPU only.
	Icount string
	// KVM asks for hardware virtualisation. It is off unless asked for: /dev/kvm can exist, open, and then hang.
	KVM bool

	Console io.Writer // gets what the guest writes to ttyS0; not used when Interactive
	Report  io.Writer // gets what the guest writes to ttyS1
	// Interactive ties ttyS0 to the caller's terminal.
	Interactive bool
	// Dir is a folder for sockets.
	Dir string
}

// Errors of Run that are not the guest's own verdict.
var (
	ErrDied    = errors.New("guest ended without a verdict (panic or dead init)")
	ErrTimeout = errors.New("guest took too long")
)

// Run boots a guest and waits for its end. It returns the byte the agent gave to isa-debug-exit. When ctx
// ends, QEMU is killed; when it ends by its deadline, the guest gets an NMI first, which makes a hung kernel
// print where it is.
func Run(ctx context.Context, c Config) (code int, err error) {
	report, reportW, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("making the report pipe: %w", err)
	}
	defer report.Close()
	console, consoleW, err := os.Pipe()
	if err != nil {
		reportW.Close()
		return 0, fmt.Errorf("making the console pipe: %w", err)
	}
	defer console.Close()

	monitor := filepath.Join(c.Dir, "monitor")
	cmd := exec.Command("qemu-system-x86_64", c.args(monitor)...)
	cmd.ExtraFiles = []*os.File{reportW, consoleW} // fds 3 and 4
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if c.Interactive {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	} else {
		// Its own group, so that Ctrl-C reaches the caller, which then decides; and no QEMU outlives the caller.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	}
	stop, err := start(cmd)
	reportW.Close()
	consoleW.Close()
	if err != nil {
		return 0, fmt.Errorf("starting QEMU: %w", err)
	}
	copied := make(chan error, 2)
	go func() { copied <- drain(c.Report, report) }()
	go func() { copied <- drain(c.Console, console) }()

	var timedOut bool
	select {
	case err = <-stop:
	case <-ctx.Done():
		timedOut = errors.Is(ctx.Err(), context.DeadlineExceeded)
		err = end(cmd, stop, monitor, timedOut)
	}
	for range 2 {
		if cerr := <-copied; cerr != nil && err == nil {
			err = cerr
		}
	}
	if timedOut {
		return 0, ErrTimeout
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return verdict(err, stderr.String())
}

// end makes QEMU end and returns what Wait said. A guest that is to talk first gets five seconds for it.
func end(cmd *exec.Cmd, stop <-chan error, monitor string, talk bool) error {
	if talk {
		nmi(monitor)
		select {
		case err := <-stop:
			return err
		case <-time.After(5 * time.Second):
		}
	}
	cmd.Process.Kill()
	return <-stop
}

// start runs cmd from a thread that stays: Pdeathsig is sent when the thread that forked ends.
func start(cmd *exec.Cmd) (<-chan error, error) {
	started, done := make(chan error, 1), make(chan error, 1)
	go func() {
		// Locked and never unlocked before the end of Wait: see above.
		lockThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		done <- cmd.Wait()
	}()
	return done, <-started
}

func drain(w io.Writer, r io.Reader) error {
	if w == nil {
		w = io.Discard
	}
	if _, err := io.Copy(w, r); err != nil {
		io.Copy(io.Discard, r) // a full pipe would stop the guest
		return fmt.Errorf("copying what the guest wrote: %w", err)
	}
	return nil
}

func verdict(err error, stderr string) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, ErrDied // QEMU exits 0 after a panic with -no-reboot
	case errors.As(err, &exit) && exit.ExitCode() > 2*CodePass && exit.ExitCode()%2 == 1:
		return exit.ExitCode() / 2, nil
	default:
		return 0, fmt.Errorf("QEMU: %w: %s", err, strings.TrimSpace(stderr))
	}
}

// nmi makes a hung guest talk (unknown_nmi_panic=1 on its command line). Failing is of no consequence.
func nmi(monitor string) {
	conn, err := net.DialTimeout("unix", monitor, time.Second)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(conn, "nmi\n")
	io.Copy(io.Discard, conn)
}

func (c Config) args(monitor string) []string {
	a := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", "pc",
		"-m", c.Memory, "-smp", strconv.Itoa(c.CPUs),
		"-kernel", c.Kernel, "-initrd", c.Initrd, "-append", strings.Join(c.Cmdline, " "),
		"-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=1", ExitPort),
		"-monitor", "unix:" + monitor + ",server=on,wait=off",
	}
	switch {
	case c.KVM:
		a = append(a, "-accel", "kvm", "-cpu", "host")
	case c.Icount != "":
		a = append(a, "-accel", "tcg,thread=single", "-icount", c.Icount, "-cpu", "max,-erms,-fsrm")
	default:
		// TCG runs "rep movsb" byte by byte; without erms and fsrm the kernel moves words, as real machines do in effect.
		a = append(a, "-accel", "tcg,thread=multi", "-cpu", "max,-erms,-fsrm")
	}
	if c.Interactive {
		a = append(a, "-chardev", "stdio,id=console,signal=off")
	} else {
		a = append(a, "-chardev", "file,id=console,path=/dev/fd/4")
	}
	a = append(a, "-serial", "chardev:console",
		"-chardev", "file,id=report,path=/dev/fd/3", "-serial", "chardev:report")
	for i, d := range c.Disks {
		ro := "off"
		if d.ReadOnly {
			ro = "on"
		}
		// cache=unsafe: the disk is thrown away after the run, so nobody needs the host to flush it.
		a = append(a, "-drive", fmt.Sprintf("file=%s,format=raw,if=none,id=disk%d,cache=unsafe,readonly=%s", d.Path, i, ro),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=disk%d", i))
	}
	return a
}
