#!/usr/bin/env bash
# Replays requests of clients of the inventory and event APIs that can't be run here: the Java SDK, thin-edge, scripts. Ends with 0 when all is as
# they expect.
set -euo pipefail
B=$TOTE_URL
cd "$TOTE_DIR"
# The password comes from a file: arguments show in ps.
printf 'user = "%s/%s:%s"\n' "$TOTE_TENANT" "$TOTE_USER" "$TOTE_PASSWORD" >login
c() { curl -sS -K login "$@"; }

fail() { echo "$1: got $2, want $3" >&2; exit 1; }
same() { [ "$2" = "$3" ] || fail "$1" "$2" "$3"; }
json='Accept: application/json'

printf abc >a.txt
printf 0123456789 >ten.bin

# Java: object, filesize and file, in this order; --data of the file without a name.
ID=$(c -H "$json" -F 'object={"name":"a.txt","type":"text/plain"};type=application/json' -F filesize=3 -F 'file=@a.txt;type=text/plain' "$B/inventory/binaries" | jq -r .id)
same java "$(c "$B/inventory/binaries/$ID")" abc
# It finds the paths by itself.
OBJECTS=$(c "$B/platform" | jq -r .inventory.managedObjects.self)
same 'java: list' "$(c "${OBJECTS/managedObjects/binaries}?pageSize=100" | jq -r '.managedObjects[0].id')" "$ID"
# Any Accept asks for a body, none for an empty one ("Accept;" sends an empty header, "Accept:" none).
for a in 'Accept;' 'Accept:'; do
	same "empty with $a" "$(c -X POST -H "$a" -F 'object={}' -F file=@a.txt "$B/inventory/binaries" -o body -w '%{http_code} %{size_download}')" '201 0'
done
c -X POST -H 'Accept: */*' -F file=@a.txt "$B/inventory/binaries" | jq -e .id >/dev/null
same resume "$(c -r 2- -D head "$B/inventory/binaries/$ID" -w ' %{http_code}')" 'c 206'
grep -qi '^content-range: bytes 2-2/3' head || fail 'Content-Range' "$(cat head)" 'bytes 2-2/3'
same 'wrong filesize' "$(c -F filesize=4 -F file=@a.txt "$B/inventory/binaries" -o body -w '%{http_code}')" 422

S=$(c -H "$json" -H 'Content-Type: application/json' -d '{"name":"door"}' "$B/inventory/managedObjects" | jq -r .id)
event() {
	c -H "$json" -H 'Content-Type: application/json' -d '{"source":{"id":"'"$S"'"},"type":"door_Photo","text":"door opened","time":"2026-01-02T03:04:05.678Z"}' \
		"$B/event/events" | jq -r .id
}

# thin-edge probes, and sends the type of the body without its boundary first.
E=$(event)
same 'thin-edge: probe' "$(c -I "$B/event/events/$E/binaries" -o /dev/null -w '%{http_code}')" 404
same thin-edge "$(c -H "$json" -F type=text/plain -F 'file=@a.txt' "$B/event/events/$E/binaries" -o body -w '%{http_code}')" 201
same 'thin-edge: source' "$(jq -r .source body)" "$E"

# Raw, and once more.
E=$(event)
same raw "$(c -H 'Content-Type: text/plain' --data-binary @a.txt "$B/event/events/$E/binaries" -o body -w '%{http_code}')" 201
same 'raw: length' "$(jq .length body)" 3
same 'raw again' "$(c -H 'Content-Type: text/plain' --data-binary @a.txt "$B/event/events/$E/binaries" -o body -w '%{http_code}')" 409
same 'raw again: error' "$(jq -r .error body)" Duplicate
same put "$(c -X PUT -H 'Content-Type: application/octet-stream' -H 'Content-Disposition: attachment; filename="b.bin"' --data-binary @ten.bin "$B/event/events/$E/binaries" -o body -w '%{http_code}')" 201
same 'put: name' "$(jq -r .name body)" b.bin
same 'put: fragment' "$(c "$B/event/events/$E" | jq -c .c8y_IsBinary)" '{"length":10,"name":"b.bin","type":"application/octet-stream"}'

# In pieces.
E=$(event)
codes=
while read -r range skip count; do
	codes+=$(dd if=ten.bin bs=1 skip="$skip" count="$count" 2>/dev/null |
		c -w '%{http_code} ' -o body -H "Content-Range: $range" -H 'Content-Type: image/jpeg' --data-binary @- "$B/event/events/$E/binaries")
done <<-'LIST'
	0-3/* 0 4
	4-5/* 4 2
	6-9/10 6 4
LIST
same pieces "$codes" '200 200 201 '
c -D head -o got "$B/event/events/$E/binaries"
cmp got ten.bin
grep -qi '^content-type: image/jpeg' head || fail 'type of the pieces' "$(cat head)" image/jpeg

# Expect: 100-continue, the form that has the method in a header, and a file of the listing.
same continue "$(c -X PUT -H 'Expect: 100-continue' --data-binary @ten.bin "$B/event/events/$E/binaries" -o body -w '%{http_code}')" 201
same 'method in a header' "$(c -X POST -H 'X-HTTP-METHOD: DELETE' "$B/event/events/$E" -o body -w '%{http_code}')" 204
same attachments "$(c "$B/event/events?fragmentType=c8y_IsBinary&pageSize=100" | jq '.events | length')" 2
same 'no login' "$(curl -sS "$B/inventory/binaries" -o body -w '%{http_code}')" 401
grep -q 'Invalid credentials' body
