#!/bin/bash
# SPDX-License-Identifier: MIT
#
# suite.sh stock|6.12|debug SUITE [RUNNER-ARGUMENT...]  runs a suite in guests
#
# The suites are those of kselftest/runner: test demo bench fuzz soak faults.
#
# As go test does, "test" without arguments shows the results of its last run
# again when that passed and nothing it depends on has changed: the sources, the
# kernel, compilers and QEMU. FRESH=1 runs it in any case.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
[ $# -ge 2 ] || { sed -n '4,10s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
name=$1 suite=$2
shift 2
whole=no
[ "$suite $#" != "test 0" ] || whole=yes

cd "$here/.."
kernel=$(scripts/kernel.sh "$name") || exit 1
module=$(scripts/kmod.sh "$kernel/build") || exit 1
# QEMU's table of PCI interrupts is a program; with the debug kernel's checks and
# without KVM it runs into ACPICA's timeout of 30 s, twice. Virtio has MSI-X.
[ "$name" != debug ] || set -- -append pci=noacpi "$@"
run() { go run ./kselftest/runner -kernel "$kernel" -name "$name" -module "$module" -crctl bin/crctl -suite "$suite" "$@"; }

# depends prints a line that changes with everything that the results depend on,
# and fails without git: then nobody says which files are sources.
depends() {
	{
		git ls-files -coz --exclude-standard -- go.mod go.sum cmd image internal kmod kselftest netlinkapi scripts |
			sort -zu | xargs -0 sha256sum && echo "$kernel" && go version && gcc --version && qemu-system-x86_64 --version
	} 2>/dev/null | sha256sum
}

if [ "$whole" != yes ] || ! now=$(depends); then
	run "$@"
	exit
fi
kept=$CACHE/passed/$name
if [ -z "${FRESH:-}" ] && [ -f "$kept" ] && [ "$(head -n 1 "$kept")" = "$now" ]; then
	echo "# cached: these are the results of $(date -r "$kept" '+%F %H:%M'), nothing has changed since; FRESH=1 runs the suite again"
	exec tail -n +2 "$kept"
fi
mkdir -p "$CACHE/passed" out
echo "$now" >"out/passed-$name"
run "$@" | tee -a "out/passed-$name"
mv "out/passed-$name" "$kept"
