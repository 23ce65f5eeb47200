// SPDX-License-Identifier: MIT

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"crctl/kselftest/job"
)

// benchCells are what crctl and criu are compared with. BENCH=full takes more of them, and more often; BENCH=quick each
// once, without those that take criu minutes.
func benchCells(how string) []job.Cell {
	full, quick := how == "full", how == "quick"
	rounds := 3
	if full {
		rounds = 7
	}
	base := job.Cell{MiB: 1, Threads: 1, Procs: 1, Micros: 1000}
	var cells []job.Cell
	// A slow cell is measured once, or twice when there is much time.
	add := func(name string, slow bool, change func(*job.Cell)) {
		c := base
		c.Name, c.Rounds = name, rounds
		switch {
		case quick && slow:
			return
		case quick, slow && !full:
			c.Rounds = 1
		case slow:
			c.Rounds = 2
		}
		change(&c)
		cells = append(cells, c)
	}
	for _, mib := range []int{1, 16, 64, 256, 1024} {
		if full || mib != 16 {
			add(fmt.Sprintf("%d MiB", mib), mib > 256, func(c *job.Cell) { c.MiB = mib })
		}
		if full || mib > 64 {
			add(fmt.Sprintf("%d MiB, huge pages", mib), mib > 256, func(c *job.Cell) { c.MiB, c.THP = mib, true })
		}
	}
	for _, n := range []int{10, 100, 1000} {
		add(fmt.Sprintf("%d threads", n), n > 100, func(c *job.Cell) { c.Threads = n })
	}
	add("1000 files", false, func(c *job.Cell) { c.Files = 1000 })
	add("1000 socket pairs", false, func(c *job.Cell) { c.Pairs = 1000 })
	add("10000 mappings", true, func(c *job.Cell) { c.VMAs = 10000 })
	// Last, because criu needs half an hour for the last of them.
	for _, n := range []int{10, 100, 1000} {
		add(fmt.Sprintf("%d processes", n), n > 10 && !full || n > 100, func(c *job.Cell) { c.Procs = n })
	}
	return cells
}

// Under -icount the guest's clock counts instructions. Costs of a page, a thread and a process are what more of them
// cost more, so what every call costs, and what only waits, cancels out. Ticks are rare: they would be measured, too.
const (
	icountShift = "shift=4,sleep=off"
	icountNS    = 1 << 4 // of an instruction
)

var icountUnits = []struct {
	what  string
	count float64
	cell  job.Cell
}{
	{"", 0, job.Cell{Name: "base", MiB: 1, Threads: 1, Procs: 1}},
	{"page of 4 KiB", 32 * 256, job.Cell{Name: "pages", MiB: 33, Threads: 1, Procs: 1}},
	{"thread", 50, job.Cell{Name: "threads", MiB: 1, Threads: 51, Procs: 1}},
	{"process", 30, job.Cell{Name: "processes", MiB: 1, Threads: 1, Procs: 31}},
}

var benchMetrics = []struct {
	name, unit string
	scale      float64
	value      func(*job.Sample) int64
}{
	{"longest stop that the program saw, left running", "ms", 1e6, func(s *job.Sample) int64 { return s.Stall }},
	{"checkpoint, left running, wall time", "ms", 1e6, func(s *job.Sample) int64 { return s.Checkpoint }},
	{"checkpoint, killed, wall time", "ms", 1e6, func(s *job.Sample) int64 { return s.Kill }},
	{"restart, wall time", "ms", 1e6, func(s *job.Sample) int64 { return s.Restart }},
	{"time stopped, as the tool tells it", "ms", 1e6, func(s *job.Sample) int64 { return s.Frozen }},
	{"image", "MiB", 1 << 20, func(s *job.Sample) int64 { return s.Bytes }},
}

// results are what a bench leaves in out/.
type results struct {
	Kernel  string       `json:"kernel"`
	Release string       `json:"release"`
	CPUs    int          `json:"cpus"`
	Memory  string       `json:"memory"`
	Icount  string       `json:"icount,omitempty"`
	Cells   []job.Cell   `json:"cells"`
	Samples []job.Sample `json:"samples"`
}

// bench compares crctl with criu. Nothing is asserted about times: only a tool that fails is told.
func (r *run) bench(ctx context.Context) error {
	how := os.Getenv("BENCH")
	full := how == "full"
	if r.o.icount == "" {
		var cells []job.Cell
		for _, c := range benchCells(how) {
			if regexp.MustCompile(r.o.run).MatchString(c.Name) {
				cells = append(cells, c)
			}
		}
		if len(cells) > 0 {
			res, err := r.compare(ctx, "bench", cells)
			if err != nil {
				return err
			}
			benchTable(res)
		}
		if r.o.run != "" || how == "quick" {
			return nil
		}
		r.o.icount, r.o.cpus = icountShift, 1
	}
	var cells []job.Cell
	for _, u := range icountUnits {
		c := u.cell
		c.Micros, c.Rounds = 200_000, 1
		if full {
			c.Rounds = 3
		}
		cells = append(cells, c)
	}
	res, err := r.compare(ctx, "bench-icount", cells)
	if err != nil {
		return err
	}
	if r.o.icount == icountShift {
		icountTable(res)
	}
	return nil
}

// compare boots one guest for some cells, and writes down what it measured.
func (r *run) compare(ctx context.Context, name string, cells []job.Cell) (*results, error) {
	disk, err := r.disk(name)
	if err != nil {
		return nil, err
	}
	res := &results{Kernel: r.o.name, Release: r.kernel.Release, CPUs: r.o.cpus, Memory: r.o.memory, Icount: r.o.icount, Cells: cells}
	complete := false
	n := 0
	for _, c := range cells {
		n += 2 * c.Rounds
	}
	r.progress("%s: %d programs, each under crctl and under criu", name, n/2)
	lw := &lineWriter{line: func(line string) {
		data, ok := strings.CutPrefix(line, "sample ")
		if !ok {
			complete = complete || line == "# bench: complete"
			return
		}
		var s job.Sample
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			r.progress("a sample that cannot be read: %v: %s", err, data)
			return
		}
		res.Samples = append(res.Samples, s)
		if s.Error != "" {
			r.progress("%d/%d %s, %s: failed: %s", len(res.Samples), n, s.Cell, s.Tool, s.Error)
			return
		}
		r.progress("%d/%d %s, %s: stop %.1f ms, checkpoint %.0f ms, restart %.0f ms", len(res.Samples), n, s.Cell, s.Tool,
			float64(s.Stall)/1e6, float64(s.Checkpoint)/1e6, float64(s.Restart)/1e6)
	}}
	err = r.boot(ctx, &guest{name: name, disk: disk, report: lw, limit: time.Duration(n+60) * time.Minute,
		job: job.Job{Action: job.Compare, Cells: cells}})
	lw.flush()
	if err == nil && !complete {
		err = errors.New("the comparison did not come to its end")
	}
	if err != nil {
		return nil, err
	}
	return res, res.write(filepath.Join(r.repo, "out"), name)
}

// write leaves the results as NAME.json and NAME.tsv.
func (res *results) write(dir, name string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(res, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("cell\ttool\tround\tidle_ns\tstall_ns\tfrozen_ns\tcheckpoint_ns\tkill_ns\trestart_ns\tbytes\terror\n")
	for _, s := range res.Samples {
		fmt.Fprintf(&b, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", s.Cell, s.Tool, s.Round, s.Idle, s.Stall, s.Frozen, s.Checkpoint,
			s.Kill, s.Restart, s.Bytes, strings.Join(strings.Fields(s.Error), " "))
	}
	return os.WriteFile(filepath.Join(dir, name+".tsv"), []byte(b.String()), 0o644)
}

// values returns a metric of a cell under a tool, by round. What failed has none.
func (res *results) values(cell, tool string, value func(*job.Sample) int64) map[int]float64 {
	m := map[int]float64{}
	for i := range res.Samples {
		if s := &res.Samples[i]; s.Cell == cell && s.Tool == tool && s.Error == "" {
			m[s.Round] = float64(value(s))
		}
	}
	return m
}

func benchTable(res *results) {
	for _, m := range benchMetrics {
		fmt.Printf("\n%s, %s: median (lowest to highest)\n", m.name, m.unit)
		fmt.Printf("%-22s %26s %26s %22s\n", "", "crctl", "criu", "criu / crctl, pairs")
		for _, c := range res.Cells {
			ours, theirs := res.values(c.Name, "crctl", m.value), res.values(c.Name, "criu", m.value)
			ratios := map[int]float64{}
			for round, v := range ours {
				if w, ok := theirs[round]; ok && v > 0 {
					ratios[round] = w / v
				}
			}
			fmt.Printf("%-22s %26s %26s %22s\n", c.Name, spread(ours, m.scale), spread(theirs, m.scale), spread(ratios, 1))
		}
	}
	idle := map[int]float64{}
	for i, s := range res.Samples {
		if s.Error == "" {
			idle[i] = float64(s.Idle)
		}
	}
	fmt.Printf("\nlongest time between two ticks without a checkpoint, ms: %s\n", spread(idle, 1e6))
}

func icountTable(res *results) {
	metric := []struct {
		name  string
		value func(*job.Sample) int64
	}{
		{"stopped", func(s *job.Sample) int64 { return s.Frozen }},
		{"checkpoint", func(s *job.Sample) int64 { return s.Checkpoint }},
		{"restart", func(s *job.Sample) int64 { return s.Restart }},
	}
	fmt.Printf("\ninstructions for each, counted by QEMU (-icount %s, one processor)\n%-16s", res.Icount, "")
	for _, m := range metric {
		fmt.Printf(" %16s %16s", m.name+", crctl", m.name+", criu")
	}
	fmt.Println()
	for _, u := range icountUnits[1:] {
		fmt.Printf("%-16s", u.what)
		for _, m := range metric {
			for _, tool := range []string{"crctl", "criu"} {
				with, without := res.values(u.cell.Name, tool, m.value), res.values(icountUnits[0].cell.Name, tool, m.value)
				if len(with) == 0 || len(without) == 0 {
					fmt.Printf(" %16s", "failed")
					continue
				}
				fmt.Printf(" %16.0f", (median(with)-median(without))/u.count/icountNS)
			}
		}
		fmt.Println()
	}
}

func sorted(m map[int]float64) []float64 {
	var v []float64
	for _, x := range m {
		v = append(v, x)
	}
	slices.SortFunc(v, cmp.Compare[float64])
	return v
}

func median(m map[int]float64) float64 {
	v := sorted(m)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// spread words median and range. The last digit is cut off, not rounded: no figure is better than what was measured.
func spread(m map[int]float64, scale float64) string {
	if len(m) == 0 {
		return "failed"
	}
	v := sorted(m)
	cut := func(x float64) string {
		if x /= scale; x >= 100 {
			return fmt.Sprintf("%.0f", math.Floor(x))
		}
		return fmt.Sprintf("%.1f", math.Floor(x*10)/10)
	}
	return fmt.Sprintf("%s (%s to %s)", cut(median(m)), cut(v[0]), cut(v[len(v)-1]))
}
