// SPDX-License-Identifier: MIT

package main

import (
	"context"

	"github.com/spf13/pflag"
)

func setupInspect(fs *pflag.FlagSet) func(context.Context, *env, []string) (int, error) {
	return func(context.Context, *env, []string) (int, error) { return 0, usagef("not there") }
}

func setupVerify(fs *pflag.FlagSet) func(context.Context, *env, []string) (int, error) {
	return func(context.Context, *env, []string) (int, error) { return 0, usagef("not there") }
}
