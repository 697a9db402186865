"""A bucket that the registry keeps its storage in, asked for what lies there.

Standard library only, as the registry's parent looks into it too. Requests are signed by AWS Signature Version 4; what
is asked for is ListObjectsV2, GetObject and PutObject, which every storage that speaks S3 has.
"""

import hashlib
import hmac
import random
import time
import xml.etree.ElementTree as ET  # the operator's own storage answers
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

from shared.errors import ConfigurationError, Unavailable

ROOT: Final = "docker/registry/v2"
"""Where distribution keeps everything, below its root directory."""
_SECONDS: Final = 10.0
_ATTEMPTS: Final = 4
_LONGEST_PAUSE: Final = 3.0
_MOST_BYTES: Final = 8 * 2**20
_MOST_KEYS: Final = 1000
_MEANS: Final = {"GET": "read from", "PUT": "write to"}
_PASSING: Final = {HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}
_XML: Final = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Entry(NamedTuple):
    """An object: its key below the bucket's prefix, and its size in bytes."""

    key: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Where the storage lies, and the keys that open it."""

    name: str
    region: str
    endpoint: str = ""
    """`http://HOST:PORT` or `https://…`; empty for Amazon's own."""
    prefix: str = ""
    """A folder in the bucket, without slashes around it."""
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    @property
    def url(self) -> str:
        """Where its service answers."""
        domain = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return self.endpoint.rstrip("/") or f"https://s3.{self.region}.{domain}"

    def entries(
        self, folder: str = "", *, most: int | None = None, attempts: int = _ATTEMPTS
    ) -> Iterator[Entry]:
        """The objects below a folder, in the order of their keys; so often a service that fails is asked again.

        Raises ConfigurationError where the bucket is not there or the keys do not open it, Unavailable where the
        service does not answer.
        """
        keys = str(min(most or _MOST_KEYS, _MOST_KEYS))
        page = {"list-type": "2", "max-keys": keys, "prefix": f"{self._root}{folder}"}
        left = most
        while True:
            answer = _listing(self._send("GET", "", page, attempts=attempts))
            for each in answer.iter(f"{_XML}Contents"):
                if left is not None and left <= 0:
                    return
                left = left and left - 1
                key, size = each.findtext(f"{_XML}Key", ""), each.findtext(f"{_XML}Size", "0")
                yield Entry(key.removeprefix(self._root), int(size))
            more = answer.findtext(f"{_XML}NextContinuationToken")
            if not more:
                return
            page = page | {"continuation-token": more}

    def holds(self, folder: str = "", *, attempts: int = _ATTEMPTS) -> bool:
        """Whether anything lies below a folder. Raises as `entries` does."""
        return any(True for _ in self.entries(folder, most=1, attempts=attempts))

    def read(self, key: str) -> bytes:
        """An object of a few megabytes at most. Raises FileNotFoundError, and what `entries` raises."""
        return self._send("GET", self._root + key)

    def write(self, key: str, content: bytes) -> None:
        """Make an object, or put it in place of what was there. Raises as `entries` does."""
        self._send("PUT", self._root + key, content=content)

    @property
    def _root(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""

    def _send(
        self, method: str, key: str, query: Mapping[str, str] = MappingProxyType({}), *, content: bytes = b"",
        attempts: int = _ATTEMPTS,
    ) -> bytes:
        """The body of an answer, asked for again where that may help; without a key it is the bucket that is asked."""
        pause = 0.2
        for attempt in range(1, attempts + 1):
            try:
                status, body = self._ask(method, key, query, content)
            except (OSError, HTTPException) as error:
                reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            else:
                if status == HTTPStatus.OK:
                    return body
                if status == HTTPStatus.NOT_FOUND and key and _code(body) == "NoSuchKey":
                    raise FileNotFoundError(key)
                if status not in _PASSING:
                    raise ConfigurationError(self._refusal(status, body, _MEANS[method] if key else "list"))
                reason = f"it answers {status}"
            if attempt < attempts:
                time.sleep(random.uniform(pause / 2, pause))
                pause = min(pause * 3, _LONGEST_PAUSE)
        raise Unavailable(f"the storage at {self.url} does not answer: {reason}")

    def _ask(self, method: str, key: str, query: Mapping[str, str], content: bytes) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        path = f"{parts.path}/{quote(self.name, safe='')}" + (f"/{quote(key)}" if key else "")
        target = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
        try:
            headers = self._signed(method, parts.netloc, path, target, content)
            connection.request(method, f"{path}?{target}" if target else path, content or None, headers)
            response = connection.getresponse()
            body = response.read(_MOST_BYTES + 1)
        finally:
            connection.close()
        if len(body) > _MOST_BYTES:
            raise HTTPException("its answer has no end")
        return response.status, body

    def _signed(self, method: str, host: str, path: str, target: str, content: bytes) -> dict[str, str]:
        """The headers that prove who asks."""
        now = time.gmtime()
        moment, day = time.strftime("%Y%m%dT%H%M%SZ", now), time.strftime("%Y%m%d", now)
        digest = hashlib.sha256(content).hexdigest()
        headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": moment}
        names = ";".join(headers)
        lines = [f"{name}:{value}" for name, value in headers.items()]
        request = "\n".join([method, path, target, *lines, "", names, digest])
        scope = f"{day}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self.secret_key}".encode()
        for step in scope.split("/"):
            key = hmac.digest(key, step.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        proof = f"Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return headers | {"Authorization": f"AWS4-HMAC-SHA256 {proof}"}

    def _refusal(self, status: int, body: bytes, meant: str) -> str:
        """One sentence; of what the service says, its code alone."""
        said = f"{status} {_code(body)[:64]}".strip()
        if status == HTTPStatus.NOT_FOUND:
            return f"there is no bucket {self.name} at {self.url} ({said}): make it, or correct BREAKWATER_S3_BUCKET"
        if status == HTTPStatus.FORBIDDEN:
            keys = "BREAKWATER_S3_ACCESS_KEY and _SECRET_KEY"
            return f"{self.url} does not let {keys} {meant} the bucket {self.name} ({said})"
        return f"the storage at {self.url} cannot be used ({said}): look at BREAKWATER_S3_ENDPOINT and _REGION"


def _code(body: bytes) -> str:
    """Of a refusal; empty where it has none."""
    try:
        return ET.fromstring(body).findtext("Code", "")  # noqa: S314 - as above
    except ET.ParseError:
        return ""


def _listing(body: bytes) -> ET.Element:
    try:
        answer = ET.fromstring(body)  # noqa: S314 - as above
    except ET.ParseError as error:
        raise ConfigurationError("what answers at BREAKWATER_S3_ENDPOINT does not speak S3") from error
    if answer.tag != f"{_XML}ListBucketResult":
        raise ConfigurationError("what answers at BREAKWATER_S3_ENDPOINT does not speak S3")
    return answer
