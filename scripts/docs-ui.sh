#!/usr/bin/env bash
# Fetches the files of Swagger UI that the page at /docs is made of, and packs them for the binary.
# usage: scripts/docs-ui.sh VERSION
set -euo pipefail
[ $# = 1 ] || { sed -n '3s/^# //p' "$0" >&2; exit 2; }
to=$(realpath "$(dirname "$0")/../restapi/apidoc/ui")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
tar -xf "$(npm pack --silent "swagger-ui-dist@$1")"
for file in swagger-ui-bundle.js swagger-ui.css; do
	gzip -9nc "package/$file" >"$to/$file.gz"
done
cp package/{LICENSE,NOTICE,swagger-ui-bundle.js.LICENSE.txt} "$to"
echo "$1" >"$to/VERSION"
