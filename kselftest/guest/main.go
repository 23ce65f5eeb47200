// SPDX-License-Identifier: MIT

// Command guest is process 1 of a test guest. It runs twice: as /init of the initramfs it loads the drivers of
// the disks, mounts them and becomes the second one; that one runs the job and ends the machine.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"

	"crctl/internal/vm"
	"crctl/kselftest/job"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "-list" {
		listScenarios()
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "-fuzz" {
		os.Exit(fuzzMain(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "-faults" {
		os.Exit(faultsMain(os.Args[2:]))
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is the init of a test guest")
		os.Exit(2)
	}
	if _, err := os.Stat(job.File); err == nil {
		fmt.Println("guest: first stage:", firstStage())
		powerOff(vm.CodeFail)
	}
	openReport()
	defer func() {
		if r := recover(); r != nil {
			report("Bail out! agent panic: %v", r)
			for _, l := range lines(debug.Stack()) {
				report("# %s", l)
			}
			powerOff(vm.CodeFail)
		}
	}()
	code := vm.CodePass
	if err := secondStage(); err != nil {
		report("Bail out! %v", err)
		code = vm.CodeFail
	}
	powerOff(code)
}

func secondStage() error {
	data, err := os.ReadFile("/run/job.json")
	if err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	var j job.Job
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	os.Setenv("PATH", job.Payload+"/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	os.Setenv("HOME", "/root")
	os.Setenv("LANG", "C.UTF-8")
	os.Unsetenv("TERM")
	startReaper()
	g := &guest{job: j}
	if j.Module && j.Action != job.RunTests {
		if err := g.insmod(); err != nil {
			return err
		}
	}
	switch j.Action {
	case job.Exec:
		return g.exec()
	case job.Shell:
		return g.shell()
	case job.RunTests:
		return g.tests()
	case job.Demos:
		return g.demo()
	case job.Compare:
		return g.compare()
	}
	return fmt.Errorf("unknown action %q", j.Action)
}

// guest is the state of the second stage.
type guest struct {
	job    job.Job
	line   int // number of the last test line
	failed int
}
