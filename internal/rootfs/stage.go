// SPDX-License-Identifier: MIT

package rootfs

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// skip tells whether a packaged file is of no use in a guest.
func skip(name string) bool {
	for _, p := range []string{
		"/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/usr/share/lintian",
		"/usr/share/bash-completion", "/usr/share/zsh", "/usr/share/bug", "/usr/share/doc-base", "/usr/share/i18n",
		"/usr/share/zoneinfo", "/usr/share/applications", "/usr/share/icons", "/usr/share/pixmaps",
		"/lib/systemd", "/usr/lib/systemd", "/usr/lib/x86_64-linux-gnu/gconv", "/usr/lib/x86_64-linux-gnu/perl",
		"/usr/share/perl", "/usr/lib/python3.11/test", "/var/log",
	} {
		if name == p || strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}

// stagePackages copies the files of packages from this machine into root.
func stagePackages(root string, p *Packages, names []string) error {
	for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(root, "usr", l), 0o755); err != nil {
			return err
		}
		// Debian's /usr merge; it must stand before files that packages still list under /bin and /lib.
		if err := os.Symlink("usr/"+l, filepath.Join(root, l)); err != nil {
			return err
		}
	}
	for _, n := range names {
		files, err := p.files(n)
		if err != nil {
			return err
		}
		for _, f := range files {
			if skip(f) || f == "/." {
				continue
			}
			if err := copyNode(f, filepath.Join(root, f)); err != nil {
				return fmt.Errorf("copying %s of package %s: %w", f, n, err)
			}
		}
	}
	return stageAlternatives(root)
}

// stageAlternatives copies the links of update-alternatives whose targets are in the tree.
func stageAlternatives(root string) error {
	entries, err := os.ReadDir("/etc/alternatives")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		alt := "/etc/alternatives/" + e.Name()
		target, err := os.Readlink(alt)
		if err != nil {
			continue
		}
		if _, err := os.Lstat(filepath.Join(root, target)); err != nil {
			continue
		}
		if err := copyNode(alt, filepath.Join(root, alt)); err != nil {
			return err
		}
		link := "/usr/bin/" + e.Name()
		if t, err := os.Readlink(link); err == nil && t == alt {
			if err := copyNode(link, filepath.Join(root, link)); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyNode copies one file, link or folder (without what is in it); what is there already stays.
func copyNode(from, to string) error {
	st, err := os.Lstat(from)
	if os.IsNotExist(err) {
		return nil // dpkg lists it, but somebody removed it
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	switch st.Mode().Type() {
	case fs.ModeDir:
		return os.MkdirAll(to, st.Mode().Perm())
	case fs.ModeSymlink:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case 0:
		return copyFile(from, to, st)
	}
	return nil // devices and sockets come from the guest's own kernel
}

func copyFile(from, to string, st fs.FileInfo) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	mode := uint32(st.Mode().Perm())
	if st.Mode()&fs.ModeSetuid != 0 {
		mode |= syscall.S_ISUID
	}
	return syscall.Chmod(to, mode)
}

// CopyTree copies a folder and all in it.
func CopyTree(from, to string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		return copyNode(p, filepath.Join(to, rel))
	})
}
