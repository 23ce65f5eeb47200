// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/pflag"
)

func setupCaps(fs *pflag.FlagSet) func(context.Context, *env, []string) (int, error) {
	asJSON := fs.Bool("json", false, "print JSON")
	return func(ctx context.Context, e *env, args []string) (int, error) {
		if len(args) != 0 {
			return 0, usagef("caps takes no argument")
		}
		caps, err := e.client().Caps(ctx)
		if err != nil {
			return 0, err
		}
		if *asJSON {
			return exitDone, printJSON(e.stdout, caps)
		}
		fmt.Fprintf(e.stdout, "module   %s, built for %s\n", caps.Version, caps.Kernel)
		fmt.Fprintf(e.stdout, "image    version %d\n", caps.ImageVersion)
		fmt.Fprintf(e.stdout, "symbols  %d\n", caps.Symbols)
		for _, k := range caps.Kinds {
			status := "refused"
			if k.Handled {
				status = "handled"
			}
			fmt.Fprintf(e.stdout, "%s  %-16s %s\n", status, k.Name, k.Text)
		}
		return exitDone, nil
	}
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
