#!/usr/bin/env bash
# Installs what the tests with real clients need: programs of the distribution, npm modules and Go modules of the helpers below
# integration/clients. What is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need node nodejs
need npm npm
need jq jq
need openssl openssl
need rclone rclone
need java default-jre-headless
need groovy groovy
need mount.davfs davfs2
need cadaver cadaver
need gio gvfs
need dbus-run-session dbus
[ -e /usr/lib/gvfs/gvfsd-dav ] || [ -e /usr/libexec/gvfsd-dav ] || missing+=(gvfs-backends)
/usr/bin/python3 -c 'import azure.storage.blob' 2>/dev/null || missing+=(python3-azure-storage)
/usr/bin/python3 -c 'import webdav3.client' 2>/dev/null || missing+=(python3-webdavclient)
if [ ${#missing[@]} -gt 0 ]; then
	scripts/need.sh "${missing[@]}" || {
		echo "missing: ${missing[*]}" >&2
		exit 1
	}
fi
# The browser that opens the page at /docs: some 400 MB, a minute. Other systems have it under other names; there that one test skips.
command -v chromium >/dev/null || scripts/need.sh chromium || echo "without chromium the page at /docs is not tested" >&2

for lock in integration/clients/*/package-lock.json; do
	[ -e "$lock" ] || continue
	dir=$(dirname "$lock")
	[ "$dir/node_modules/.package-lock.json" -nt "$lock" ] && continue
	echo "npm modules of $dir"
	(cd "$dir" && npm ci --no-audit --no-fund --loglevel=error)
done
for mod in integration/clients/*/go.mod; do
	[ -e "$mod" ] || continue
	(cd "$(dirname "$mod")" && go mod download)
done
