"""A bucket that the registry keeps its storage in, asked for what lies there: only read, never written.

Standard library only, as the registry's parent looks into it too. Requests are signed by AWS Signature Version 4; what
is asked for is ListObjectsV2, which every storage that speaks S3 has.
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
_NOTHING: Final = hashlib.sha256(b"").hexdigest()
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
        root = f"{self.prefix}/" if self.prefix else ""
        page = {"list-type": "2", "max-keys": str(min(most or _MOST_KEYS, _MOST_KEYS)), "prefix": f"{root}{folder}"}
        left = most
        while True:
            answer = _read(self._get(page, attempts))
            for each in answer.iter(f"{_XML}Contents"):
                if left is not None and left <= 0:
                    return
                left = left and left - 1
                yield Entry(each.findtext(f"{_XML}Key", "").removeprefix(root), int(each.findtext(f"{_XML}Size", "0")))
            more = answer.findtext(f"{_XML}NextContinuationToken")
            if not more:
                return
            page = page | {"continuation-token": more}

    def holds(self, folder: str = "", *, attempts: int = _ATTEMPTS) -> bool:
        """Whether anything lies below a folder. Raises as `entries` does."""
        return any(True for _ in self.entries(folder, most=1, attempts=attempts))

    def _get(self, query: Mapping[str, str], attempts: int) -> bytes:
        """The body of an answer, asked for again where that may help."""
        pause = 0.2
        for attempt in range(1, attempts + 1):
            try:
                status, body = self._ask(query)
            except (OSError, HTTPException) as error:
                reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            else:
                if status == HTTPStatus.OK:
                    return body
                if status not in _PASSING:
                    raise ConfigurationError(self._refusal(status, body))
                reason = f"it answers {status}"
            if attempt < attempts:
                time.sleep(random.uniform(pause / 2, pause))
                pause = min(pause * 3, _LONGEST_PAUSE)
        raise Unavailable(f"the storage at {self.url} does not answer: {reason}")

    def _ask(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        path = f"{parts.path}/{quote(self.name, safe='')}"
        target = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
        try:
            connection.request("GET", f"{path}?{target}", headers=self._signed(parts.netloc, path, target))
            response = connection.getresponse()
            body = response.read(_MOST_BYTES + 1)
        finally:
            connection.close()
        if len(body) > _MOST_BYTES:
            raise HTTPException("its answer has no end")
        return response.status, body

    def _signed(self, host: str, path: str, target: str) -> dict[str, str]:
        """The headers that prove who asks."""
        now = time.gmtime()
        moment, day = time.strftime("%Y%m%dT%H%M%SZ", now), time.strftime("%Y%m%d", now)
        headers = {"host": host, "x-amz-content-sha256": _NOTHING, "x-amz-date": moment}
        names = ";".join(headers)
        lines = [f"{name}:{value}" for name, value in headers.items()]
        request = "\n".join(["GET", path, target, *lines, "", names, _NOTHING])
        scope = f"{day}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{self.secret_key}".encode()
        for step in scope.split("/"):
            key = hmac.digest(key, step.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        proof = f"Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return headers | {"Authorization": f"AWS4-HMAC-SHA256 {proof}"}

    def _refusal(self, status: int, body: bytes) -> str:
        """One sentence; of what the service says, its code alone."""
        try:
            code = ET.fromstring(body).findtext("Code", "")  # noqa: S314 - as above
        except ET.ParseError:
            code = ""
        said = f"{status} {code[:64]}".strip()
        if status == HTTPStatus.NOT_FOUND:
            return f"there is no bucket {self.name} at {self.url} ({said}): make it, or correct BREAKWATER_S3_BUCKET"
        if status == HTTPStatus.FORBIDDEN:
            return (
                f"{self.url} does not let BREAKWATER_S3_ACCESS_KEY and _SECRET_KEY list the bucket {self.name} ({said})"
            )
        return f"the storage at {self.url} cannot be used ({said}): look at BREAKWATER_S3_ENDPOINT and _REGION"


def _read(body: bytes) -> ET.Element:
    try:
        answer = ET.fromstring(body)  # noqa: S314 - as above
    except ET.ParseError as error:
        raise ConfigurationError("what answers at BREAKWATER_S3_ENDPOINT does not speak S3") from error
    if answer.tag != f"{_XML}ListBucketResult":
        raise ConfigurationError("what answers at BREAKWATER_S3_ENDPOINT does not speak S3")
    return answer
