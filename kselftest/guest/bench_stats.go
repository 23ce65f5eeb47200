// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// criuFrozen reads from a stats-dump image how long CRIU says that it kept the tasks stopped: its freezing time and its
// frozen time, which begins when all of them are seized.
func criuFrozen(path string) (ns int64, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	// Two magic numbers and a size, then a StatsEntry whose first field is the DumpStatsEntry.
	if len(data) < 12 {
		return 0, errors.New("stats-dump: too short")
	}
	outer, err := varints(data[12:])
	if err != nil {
		return 0, err
	}
	if outer.sub[1] == nil {
		return 0, errors.New("stats-dump: no statistics of a dump")
	}
	dump, err := varints(outer.sub[1])
	if err != nil {
		return 0, err
	}
	return int64(dump.num[1]+dump.num[2]) * 1000, nil
}

type message struct {
	num map[uint64]uint64
	sub map[uint64][]byte
}

// varints takes a protobuf message apart as far as the statistics need it.
func varints(b []byte) (message, error) {
	m := message{map[uint64]uint64{}, map[uint64][]byte{}}
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return m, errors.New("stats-dump: damaged")
		}
		b = b[n:]
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return m, errors.New("stats-dump: damaged")
		}
		b = b[n:]
		switch key & 7 {
		case 0:
			m.num[key>>3] = v
		case 2:
			if v > uint64(len(b)) {
				return m, errors.New("stats-dump: damaged")
			}
			m.sub[key>>3], b = b[:v], b[v:]
		default:
			return m, fmt.Errorf("stats-dump: wire type %d", key&7)
		}
	}
	return m, nil
}
