#!/bin/bash
# SPDX-License-Identifier: MIT
#
# install-module.sh  installs ckpt.ko; make install calls it
#
# With dkms the module is built again for each kernel that is installed later.
# Without, or into a DESTDIR, it is built once and put below /lib/modules.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
cd "$here/.."
: "${KDIR:?}" "${VERSION:?}"
DESTDIR=${DESTDIR-}

if [ -z "$DESTDIR" ] && command -v dkms >/dev/null; then
	src=/usr/src/crctl-$VERSION
	[ -w /usr/src ] || die "/usr/src cannot be written: run make install as root"
	dkms remove "crctl/$VERSION" --all >/dev/null 2>&1 || true
	rm -rf "$src"
	mkdir -p "$src"
	(cd kmod && find . -type f \( -name '*.[chS]' -o -name Kbuild -o -name Makefile -o -name dkms.conf \) ! -name '*.mod.c' \
		-exec cp --parents -t "$src" {} +)
	dkms add "crctl/$VERSION"
	dkms install "crctl/$VERSION" ${KVER:+-k "$KVER"} ||
		die "dkms could not build the module, see /var/lib/dkms/crctl/$VERSION/build/make.log: are the linux-headers of the kernel installed?"
	exit
fi

ko=$(scripts/kmod.sh "$KDIR")
release=$(basename "$(dirname "$ko")")
dir=$DESTDIR/lib/modules/$release/updates
install -D -m 644 "$ko" "$dir/ckpt.ko" || die "$dir cannot be written: run make install as root, or give DESTDIR="
echo "installed $dir/ckpt.ko"
# A package runs depmod when it is installed.
[ -n "$DESTDIR" ] || depmod "$release"
