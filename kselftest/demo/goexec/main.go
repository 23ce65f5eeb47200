// SPDX-License-Identifier: MIT

// Command goexec is a Go program that starts others all the time: with pipes, in several goroutines, with a context that
// ends one of them.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

func main() {
	filter := exec.Command("cat")
	in, err := filter.StdinPipe()
	check(err)
	out, err := filter.StdoutPipe()
	check(err)
	check(filter.Start())
	for i := 1; ; i++ {
		var wg sync.WaitGroup
		for j := range 3 {
			wg.Go(func() { echo(i, j) })
		}
		wg.Go(killed)
		wg.Wait()
		line := fmt.Sprintf("line %08d\n", i)
		_, err := in.Write([]byte(line))
		check(err)
		back := make([]byte, len(line))
		if _, err := out.Read(back); err != nil || string(back) != line {
			wrong("the filter gave %q, %v", back, err)
		}
		fmt.Println("tick", i)
	}
}

// echo starts a shell that answers, and ends with a status of its own.
func echo(i, j int) {
	cmd := exec.Command("sh", "-c", fmt.Sprintf("read line; echo $line %d; exit %d", i, j))
	cmd.Stdin = strings.NewReader("a line\n")
	got, err := cmd.Output()
	if want := fmt.Sprintf("a line %d\n", i); string(got) != want {
		wrong("%q is not %q", got, want)
	}
	if code := cmd.ProcessState.ExitCode(); code != j {
		wrong("exit code %d, want %d (%v)", code, j, err)
	}
}

// killed starts a program that is ended by its context.
func killed() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.CommandContext(ctx, "sleep", "1000")
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	var exit *exec.ExitError
	check(cmd.Start())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.String() != "signal: killed" || both.Len() != 0 {
		wrong("sleep ended with %v, %q", err, both.String())
	}
}

func check(err error) {
	if err != nil {
		wrong("%v", err)
	}
}

func wrong(format string, args ...any) {
	fmt.Printf("wrong: "+format+"\n", args...)
	os.Exit(1)
}
