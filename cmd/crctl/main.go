// SPDX-License-Identifier: MIT

// Command crctl saves running process trees and brings them back. The kernel
// module ckpt.ko does the work inside the kernel; see crctl(1).
package main

import (
	"os"

	"crctl/internal/tree"
	"crctl/netlinkapi"
)

func main() {
	os.Exit(run(os.Args[1:], &env{
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		client: netlinkapi.New,
		create: tree.Create,
	}))
}
