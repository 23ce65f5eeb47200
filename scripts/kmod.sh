#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kmod.sh KDIR [MAKE-ARGUMENT...]  builds the module for the kernel of KDIR
#
# in out/kmod/RELEASE (or $OUT/RELEASE), a tree of links to kmod/, and prints
# where ckpt.ko is. So the modules of several kernels are there at once, and a
# change to one file compiles one file for each of them.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
top=$(dirname "$here")

[ $# -gt 0 ] || { sed -n '4,8s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
kdir=$1
shift
[ -f "$kdir/Makefile" ] ||
	die "$kdir is no folder to build modules in: install the linux-headers package of that kernel, or give KDIR= another one"
# What the module will say it is for. Debian's kernel.release says less.
release=$(sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' "$kdir/include/generated/utsrelease.h" 2>/dev/null) || true
[ -n "$release" ] ||
	die "$kdir does not say what kernel it is for: prepare it with 'make modules_prepare' there"
out=${OUT:-$top/out/kmod}/$release
mkdir -p "$out"

# Parallel runs for one kernel would build in each other's way.
exec 8>"$out/.lock"
flock 8
(cd "$top/kmod" && find . -type d) | (cd "$out" && xargs mkdir -p)
find "$out" -type l -delete
(cd "$top/kmod" && find . -type f \( -name '*.[chS]' -o -name Kbuild \) ! -name '*.mod.c') |
	while read -r f; do ln -s "$top/kmod/$f" "$out/$f"; done

# The type information of 6.12's modules would need pahole, and nobody reads it.
if ! make -C "$kdir" M="$out" -j "$(nproc)" CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules >"$out/build.log" 2>&1; then
	cat "$out/build.log" >&2
	die "the module does not build for $release (KDIR=$kdir): the compiler's words are above"
fi
grep -E 'warning|WARNING' -A 5 "$out/build.log" >&2 || true
echo "$out/ckpt.ko"
