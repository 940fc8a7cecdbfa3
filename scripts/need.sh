#!/usr/bin/env bash
# Makes sure that programs are there, on Debian and Ubuntu by installing their packages. Asks apt only when something is missing.
# usage: scripts/need.sh gcc fusermount3 litmus ...
set -euo pipefail

package_of() {
	case $1 in
	gcc) echo gcc libc6-dev ;;
	fusermount3) echo fuse3 ;;
	ceph) echo ceph-common ;;
	*) echo "$1" ;;
	esac
}

# present PROGRAM: is it there and usable? A compiler without the headers of the C library is not.
present() {
	command -v "$1" >/dev/null || return 1
	[ "$1" != gcc ] || echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1
}

missing=() packages=()
for program in "$@"; do
	present "$program" && continue
	missing+=("$program")
	read -ra names <<<"$(package_of "$program")"
	packages+=("${names[@]}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
	root=(sudo)
	[ -t 0 ] || root=(sudo -n)
fi
command="apt-get install -y --no-install-recommends ${packages[*]}"
if ! command -v apt-get >/dev/null || { [ ${#root[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
	echo "missing: ${missing[*]}. Please install them; on Debian and Ubuntu, as root: $command" >&2
	exit 1
fi

echo "installing ${packages[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { ${root[@]+"${root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >>"$log" 2>&1; }
apt update || true # an old list may do
if ! apt install -y --no-install-recommends "${packages[@]}"; then
	tail -n 20 "$log" >&2
	echo "that failed. As root, try: $command" >&2
	exit 1
fi
