# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What deps.sh and kernel.sh share: messages, and packages that the machine's
# own apt configuration does not offer. Sourced, not run.

# Variables for the scripts that source this file.
# shellcheck disable=SC2034
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/crctl
ME=${0##*/}

# A make that calls these scripts has variables and flags of its own, which
# the kernel's makefiles would take for theirs.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL KERNELRELEASE

# The result of a script goes to stdout; whatever a person reads, to stderr.
say() { echo "$ME: $*" >&2; }
die() { echo "$ME: error: $*" >&2; exit 1; }

# mirror PATTERN FALLBACK prints the first archive URI of the machine's own apt
# configuration that matches, in either format of sources files.
mirror() {
	local uri
	uri=$(find /etc/apt/sources.list /etc/apt/sources.list.d -type f \
		\( -name '*.list' -o -name '*.sources' \) -exec cat {} + 2>/dev/null |
		grep -E '^(deb |URIs:)' | grep -oE '[a-z+]+:/[^] ]+' |
		grep -E -m1 -- "$1") || true
	echo "${uri:-$2}"
}

# apt_private SUITE COMMAND... runs an apt program on bookworm or
# bookworm-backports, with its own lists: neither suite need be among the
# machine's sources, and those are the user's to edit, not ours. The caller sets
# RUN to what shall run the program, such as sudo; downloads need no root.
RUN=()
apt_private() {
	local suite=$1 cmd=$2 dir
	shift 2
	dir=$CACHE/apt/$suite
	"${RUN[@]}" "$cmd" -q \
		-o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null \
		-o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State::lists="$dir/lists" \
		-o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User=root \
		-o APT::Update::Post-Invoke::= \
		-o Acquire::Retries=3 \
		"$@"
}

# apt_private_update SUITE fetches the lists of that suite.
apt_private_update() {
	local suite=$1 dir main
	command -v apt-get >/dev/null ||
		die "apt-get is not on this machine, so Debian packages cannot be fetched: run this on Debian 12, or pass KDIR= of a kernel that you have"
	dir=$CACHE/apt/$suite
	main=$(mirror '/debian/?$' http://deb.debian.org/debian)
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	{
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $main $suite main"
		if [ "$suite" = bookworm ]; then
			echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $main bookworm-updates main"
			echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
				"$(mirror '/debian-security/?$' http://deb.debian.org/debian-security)" \
				"bookworm-security main"
		fi
	} >"$dir/sources.list"
	say "reading the package lists of $suite"
	apt_private "$suite" apt-get update >"$dir/update.log" 2>&1 || {
		tail -n 5 "$dir/update.log" >&2
		die "the package lists of $suite cannot be read from $main: check the network and the mirror in /etc/apt (everything apt said is in $dir/update.log)"
	}
}

# apt_private_get SUITE DIR PACKAGE... downloads and unpacks packages into DIR.
apt_private_get() {
	local suite=$1 dir=$2 deb
	shift 2
	mkdir -p "$dir/deb"
	say "downloading $*"
	(cd "$dir/deb" && apt_private "$suite" apt-get download "$@" >"$dir/download.log" 2>&1) || {
		tail -n 5 "$dir/download.log" >&2
		die "downloading $* from $suite failed: check the network, then run the same command again"
	}
	for deb in "$dir"/deb/*.deb; do
		dpkg -x "$deb" "$dir/root" || die "unpacking $deb failed: is the disk of $CACHE full?"
	done
	rm -rf "$dir/deb" "$dir/download.log"
}
