// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// "crctl caps" works, and without the module it says so with exit code 4.
var _ = register(scenario{name: "scenario/caps", run: func(e *env) error {
	out, err := e.want(0, "caps")
	if err != nil {
		return err
	}
	if strings.TrimSpace(out) == "" {
		return fmt.Errorf("caps says nothing")
	}
	if out, err = e.want(0, "caps", "--json"); err != nil {
		return err
	}
	if !json.Valid([]byte(out)) {
		return fmt.Errorf("caps --json is not JSON:\n%s", tail(out, 10))
	}
	if err := e.g.rmmod(); err != nil {
		return err
	}
	_, err = e.want(4, "caps")
	if lerr := e.g.insmod(); err == nil {
		err = lerr
	}
	return err
}})
