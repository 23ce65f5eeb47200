// SPDX-License-Identifier: MIT

// Command goprog is a Go program to take checkpoints of: goroutines, channels, timers, a busy collector, and a
// listening socket with a client (which is Multipath TCP by default).
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

func main() {
	var collected atomic.Int64
	go garbage(&collected)

	echoed, err := echo()
	if err != nil {
		wrong("making a connection: %v", err)
	}
	squares := make(chan int)
	go func() {
		for i := 1; ; i++ {
			squares <- i * i
		}
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	deadline := time.AfterFunc(time.Hour, func() { wrong("a timer of an hour went off") })
	defer deadline.Stop()
	for i := 1; ; i++ {
		<-tick.C
		if s := <-squares; s != i*i {
			wrong("square %d is %d", i, s)
		}
		if back, err := echoed(fmt.Sprintf("message %08d", i)); err != nil || back != fmt.Sprintf("message %08d", i) {
			wrong("echo %d: %q, %v", i, back, err)
		}
		fmt.Println("tick", i)
	}
}

// garbage keeps the collector busy and checks that live memory stays what it was.
func garbage(collected *atomic.Int64) {
	keep := make([][]byte, 64)
	for i := 0; ; i++ {
		b := make([]byte, 32<<10)
		for j := range b {
			b[j] = byte(i)
		}
		if old := keep[i%len(keep)]; old != nil && old[len(old)/2] != byte(i-len(keep)) {
			wrong("memory of round %d changed", i-len(keep))
		}
		keep[i%len(keep)] = b
		if i%64 == 0 {
			runtime.GC()
			collected.Add(1)
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// echo starts a goroutine that sends back what it gets, over two pipes: both sides sleep in the
// runtime's poller.
func echo() (func(string) (string, error), error) {
	there, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	in, back, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		_, err := io.Copy(back, there)
		wrong("the echo ended: %v", err)
	}()
	return func(s string) (string, error) {
		if _, err := io.WriteString(out, s); err != nil {
			return "", err
		}
		buf := make([]byte, len(s))
		_, err := io.ReadFull(in, buf)
		return string(buf), err
	}, nil
}

func wrong(format string, args ...any) {
	fmt.Printf("wrong: "+format+"\n", args...)
	os.Exit(1)
}
