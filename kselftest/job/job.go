// SPDX-License-Identifier: MIT

// Package job is what the runner on the host tells the agent in a guest: one JSON file in the initramfs.
package job

import "time"

// Where things are in a guest.
const (
	File    = "/job.json"  // in the initramfs, later in /run
	Payload = "/opt/crctl" // the read-only disk with what is under test
	Crctl   = Payload + "/bin/crctl"
	Module  = Payload + "/ckpt.ko"
	Tests   = Payload + "/kselftest" // the C programs
	Demo    = Payload + "/demo"
	Work    = "/var/crctl" // on the root disk, so that a second boot finds it again
)

// Actions of a boot.
const (
	Exec     = "exec"  // run Command
	Shell    = "shell" // bash on the console
	RunTests = "tests" // run Programs and Scenarios
	Demos    = "demo"  // the demonstration
)

// Modes that a program is taken through.
const (
	Ref      = "ref"      // no checkpoint
	Continue = "continue" // checkpoint, go on
	Restart  = "restart"  // checkpoint --kill, restart
	Twice    = "twice"    // the same, and the restarted one once more
	Reboot   = "reboot"   // checkpoint --kill, and restart in a second boot
)

// Modes in the order in which they run.
var Modes = []string{Ref, Continue, Restart, Twice, Reboot}

// Job is all that one boot has to do.
type Job struct {
	Action  string
	Command string // for Exec

	LoadModules []string // files in the initramfs, in order
	Release     string

	Programs  []Program
	Scenarios []string // names in the agent's table
	// Boot is 1, or 2 for the second boot of the same disk, which finishes what the first one left for "reboot".
	Boot int

	Kernel  string        // stock, 6.12 or debug
	Debug   bool          // KASAN, lockdep, kmemleak
	Module  bool          // load ckpt.ko
	Timeout time.Duration // for one program in one mode
	Suite   string
	Seed    int64
	Verbose bool
}

// Program is one C program and what its source says about it.
type Program struct {
	Name    string   // task/cpu
	Modes   []string // nil: all
	Refused string   // the kind that a checkpoint must refuse, or ""
	Seconds int      // more time than usual
	Kernels []string // nil: all
	Restart []string // more arguments for crctl restart
}

// Scenario is what the agent tells about one of its scenarios when it is called with -list.
type Scenario struct {
	Name    string
	Kernels []string // nil: all
	Suite   string   // "": test
	Alone   bool     // needs no module
}
