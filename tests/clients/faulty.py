"""A registry in memory that does wrong when a test wants it to: it follows the distribution specification otherwise."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.clients.images import digest_of
from tests.clients.scripted import Reply, Request, Scripted, scripted

Fault = Callable[[Request], Reply | None]


@dataclass
class Faulty:
    """What it holds, and how it does wrong: each of `faults` may answer in its place."""

    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    credential: tuple[str, str] | None = None
    """Whom it gives tokens to; None: it asks for none."""
    realm: str = ""
    tokens: set[str] = field(default_factory=set)
    ranges: bool = True
    server: Scripted = field(init=False)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        return self.server.url

    def once(self, method: str, part: str, reply: Reply) -> None:
        """Answer so the next time that somebody asks for this."""
        left = [reply]

        def fault(request: Request) -> Reply | None:
            return left.pop() if left and request.method == method and part in request.target else None

        self.faults.append(fault)

    def always(self, method: str, part: str, reply: Reply) -> None:
        self.faults.append(lambda asked: reply if asked.method == method and part in asked.target else None)

    def cut_once(self, method: str, after: int) -> None:
        """Close the connection in the middle of the next body of this method."""
        left = [after]

        def cut(asked: str, _target: str) -> int | None:
            return left.pop() if left and asked == method else None

        self.server.cut = cut

    def answer(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._token(request)
        if self.credential and request.headers.get("authorization", "")[7:] not in self.tokens:
            realm = self.realm or f"{self.url}/token"
            challenge = f'Bearer realm="{realm}",service="faulty",scope="repository:x:pull"'
            return Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge})
        for fault in self.faults:
            reply = fault(request)
            if reply is not None:
                return reply
        if request.path == "/v2/":
            return Reply.of({})
        repository, _, rest = request.path.removeprefix("/v2/").partition("/")
        kind, _, rest = rest.partition("/")
        return getattr(self, f"_{kind}")(request, repository, rest)  # type: ignore[no-any-return]

    def _token(self, request: Request) -> Reply:
        name, password = self.credential or ("", "")
        wanted = base64.b64encode(f"{name}:{password}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {wanted}":
            return Reply.refusing(401, "UNAUTHORIZED", f"who is {request.headers.get('authorization')}")
        token = f"token-{next(self._numbers)}"
        self.tokens.add(token)
        return Reply.of({"token": token, "expires_in": 300})

    def _manifests(self, request: Request, repository: str, reference: str) -> Reply:
        if request.method == "PUT":
            self.manifests[repository, reference] = request.headers["content-type"], request.body
            return Reply(status=201, headers={"Docker-Content-Digest": digest_of(request.body)})
        if request.method == "DELETE":
            gone = self.manifests.pop((repository, reference), None)
            return Reply(status=202) if gone else Reply.refusing(404, "MANIFEST_UNKNOWN")
        found = self.manifests.get((repository, reference))
        if found is None:
            return Reply.refusing(404, "MANIFEST_UNKNOWN")
        headers = {"Content-Type": found[0], "Docker-Content-Digest": digest_of(found[1])}
        return Reply(body=found[1], headers=headers)

    def _blobs(self, request: Request, repository: str, rest: str) -> Reply:
        if rest.startswith("uploads/"):
            return self._upload(request, repository, rest.removeprefix("uploads/"))
        content = self.blobs.get((repository, rest))
        if content is None:
            return Reply.refusing(404, "BLOB_UNKNOWN")
        asked = request.headers.get("range", "")
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            told = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return Reply(status=206, body=content[start:], headers={"Content-Range": told})
        return Reply(body=content)

    def _upload(self, request: Request, repository: str, number: str) -> Reply:
        if request.method == "POST":
            number = str(next(self._numbers))
            self.uploads[number] = b""
            return Reply(status=202, headers={"Location": f"/v2/{repository}/blobs/uploads/{number}?state=a%2Fb"})
        if number not in self.uploads or request.query.get("state") != ["a/b"]:
            return Reply.refusing(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "DELETE":
            del self.uploads[number]
            return Reply(status=204)
        begins = request.headers.get("content-range", "").partition("-")[0]
        if begins and int(begins) != len(self.uploads[number]):
            return Reply(status=416)
        self.uploads[number] += request.body
        if request.method == "PUT" and not request.broken:
            return self._finish(request, repository, number)
        last = max(len(self.uploads[number]) - 1, 0)
        where = {"Location": f"{request.path}?state=a%2Fb", "Range": f"0-{last}"}
        return Reply(status=204 if request.method == "GET" else 202, headers=where)

    def _finish(self, request: Request, repository: str, number: str) -> Reply:
        content, digest = self.uploads.pop(number), request.query["digest"][0]
        if digest_of(content) != digest:
            return Reply.refusing(400, "DIGEST_INVALID")
        self.blobs[repository, digest] = content
        return Reply(status=201, headers={"Location": f"/v2/{repository}/blobs/{digest}"})

    def _tags(self, request: Request, repository: str, _rest: str) -> Reply:
        names = sorted(tag for held, tag in self.manifests if held == repository and ":" not in tag)
        after = request.query.get("last", [""])[0]
        page = [name for name in names if name > after][:2]
        headers = {"Content-Type": "application/json"}
        if page and page[-1] != names[-1]:
            headers["Link"] = f'</v2/{repository}/tags/list?n=2&last={page[-1]}>; rel="next"'
        return Reply(body=json.dumps({"name": repository, "tags": page}).encode(), headers=headers)


@contextmanager
def faulty(**more: object) -> Iterator[Faulty]:
    """A registry that listens."""
    registry = Faulty(**more)  # type: ignore[arg-type]
    with scripted(registry.answer) as server:
        registry.server = server
        yield registry
