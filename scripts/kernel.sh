#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel.sh stock|6.12|debug|source  fetches or builds a kernel to test with
#
#   stock   the newest 6.1 kernel of bookworm
#   6.12    the newest kernel of bookworm-backports
#   debug   6.1 with KASAN, lockdep, kmemleak, fault injection (debug.config)
#   source  only the source of 6.1, for checkpatch and for debug
#
# and prints one line, the directory where it is:
#
#   vmlinuz  release                  the kernel
#   vmlinux                           the same for PVH, faster; debug has none
#   modules/lib/modules/RELEASE/      its modules, uncompressed, with modules.dep
#   build                             for make -C build M=...
#
# Everything is under ${XDG_CACHE_HOME:-~/.cache}/crctl and made once: the
# second run needs neither network nor time. Remove a directory to get the
# newest again. Nothing is installed on the machine and root is not needed.

set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"

usage() { sed -n '4,21s/^# \?//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# unpack_vmlinuz BZIMAGE VMLINUX takes the ELF kernel out of a bzImage; the
# boot protocol (Documentation/x86/boot.rst) says where in the file it is.
unpack_vmlinuz() {
	local image=$1 sects offset length payload magic
	num() { od -An -v -t "$1" -j "$2" -N "$3" "$image" | tr -d ' '; }
	sects=$(num u1 $((0x1f1)) 1)
	offset=$(num u4 $((0x248)) 4)
	length=$(num u4 $((0x24c)) 4)
	payload=$(((sects + 1) * 512 + offset))
	magic=$(od -An -v -t x1 -j "$payload" -N 4 "$image" | tr -d ' ')
	# The last four bytes are the unpacked size, put there by the kernel's
	# build; xz and zstd take them for garbage.
	tail -c +$((payload + 1)) "$image" | head -c $((length - 4)) |
		case $magic in
		fd377a58) xz -dc ;;
		28b52ffd) zstd -dcq ;;
		1f8b*) gzip -dc ;;
		*) die "$image is packed with a method that this script does not know (magic $magic): add it to unpack_vmlinuz" ;;
		esac >"$2" || true
	[ "$(head -c 4 "$2" | od -An -t x1)" = " 7f 45 4c 46" ] ||
		die "no kernel came out of $image: the file is damaged, remove its directory and run this again"
}

# newest SUITE META PATTERN prints the release, version and full package name
# of the newest kernel that the metapackage META depends on.
newest() {
	apt_private "$1" apt-cache show "$2" | awk -v pat="$3" '
		/^Version:/ { v = $2 }
		/^Depends:/ { if (match($0, "linux-image-" pat "[^ ,]*")) print v, substr($0, RSTART, RLENGTH) }
	' | sort -k1,1V | tail -n 1
}

# fetch NAME SUITE PATTERN gets image and headers of a Debian kernel.
fetch() {
	local name=$1 suite=$2 pattern=$3 version image release root common kbuild mod dir
	apt_private_update "$suite"
	read -r version image < <(newest "$suite" linux-image-amd64 "$pattern") ||
		die "$suite has no linux-image-amd64 for $pattern: look at apt-cache policy linux-image-amd64, the suite may have moved on"
	release=${image#linux-image-}
	dir=$CACHE/kernels/$name-$release
	say "$name is $release, Debian version $version"
	tmp=$(mktemp -d "$CACHE/kernels/.$name.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT # not local: the trap runs after the function
	common=linux-headers-${release%-amd64}-common
	kbuild=$(apt_private "$suite" apt-cache depends --important "linux-headers-$release" |
		awk '$1 == "Depends:" && $2 ~ /^linux-kbuild-/ { print $2; exit }')
	[ -n "$kbuild" ] || die "linux-headers-$release of $suite names no linux-kbuild package: the archive is in motion, try again later"
	apt_private_get "$suite" "$tmp" "$image" "linux-headers-$release" "$common" "$kbuild"
	root=$tmp/root

	mkdir -p "$tmp/out/modules/lib/modules"
	mv "$root/boot/vmlinuz-$release" "$tmp/out/vmlinuz"
	unpack_vmlinuz "$tmp/out/vmlinuz" "$tmp/out/vmlinux"

	# Drivers of hardware that no guest has are nine tenths of the tree.
	mod=$root/usr/lib/modules
	[ -d "$mod" ] || mod=$root/lib/modules
	mv "$mod/$release" "$tmp/out/modules/lib/modules/"
	mod=$tmp/out/modules/lib/modules/$release
	(cd "$mod/kernel" && rm -rf sound drivers/{gpu,media,infiniband,iio,hid,usb,scsi,ata,hwmon,mtd,isdn,staging,input,video} \
		drivers/net/{ethernet,wireless,usb,can,phy})
	rm -f "$mod/build" "$mod/source"
	say "unpacking the modules"
	find "$mod" -name '*.ko.xz' -print0 | xargs -0r -P "$(nproc)" -n 100 xz -d
	find "$mod" -name '*.ko.zst' -print0 | xargs -0r -P "$(nproc)" -n 100 zstd -dq --rm
	PATH=$PATH:/sbin:/usr/sbin depmod -b "$tmp/out/modules" "$release" 2>/dev/null ||
		die "depmod failed for $release: is the package kmod installed? (scripts/deps.sh test installs it)"

	# The headers are made for /usr/src and /usr/lib; what they say there is
	# rewritten to where they are.
	mkdir -p "$tmp/out/headers"
	mv "$root"/usr/src/* "$tmp/out/headers/"
	mv "$root/usr/lib/$kbuild" "$tmp/out/headers/kbuild"
	local h=headers/linux-headers-$release c=headers/$common link
	for link in "$tmp/out/$h" "$tmp/out/$c"; do
		for mod in scripts tools; do
			[ -L "$link/$mod" ] || continue
			ln -sfn "../kbuild/$mod" "$link/$mod"
		done
	done
	sed -i "s|/usr/src/$common|$dir/$c|" "$tmp/out/$h/Makefile"
	ln -s "$h" "$tmp/out/build"
	echo "$release" >"$tmp/out/release"
	echo "$version" >"$tmp/out/version"
	chmod 755 "$tmp/out"
	mv -T "$tmp/out" "$dir"
	echo "$dir"
}

# source_dir makes sure that the source of 6.1 is there.
source_dir() {
	local dir=$CACHE/linux-source-6.1 version
	if [ ! -f "$dir/.debian-version" ]; then
		apt_private_update bookworm
		tmp=$(mktemp -d "$CACHE/kernels/.source.XXXXXX")
		trap 'rm -rf "$tmp"' EXIT
		version=$(apt_private bookworm apt-cache show linux-source-6.1 | awk '/^Version:/ { print $2 }' | sort -V | tail -n 1)
		[ -n "$version" ] || die "bookworm has no linux-source-6.1: check the mirror in $CACHE/apt/bookworm/sources.list"
		apt_private_get bookworm "$tmp" "linux-source-6.1=$version"
		say "unpacking linux-source-6.1 $version"
		tar -C "$tmp" -xf "$tmp/root/usr/src/linux-source-6.1.tar.xz" || die "unpacking linux-source-6.1 failed: is the disk of $CACHE full?"
		echo "$version" >"$tmp/linux-source-6.1/.debian-version"
		rm -rf "$dir"
		mv -T "$tmp/linux-source-6.1" "$dir"
	fi
	echo "$dir"
}

# debug_key is the name of this source with this configuration.
debug_key() { cat "$here/debug.config" "$CACHE/linux-source-6.1/.debian-version" | sha256sum | cut -c1-8; }

# progress FILE TOTAL shows how far a build is, without its thousands of lines.
progress() {
	local start=$SECONDS pid=$1 log=$2 total=$3 last=-60 n
	while kill -0 "$pid" 2>/dev/null; do
		if ((SECONDS - last >= 60)); then
			last=$SECONDS
			n=$(grep -c '^  CC ' "$log" || true)
			say "debug kernel: $n of about $total files compiled, $(((SECONDS - start) / 60)) min"
		fi
		sleep 1
	done
}

# build_debug builds where it will not be mistaken for a finished kernel, but
# under a name that the next run finds: what was compiled is not lost.
build_debug() {
	local src key build dir release missing line log
	src=$("$here/kernel.sh" source)
	key=$(debug_key)
	build=$CACHE/kernels/.build-debug-$key
	log=$build/build.log
	mkdir -p "$build"
	touch "$log"
	(
		cd "$src"
		make -s O="$build" x86_64_defconfig
		scripts/kconfig/merge_config.sh -m -O "$build" "$build/.config" "$here/debug.config"
		echo "CONFIG_LOCALVERSION=\"-debug-$key\"" >>"$build/.config"
		make -s O="$build" olddefconfig
	) >"$build/config.log" 2>&1 || {
		tail -n 20 "$build/config.log" >&2
		die "configuring the debug kernel failed, see $build/config.log: are flex, bison and bc installed? (scripts/deps.sh test installs them)"
	}
	# An option whose dependencies changed vanishes without a word, and with
	# it what the debug kernel is for.
	missing=
	while read -r line; do
		grep -qxF -- "$line" "$build/.config" || missing+=" $line"
	done < <(grep '^CONFIG_' "$here/debug.config")
	[ -z "$missing" ] || die "scripts/debug.config asks for what this kernel cannot have:$missing (see $build/config.log)"

	say "building the debug kernel in $build (10 to 20 minutes on two processors, once)"
	# Appended, so that a run that goes on counts from where the last one was.
	make -C "$build" -j "$(nproc)" vmlinux bzImage modules >>"$log" 2>&1 &
	pid=$!
	trap 'kill "$pid" 2>/dev/null || true' EXIT
	progress "$pid" "$log" 2000
	wait "$pid" || {
		tail -n 200 "$log" | grep -E -m 10 'error|Error' >&2 || tail -n 10 "$log" >&2
		die "building the debug kernel failed, see $log: when it says that there is no space or memory, make some and run this again; it goes on where it stopped"
	}
	trap - EXIT
	release=$(cat "$build/include/config/kernel.release")
	dir=$CACHE/kernels/debug-$release
	tmp=$(mktemp -d "$CACHE/kernels/.debug.XXXXXX")
	chmod 755 "$tmp"
	mkdir -p "$tmp/modules/lib/modules/$release"
	make -s -C "$build" INSTALL_MOD_PATH="$tmp/modules" modules_install >>"$log" 2>&1 ||
		die "installing the modules of the debug kernel failed, see $log"
	rm -f "$tmp/modules/lib/modules/$release"/{build,source}
	# No vmlinux: PVH's entry runs before KASAN's shadow is mapped, and faults.
	cp "$build/arch/x86/boot/bzImage" "$tmp/vmlinuz"
	echo "$release" >"$tmp/release"
	cat "$src/.debian-version" >"$tmp/version"
	# What is needed to build modules stays, two gigabytes of objects go.
	find "$build" -path "$build/tools" -prune -o -path "$build/scripts" -prune -o \
		\( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name 'vmlinux*' -o -name '.tmp_*' \) \
		! -name vmlinux.symvers -type f -exec rm -f {} +
	rm -rf "$build/arch/x86/boot"
	mv -T "$build" "$tmp/build"
	rm -rf "$dir"
	mv -T "$tmp" "$dir"
	echo "$dir"
}

# have PATTERN prints the newest finished directory of that name.
have() {
	local d
	# shellcheck disable=SC2012,SC2086 # a pattern; the names are ours, without blanks
	d=$(ls -d "$CACHE"/kernels/$1/release 2>/dev/null | sort -V | tail -n 1)
	[ -n "$d" ] && dirname "$d"
}

main() {
	[ $# = 1 ] || usage
	mkdir -p "$CACHE/kernels" || die "the cache folder $CACHE cannot be made: set XDG_CACHE_HOME to a folder that can be written"
	# Two makes at once shall not fetch or build the same thing twice.
	exec 9>"$CACHE/kernels/.lock-$1"
	flock -n 9 || { say "another run is making $1, waiting for it"; flock 9; }

	case $1 in
	stock) have 'stock-*' || fetch stock bookworm '6[.]1[.]' ;;
	6.12) have '6.12-*' || fetch 6.12 bookworm-backports '6[.]12[.]' ;;
	debug) { [ -f "$CACHE/linux-source-6.1/.debian-version" ] && have "debug-*-debug-$(debug_key)"; } || build_debug ;;
	source) source_dir ;;
	*) usage ;;
	esac
}

# On one line: bash reads on when a function returns, and an update of the
# checkout in the twelve minutes of a build would make it read anything.
main "$@"; exit
