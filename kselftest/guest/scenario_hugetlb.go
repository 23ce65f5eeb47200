// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"time"
)

// A restart says how many huge pages are missing, of memory that is reserved and of memory that is not.
var _ = register(scenario{name: "scenario/hugetlb", limit: 120 * time.Second, run: func(e *env) error {
	const flags = 0x40000 // MAP_HUGETLB; 0x4000 is MAP_NORESERVE
	s, err := e.subject("run", "python3", "-uc", fmt.Sprintf("import time, mmap\n"+
		"a = mmap.mmap(-1, 6 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | %d)\n"+
		"b = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000 | %[1]d)\n"+
		"a[0] = 1\nb[0] = b[2 << 20] = 2\n"+
		"print('tick 1')\nn = 1\nwhile True:\n  assert a[0] == 1 and a[2 << 20] == 0 and b[2 << 20] == 2\n  time.sleep(0.05)\n  n += 1\n  print('tick', n)\n", flags))
	if err != nil {
		return err
	}
	if err := s.moves(); err != nil {
		return err
	}
	if err := s.saveAndKill("img"); err != nil {
		return err
	}
	most := func(n int) error {
		return os.WriteFile("/proc/sys/vm/nr_overcommit_hugepages", fmt.Append(nil, n), 0)
	}
	defer os.WriteFile("/proc/sys/vm/nr_hugepages", []byte("16"), 0)
	defer most(64)
	if err := os.WriteFile("/proc/sys/vm/nr_hugepages", []byte("0"), 0); err != nil {
		return err
	}
	for _, c := range []struct {
		n    int
		word string
	}{
		{2, "3 huge pages of 2048 kB are needed and 2 are free"},
		{4, "1 huge pages of 2048 kB are needed and 0 are free"},
	} {
		if err := most(c.n); err != nil {
			return err
		}
		if err := e.says(1, c.word, "restart", "-i", s.path("img"), "--detach"); err != nil {
			return fmt.Errorf("a pool of %d pages: %w", c.n, err)
		}
	}
	if err := most(5); err != nil {
		return err
	}
	if _, err := s.restart("img"); err != nil {
		return err
	}
	if err := s.moves(); err != nil {
		return err
	}
	return s.end()
}})
