"""An S3 store as anybody may look at it: signed requests (AWS Signature Version 4) by the standard library alone."""
import datetime, hashlib, hmac, urllib.error, urllib.parse, urllib.request
import xml.etree.ElementTree

REGION = "eu-1"
SPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Bucket:
    """A bucket of the store at `http://ACCESS:SECRET@HOST:PORT`."""

    def __init__(self, url, name):
        parts = urllib.parse.urlsplit(url)
        self.endpoint, self.host, self.name = f"http://{parts.hostname}:{parts.port}", f"{parts.hostname}:{parts.port}", name
        self.access, self.secret = parts.username, parts.password

    def create(self):
        self._ask("PUT")

    def get(self, key):
        return self._ask("GET", f"/{key}")

    def list(self):
        """Every object's length by its name, a thousand at a time as the protocol has it."""
        found, more = {}, {}
        while True:
            page = xml.etree.ElementTree.fromstring(self._ask("GET", "/", {"list-type": "2", **more}))
            for entry in page.iter(f"{SPACE}Contents"):
                found[entry.findtext(f"{SPACE}Key")] = int(entry.findtext(f"{SPACE}Size"))
            token = page.findtext(f"{SPACE}NextContinuationToken")
            if not token:
                return found
            more = {"continuation-token": token}

    def _ask(self, method, path="", query={}):
        path = f"/{self.name}{urllib.parse.quote(path)}"
        asked = "&".join(f"{k}={urllib.parse.quote(v, safe='')}" for k, v in sorted(query.items()))
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        empty, scope = hashlib.sha256(b"").hexdigest(), f"{now[:8]}/{REGION}/s3/aws4_request"
        headers = {"host": self.host, "x-amz-content-sha256": empty, "x-amz-date": now}
        signed = ";".join(headers)
        request = "\n".join([method, path, asked, *(f"{k}:{v}" for k, v in headers.items()), "", signed, empty])
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
        key = f"AWS4{self.secret}".encode()
        for part in [*scope.split("/"), text]:
            key = hmac.digest(key, part.encode(), "sha256")
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={signed}, Signature={key.hex()}"
        )
        url = f"{self.endpoint}{path}" + (f"?{asked}" if asked else "")
        with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers)) as answer:
            return answer.read()
