// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
)

func (r *run) runSuite(ctx context.Context) error { return errors.New("no suite yet") }
