// SPDX-License-Identifier: MIT

// Package rootfs makes what a test guest boots from: a small initramfs and an ext4 image filled with
// packages that are installed on this machine.
package rootfs

import (
	"fmt"
	"io"
	"path"
	"strings"
)

// File types of cpio entries, as in st_mode.
const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeChar = 0o020000
	modeLink = 0o120000
)

// Cpio writes an archive in the "newc" format, the one the kernel unpacks.
type Cpio struct {
	w   io.Writer
	n   int64 // bytes written, for padding
	ino int
	dir map[string]bool
	err error
}

// NewCpio starts an archive on w.
func NewCpio(w io.Writer) *Cpio { return &Cpio{w: w, dir: map[string]bool{}} }

func (c *Cpio) write(b []byte) {
	if c.err != nil {
		return
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	if err != nil {
		c.err = fmt.Errorf("writing cpio: %w", err)
	}
}

func (c *Cpio) pad() {
	if r := c.n % 4; r != 0 {
		c.write(make([]byte, 4-r))
	}
}

func (c *Cpio) entry(name string, mode, nlink, rmajor, rminor int, data []byte) error {
	c.ino++
	c.write(fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		c.ino, mode, 0, 0, nlink, 0, len(data), 0, 0, rmajor, rminor, len(name)+1, 0))
	c.write(append([]byte(name), 0))
	c.pad()
	c.write(data)
	c.pad()
	return c.err
}

// parents adds the folders above name that are not there yet: the kernel makes none by itself.
func (c *Cpio) parents(name string) error {
	if d := path.Dir(name); d != "." && d != "/" {
		return c.Dir(d)
	}
	return c.err
}

// Dir adds a folder and those above it; adding one twice is harmless.
func (c *Cpio) Dir(name string) error {
	name = strings.Trim(name, "/")
	if c.dir[name] {
		return c.err
	}
	if err := c.parents(name); err != nil {
		return err
	}
	c.dir[name] = true
	return c.entry(name, modeDir|0o755, 2, 0, 0, nil)
}

// File adds a regular file.
func (c *Cpio) File(name string, perm int, data []byte) error {
	name = strings.Trim(name, "/")
	if err := c.parents(name); err != nil {
		return err
	}
	return c.entry(name, modeFile|perm, 1, 0, 0, data)
}

// Symlink adds a symbolic link.
func (c *Cpio) Symlink(name, target string) error {
	name = strings.Trim(name, "/")
	if err := c.parents(name); err != nil {
		return err
	}
	return c.entry(name, modeLink|0o777, 1, 0, 0, []byte(target))
}

// Char adds a character device.
func (c *Cpio) Char(name string, perm, major, minor int) error {
	name = strings.Trim(name, "/")
	if err := c.parents(name); err != nil {
		return err
	}
	return c.entry(name, modeChar|perm, 1, major, minor, nil)
}

// Close ends the archive; it does not close the writer.
func (c *Cpio) Close() error {
	c.ino = -1 // the trailer has inode 0
	if err := c.entry("TRAILER!!!", 0, 1, 0, 0, nil); err != nil {
		return err
	}
	if r := c.n % 512; r != 0 {
		c.write(make([]byte, 512-r))
	}
	return c.err
}
