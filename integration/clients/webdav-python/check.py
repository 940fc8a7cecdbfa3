"""Works on the share with Debian's python3-webdavclient, and with the requests that webdav4 sends. Ends with 0 when all is as expected."""

import os
import tempfile
from urllib.parse import quote
from xml.etree import ElementTree

import requests
from webdav3.client import Client

URL = os.environ["TOTE_URL"] + "/dav"
LOGIN = (os.environ["TOTE_USER"], os.environ["TOTE_PASSWORD"])


def library():
    client = Client({"webdav_hostname": URL, "webdav_login": LOGIN[0], "webdav_password": LOGIN[1]})
    assert client.free() > 0
    client.mkdir("python")
    client.mkdir("python/sub dir")
    with tempfile.TemporaryDirectory() as tmp:
        local = os.path.join(tmp, "a.txt")
        with open(local, "w") as f:
            f.write("hello\nmore\n")
        client.upload_sync("python/a.txt", local)
        assert client.check("python/a.txt") and not client.check("python/none")
        assert client.info("python/a.txt")["size"] == "11"
        client.copy("python/a.txt", "python/b.txt")
        client.move("python/a.txt", "python/sub dir/ü b.txt")
        client.download_sync("python/sub dir/ü b.txt", os.path.join(tmp, "back"))
        with open(os.path.join(tmp, "back")) as f:
            assert f.read() == "hello\nmore\n"
    assert set(client.list("python")) >= {"sub dir/", "b.txt"}, client.list("python")


class Session(requests.Session):
    """Sends what webdav4's client sends: depth, overwrite and destination headers, and a body where it asks for properties."""

    def dav(self, method, path, status, **headers):
        data = headers.pop("data", None)
        res = self.request(method, URL + quote(path), data=data, headers={k.replace("_", "-"): v for k, v in headers.items()})
        assert res.status_code == status, (method, path, res.status_code, res.text)
        return res


def webdav4():
    s = Session()
    s.auth = LOGIN
    assert "1" in s.dav("OPTIONS", "/", 200).headers["DAV"]
    s.dav("PUT", "/python/x", 201, data=iter([b"in ", b"chunks"]))
    assert s.dav("GET", "/python/x", 200).content == b"in chunks"
    part = s.dav("GET", "/python/x", 206, Range="bytes=3-")
    assert (part.content, part.headers["Content-Range"]) == (b"chunks", "bytes 3-8/9")
    s.dav("MKCOL", "/python/none/x", 409)
    target = {"Destination": URL + quote("/python/sub dir/copy.txt")}
    s.dav("COPY", "/python/b.txt", 201, Overwrite="F", Depth="infinity", **target)
    s.dav("MOVE", "/python/x", 412, Overwrite="F", **target)
    listing = ElementTree.fromstring(s.dav("PROPFIND", "/python/sub dir", 207, Depth="1").content)
    sizes = [e.text for e in listing.iter("{DAV:}getcontentlength")]
    assert sizes == ["11", "11"], sizes
    body = '<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><D:getlastmodified/></D:prop></D:propfind>'
    one = ElementTree.fromstring(s.dav("PROPFIND", "/python/b.txt", 207, Depth="0", data=body).content)
    tag = one.find(".//{DAV:}getetag").text
    s.dav("DELETE", "/python/b.txt", 412, If_Match='"other"')
    s.dav("DELETE", "/python/b.txt", 204, If_Match=tag)
    s.dav("DELETE", "/python/x", 204)


library()
webdav4()
