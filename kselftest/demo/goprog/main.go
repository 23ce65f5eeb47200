// SPDX-License-Identifier: MIT

// Command goprog is a Go program to take checkpoints of: goroutines, channels, timers, a busy collector, and a
// listening socket with a client (which is Multipath TCP by default).
package main

import (
	"fmt"
	"io"
	"net"
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

// echo connects to a server in this process.
func echo() (func(string) (string, error), error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				wrong("accept: %v", err)
			}
			go io.Copy(c, c)
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	return func(s string) (string, error) {
		if _, err := io.WriteString(c, s); err != nil {
			return "", err
		}
		buf := make([]byte, len(s))
		_, err := io.ReadFull(c, buf)
		return string(buf), err
	}, nil
}

func wrong(format string, args ...any) {
	fmt.Printf("wrong: "+format+"\n", args...)
	os.Exit(1)
}
