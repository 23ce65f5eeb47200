// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"crctl/internal/vm"
	"crctl/kselftest/job"
)

type mount struct{ dev, dir, kind, opts string }

// firstStage makes the disk the root and never returns when all goes well.
func firstStage() error {
	os.Mkdir("/dev", 0o755)
	unix.Mount("devtmpfs", "/dev", "devtmpfs", 0, "") // EBUSY: the kernel did it
	data, err := os.ReadFile(job.File)
	if err != nil {
		return err
	}
	var j job.Job
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	for _, m := range j.LoadModules {
		if err := loadModule("/modules/"+m, ""); err != nil {
			return err
		}
	}
	const root = "/newroot"
	if err := mountDisk("/dev/vda", root, 0); err != nil {
		return err
	}
	if err := mountDisk("/dev/vdb", root+job.Payload, unix.MS_RDONLY); err != nil {
		return err
	}
	for _, m := range []mount{
		{"proc", "/proc", "proc", ""},
		{"sysfs", "/sys", "sysfs", ""},
		{"devtmpfs", "/dev", "devtmpfs", ""},
		{"devpts", "/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666"},
		{"tmpfs", "/dev/shm", "tmpfs", "mode=1777"},
		{"mqueue", "/dev/mqueue", "mqueue", ""},
		{"hugetlbfs", "/dev/hugepages", "hugetlbfs", ""},
		{"tmpfs", "/run", "tmpfs", "mode=755"},
		{"tmpfs", "/tmp", "tmpfs", "mode=1777"},
		{"cgroup2", "/sys/fs/cgroup", "cgroup2", ""},
		{"debugfs", "/sys/kernel/debug", "debugfs", ""},
		{"tracefs", "/sys/kernel/tracing", "tracefs", ""},
		{"binfmt_misc", "/proc/sys/fs/binfmt_misc", "binfmt_misc", ""},
	} {
		os.MkdirAll(root+m.dir, 0o755)
		// Not every kernel has every one of them.
		if err := unix.Mount(m.dev, root+m.dir, m.kind, 0, m.opts); err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("mounting %s: %w", m.dir, err)
		}
	}
	for link, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		os.Symlink(target, root+"/dev/"+link)
	}
	if err := os.WriteFile(root+"/run/job.json", data, 0o644); err != nil {
		return err
	}
	self, err := os.ReadFile("/init")
	if err != nil {
		return err
	}
	// On the tmpfs, so that the disk's inode numbers do not depend on the agent.
	if err := os.WriteFile(root+"/run/agent", self, 0o755); err != nil {
		return err
	}
	os.RemoveAll("/modules") // its memory
	os.Remove("/init")
	os.Remove(job.File)
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	unix.Sethostname([]byte("guest"))
	// Huge pages beyond those of the command line, which take no memory until somebody uses them.
	os.WriteFile("/proc/sys/vm/nr_overcommit_hugepages", []byte("64"), 0)
	return fmt.Errorf("starting the second stage: %w", unix.Exec("/run/agent", []string{"agent"}, os.Environ()))
}

// mountDisk waits for a disk: its driver finds it some time after it was loaded.
func mountDisk(dev, dir string, flags uintptr) error {
	os.MkdirAll(dir, 0o755)
	for range 200 {
		if _, err := os.Stat(dev); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := unix.Mount(dev, dir, "ext4", flags, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", dev, err)
	}
	return nil
}

func loadModule(path, args string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), args, 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("loading %s: %w", filepath.Base(path), err)
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("bringing lo up: %w", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("bringing lo up: %w", err)
	}
	return nil
}

// powerOff ends the machine with the code for isa-debug-exit.
func powerOff(code int) {
	if reportFile != nil {
		drainTTY(int(reportFile.Fd()))
	}
	drainTTY(1)
	unix.Sync()
	for _, dir := range []string{job.Payload, "/"} {
		unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	unix.Sync()
	port, err := os.OpenFile("/dev/port", os.O_WRONLY, 0)
	if err == nil {
		_, err = port.WriteAt([]byte{byte(code)}, vm.ExitPort)
	}
	fmt.Println("guest: cannot leave:", err)
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

// drainTTY waits until all that was written has left the serial port (tcdrain).
func drainTTY(fd int) { unix.IoctlSetInt(fd, unix.TCSBRK, 1) }

func (g *guest) insmod() error {
	if err := loadModule(job.Module, ""); err != nil {
		return fmt.Errorf("%w; the kernel's last words:\n%s", err, tail(kernelLog(), 15))
	}
	return nil
}

// kernelLog returns what dmesg would show.
func kernelLog() string {
	buf := make([]byte, 1<<18)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
	if err != nil {
		return err.Error()
	}
	return string(buf[:n])
}

func (g *guest) rmmod() error {
	err := unix.DeleteModule("ckpt", 0)
	// A session's last reference can be dropped by a work item, so give it some time.
	for i := 0; errors.Is(err, unix.EAGAIN) && i < 50; i++ {
		time.Sleep(100 * time.Millisecond)
		err = unix.DeleteModule("ckpt", unix.O_NONBLOCK)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unloading the module: %w", err)
	}
	return nil
}

func lines(b []byte) []string {
	s := strings.TrimRight(string(b), "\n")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
