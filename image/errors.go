// SPDX-License-Identifier: MIT

package image

import (
	"errors"
	"fmt"
	"io"
)

// ErrNotImage says that a stream does not begin with Magic.
var ErrNotImage = errors.New("not an image of crctl")

// Error is a flaw of an image: where it is, in which record, and what it is.
type Error struct {
	Offset uint64 // bytes from the beginning of the image
	Record string // name of the record, "" before one is known
	Err    error
}

func (e *Error) Error() string {
	if e.Record == "" {
		return fmt.Sprintf("offset %#x: %v", e.Offset, e.Err)
	}
	return fmt.Sprintf("offset %#x: %s: %v", e.Offset, e.Record, e.Err)
}

// Unwrap returns the flaw without the place.
func (e *Error) Unwrap() error { return e.Err }

// WrittenError is the end of an image whose checkpoint failed: the message of
// its ERROR record.
type WrittenError struct {
	Errno   int // positive errno
	Message string
}

func (e *WrittenError) Error() string {
	return fmt.Sprintf("the checkpoint that wrote this image failed: %s (errno %d)", e.Message, e.Errno)
}

// unexpectedEOF turns the end of input inside a record into a text of its own.
func unexpectedEOF(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("the image ends here, it is cut off: %w", io.ErrUnexpectedEOF)
	}
	return err
}
