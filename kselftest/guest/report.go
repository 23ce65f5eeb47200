// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

var (
	reportFile *os.File
	reportLock sync.Mutex
)

// openReport opens the second serial port, raw: nothing may be added to what is written.
func openReport() {
	fd, err := unix.Open("/dev/ttyS1", unix.O_WRONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		fmt.Println("guest: opening the report port:", err)
		return
	}
	if t, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		t.Oflag &^= unix.OPOST
		t.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
		unix.IoctlSetTermios(fd, unix.TCSETS, t)
	}
	reportFile = os.NewFile(uintptr(fd), "report")
}

// report writes one line to the host.
func report(format string, args ...any) {
	reportLock.Lock()
	defer reportLock.Unlock()
	fmt.Fprintln(reportFile, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}

// comment writes text as diagnostics, line by line.
func comment(title, text string) {
	for _, l := range lines([]byte(text)) {
		report("# %s%s", title, l)
	}
}

// result writes the next test line. What went wrong, if anything, follows as comments.
func (g *guest) result(name string, problems []string) {
	g.line++
	if len(problems) == 0 {
		report("ok %d %s", g.line, name)
		return
	}
	g.failed++
	report("not ok %d %s", g.line, name)
	for _, p := range problems {
		comment("  ", p)
	}
}
