#!/bin/bash
# SPDX-License-Identifier: MIT
#
# suite.sh stock|6.12|debug SUITE [RUNNER-ARGUMENT...]  runs a suite in guests
#
# The suites are those of kselftest/runner: test demo bench fuzz soak faults.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
[ $# -ge 2 ] || { sed -n '4,6s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
name=$1 suite=$2
shift 2

cd "$here/.."
kernel=$(scripts/kernel.sh "$name") || exit 1
module=$(scripts/kmod.sh "$kernel/build") || exit 1
# QEMU's table of PCI interrupts is a program; with the debug kernel's checks and
# without KVM it runs into ACPICA's timeout of 30 s, twice. Virtio has MSI-X.
[ "$name" != debug ] || set -- -append pci=noacpi "$@"
exec go run ./kselftest/runner -kernel "$kernel" -name "$name" -module "$module" -crctl bin/crctl -suite "$suite" "$@"
