// SPDX-License-Identifier: MIT

package main

import "errors"

func (g *guest) demo() error { return errors.New("not there yet") }
