// SPDX-License-Identifier: MIT

package vm

import (
	"bytes"
	"regexp"
	"strings"
)

// trouble matches what a healthy kernel never prints. It errs on the side of a failed run.
var trouble = regexp.MustCompile(strings.Join([]string{
	`\bBUG\b`, `WARNING:`, `\bOops\b`, `general protection fault, `, `Kernel panic`, `Call Trace:`,
	`KASAN:`, `KFENCE:`, `UBSAN:`, `KCSAN:`, `refcount_t: `, `list_(add|del) corruption`,
	`rcu: INFO:`, `self-detected stall`, `detected stalls`, `soft lockup`, `hard LOCKUP`,
	`blocked for more than \d+ seconds`, `possible (recursive|circular) locking`, `suspicious RCU usage`,
	`inconsistent lock state`, `possible irq lock inversion`, `held lock freed`, `lock held when returning to user space`,
	`sleeping function called from invalid context`, `scheduling while atomic`, `DEBUG_LOCKS_WARN_ON`,
	`Bad rss-counter`, `Bad page (state|map)`, `non-zero (pgtables_bytes|pgtables)`, `Unable to handle kernel`,
	`Slab corruption`, `Redzone`, `Poison overwritten`, `Object already free`, `Objects remaining`,
	`kmemleak: \d+ new suspected`, `unregister_netdevice: waiting`, `EXT4-fs error`, `Out of memory:`,
	`double fault`, `NMI: `, `ODEBUG:`, `invoked oom-killer`, `ckpt: leak`,
}, "|"))

// harmless matches lines that trouble would match, and that mean nothing.
var harmless = regexp.MustCompile(strings.Join([]string{
	`Spectre V2 : WARNING`, `MDS: |MMIO Stale Data|L1TF`, // what -cpu max lacks
	`DEBUG: `, `registered taskstats`,
	`loading out-of-tree module taints kernel`, `module verification failed`,
	`Testing .* NMI|NMI watchdog: Enabled|NMI watchdog: Perf`,
}, "|"))

// FaultsOn and FaultsOff are what a guest writes to its kernel's log before and after it lets allocations fail.
const (
	FaultsOn  = "guest: allocations fail from here on"
	FaultsOff = "guest: allocations fail no longer"
)

// ScanConsole returns the lines of a console log that tell of trouble.
//
// Of an allocation that fails on purpose the kernel's vmalloc speaks, with a trace of its own, when it was for the stack of
// a new thread: nobody can tell it not to. Any other time that is trouble.
func ScanConsole(log []byte) []string {
	var bad []string
	faults, spoken := false, false
	for len(log) > 0 {
		line, rest, _ := bytes.Cut(log, []byte("\n"))
		log = rest
		line = bytes.TrimRight(line, "\r")
		switch {
		case bytes.Contains(line, []byte(FaultsOn)):
			faults = true
		case bytes.Contains(line, []byte(FaultsOff)):
			faults = false
		case faults && bytes.Contains(line, []byte(": vmalloc error: size ")):
			spoken = true
		case spoken && bytes.Contains(line, []byte("Call Trace:")):
			spoken = false
			continue
		}
		if trouble.Match(line) && !harmless.Match(line) {
			bad = append(bad, string(line))
		}
	}
	return bad
}
