#!/usr/bin/env bash
# Runs every fuzz target of some packages for a short while: fuzz.sh TIME PACKAGE..., where TIME is as for "go test -fuzztime" (500x, 2m). An input that
# fails is left in the package's testdata/fuzz, to be kept with the mending.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
time=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for pkg in "$@"; do
	# Built once for all targets, and with the instrumentation that finds new paths.
	"$GO" test -c -fuzz=Fuzz -o "$work/fuzz.test" "$pkg"
	for target in $(cd "$pkg" && "$work/fuzz.test" -test.list '^Fuzz'); do
		echo "fuzz $pkg $target"
		(cd "$pkg" && "$work/fuzz.test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$time" -test.fuzzcachedir "$work/cache" -test.timeout 10m | tail -n 100)
	done
done
