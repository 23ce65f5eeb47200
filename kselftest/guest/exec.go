// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"crctl/kselftest/job"
)

// exec runs the job's command with its output on the report port.
func (g *guest) exec() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := start(command{
		argv: []string{"bash", "-c", g.job.Command}, dir: job.Work,
		files: []*os.File{null, reportFile, reportFile}, sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	ws, err := p.wait(24 * time.Hour) // the host has the time limit
	if err != nil {
		return err
	}
	if g.job.Debug {
		if leaks := g.kernelLeaks(); len(leaks) > 0 {
			for _, l := range leaks {
				comment("", l)
			}
			return fmt.Errorf("the debug kernel found something")
		}
	}
	report("# exit: %d", shellCode(ws))
	if shellCode(ws) != 0 {
		return fmt.Errorf("command: %s", status(ws))
	}
	return nil
}

func shellCode(ws syscall.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// shell gives the console to a person.
func (g *guest) shell() error {
	tty, err := os.OpenFile("/dev/ttyS0", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	p, err := start(command{
		argv: []string{"bash", "-l"}, dir: job.Work, env: []string{"TERM=linux"},
		files: []*os.File{tty, tty, tty}, sys: &syscall.SysProcAttr{Setsid: true, Setctty: true},
	})
	if err != nil {
		return err
	}
	_, err = p.wait(24 * time.Hour)
	return err
}
