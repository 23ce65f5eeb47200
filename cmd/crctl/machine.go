// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"math/bits"
	"os"
	"slices"
	"strings"

	"crctl/image"
)

// checkVDSO compares the vDSO of the image, which programs hold addresses in,
// with that of the kernel that runs.
func checkVDSO(h *image.Header) error {
	if h.VDSOPages == 0 {
		return nil
	}
	data, err := readVDSO()
	if err != nil {
		return fmt.Errorf("read the vDSO: %w", err)
	}
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	if len(data) == int(h.VDSOPages)*os.Getpagesize() && sum == h.VDSOCRC {
		return nil
	}
	return refused(fmt.Errorf("the image needs the vDSO of kernel %s; kernel %s, which runs, has another",
		image.CString(h.Release[:]), osRelease()))
}

// readVDSO reads the vDSO of this process.
func readVDSO() ([]byte, error) {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	defer func() { _ = maps.Close() }()
	for sc := bufio.NewScanner(maps); sc.Scan(); {
		var start, end int64
		if !strings.HasSuffix(sc.Text(), "[vdso]") {
			continue
		}
		if _, err := fmt.Sscanf(sc.Text(), "%x-%x", &start, &end); err != nil {
			return nil, err
		}
		mem, err := os.Open("/proc/self/mem")
		if err != nil {
			return nil, err
		}
		defer func() { _ = mem.Close() }()
		data := make([]byte, end-start)
		_, err = mem.ReadAt(data, start)
		return data, err
	}
	return nil, fmt.Errorf("this process has none")
}

// xfeatures are the flags of /proc/cpuinfo that stand for components of the
// extended state, by bit number. Bits 0 and 1 every x86-64 has.
var xfeatures = map[int]string{
	2: "avx", 3: "mpx", 4: "mpx", 5: "avx512f", 6: "avx512f", 7: "avx512f", 9: "pku", 17: "amx_tile", 18: "amx_tile",
}

// checkCPU compares the components of the extended state that the image uses
// with what this processor has.
func checkCPU(h *image.Header) error {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	var have []string
	for line := range strings.Lines(string(text)) {
		if name, flags, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "flags" {
			have = strings.Fields(flags)
			break
		}
	}
	var errs errorList
	for used := h.Xfeatures &^ 3; used != 0; used &= used - 1 {
		bit := bits.TrailingZeros64(used)
		name, ok := xfeatures[bit]
		if !ok || !slices.Contains(have, name) {
			if !ok {
				name = "unknown to crctl"
			}
			errs = append(errs, refused(fmt.Errorf("the image uses component %d (%s) of the extended state, which this processor has not",
				bit, name)))
		}
	}
	return errs.orNil()
}
