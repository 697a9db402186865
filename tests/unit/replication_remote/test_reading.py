"""A blob on its way: what is sent is what the digest says, from whatever offset it goes on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote.reading import Sending
from services.replication.remote.transport import BLOCK
from shared.names import Digest
from shared.registry.manifests import Descriptor


class Source:
    """Content that can be opened at an offset, and remembers where it was."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.opened: list[int] = []

    @contextmanager
    def __call__(self, offset: int) -> Iterator[io.BytesIO]:
        self.opened.append(offset)
        yield io.BytesIO(self.content[offset:])


def sending(content: bytes, source: Source, sent: list[int] | None = None, *, size: int | None = None) -> Sending:
    blob = Descriptor(media_type="x", digest=Digest.of(content), size=len(content) if size is None else size)
    return Sending(blob, source, (sent if sent is not None else []).append)


CONTENT = bytes(range(256)) * (40 * BLOCK // 256)


@pytest.mark.parametrize("offset", [0, 1, 16 * BLOCK, 20 * BLOCK + 5, len(CONTENT)])
def test_it_goes_on_from_any_offset_with_the_hash_of_the_whole(offset: int) -> None:
    source = Source(CONTENT)
    made = sending(CONTENT, source)
    with made.at(0) as reading:
        part = reading.part(30 * BLOCK)
        while part.read(BLOCK):
            pass
    with made.at(offset) as reading:
        part, rest = reading.part(len(CONTENT) - offset), b""
        while piece := part.read(BLOCK):
            rest += piece
    assert rest == CONTENT[offset:]
    assert offset - source.opened[1] <= 30 * BLOCK
    assert source.opened[1] == min(offset, 16 * BLOCK) // (16 * BLOCK) * 16 * BLOCK


def test_each_piece_is_counted_once_it_has_been_taken() -> None:
    sent: list[int] = []
    with sending(b"abcde", Source(b"abcde"), sent).at(0) as reading:
        part = reading.part(5)
        assert (part.read(3), sent) == (b"abc", [])
        assert (part.read(3), sent) == (b"de", [3])
        assert (part.read(3), sent) == (b"", [3, 2])


@pytest.mark.parametrize("came", [b"abcdX", b"Xbcde"])
def test_the_last_piece_of_other_content_is_not_given_out(came: bytes) -> None:
    with sending(b"abcde", Source(came)).at(0) as reading:
        part = reading.part(5)
        part.read(3)
        with pytest.raises(AttemptFailed, match="is another") as failed:
            part.read(3)
    assert failed.value.fault is Fault.CORRUPT


def test_content_that_ends_early_is_told() -> None:
    with sending(b"abcde", Source(b"abc")).at(0) as reading:
        part = reading.part(5)
        part.read(5)
        with pytest.raises(AttemptFailed, match="ends after 3 of 5 bytes"):
            part.read(5)


def test_a_size_that_is_not_the_contents_is_no_way_round_the_digest() -> None:
    with sending(b"abcde", Source(b"abcde"), size=3).at(0) as reading, pytest.raises(AttemptFailed, match="is another"):
        reading.part(3).read(3)


def test_nothing_at_all_has_a_digest_too() -> None:
    with sending(b"", Source(b"")).at(0) as reading:
        assert reading.part(0).read(5) == b""
    with pytest.raises(AttemptFailed, match="is another"), sending(b"x", Source(b""), size=0).at(0):
        pass
