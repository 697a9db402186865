"""The text that is hashed is fixed for good: a change of it would break every chain there is."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest

from services.audit.domain.chain import GENESIS, Anchor, ChainKey, Head, copy_line, record_line
from services.audit.domain.record import Entry, Operation
from services.audit.queries.verification import heads_in_log
from shared.events.envelope import ActorKind
from shared.secrets import Secret

AT = datetime(2026, 5, 17, 12, 0, 0, 123456, tzinfo=UTC)
KEY = ChainKey(Secret("key"))
EMPTY = Head(sequence=0, recorded_at=datetime.fromtimestamp(0, UTC), mac=GENESIS)


def entry(**fields: object) -> Entry:
    values: dict[str, object] = {
        "event_id": UUID("11111111-2222-4333-8444-555555555555"),
        "event_type": "breakwater.artifact.pushed.v1",
        "occurred_at": AT,
        "actor": "alice",
        "actor_kind": ActorKind.USER,
        "operation": Operation.CREATE,
        "resource_type": "artifact",
        "resource": "library/app:1.0",
        "project_id": 1,
        "project": "library",
        "repository": "library/app",
        "digest": None,
        "tag": "1.0",
        "address": "192.0.2.7",
        "client": "tab\there",
        "request_id": "r-1",
        "succeeded": True,
        "occurrences": 1,
        "description": "create artifact library/app:1.0",
    }
    return Entry(**(values | fields))  # type: ignore[arg-type]  # a test names what it cares about


def test_a_record_is_hashed_as_this_line() -> None:
    assert record_line(7, AT, entry()) == (
        b"7\t1779019200123456\t11111111-2222-4333-8444-555555555555\tbreakwater.artifact.pushed.v1\t1779019200123456\t"
        b"alice\tuser\tcreate\tartifact\tlibrary/app:1.0\t1\tlibrary\tlibrary/app\t\\N\t1.0\t192.0.2.7\ttab\\there\tr-1\t"
        b"t\t1\tcreate artifact library/app:1.0"
    )


def test_links_have_these_macs() -> None:
    first, second = KEY.extend(EMPTY, [entry(), entry(actor="bob")], AT)
    assert (first.sequence, second.sequence) == (1, 2)
    assert first.row_hash == sha256(record_line(1, AT, entry())).digest()
    assert first.mac.hex() == "4066589b90b0425f990448fc60011f0a8c864bd0ac59cc5b5a57405b073d0d16"
    assert second.mac.hex() == "327d99b8b14dc025ef57363ddc10c4d640602214aca7d33288a223385119fa7d"


def test_a_batch_and_single_records_make_the_same_chain() -> None:
    entries = [entry(actor=f"user{number}") for number in range(5)]
    together = list(KEY.extend(EMPTY, entries, AT))
    head, apart = EMPTY, []
    for each in entries:
        (link,) = KEY.extend(head, [each], AT)
        apart.append(link)
        head = Head(sequence=link.sequence, recorded_at=link.recorded_at, mac=link.mac)
    assert apart == together


def test_time_stands_still_rather_than_running_backwards() -> None:
    head = Head(sequence=1, recorded_at=AT, mac=b"x")
    (link,) = KEY.extend(head, [entry()], AT - timedelta(hours=1))
    assert link.recorded_at == AT


def test_an_anchor_is_no_link() -> None:
    anchor = Anchor(sequence=1, purged_before=AT, purged_at=AT, records=1)
    assert KEY.anchor(anchor, b"") != KEY.link(b"", copy_line(1, AT, AT, 1))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, rb"\N"),
        (True, b"t"),
        (False, b"f"),
        (12, b"12"),
        ("", b""),
        ("\\N", rb"\\N"),
        ("a\tb\nc\rd", rb"a\tb\nc\rd"),
    ],
)
def test_values_are_written_as_copy_writes_them(value: object, text: bytes) -> None:
    assert copy_line(value) == text


def test_a_value_without_a_text_form_has_no_place_in_a_record() -> None:
    with pytest.raises(TypeError, match="float"):
        copy_line(1.5)


def test_heads_are_found_among_other_lines_and_the_first_of_a_link_counts() -> None:
    lines = [
        "",
        "no json audit_head",
        '2026-05-17T12:00:00+00:00 {"sequence": 3, "mac": "aa", "event": "audit_head"}',
        '{"sequence": 3, "mac": "bb", "event": "audit_head"}',
        '{"sequence": 0, "mac": "", "event": "audit_head"}',
        '{"sequence": "x", "mac": "", "event": "audit_head"}',
        '{"sequence": 4, "mac": "cc", "event": "said audit_head"}',
        '{"event": "audit_head"}',
    ]
    assert heads_in_log(lines) == {3: "aa"}
