// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// cgroupRoot is where cgroup v2 is mounted.
var cgroupRoot = "/sys/fs/cgroup"

// target is the processes that a checkpoint or a check is about.
type target struct {
	pid       int
	container string
}

func (t *target) flags(fs *pflag.FlagSet) {
	fs.IntVar(&t.pid, "pid", 0, "root process (`PID`) of the tree")
	fs.StringVar(&t.container, "container", "", "cgroup, or name of a container (`CGROUP|NAME`), to save")
}

func (t *target) check() error {
	switch {
	case t.pid == 0 && t.container == "":
		return usagef("one of --pid and --container is needed")
	case t.pid != 0 && t.container != "":
		return usagef("--pid and --container exclude each other")
	case t.pid < 0:
		return usagef("--pid %d is no process", t.pid)
	}
	return nil
}

// open returns the descriptor of the container's cgroup, -1 with --pid.
func (t *target) open() (int, error) {
	if t.container == "" {
		return -1, nil
	}
	dir, err := findCgroup(t.container)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open cgroup %s: %w", dir, err)
	}
	return fd, nil
}

// findCgroup turns a path, or the name of a container, into a directory.
func findCgroup(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		if name == cgroupRoot || strings.HasPrefix(name, cgroupRoot+"/") {
			return name, nil
		}
		return filepath.Join(cgroupRoot, name), nil
	}
	if name == "." || strings.Contains(name, "..") {
		return "", usagef("--container %s is neither a cgroup nor a name", name)
	}
	var found []string
	err := filepath.WalkDir(cgroupRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // cgroups come and go while one looks
		}
		rel, _ := filepath.Rel(cgroupRoot, path)
		if rel == name || matchesContainer(d.Name(), name) {
			found = append(found, path)
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no cgroup below %s belongs to a container %q; give its path", cgroupRoot, name)
	case 1:
		return found[0], nil
	}
	slices.Sort(found)
	return "", fmt.Errorf("%q may be any of %s; give the path", name, strings.Join(found, ", "))
}

// matchesContainer tells whether a cgroup of this base name is what a
// container runtime or systemd makes for name. Docker and Podman abbreviate IDs.
func matchesContainer(base, name string) bool {
	exact := []string{name, name + ".service", name + ".scope", "lxc.payload." + name,
		"machine-" + name + ".scope", "systemd-nspawn@" + name + ".service"}
	if slices.Contains(exact, base) {
		return true
	}
	if len(name) < 12 {
		return false
	}
	for _, prefix := range []string{"docker-", "libpod-", "crio-", "cri-containerd-", ""} {
		id, ok := strings.CutPrefix(base, prefix)
		id = strings.TrimSuffix(id, ".scope")
		if ok && len(id) == 64 && strings.HasPrefix(id, name) {
			return true
		}
	}
	return false
}
