// SPDX-License-Identifier: MIT

package vm

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestScanConsole(t *testing.T) {
	for _, bad := range []string{
		"[    1.0] BUG: unable to handle page fault for address: 0000",
		"[    1.0] BUG: Bad rss-counter state mm:0000 type:MM_ANONPAGES val:1",
		"[    1.0] WARNING: CPU: 0 PID: 1 at kernel/fork.c:700",
		"[    1.0] WARNING: possible circular locking dependency detected",
		"[    1.0] WARNING: suspicious RCU usage",
		"[    1.0] Kernel panic - not syncing: x",
		"[    1.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
		"[    1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
		"[    1.0] INFO: task a:1 blocked for more than 120 seconds.",
		"[    1.0] BUG: KASAN: use-after-free in x",
		"[    1.0] general protection fault, probably for non-canonical address",
		"[    1.0] refcount_t: underflow; use-after-free.",
		"[    1.0] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
		"[    1.0] Oops: 0000 [#1] PREEMPT SMP",
	} {
		if got := ScanConsole([]byte("fine\r\n" + bad + "\r\nfine\n")); len(got) != 1 || got[0] != bad {
			t.Errorf("%q: got %q", bad, got)
		}
	}
	for _, fine := range []string{
		"[    2.1] AMD-Vi: AMD IOMMUv2 functionality not available on this system - This is not a bug.",
		"[    2.1] ckpt: loading out-of-tree module taints kernel.",
		"[    2.1] traps: a[1] general protection fault ip:1 sp:2 error:0",
		"[    2.1] a[12]: segfault at 0 ip 0 sp 0 error 4 in a[1]",
		"[    2.1] Spectre V2 : WARNING: Unprivileged eBPF is enabled",
		"",
	} {
		if got := ScanConsole([]byte(fine)); got != nil {
			t.Errorf("%q: got %q", fine, got)
		}
	}
}

func TestScanConsoleFaults(t *testing.T) {
	const spoken = "[ 3.0] a: vmalloc error: size 32768, vm_struct allocation failed\n[ 3.0] Call Trace:\n[ 3.0] show_mem\n"
	const trace = "[ 3.1] Call Trace:"
	on, off := "[ 2.9] "+FaultsOn+"\n", "[ 3.2] "+FaultsOff+"\n"
	for log, want := range map[string]int{
		spoken:                     1,
		on + spoken + off:          0,
		on + trace + "\n" + off:    1,
		on + spoken + trace + "\n": 1,
		on + off + spoken:          1,
	} {
		if got := ScanConsole([]byte(log)); len(got) != want {
			t.Errorf("%q: got %q", log, got)
		}
	}
}

func exitError(t *testing.T, code string) error {
	t.Helper()
	return exec.Command("sh", "-c", "exit "+code).Run()
}

func TestVerdict(t *testing.T) {
	if code, err := verdict(exitError(t, "33"), ""); code != CodePass || err != nil {
		t.Errorf("33: %d, %v", code, err)
	}
	if code, err := verdict(exitError(t, "35"), ""); code != CodeFail || err != nil {
		t.Errorf("35: %d, %v", code, err)
	}
	if _, err := verdict(nil, ""); !errors.Is(err, ErrDied) {
		t.Errorf("0: %v", err)
	}
	if _, err := verdict(exitError(t, "1"), "no such machine"); err == nil || !strings.Contains(err.Error(), "no such machine") {
		t.Errorf("1: %v", err)
	}
}
