"""One registry as an end of a transfer, by the OCI distribution specification 1.1."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha512
from http import HTTPStatus
from typing import Final

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from services.replication.domain.task import Fault
from services.replication.ends import Content, Opener, Reference, Stream
from services.replication.errors import AttemptFailed, CannotUntag
from services.replication.remote.answers import LIST_LIMIT, Answer, read
from services.replication.remote.channel import Channel
from services.replication.remote.faults import trouble
from services.replication.remote.transport import BLOCK
from services.replication.remote.upload import Upload
from shared.names import Digest, InvalidName, TagName
from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import ACCEPT, MANIFEST_LIMIT, OCI_INDEX, Descriptor, Index, parse

PAGE: Final = 500
"""Names that are asked for at once."""

_THERE: Final = frozenset({HTTPStatus.OK, HTTPStatus.FOUND, HTTPStatus.SEE_OTHER, HTTPStatus.TEMPORARY_REDIRECT})
_STORED: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
_DELETED: Final = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
_UNSUPPORTED: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_NO_API: Final = _UNSUPPORTED | {HTTPStatus.NOT_FOUND, HTTPStatus.NOT_ACCEPTABLE}
_RE_SIGNED: Final = "application/vnd.docker.distribution.manifest.v1+prettyjws"
"""Schema 1: its digest is not that of the bytes."""


class RegistryEnd:
    """`End` over a channel. Safe to share between threads."""

    def __init__(self, channel: Channel, *, place: str) -> None:
        self.channel = channel
        self.place = place

    def resolve(self, repository: str, reference: Reference) -> Digest | None:
        """As `End` says."""
        path = f"/v2/{repository}/manifests/{reference}"
        answer = self.channel.ask("HEAD", path, pull(repository), headers={"Accept": ACCEPT})
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise self.channel.refused(f"HEAD of {repository}:{reference}", answer)
        try:
            return Digest.parse(answer.headers.get("Docker-Content-Digest", ""))
        except InvalidName:
            content = self.manifest(repository, reference)
            return content.digest if content else None

    def manifest(self, repository: str, reference: Reference) -> Content | None:
        """As `End` says."""
        path = f"/v2/{repository}/manifests/{reference}"
        answer = self.channel.ask(
            "GET", path, pull(repository), headers={"Accept": ACCEPT}, limit=MANIFEST_LIMIT
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise self.channel.refused(f"GET of {repository}:{reference}", answer)
        return _content(answer, reference)

    def referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        """As `End` says."""
        answer = self.channel.ask(
            "GET", f"/v2/{repository}/referrers/{digest}", pull(repository), headers={"Accept": OCI_INDEX},
            limit=MANIFEST_LIMIT,
        )  # fmt: skip
        if answer.status in _NO_API:
            stand_in = self.manifest(repository, TagName.parse(digest.text.replace(":", "-")[:128]))
            return _children(stand_in.body, stand_in.media_type) if stand_in else ()
        found: list[Descriptor] = []
        for page in self.pages(answer, pull(repository), f"the list of referrers of {digest}", limit=MANIFEST_LIMIT):
            found += _children(page.body, OCI_INDEX)
        return found

    def tags(self, repository: str) -> list[str]:
        """As `End` says."""
        scope = pull(repository)
        answer = self.channel.ask("GET", f"/v2/{repository}/tags/list?n={PAGE}", scope, limit=LIST_LIMIT)
        if answer.status == HTTPStatus.NOT_FOUND:
            return []
        found: dict[str, None] = {}
        for page in self.pages(answer, scope, f"the list of tags of {repository}"):
            found.update(dict.fromkeys(names(page, "tags")))
        return list(found)

    def pages(self, first: Answer, scope: str, what: str, *, limit: int = LIST_LIMIT) -> Iterator[Answer]:
        """A list's pages, the first one at hand. Raises AttemptFailed."""
        answer = first
        while True:
            if answer.status != HTTPStatus.OK:
                raise self.channel.refused(what, answer)
            yield answer
            following = self.channel.following(answer)
            if following is None:
                return
            answer = self.channel.ask("GET", following, scope, limit=limit)

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """As `End` says. Who leads to his storage has looked before."""
        answer = self.channel.ask("HEAD", f"/v2/{repository}/blobs/{digest}", pull(repository))
        if answer.status in _THERE:
            return True
        if answer.status == HTTPStatus.NOT_FOUND:
            return False
        raise self.channel.refused(f"HEAD of {digest}", answer)

    @contextmanager
    def open_blob(self, repository: str, digest: Digest, offset: int = 0) -> Iterator[Stream]:
        """As `End` says."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        url = f"/v2/{repository}/blobs/{digest}"
        response = self.channel.stream(url, pull(repository), headers)
        try:
            if response.status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                raise self.channel.refused(f"GET of {digest}", read(response, url))
            stream = _BlobStream(response)
            stream.skip(offset - _start(response))
            yield stream
        finally:
            # one that was read to its end has gone back to its pool before
            response.close()

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        source: Opener,
        *,
        chunk: int | None,
        sent: Callable[[int], None],
        held_by: str | None = None,
    ) -> bool:
        """As `End` says."""
        return Upload(self.channel, repository, blob, source, sent, held_by=held_by).run(chunk)

    def put_manifest(self, repository: str, reference: Reference, content: Content) -> None:
        """As `End` says."""
        answer = self.channel.ask(
            "PUT", f"/v2/{repository}/manifests/{reference}", f"repository:{repository}:pull,push",
            headers={"Content-Type": content.media_type}, body=content.body,
        )  # fmt: skip
        if answer.status not in _STORED:
            raise self.channel.refused(f"PUT of {repository}:{reference}", answer, push=True)
        told = answer.headers.get("Docker-Content-Digest")
        if told and told.partition(":")[0] == content.digest.text.partition(":")[0] and told != content.digest.text:
            raise AttemptFailed(Fault.CORRUPT, f"the registry stored {content.digest} as another manifest")

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """As `End` says: never by the digest, which would take other tags along."""
        answer = self.channel.ask("DELETE", f"/v2/{repository}/manifests/{tag}", f"repository:{repository}:delete")
        if answer.status in _UNSUPPORTED:
            raise CannotUntag(Fault.REFUSED, f"the registry cannot delete the tag {tag} alone")
        self._deleted(f"the deletion of {repository}:{tag}", answer)

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        """As `End` says."""
        answer = self.channel.ask("DELETE", f"/v2/{repository}/manifests/{digest}", f"repository:{repository}:delete")
        self._deleted(f"the deletion of {repository}@{digest}", answer)

    def _deleted(self, what: str, answer: Answer) -> None:
        if answer.status not in _DELETED and answer.status != HTTPStatus.NOT_FOUND:
            raise self.channel.refused(what, answer)


class _BlobStream:
    """The body of an answer."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response

    def read(self, amount: int, /) -> bytes:
        try:
            return self._response.read(amount, decode_content=False)
        except (HTTPError, OSError) as error:
            raise trouble(error, "a blob") from error

    def skip(self, amount: int) -> None:
        """Pass over what was not asked for: not every registry knows ranges."""
        if amount < 0:
            raise AttemptFailed(Fault.SERVER_ERROR, "the registry sends another part of the blob than was asked for")
        while amount:
            piece = self.read(min(BLOCK, amount))
            if not piece:
                raise AttemptFailed(Fault.CORRUPT, "a blob is shorter than what is there of it already")
            amount -= len(piece)


def pull(repository: str) -> str:
    """The scope of a read."""
    return f"repository:{repository}:pull"


def names(answer: Answer, field: str) -> list[str]:
    """The names in a page of a list. Raises AttemptFailed."""
    content = answer.json()
    found = content.get(field) if isinstance(content, dict) else None
    if found is not None and not isinstance(found, list):
        raise AttemptFailed(Fault.SERVER_ERROR, f"the answer has no list of {field}")
    return [each for each in found or () if isinstance(each, str)]


def _start(response: BaseHTTPResponse) -> int:
    """Where the body of an answer begins within the blob. Raises AttemptFailed."""
    if response.status == HTTPStatus.OK:
        return 0
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0].strip()
    if not first.isdecimal():
        raise AttemptFailed(Fault.SERVER_ERROR, "the registry does not say which part of the blob it sends")
    return int(first)


def _content(answer: Answer, reference: Reference) -> Content:
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    told = answer.headers.get("Docker-Content-Digest", "")
    wanted = reference.text if isinstance(reference, Digest) else told
    found = Digest.of(answer.body)
    if wanted.startswith("sha512:"):
        found = Digest(f"sha512:{sha512(answer.body).hexdigest()}")
    if wanted and wanted != found.text and media_type != _RE_SIGNED:
        raise AttemptFailed(Fault.CORRUPT, f"a manifest came under {wanted[:150]} that has another digest")
    return Content(digest=found, media_type=media_type, body=answer.body)


def _children(body: bytes, media_type: str) -> tuple[Descriptor, ...]:
    try:
        found = parse(body, media_type)
    except UnreadableManifest as error:
        raise AttemptFailed(Fault.SERVER_ERROR, "the list of referrers cannot be read") from error
    return found.children if isinstance(found, Index) else ()
