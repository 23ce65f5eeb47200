// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"crctl/image"
	"crctl/netlinkapi"
)

// resolveInherit turns the --inherit-fd options into object numbers. A path can
// only be looked up in a file that can be read twice.
func (o *restartOptions) resolveInherit(src *source) ([]netlinkapi.Inherit, error) {
	var list []netlinkapi.Inherit
	paths := map[string]int{}
	for _, v := range o.inherit {
		fd, what, err := splitInherit(v)
		if err != nil {
			return nil, err
		}
		if n, err := strconv.ParseUint(what, 10, 32); err == nil && n > 0 {
			list = append(list, netlinkapi.Inherit{Objref: uint32(n), FD: fd})
		} else {
			paths[what] = fd
		}
	}
	if len(paths) == 0 {
		return list, nil
	}
	st, err := os.Stat(o.input)
	if o.input == "-" || err != nil || !st.Mode().IsRegular() {
		return nil, usagef("--inherit-fd with a path needs an image in a file; give the object number that \"crctl inspect\" shows")
	}
	found, err := findPaths(o.input, paths)
	return append(list, found...), err
}

// findPaths looks for file objects with these paths.
func findPaths(name string, paths map[string]int) ([]netlinkapi.Inherit, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	r, err := image.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var list []netlinkapi.Inherit
	used := map[string]bool{}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if rec.Kind() != image.TypeFileInherit && rec.Kind() != image.TypeFilePath {
			continue
		}
		if fd, ok := paths[string(rec.Var)]; ok {
			list = append(list, netlinkapi.Inherit{Objref: rec.Objref, FD: fd})
			used[string(rec.Var)] = true
		}
	}
	for _, p := range sortedKeys(paths) {
		if !used[p] {
			return nil, refused(fmt.Errorf("--inherit-fd: no file of the image is %s", p))
		}
	}
	return list, nil
}
