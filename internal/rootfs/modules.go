// SPDX-License-Identifier: MIT

package rootfs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// KernelDir is a kernel as scripts/kernel.sh lays it out: vmlinuz, perhaps vmlinux, release, modules/.
type KernelDir struct {
	Path    string
	Release string
	dep     map[string][]string // module file -> files it needs, from modules.dep
	name    map[string]string   // module name -> file
}

// OpenKernel reads the release and the module dependencies of a kernel folder.
func OpenKernel(dir string) (*KernelDir, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	rel, err := os.ReadFile(filepath.Join(abs, "release"))
	if err != nil {
		return nil, fmt.Errorf("reading the kernel's release: %w", err)
	}
	k := &KernelDir{Path: abs, Release: strings.TrimSpace(string(rel)), dep: map[string][]string{}, name: map[string]string{}}
	depFile := filepath.Join(k.ModuleDir(), "modules.dep")
	if _, err := os.Stat(k.ModuleDir()); err != nil {
		return k, nil // a kernel with everything built in
	}
	if _, err := os.Stat(depFile); err != nil {
		if out, err := exec.Command("depmod", "-b", filepath.Join(abs, "modules"), k.Release).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("running depmod: %w: %s", err, out)
		}
	}
	dep, err := os.ReadFile(depFile)
	if err != nil {
		return nil, fmt.Errorf("reading module dependencies: %w", err)
	}
	for line := range strings.Lines(string(dep)) {
		file, needs, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		k.dep[file] = strings.Fields(needs)
		k.name[moduleName(file)] = file
	}
	return k, nil
}

// ModuleDir is the folder that holds the kernel's modules.
func (k *KernelDir) ModuleDir() string {
	return filepath.Join(k.Path, "modules/lib/modules", k.Release)
}

// Image returns the file to boot: vmlinux by PVH when there is one (no decompression), or the bzImage.
func (k *KernelDir) Image(preferBzImage bool) string {
	if v := filepath.Join(k.Path, "vmlinux"); !preferBzImage {
		if _, err := os.Stat(v); err == nil {
			return v
		}
	}
	return filepath.Join(k.Path, "vmlinuz")
}

// Modules returns the files (relative to ModuleDir) to load for the named modules, in an order in which each
// finds what it needs. A name without a file is taken to be built in.
func (k *KernelDir) Modules(names ...string) []string {
	var files []string
	seen := map[string]bool{}
	add := func(f string) {
		if !seen[f] {
			seen[f] = true
			files = append(files, f)
		}
	}
	for _, n := range names {
		f, ok := k.name[strings.ReplaceAll(n, "-", "_")]
		if !ok {
			continue
		}
		for i := len(k.dep[f]) - 1; i >= 0; i-- { // modules.dep lists the nearest first
			add(k.dep[f][i])
		}
		add(f)
	}
	return files
}

// ReadModule returns a module, unpacked.
func (k *KernelDir) ReadModule(file string) ([]byte, error) {
	full := filepath.Join(k.ModuleDir(), file)
	var tool string
	switch path.Ext(file) {
	case ".xz":
		tool = "xz"
	case ".zst":
		tool = "zstd"
	case ".gz":
		tool = "gzip"
	default:
		return os.ReadFile(full)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(tool, "-dc", full)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w: %s", file, err, stderr.String())
	}
	return out, nil
}

// moduleName turns kernel/fs/ext4/ext4.ko.xz into ext4.
func moduleName(file string) string {
	n, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(n, "-", "_")
}

// PlainName is a module's file name without the suffix of a compression.
func PlainName(file string) string { return moduleName(file) + ".ko" }
