// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestMan checks that every command has a manual page with every option.
func TestMan(t *testing.T) {
	for _, c := range commands {
		raw, err := os.ReadFile("../../Documentation/man/crctl-" + c.name + ".1")
		if err != nil {
			t.Error(err)
			continue
		}
		text := strings.ReplaceAll(string(raw), `\-`, "-")
		fs := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
		c.setup(fs)
		fs.VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(text, "--"+f.Name) {
				t.Errorf("crctl-%s.1 has no --%s", c.name, f.Name)
			}
		})
	}
}
