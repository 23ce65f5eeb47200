// SPDX-License-Identifier: MIT

package netlinkapi

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"
)

// ErrNotLoaded says that the kernel has no family "ckpt".
var ErrNotLoaded = errors.New("the kernel module ckpt is not loaded; load it with: modprobe ckpt")

// ErrSessionLost says that a session ended without a result.
var ErrSessionLost = errors.New("the operation ended without a result")

// RequestError is a request that the module turned down before it began.
type RequestError struct {
	Op      string // "checkpoint", "restart" ...
	Errno   syscall.Errno
	Message string // the module's reason, or ""
}

func (e *RequestError) Error() string {
	if e.Message != "" {
		return fmt.Sprintf("%s: %s (%v)", e.Op, e.Message, e.Errno)
	}
	if e.Errno == syscall.EPERM {
		return e.Op + ": not permitted; it needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE"
	}
	return fmt.Sprintf("%s: %v", e.Op, e.Errno)
}

// Unwrap returns the errno.
func (e *RequestError) Unwrap() error { return e.Errno }

// OperationError is an operation that began and failed. The kernel has undone it.
type OperationError struct {
	Errno    syscall.Errno
	Refused  []Refused // all that stops it; empty if it failed for another reason
	Failures []Failure
	Lost     bool // events were lost, so both lists may be incomplete
}

func (e *OperationError) Error() string {
	var lines []string
	for _, f := range e.Failures {
		lines = append(lines, f.Message)
	}
	if len(e.Refused) > 0 {
		lines = append(lines, fmt.Sprintf("%d resources cannot be saved", len(e.Refused)))
	}
	if len(lines) == 0 {
		lines = append(lines, e.Errno.Error())
	}
	return strings.Join(lines, "; ")
}

// Unwrap returns the errno.
func (e *OperationError) Unwrap() error { return e.Errno }

// mapError turns an error of the netlink library into one of this package.
func mapError(op string, err error) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return fmt.Errorf("%s: %w", op, err)
	}
	var oe *netlink.OpError
	message := ""
	if errors.As(err, &oe) {
		message = oe.Message
	}
	return &RequestError{Op: op, Errno: errno, Message: message}
}

// mapFamilyError tells a module that is not loaded from other trouble.
func mapFamilyError(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return ErrNotLoaded
	}
	return mapError("look up the family "+genlName, err)
}

var commandNames = map[uint8]string{
	cmdCaps: "caps", cmdCheckpoint: "checkpoint", cmdRestart: "restart", cmdJoin: "join", cmdStatus: "status",
}

func commandName(cmd uint8) string { return commandNames[cmd] }
