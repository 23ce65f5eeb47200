// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
)

func setupCheck(fs *pflag.FlagSet) func(context.Context, *env, []string) (int, error) {
	o := &saveOptions{}
	o.target.flags(fs)
	o.log.flags(fs)
	o.common(fs)
	return func(ctx context.Context, e *env, args []string) (int, error) {
		if len(args) != 0 {
			return 0, usagef("check takes no argument %q", args[0])
		}
		if err := o.checkCommon(); err != nil {
			return 0, err
		}
		stats, err := o.operate(ctx, e, -1)
		if err != nil {
			return 0, err
		}
		if !o.quiet {
			fmt.Fprintf(e.stdout, "a checkpoint would succeed: %d processes, %d threads, stopped for %s\n",
				stats.Tasks, stats.Threads, nanos(stats.FrozenNS))
		}
		return exitDone, nil
	}
}
