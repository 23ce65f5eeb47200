// SPDX-License-Identifier: MIT

package rootfs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// layout is part of the hash of a base image: change it when the way an image is built changes.
const layout = "2"

// GuestModules are loaded by tests, by CRIU, or by the module under test.
var GuestModules = []string{
	"inet_diag", "tcp_diag", "udp_diag", "raw_diag", "unix_diag", "af_packet_diag", "netlink_diag",
	"nf_tables", "veth", "tun", "dummy", "bridge", "zram", "loop", "overlay", "fuse", "crc32c_intel", "crc32c_generic", "libcrc32c",
	"nft_chain_nat", "nft_compat", "xt_mark", "nf_conntrack", "nf_conntrack_netlink", "binfmt_misc", "squashfs",
}

// CacheDir is where this project keeps what takes long to make.
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w", err)
	}
	dir := filepath.Join(base, "crctl")
	return dir, os.MkdirAll(dir, 0o755)
}

// MissingError names packages that an image needs and this machine lacks.
type MissingError []string

func (m MissingError) Error() string {
	return "packages are not installed; run: apt-get install -y --no-install-recommends " + strings.Join(m, " ")
}

// BaseImage returns an ext4 image with the packages of the given sets and the modules of a kernel. It is made
// on first use and found again by a hash of all that goes into it.
func BaseImage(k *KernelDir, sets ...string) (string, error) {
	p, err := InstalledPackages()
	if err != nil {
		return "", err
	}
	var names []string
	for _, s := range sets {
		names = append(names, Sets[s]...)
	}
	closure, missing := p.Closure(names...)
	if missing != nil {
		return "", MissingError(missing)
	}
	modules := k.Modules(GuestModules...)

	h := sha256.New()
	fmt.Fprintln(h, layout, k.Release, modules)
	for _, n := range closure {
		fmt.Fprintln(h, n, p.Version(n))
	}
	// A kernel built anew keeps its release, and its modules change with it.
	for _, m := range modules {
		if st, err := os.Stat(filepath.Join(k.ModuleDir(), m)); err == nil {
			fmt.Fprintln(h, m, st.Size(), st.ModTime().Unix())
		}
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	img := filepath.Join(cache, "base-"+hex.EncodeToString(h.Sum(nil))[:16]+".ext4")
	if _, err := os.Stat(img); err == nil {
		return img, nil
	}
	stage, err := os.MkdirTemp("", "crctl-stage-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(stage)
	if err := os.Chmod(stage, 0o755); err != nil {
		return "", err
	}
	if err := stagePackages(stage, p, closure); err != nil {
		return "", err
	}
	if err := stageModules(stage, k, modules); err != nil {
		return "", err
	}
	if err := stageSkeleton(stage); err != nil {
		return "", err
	}
	tmp := fmt.Sprintf("%s.%d", img, os.Getpid()) // two runners may make the same one
	if err := MakeExt4(tmp, stage, "6G"); err != nil {
		os.Remove(tmp)
		return "", err
	}
	if err := os.Rename(tmp, img); err != nil {
		return "", fmt.Errorf("putting the image into the cache: %w", err)
	}
	return img, nil
}

// MakeExt4 makes a sparse ext4 image of a folder.
func MakeExt4(img, dir, size string) error {
	os.Remove(img)
	cmd := exec.Command("mke2fs", "-q", "-t", "ext4", "-d", dir, "-E", "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0", img, size)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making %s: %w: %s", img, err, out)
	}
	return nil
}

// CopySparse copies an image without its holes.
func CopySparse(from, to string) error {
	if out, err := exec.Command("cp", "--sparse=always", "--reflink=auto", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copying %s: %w: %s", from, err, out)
	}
	return nil
}

func stageModules(root string, k *KernelDir, modules []string) error {
	dir := filepath.Join(root, "usr/lib/modules", k.Release)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, m := range modules {
		data, err := k.ReadModule(m)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.Dir(m), PlainName(m))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return err
		}
	}
	for _, f := range []string{"modules.builtin", "modules.order", "modules.builtin.modinfo"} {
		if err := copyNode(filepath.Join(k.ModuleDir(), f), filepath.Join(dir, f)); err != nil {
			return err
		}
	}
	cmd := exec.Command("depmod", "-b", root, k.Release)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running depmod for the guest: %w: %s", err, out)
	}
	return nil
}

// stageSkeleton makes the folders that the guest mounts on, and the few files that programs look for.
func stageSkeleton(root string) error {
	for _, d := range []string{"proc", "sys", "dev", "run", "tmp", "root", "home", "opt/crctl", "mnt", "var/tmp", "var/log", "var/lib", "etc", "var/crctl"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o1777|fs.ModeSticky); err != nil {
		return err
	}
	files := map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/bin/sh\n" +
			"tester:x:1000:1000:tester:/home:/bin/bash\npostgres:x:101:101:postgres:/var/lib/postgresql:/bin/bash\n" +
			"redis:x:102:102:redis:/var/lib:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
		"etc/group":         "root:x:0:\ndaemon:x:1:\ntty:x:5:\nadm:x:4:\nwww-data:x:33:\npostgres:x:101:\nredis:x:102:\ntester:x:1000:\nnogroup:x:65534:\n",
		"etc/hosts":         "127.0.0.1 localhost guest\n::1 localhost\n",
		"etc/hostname":      "guest\n",
		"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
		"etc/profile":       "export PATH=/opt/crctl/bin:/usr/sbin:/usr/bin:/sbin:/bin PS1='guest# '\n",
	}
	for name, text := range files {
		to := filepath.Join(root, name)
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
			return err
		}
	}
	// Programs are linked against what ld.so.cache names; without it the default folders serve.
	for _, f := range []string{"/etc/ld.so.conf", "/etc/protocols", "/etc/services", "/etc/mime.types"} {
		if err := copyNode(f, filepath.Join(root, f)); err != nil {
			return err
		}
	}
	return nil
}
