"""The registry's HTTP API over its unix socket: what Breakwater's services ask of it, and nothing more.

Reads are repeated a few times with jitter; writes are sent once, because only the caller knows whether to repeat.
A read that stays a 500 is this content's own trouble: a registry that has lost its storage as a whole answers 503.
Specification: OCI distribution 1.1; differences of distribution 2.8 are noted where they matter.
"""

import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from urllib3.exceptions import HTTPError

from shared.errors import BreakwaterError
from shared.metrics.tally import Tally
from shared.names import Digest, InvalidName, RepositoryName, TagName
from shared.registry.errors import RegistryRefused, RegistryUnavailable
from shared.registry.manifests import ACCEPT, MANIFEST_LIMIT
from shared.registry.tokens import CATALOG_SCOPE, SystemTokens
from shared.registry.transport import UnixPool, read_limited

TAGS_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a tag list; distribution 2.8 answers all tags at once."""
CATALOG_PAGE: Final = 500

_READ_TRIES = 4
_BACKOFF_SECONDS = 0.1
_BACKOFF_CAP_SECONDS = 2.0
_UNSUPPORTED = frozenset({400, 405})
_READ_ONLY = 405
"""To a write that the registry knows: it is put aside for a read-only one while garbage is collected."""
_OK, _CREATED, _ACCEPTED, _NOT_FOUND, _UNAUTHORIZED, _SERVER_ERROR = 200, 201, 202, 404, 401, 500
_RE_SIGNED: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"
"""Schema 1: distribution 2.8 signs it anew for each reader, so its digest is not that of the bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredManifest:
    """A manifest as the registry keeps it."""

    digest: Digest
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class RegistryClient:
    """One registry, as one system service; safe to share between threads and green threads."""

    def __init__(
        self, socket: Path, tokens: SystemTokens, *, connections: int = 8, tally: Tally | None = None
    ) -> None:
        self._pool = UnixPool(socket, maxsize=connections, tally=tally)
        self._tokens = tokens

    def resolve(self, repository: RepositoryName, reference: TagName | Digest) -> Digest | None:
        """The digest that a reference stands for, None where the registry has no such manifest."""
        answer = self._read(
            "HEAD", f"/v2/{repository}/manifests/{reference}", _scope(repository, "pull"), {"Accept": ACCEPT}
        )
        if answer.status == _NOT_FOUND:
            return None
        try:
            return Digest.parse(answer.headers.get("Docker-Content-Digest", ""))
        except InvalidName as error:
            raise RegistryRefused("the registry named no digest of a manifest") from error

    def manifest(self, repository: RepositoryName, reference: TagName | Digest) -> StoredManifest | None:
        """A manifest with its bytes, None where there is none.

        Raises RegistryRefused where its digest is another's, or where the registry cannot give it.
        """
        path = f"/v2/{repository}/manifests/{reference}"
        answer = self._read("GET", path, _scope(repository, "pull"), {"Accept": ACCEPT}, limit=MANIFEST_LIMIT)
        if answer.status == _NOT_FOUND:
            return None
        media_type = answer.headers.get("Content-Type", "")
        if media_type == _RE_SIGNED and isinstance(reference, Digest):
            return StoredManifest(digest=reference, media_type=media_type, body=answer.body)
        digest = Digest.of(answer.body)
        if isinstance(reference, Digest) and reference.text.startswith("sha256:") and digest != reference:
            raise RegistryRefused(f"the registry served content under {reference} that has another digest")
        return StoredManifest(digest=digest, media_type=media_type, body=answer.body)

    def blob(self, repository: RepositoryName, digest: Digest, *, limit: int) -> bytes | None:
        """A small blob, None where there is none. Raises RegistryRefused where it is longer than `limit` bytes."""
        answer = self._read("GET", f"/v2/{repository}/blobs/{digest}", _scope(repository, "pull"), {}, limit=limit)
        return None if answer.status == _NOT_FOUND else answer.body

    def blob_size(self, repository: RepositoryName, digest: Digest) -> int | None:
        """Bytes of a blob, None where the repository does not hold it."""
        answer = self._read("HEAD", f"/v2/{repository}/blobs/{digest}", _scope(repository, "pull"), {})
        return None if answer.status == _NOT_FOUND else int(answer.headers.get("Content-Length", 0))

    def tags(self, repository: RepositoryName) -> list[str]:
        """All tags of a repository; none for a repository that the registry does not know."""
        path: str | None = f"/v2/{repository}/tags/list"
        found: list[str] = []
        while path:
            answer = self._read("GET", path, _scope(repository, "pull"), {}, limit=TAGS_LIMIT)
            if answer.status == _NOT_FOUND:
                break
            found += json.loads(answer.body).get("tags") or []
            path = _next(answer.headers)
        return found

    def repositories(self, *, after: str = "", page: int = CATALOG_PAGE) -> Iterator[str]:
        """The names of all repositories behind `after`, in the registry's order, a page a request."""
        path: str | None = f"/v2/_catalog?{urlencode({'n': page, **({'last': after} if after else {})})}"
        while path:
            answer = self._read("GET", path, CATALOG_SCOPE, {}, limit=TAGS_LIMIT)
            if answer.status == _NOT_FOUND:
                return
            yield from json.loads(answer.body).get("repositories") or []
            path = _next(answer.headers)

    def put_manifest(
        self, repository: RepositoryName, reference: TagName | Digest, body: bytes, media_type: str, *, user_agent: str
    ) -> None:
        """Store a manifest under a tag or its digest."""
        answer = self._write(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            _scope(repository, "pull,push"),
            {"Content-Type": media_type, "User-Agent": user_agent},
            body,
        )
        if answer.status != _CREATED:
            raise _refused("PUT of a manifest", answer)

    def mount_blob(self, repository: RepositoryName, digest: Digest, *, source: RepositoryName) -> None:
        """Let a repository hold a blob that another one holds."""
        path = f"/v2/{repository}/blobs/uploads/?{urlencode({'mount': digest.text, 'from': source.text})}"
        scope = f"{_scope(repository, 'pull,push')} {_scope(source, 'pull')}"
        answer = self._write("POST", path, scope, {}, b"")
        if answer.status != _CREATED:
            raise _refused("the mount of a blob", answer)

    def delete_manifest(self, repository: RepositoryName, digest: Digest, *, user_agent: str) -> bool:
        """Delete a manifest and with it all its tags; False where the registry had none."""
        answer = self._write(
            "DELETE",
            f"/v2/{repository}/manifests/{digest}",
            _scope(repository, "delete"),
            {"User-Agent": user_agent},
            None,
        )
        if answer.status == _NOT_FOUND:
            return False
        if answer.status != _ACCEPTED:
            raise _refused("DELETE of a manifest", answer)
        return True

    def untag(self, repository: RepositoryName, tag: TagName, *, user_agent: str) -> bool:
        """Delete a tag by its name, if it is there; False where the registry cannot, as distribution 2.8."""
        answer = self._write(
            "DELETE",
            f"/v2/{repository}/manifests/{tag}",
            _scope(repository, "delete"),
            {"User-Agent": user_agent},
            None,
        )
        if answer.status in _UNSUPPORTED:
            return False
        if answer.status not in {_ACCEPTED, _NOT_FOUND}:
            raise _refused("DELETE of a tag", answer)
        return True

    def _read(self, method: str, path: str, scope: str, headers: Mapping[str, str], *, limit: int = 0) -> _Answer:
        """A read that is repeated while the registry is away or answers 5xx; gives 200 or 404, all else is raised."""
        for attempt in range(_READ_TRIES):
            try:
                answer = self._authorized(method, path, scope, headers, None, limit)
                if answer.status < _SERVER_ERROR:
                    break
            except RegistryUnavailable:
                if attempt == _READ_TRIES - 1:
                    raise
            _pause(attempt)
        if answer.status > _SERVER_ERROR:
            raise RegistryUnavailable(f"the registry answered {answer.status}")
        if answer.status not in {_OK, _NOT_FOUND}:
            raise _refused(f"{method} {path}", answer)
        return answer

    def _write(self, method: str, path: str, scope: str, headers: Mapping[str, str], body: bytes | None) -> _Answer:
        answer = self._authorized(method, path, scope, headers, body, limit=64 * 1024)
        if answer.status >= _SERVER_ERROR:
            raise RegistryUnavailable(f"the registry answered {answer.status}")
        return answer

    def _authorized(
        self, method: str, path: str, scope: str, headers: Mapping[str, str], body: bytes | None, limit: int
    ) -> _Answer:
        """One request with a token of the scope; a token that is not taken is fetched anew, once."""
        answer = self._send(method, path, scope, headers, body, limit)
        if answer.status == _UNAUTHORIZED:
            self._tokens.forget(scope)
            answer = self._send(method, path, scope, headers, body, limit)
        return answer

    def _send(
        self, method: str, path: str, scope: str, headers: Mapping[str, str], body: bytes | None, limit: int
    ) -> _Answer:
        sent = {**headers, "Authorization": f"Bearer {self._tokens.token(scope).reveal()}"}
        try:
            response = self._pool.ask(method, path, sent, body)
            # an error's body is only ever quoted in part
            wanted = limit if response.status == _OK else max(limit, 64 * 1024)
            content = read_limited(response, wanted, f"the registry's answer to {method} {path}")
        except (HTTPError, OSError) as error:
            raise RegistryUnavailable from error
        return _Answer(response.status, response.headers, content)


def _scope(repository: RepositoryName, actions: str) -> str:
    return f"repository:{repository}:{actions}"


def _next(headers: Mapping[str, str]) -> str | None:
    """The target of a `Link: <…>; rel="next"`; only a path on this registry is followed."""
    target = headers.get("Link", "").partition(";")[0].strip().removeprefix("<").removesuffix(">")
    return target if target.startswith("/v2/") else None


def _refused(what: str, answer: _Answer) -> BreakwaterError:
    if answer.status == _READ_ONLY:
        return RegistryUnavailable("garbage is being collected: nothing is stored or deleted until it ends")
    told = answer.body[:200].decode(errors="replace").strip()
    return RegistryRefused(f"the registry answered {answer.status} to {what}{f': {told}' if told else ''}")


def _pause(attempt: int) -> None:
    time.sleep(min(_BACKOFF_CAP_SECONDS, _BACKOFF_SECONDS * 2**attempt) * random.uniform(0.5, 1.5))
