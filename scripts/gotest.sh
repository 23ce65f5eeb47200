#!/bin/bash
# SPDX-License-Identifier: MIT
#
# gotest.sh  vets and tests the Go packages, and counts the tests
#
# The last line is "# totals: N passed, N failed". A package that does not
# build, or that vet objects to, is one failure.

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
mkdir -p out
log=out/gotest.log
vet=0
echo "# go vet ./..."
go vet ./... || vet=1
echo "# go test ./... (everything they print is in $log)"
go test -v ./... 2>&1 | tee "$log" | grep -E '^(ok|FAIL|panic:) |^FAIL	|^ok  	|^panic:|--- FAIL|^# '
# One test that failed is worth all its lines; hundreds that passed are not.
awk '
	/^=== RUN/ { buf = "" }
	/^ *--- FAIL/ { printf "%s", buf }
	/^ *--- (PASS|SKIP)/ { buf = ""; next }
	{ buf = buf $0 "\n" }
' "$log" | head -n 300
awk -v vet="$vet" '
	/^ *--- PASS/ { pass++ }
	/^ *--- FAIL/ { fail++; seen = 1 }
	/^FAIL\t/ { if (!seen || /\[(build|setup) failed\]/) fail++; seen = 0 }
	/^ok  \t/ { seen = 0 }
	END {
		fail += vet
		printf "# totals: %d passed, %d failed\n", pass, fail
		exit fail > 0
	}
' "$log"
