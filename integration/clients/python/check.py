"""Uses signed URLs with the Python SDK of the service that they imitate. Ends with 0 when all is as expected."""

import json
import os
import urllib.request

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, ContentSettings


def prepare(op, member, key):
    body = {"binaryStreamObject": {"type": "binarystreamobject", "properties": {"objectKey": key}}}
    request = urllib.request.Request(
        os.environ["TOTE_URL"] + "/api/binarystreamobjectservice/" + op,
        json.dumps(body).encode(),
        {
            "Content-Type": "application/json",
            "auth-client-id": os.environ["TOTE_CLIENT"],
            "auth-client-secret": os.environ["TOTE_SECRET"],
        },
    )
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    return answer["response"]["binaryStreamObjects"][0]["properties"][member]


def upload(key, **options):
    return BlobClient.from_blob_url(prepare("prepareUpload", "uploadURL", key), **options)


def download(key):
    return BlobClient.from_blob_url(prepare("prepareDownload", "downloadURL", key), max_single_get_size=1 << 20, max_chunk_get_size=1 << 20)


def refused(status, kind, call, *args, **options):
    try:
        call(*args, **options)
    except kind as e:
        assert e.status_code == status, e
        return
    raise AssertionError("not refused")


data = os.urandom(5_000_003)
blocks = upload("py/blocks.bin", max_single_put_size=1 << 20, max_block_size=1 << 20)
blocks.upload_blob(data, overwrite=True, max_concurrency=4, metadata={"shade": "light"}, content_settings=ContentSettings(content_type="image/png"))
reader = download("py/blocks.bin")
assert reader.download_blob(max_concurrency=3).readall() == data
properties = reader.get_blob_properties()
assert properties.size == len(data) and properties.content_settings.content_type == "image/png" and properties.metadata["shade"] == "light", properties

whole = upload("py/whole.txt")
whole.upload_blob(b"whole", overwrite=True)
refused(409, ResourceExistsError, whole.upload_blob, b"again", overwrite=False)
assert download("py/whole.txt").download_blob(offset=1, length=3).readall() == b"hol"

upload("py/empty").upload_blob(b"", overwrite=True)
assert download("py/empty").download_blob().readall() == b""

refused(403, HttpResponseError, whole.delete_blob)
refused(400, HttpResponseError, whole.commit_block_list, ["none"])
missing = prepare("downloadContinuous", "downloadContinuousURL", "none").replace("replacementObjectKey", "py/missing")
refused(404, ResourceNotFoundError, BlobClient.from_blob_url(missing).download_blob)
