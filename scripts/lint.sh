#!/bin/bash
# SPDX-License-Identifier: MIT
#
# lint.sh [CHECK...]  checks the sources: licences checkpatch module go shell
#
# All checks run, and the last line names those that failed.

set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
cd "$here/.." || exit 1
STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2

# files PATTERN... lists files of the repository, also those not yet committed.
files() {
	local f
	git ls-files -co --exclude-standard -- "$@" | while read -r f; do [ ! -f "$f" ] || echo "$f"; done
}

licences() {
	local f want rc=0
	while read -r f; do
		case $f in
		LICENSES/* | go.mod | go.sum | .gitignore | *.json | */testdata/*) continue ;;
		kmod/* | kselftest/*.[chS] | kselftest/Makefile | scripts/debug.config) want=GPL-2.0-only ;;
		*) want=MIT ;;
		esac
		# The second line is for files whose first one belongs to an interpreter.
		head -n 2 "$f" | grep -q "SPDX-License-Identifier: .*$want" || {
			echo "$f: no 'SPDX-License-Identifier: $want' at its beginning"
			rc=1
		}
	done < <(files)
	return $rc
}

# Out of the tree one header has to ask for the kernel's version, programs of
# user space have the types of user space, and a table that is made by a macro
# (symbols, records, registers) is no expression to put in parentheses. What a
# message says stays in one line, to be found by it.
checkpatch() {
	local tables=LONG_LINE_STRING,COMPLEX_MACRO,MACRO_ARG_REUSE,MACRO_ARG_PRECEDENCE,TRAILING_SEMICOLON
	tables+=,MULTISTATEMENT_MACRO_USE_DO_WHILE,DO_WHILE_MACRO_WITH_TRAILING_SEMICOLON
	# Iterators are declared by macros, ELF has its own names, and parentheses
	# around a comparison that is compared are there to be read.
	local style=LINE_SPACING,CAMELCASE,UNNECESSARY_PARENTHESES,NEW_TYPEDEFS
	local user=LINE_SPACING,SPLIT_STRING,STRING_FRAGMENTS,STATIC_CONST_CHAR_ARRAY,OPEN_ENDED_LINE,BIT_MACRO,ARRAY_SIZE,ENOSYS,NAKED_SSCANF,COMPARISON_TO_NULL,MULTIPLE_ASSIGNMENTS
	local src rc=0
	src=$(scripts/kernel.sh source) || return 1
	run() {
		local ignore=$1 list
		shift
		mapfile -t list < <(files "$@")
		[ ${#list[@]} -gt 0 ] || return 0
		"$src/scripts/checkpatch.pl" --no-tree --strict --quiet --terse --show-types --no-summary \
			--max-line-length=120 --ignore "$ignore" -f "${list[@]}"
	}
	run $tables,$style,LINUX_VERSION_CODE,CONSTANT_COMPARISON,BIT_MACRO,STRING_FRAGMENTS 'kmod/*.[ch]' || rc=1
	run $tables,PREFER_KERNEL_TYPES,EMBEDDED_FUNCTION_NAME,AVOID_EXTERNS,VOLATILE,NEW_TYPEDEFS,CAMELCASE,PREFER_DEFINED_ATTRIBUTE_MACRO,$user 'kselftest/*.[ch]' || rc=1
	rm -f .checkpatch-camelcase.*
	return $rc
}

# ours RELEASE prints what compiler and sparse say about our files. The locks
# that protect sighand and real_parent are not RCU, and sparse takes each such
# access for a mistake, as it does all over the kernel's own source.
ours() {
	awk -v dir="out/lint/$1/" '
		function flush() { if (msg != "" && msg !~ /noderef\] __rcu/) printf "%s", msg; msg = "" }
		/: (warning|error):/ { flush(); if (index($0, dir)) msg = $0 "\n"; next }
		msg != "" && /:    (expected|got)/ { msg = msg $0 "\n"; next }
		{ flush() }
		END { flush() }
	' "out/lint/$1/build.log"
}

module() {
	local kernel found rc=0 log=out/lint/module.log
	mkdir -p out/lint
	for kernel in stock 6.12; do
		kernel=$(scripts/kernel.sh "$kernel") || return 1
		OUT=$PWD/out/lint scripts/kmod.sh "$kernel/build" C=2 W=1 >/dev/null 2>$log || { cat $log; rc=1; }
		found=$(ours "$(cat "$kernel/release")")
		[ -z "$found" ] || { echo "$found"; rc=1; }
	done
	return $rc
}

go_() {
	local rc=0 bad
	bad=$(files '*.go' | xargs -r gofmt -l)
	[ -z "$bad" ] || { echo "gofmt -w is needed on:" "$bad"; rc=1; }
	go vet ./... || rc=1
	go run "$STATICCHECK" ./... || rc=1
	return $rc
}

shell() {
	local list
	mapfile -t list < <(files | xargs grep -lE -m1 '^#!/bin/(ba)?sh' 2>/dev/null)
	shellcheck -x "${list[@]}"
}

[ $# -gt 0 ] || set -- licences checkpatch module go shell
failed=
for check in "$@"; do
	echo "# $check"
	case $check in
	licences | checkpatch | module | shell) $check || failed+=" $check" ;;
	go) go_ || failed+=" go" ;;
	*) die "there is no check '$check': they are licences checkpatch module go shell" ;;
	esac
done
[ -z "$failed" ] || die "these checks found something (see above):$failed"
echo "# lint: nothing found"
