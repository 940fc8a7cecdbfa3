#!/usr/bin/env bash
# Replays, with curl and jq, what pipelines, integrations, connectors and storage triggers send. Ends with 0 when every answer is as documented.
# usage: check.sh DIRECTORY, with TOTE_URL, TOTE_CLIENT, TOTE_SECRET and TOTE_KEY in the environment
set -euo pipefail
dir=$1
service=api/binarystreamobjectservice

fail() {
	echo "$*" >&2
	exit 1
}

# same WHAT GOT WANT
same() { [ "$2" = "$3" ] || fail "$1 is '$2', want '$3'"; }

# post PATH BODY [curl options]: the answer of a request with id and secret
post() {
	curl -sS -X POST "$TOTE_URL/$1" -H 'Content-Type: application/json' -H "auth-client-id: $TOTE_CLIENT" -H "auth-client-secret: $TOTE_SECRET" -d "$2" "${@:3}"
}

first='.response.binaryStreamObjects[0]'

pipeline() { # T1 and T2: prepareUpload, a PUT with nine headers of its own, get
	printf 'a seed package' >"$dir/pack.zip"
	local answer url
	answer=$(post $service/prepareUpload '{"binaryStreamObject":{"id":"guid","type":"seedDataStream","properties":{"objectKey":"pack.zip","originalFileName":"pack.zip"}}}' \
		-H 'x-rdp-version: 8.1' -H 'x-rdp-tenantId: rdp' -H 'x-rdp-clientId: rdpclient' -H 'x-rdp-userId: ops@acme.test' -H 'x-rdp-userRoles: systemadmin')
	same 'properties twice' "$(jq -c "$first | [.properties == .data.properties, (.data | keys)]" <<<"$answer")" '[true,["properties"]]'
	url=$(jq -r "$first.data.properties.uploadURL" <<<"$answer")
	if command -v groovy >/dev/null; then
		same 'the URL that groovy finds' "$(JAVA_HOME=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")") groovy ../groovy/uploadurl.groovy <<<"$answer")" "$url"
	fi
	same 'status of the PUT' "$(curl -sS -o /dev/null -w '%{http_code}' -X PUT "$url" -H 'x-ms-meta-x_rdp_userroles: systemadmin' -H 'x-ms-meta-x_rdp_tenantid: rdp' \
		-H 'x-ms-meta-originalfilename: pack.zip' -H 'x-ms-blob-content-disposition: attachment; filename=pack.zip' -H 'x-ms-meta-type: disposition' \
		-H 'x-ms-meta-x_rdp_clientid: rdpclient' -H 'x-ms-meta-x_rdp_userid: ops@acme.test' -H 'x-ms-meta-binarystreamobjectid: guid' \
		-H 'x-ms-blob-type: BlockBlob' -H 'Content-Type: application/zip' --data-binary "@$dir/pack.zip")" 201
	same contentSize "$(post $service/get '{"params":{"query":{"id":"guid"}}}' | jq "$first.properties.contentSize")" 14
}

facade() { # T3: an array, the id for the key, and the same bytes back
	local url
	url=$(post data/binarystreamobjectservice/prepareDownload '[{"binaryStreamObject":{"id":"pack.zip","type":"binarystreamobject","data":{}}}]' | jq -r "$first.properties.downloadURL")
	curl -sSf -D "$dir/headers" -o "$dir/back.zip" "$url"
	cmp "$dir/pack.zip" "$dir/back.zip" || fail 'other bytes came back'
	grep -qi '^content-disposition: attachment; filename=pack.zip' "$dir/headers" || fail "no disposition: $(cat "$dir/headers")"
	same 'nothing found' "$(post data/binarystreamobjectservice/prepareDownload '[{"binaryStreamObject":{"id":"none"}}]' | jq -r .response.statusDetail.code)" RSUI0001
}

continuous() { # T4: one URL, two files, two objects
	local url i
	url=$(post $service/uploadContinuous '{"binaryStreamObject":{"id":"x","type":"bulk"}}' | jq -r "$first.properties.uploadContinuousURL")
	for i in 1 2; do
		curl -sSf -X PUT "$(sed "s/replacementObjectKey/bulk-$i.bin/" <<<"$url")" -H 'x-ms-blob-type: BlockBlob' --data-binary "file $i"
	done
	same 'different ids' "$(post $service/get '{"params":{"query":{"filters":{"typesCriterion":["bulk"]}}}}' | jq '[.response.binaryStreamObjects[].id] | unique | length')" 2
}

tenantForm() { # T5 and the older authentication: the tenant in the path, a time in the query, a signature over it
	local query token
	query="timeStamp=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)"
	token=$(printf %s "$query" | openssl dgst -sha256 -hmac "$TOTE_KEY" -binary | base64)
	same 'signed request' "$(curl -sS -X POST "$TOTE_URL/rdp/$service/get?$query" -H "x-rdp-authtoken: $token" -d '{"params":{"query":{"id":"guid"}}}' | jq -r .response.status)" success
	same 'tampered time' "$(curl -sS -X POST "$TOTE_URL/rdp/$service/get?$query&x=1" -H "x-rdp-authtoken: $token" -d '{}' -w '%{http_code}' | tail -c 3)" 401
}

trigger() { # T6: the storage trigger registers an upload
	same create "$(post "rdp/$service/create?timeStamp=2026-01-02T03:04:05.678Z" '{"clientAttributes":{"taskId":{"values":[{"locale":"en-US","source":"internal","value":"1"}]}},
		"binaryStreamObject":{"id":"b1","type":"binarystreamobject","properties":{"objectKey":"b1.png","originalFileName":"b1.png"}}}' | jq -c '[.response.status, .response.totalRecords, .request.params]')" \
		'["success",0,{}]'
}

refusals() { # T7: tampered, wrong verb, missing
	local url
	url=$(post $service/prepareDownload '{"binaryStreamObject":{"properties":{"objectKey":"pack.zip"}}}' | jq -r "$first.properties.downloadURL")
	same tampered "$(curl -sS -o "$dir/error" -D - "${url/pack.zip/other.zip}" | tr -d '\r' | awk 'NR==1{s=$2} tolower($1)=="x-ms-error-code:"{print s, $2}')" '403 AuthenticationFailed'
	grep -q '<Error><Code>AuthenticationFailed</Code>' "$dir/error" || fail "no XML: $(cat "$dir/error")"
	same 'wrong verb' "$(curl -sS -o /dev/null -D - -X PUT -d x "$url" | tr -d '\r' | awk 'NR==1{s=$2} tolower($1)=="x-ms-error-code:"{print s, $2}')" '403 AuthorizationPermissionMismatch'
	url=$(post $service/downloadContinuous '{"binaryStreamObject":{"type":"bulk"}}' | jq -r "$first.properties.downloadContinuousURL")
	same missing "$(curl -sS -o /dev/null -D - "$url" | tr -d '\r' | awk 'NR==1{s=$2} tolower($1)=="x-ms-error-code:"{print s, $2}')" '404 BlobNotFound'
	same 'out of scope' "$(post api/adminservice/deploytenantseed '{}' -w '%{http_code}' | tail -c 3)" 404
}

connector() { # T8: a constant id, another spelling of the type
	same 'id and type' "$(post $service/prepareDownload '{"binaryStreamObject":{"id":"c","type":"BinaryStreamObject","properties":{"objectKey":"pack.zip","originalFileName":"pack.zip"}},
		"returnRequest":false,"params":{}}' | jq -c "$first | [.id, .type]")" '["c","BinaryStreamObject"]'
}

integration() { # upload, create, get, download, update, delete
	local url
	url=$(post $service/prepareUpload '{"binaryStreamObject":{"id":"i1","type":"poster","properties":{"objectKey":"i1.txt","role":"vendor"}}}' | jq -r "$first.properties.uploadURL")
	curl -sSf -X PUT "$url" --data-binary 'poster'
	post $service/create '{"binaryStreamObject":{"id":"i1","type":"poster","properties":{"objectKey":"i1.txt","role":"vendor","size":"A1"},"data":{"attributes":{"a":1}}}}' >/dev/null
	post $service/update '{"binaryStreamObject":{"id":"i1","type":"poster","properties":{"role":"editor"}}}' >/dev/null
	same 'after update' "$(post $service/get '{"params":{"query":{"id":"i1"},"fields":{"attributes":["_ALL"]}}}' | jq -c "$first | [.properties.role, .properties.size, .properties.contentSize, .data.attributes.a]")" '["editor","A1",6,1]'
	same delete "$(post $service/delete '{"binaryStreamObject":{"id":"i1","type":"poster"}}' | jq -r .response.statusDetail.message)" 'delete accepted for entity Id : i1'
	same 'after delete' "$(post $service/get '{"params":{"query":{"id":"i1"}}}' | jq -c '[.response.status, .response.totalRecords]')" '["success",0]'
}

for step in pipeline facade continuous tenantForm trigger refusals connector integration; do
	$step
	echo "$step ok"
done
