#!/bin/bash
# SPDX-License-Identifier: MIT
#
# deps.sh [-n] build|debug|test|bench|lint...  installs what a task lacks
#
#   build   crctl and the module       debug   the debug kernel
#   test    the suite and the demo     bench   the comparison with criu
#   lint    make lint
#
# With -n it installs nothing, and fails when something is missing. Nothing
# that is installed is touched, and apt's configuration stays as it is.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin

# libelf1 is what the objtool of Debian's headers is linked with.
build=(gcc gcc-12 make libc6-dev libelf1 kmod xz-utils zstd ca-certificates)
debug=("${build[@]}" bc bison flex libelf-dev libssl-dev rsync cpio)
# The guest's root is made of the host's files: these run in it.
test=("${build[@]}" qemu-system-x86 e2fsprogs cpio busybox-static
	bash coreutils findutils gawk grep sed tar gzip procps psmisc util-linux mount
	iproute2 hostname python3 sqlite3 tmux redis-server nginx-light postgresql)
bench=("${test[@]}" criu)
lint=("${build[@]}" sparse shellcheck perl git)
# Installing these starts them and makes the next boot start them. The tests
# run them in a guest only.
services=(redis-server nginx postgresql)

check=
[ "${1-}" = -n ] && { check=1; shift; }
want=()
for set in "$@"; do
	case $set in
	build) want+=("${build[@]}") ;;
	debug) want+=("${debug[@]}") ;;
	test) want+=("${test[@]}") ;;
	bench) want+=("${bench[@]}") ;;
	lint) want+=("${lint[@]}") ;;
	*) die "there is no set '$set': the sets are build, debug, test, bench, lint" ;;
	esac
done
[ $# -gt 0 ] || die "say what for: build, debug, test, bench, lint"

missing=()
for p in "${want[@]}"; do
	case " ${missing[*]} " in *" $p "*) continue ;; esac
	s=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) || s=
	# A full nginx serves as well as the light one.
	[ "$p" = nginx-light ] && [ -z "$s" ] && command -v nginx >/dev/null && continue
	[ "$s" = installed ] || missing+=("$p")
done

# From Go 1.21 on, go fetches the toolchain that go.mod asks for.
go_usable() {
	local v need
	need=$(awk '$1 == "go" { print $2; exit }' "$here/../go.mod")
	v=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
	v=${v#go}
	[ "$(printf '%s\n' "$v" "$need" | sort -V | head -n 1)" = "$need" ] && return
	[ "$(printf '%s\n' "$v" 1.21 | sort -V | head -n 1)" = 1.21 ] && [ "${GOTOOLCHAIN:-auto}" != local ]
}
go_missing=
go_usable || go_missing=1

[ ${#missing[@]} -gt 0 ] || [ -n "$go_missing" ] || exit 0
what="${missing[*]}${go_missing:+ golang-go(bookworm-backports)}"
[ -z "$check" ] || die "missing on this machine: $what; install with: scripts/deps.sh $*"
command -v apt-get >/dev/null ||
	die "missing on this machine: $what, and apt-get is not there to install it: run this on Debian 12, or install these yourself"

AS_ROOT=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null ||
		die "installing $what needs root, and sudo is not there: become root and run scripts/deps.sh $*"
	AS_ROOT=(sudo)
fi
say "installing $what"
log=$(mktemp)
tmp=$(mktemp -d)
policy=/usr/sbin/policy-rc.d
made_policy=
cleanup() {
	rm -rf "$log"
	"${AS_ROOT[@]}" rm -rf "$tmp"
	[ -z "$made_policy" ] || "${AS_ROOT[@]}" rm -f "$policy"
}
trap cleanup EXIT

# install_quietly COMMAND... keeps apt's hundreds of lines for the case of an error.
install_quietly() {
	"${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive "$@" </dev/null >"$log" 2>&1
}

failed() {
	tail -n 15 "$log" >&2
	die "apt-get could not install $what: read its words above, repair that (apt-get update, the network, free disk space), and run scripts/deps.sh $* again"
}

start=()
for p in "${services[@]}"; do
	case " ${missing[*]} " in *" $p"*) start+=("$p") ;; esac
done
if [ ${#start[@]} -gt 0 ] && [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$tmp/policy"
	made_policy=1
	"${AS_ROOT[@]}" install -m 755 "$tmp/policy" "$policy"
fi
if [ ${#missing[@]} -gt 0 ]; then
	install_quietly apt-get install -qy --no-install-recommends "${missing[@]}" || {
		say "the package lists may be old: running apt-get update"
		install_quietly apt-get update -q || failed "$@"
		install_quietly apt-get install -qy --no-install-recommends "${missing[@]}" || failed "$@"
	}
fi
for p in "${start[@]}"; do
	[ ! -d /run/systemd/system ] || "${AS_ROOT[@]}" systemctl disable -q "$p" 2>/dev/null || true
done
if [ -n "$go_missing" ]; then
	apt_private_update bookworm-backports
	# Archives of root's do not belong into a user's cache.
	mkdir -p "$tmp/cache/archives/partial"
	RUN=("${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive)
	apt_private bookworm-backports apt-get install -qy --no-install-recommends \
		-o Dir::Cache="$tmp/cache" golang-go </dev/null >"$log" 2>&1 || failed "$@"
	hash -r
	go_usable || die "the go of bookworm-backports ($(go version 2>&1)) is older than go.mod asks for and may not fetch a newer one: unset GOTOOLCHAIN, or install Go by hand"
fi
