// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"runtime"

	"crctl/image"
)

// taskFlags are the flags of TREE that this crctl knows how to make.
const taskFlags = image.TaskZombie | image.TaskTTY | image.TaskForeground

// fits tells what of an image's head does not fit this machine. The kernel
// compares the vDSO and the features of the processor itself.
func fits(head *image.Head) error {
	var errs errorList
	add := func(format string, args ...any) {
		errs = append(errs, refused(fmt.Errorf("the image does not fit here: "+format, args...)))
	}
	if m := head.Header.Machine; m != image.MachineX8664 || runtime.GOARCH != "amd64" {
		add("it is of machine %d (EM_*), this is %s", m, runtime.GOARCH)
	}
	if p := int(head.Header.PageSize); p != os.Getpagesize() {
		add("its pages have %d bytes, here they have %d", p, os.Getpagesize())
	}
	for _, t := range head.Tasks {
		if f := t.Flags &^ uint32(taskFlags); f != 0 {
			add("pid %d (%s) shares resources with its parent in a way (flags %#x) that this crctl cannot make",
				t.PID, image.CString(t.Comm[:]), f)
		}
	}
	return errs.orNil()
}
