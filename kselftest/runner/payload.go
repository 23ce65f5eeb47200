// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"crctl/internal/rootfs"
)

// repository finds the checkout from the working directory.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("not inside the checkout: no go.mod here or above")
}

// build makes the agent and the programs that are tested, and puts all that is under test on one disk.
func (r *run) build() error {
	r.agent = filepath.Join(r.dir, "agent")
	if err := r.goBuild(r.agent, "./kselftest/guest"); err != nil {
		return err
	}
	stage := filepath.Join(r.dir, "payload")
	for _, d := range []string{"bin", "demo", "kselftest"} {
		if err := os.MkdirAll(filepath.Join(stage, d), 0o755); err != nil {
			return err
		}
	}
	if r.o.module != "" {
		if err := install(r.o.module, filepath.Join(stage, "ckpt.ko"), 0o644); err != nil {
			return err
		}
	}
	if r.o.crctl != "" {
		if err := install(r.o.crctl, filepath.Join(stage, "bin/crctl"), 0o755); err != nil {
			return err
		}
	}
	out := filepath.Join(r.repo, "kselftest/out")
	cmd := exec.Command("make", "-s", "-C", filepath.Join(r.repo, "kselftest"), "-j2")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the C programs: %w", err)
	}
	if err := rootfs.CopyTree(out, filepath.Join(stage, "kselftest")); err != nil {
		return fmt.Errorf("copying the C programs: %w", err)
	}
	demo := filepath.Join(r.repo, "kselftest/demo")
	if err := rootfs.CopyTree(demo, filepath.Join(stage, "demo")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copying the demo: %w", err)
	}
	for _, name := range []string{"goprog", "goexec"} {
		if err := r.goBuild(filepath.Join(stage, "bin", name), "./kselftest/demo/"+name); err != nil {
			return err
		}
	}
	r.payload = filepath.Join(r.dir, "payload.ext4")
	return rootfs.MakeExt4(r.payload, stage, "1G")
}

func (r *run) goBuild(to, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, pkg)
	cmd.Dir = r.repo
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

func install(from, to string, perm os.FileMode) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("taking what is under test: %w", err)
	}
	return os.WriteFile(to, data, perm)
}
