// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"crctl/image"
	"crctl/netlinkapi"
)

func setupVerify(fs *pflag.FlagSet) func(context.Context, *env, []string) (int, error) {
	return func(ctx context.Context, e *env, args []string) (int, error) {
		in, err := openImage(args, "verify", e)
		if err != nil {
			return 0, err
		}
		defer func() { _ = in.Close() }()
		if err := verify(ctx, in, e); err != nil {
			return 0, err
		}
		fmt.Fprintf(e.stdout, "%s: can be restarted here\n", args[0])
		return exitDone, nil
	}
}

// verify lists all that keeps an image from being restarted here. Damage
// comes first and decides the exit code.
func verify(ctx context.Context, in io.Reader, e *env) error {
	v := &verifier{files: map[uint32]*fileNeed{}}
	sum, damage := image.Verify(in, v.visit)
	errs := errorList(damage)
	add := func(err error) {
		var list errorList
		if errors.As(err, &list) {
			errs = append(errs, list...)
		} else if err != nil {
			errs = append(errs, err)
		}
	}
	if head := sum.Head; head != nil {
		add(fits(head))
		add(checkPids(head, false))
		add(checkVDSO(&head.Header))
		add(checkCPU(&head.Header))
		add(v.checkFiles())
	}
	caps, err := e.client().Caps(ctx)
	switch {
	case errors.Is(err, netlinkapi.ErrNotLoaded):
		fmt.Fprintln(e.stderr, "crctl: note: the module is not loaded, so what it can do was not checked")
	case err != nil:
		add(err)
	case caps.ImageVersion != image.ImageVersion:
		add(refused(fmt.Errorf("the loaded module has images of version %d, this one is version %d",
			caps.ImageVersion, image.ImageVersion)))
	}
	return errs.orNil()
}

// fileNeed is a file that an image needs.
type fileNeed struct {
	path   string
	info   image.FilePath
	mapped bool // into memory: its content must be what it was
}

// verifier collects what an image needs from the machine.
type verifier struct {
	files map[uint32]*fileNeed
}

func (v *verifier) visit(rec *image.Record) {
	switch f := rec.Fixed.(type) {
	case *image.FilePath:
		v.files[rec.Objref] = &fileNeed{path: string(rec.Var), info: *f}
	case *image.VMA:
		if n := v.files[f.File]; n != nil {
			n.mapped = true
		}
	}
}

// checkFiles looks for the files of the image, in the order of their objects.
func (v *verifier) checkFiles() error {
	refs := make([]uint32, 0, len(v.files))
	for ref := range v.files {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	var errs errorList
	for _, ref := range refs {
		if err := v.files[ref].check(); err != nil {
			errs = append(errs, refused(fmt.Errorf("file %s: %w", v.files[ref].path, err)))
		}
	}
	return errs.orNil()
}

// check compares a file with what the image remembers of it. A file that is
// only open may have changed meanwhile, as it may under a running program.
func (n *fileNeed) check() error {
	var st unix.Stat_t
	if err := unix.Stat(n.path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != n.info.Mode&unix.S_IFMT {
		return fmt.Errorf("is of another type (mode %#o, was %#o)", st.Mode, n.info.Mode)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK:
		if unix.Major(st.Rdev) != n.info.RdevMajor || unix.Minor(st.Rdev) != n.info.RdevMinor {
			return fmt.Errorf("is device %d:%d, was %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev),
				n.info.RdevMajor, n.info.RdevMinor)
		}
	case unix.S_IFREG:
		if !n.mapped {
			return nil
		}
		if uint64(st.Size) != n.info.Size {
			return fmt.Errorf("is mapped, and has %d bytes now, had %d", st.Size, n.info.Size)
		}
		if st.Mtim.Sec != int64(n.info.MtimeSec) || st.Mtim.Nsec != int64(n.info.MtimeNsec) {
			return errors.New("is mapped, and has changed since the checkpoint")
		}
	}
	return nil
}

// osRelease is uname -r.
func osRelease() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "?"
	}
	return image.CString(b[:max(len(b)-1, 0)])
}
