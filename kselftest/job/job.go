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
	Compare  = "bench" // run Cells with crctl and with criu
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
	Cells     []Cell
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

// Cell is what a comparison saves, and how often.
type Cell struct {
	Name    string `json:"name"`
	MiB     int    `json:"mib"` // written memory
	THP     bool   `json:"thp"`
	Threads int    `json:"threads"`
	Procs   int    `json:"procs"`
	Files   int    `json:"files"`
	Pairs   int    `json:"pairs"`     // of sockets
	VMAs    int    `json:"vmas"`      // mappings of one page each
	Micros  int    `json:"period_us"` // of the ticker
	Rounds  int    `json:"rounds"`
}

// Sample is what one program under one tool measured. Times are in nanoseconds, of the guest's clock.
type Sample struct {
	Cell  string `json:"cell"`
	Tool  string `json:"tool"` // crctl, criu
	Round int    `json:"round"`
	Error string `json:"error,omitempty"`

	Idle       int64 `json:"idle_ns"`       // longest time between two ticks without a checkpoint
	Stall      int64 `json:"stall_ns"`      // the same, with one that leaves the program running
	Frozen     int64 `json:"frozen_ns"`     // how long the tool says that it kept the tasks stopped
	Checkpoint int64 `json:"checkpoint_ns"` // the command, the program is left running
	Kill       int64 `json:"kill_ns"`       // the command, the program is killed
	Restart    int64 `json:"restart_ns"`    // the command, until the program runs again
	Bytes      int64 `json:"bytes"`         // of the image
}
