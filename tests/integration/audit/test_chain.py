"""The chain finds every way of changing the record behind the service's back."""

from datetime import timedelta

import pytest

from services.audit.domain.chain import ChainKey
from services.audit.queries.verification import Verdict, heads_in_log, verify
from shared.postgres import connect
from shared.secrets import Secret
from tests.integration.audit.conftest import KEY, NOW, Record, push
from tests.integration.conftest import Database

LINKS = 12


def verdict(database: Database, *, key: ChainKey = KEY, witnesses: dict[int, str] | None = None) -> Verdict:
    with connect(database.settings("audit")) as connection:
        return verify(connection, key, witnesses=witnesses)


def test_an_empty_record_is_whole(database: Database) -> None:
    assert verdict(database) == Verdict(links=0, purged=0, broken=None)


def test_an_untouched_record_is_whole_over_batches_and_months(database: Database, record: Record) -> None:
    record(*map(push, range(1, 6)))
    record(push(6), now=NOW + timedelta(days=40))
    record(push(7), now=NOW + timedelta(days=80))
    assert verdict(database) == Verdict(links=7, purged=0, broken=None)


SWAP_RECORDS = """
    UPDATE audit.records SET sequence = -sequence WHERE sequence IN (5, 6);
    UPDATE audit.records SET sequence = 11 + sequence WHERE sequence < 0
"""
SWAP_LINKS = """
    UPDATE audit.chain SET sequence = -sequence WHERE sequence IN (5, 6);
    UPDATE audit.chain SET sequence = 11 + sequence WHERE sequence < 0
"""
COPY_RECORD = """
    INSERT INTO audit.records
    SELECT (jsonb_populate_record(r, '{"%s": %s}')).* FROM audit.records r WHERE sequence = 5
"""
FORGE_LAST = """
    INSERT INTO audit.chain
    SELECT 13, recorded_at, gen_random_uuid(), row_hash, mac FROM audit.chain WHERE sequence = 12;
    UPDATE audit.head SET sequence = 13
"""


@pytest.mark.parametrize(
    ("tampering", "sequence", "reason"),
    [
        pytest.param("UPDATE audit.records SET actor = 'bob' WHERE sequence = 5", 5, "edited", id="edited actor"),
        pytest.param("UPDATE audit.records SET tag = NULL WHERE sequence = 5", 5, "edited", id="edited to nothing"),
        pytest.param(
            "UPDATE audit.records SET occurred_at = occurred_at + interval '1 microsecond' WHERE sequence = 5",
            5,
            "edited",
            id="edited time",
        ),
        pytest.param("DELETE FROM audit.records WHERE sequence = 5", 5, "its record was deleted", id="deleted record"),
        pytest.param(
            "DELETE FROM audit.chain WHERE sequence = 5", 5, "inserted, or its link deleted", id="deleted link"
        ),
        pytest.param(
            "DELETE FROM audit.chain WHERE sequence = 5; DELETE FROM audit.records WHERE sequence = 5",
            5,
            "missing",
            id="deleted record and link",
        ),
        pytest.param(SWAP_RECORDS, 5, "edited", id="reordered records"),
        pytest.param(SWAP_LINKS, 5, "does not follow", id="reordered links"),
        pytest.param(f"{SWAP_LINKS}; {SWAP_RECORDS}", 5, "does not follow", id="reordered records with links"),
        pytest.param(COPY_RECORD % ("sequence", 13), 13, "no link", id="inserted record at the end"),
        pytest.param(COPY_RECORD % ("recorded_at", '"2026-05-02"'), 5, "record", id="inserted record beside"),
        pytest.param(FORGE_LAST, 13, "does not follow", id="inserted link at the end"),
        pytest.param("DELETE FROM audit.records WHERE sequence > 9", 10, "deleted", id="cut records"),
        pytest.param(
            "DELETE FROM audit.chain WHERE sequence > 9; DELETE FROM audit.records WHERE sequence > 9",
            10,
            "the tail was cut off: the head stands at link 12",
            id="cut tail",
        ),
        pytest.param("UPDATE audit.head SET sequence = 11", 12, "the head does not stand", id="moved head"),
        pytest.param("UPDATE audit.head SET mac = '\\x00'", 12, "the head does not stand", id="edited head"),
        pytest.param("UPDATE audit.chain SET mac = '\\x00' WHERE sequence = 5", 5, "does not follow", id="edited MAC"),
        pytest.param(
            "UPDATE audit.chain SET event_id = gen_random_uuid() WHERE sequence = 5",
            5,
            "does not follow",
            id="edited link",
        ),
        pytest.param(
            "INSERT INTO audit.anchors VALUES (5, now(), now(), 5, '\\x00');"
            "DELETE FROM audit.records WHERE sequence < 6",
            5,
            "its anchor was not made by a purge",
            id="deleted records under a forged anchor",
        ),
        pytest.param("TRUNCATE audit.chain, audit.records", 1, "the tail was cut off", id="emptied"),
    ],
)
def test_tampering_is_found_at_its_first_link(
    database: Database, record: Record, tampering: str, sequence: int, reason: str
) -> None:
    record(*map(push, range(1, LINKS + 1)))
    with database.superuser() as connection:
        connection.execute(tampering.encode())
    broken = verdict(database).broken
    assert broken is not None
    assert broken.sequence == sequence
    assert reason in str(broken)


def test_a_tail_cut_together_with_the_head_shows_by_the_log(database: Database, record: Record) -> None:
    record(*map(push, range(1, LINKS + 1)))
    with database.superuser() as connection:
        head = connection.execute("SELECT sequence, encode(mac, 'hex') FROM audit.head").fetchone()
        assert head
        connection.execute(b"""
            DELETE FROM audit.records WHERE sequence > 9; DELETE FROM audit.chain WHERE sequence > 9;
            UPDATE audit.head SET (sequence, mac) = (SELECT sequence, mac FROM audit.chain WHERE sequence = 9)
        """)
    line = f'2026-05-17T12:00:00+00:00 {{"sequence": {head[0]}, "mac": "{head[1]}", "event": "audit_head"}}'
    assert verdict(database).whole
    broken = verdict(database, witnesses=heads_in_log([line])).broken
    assert str(broken) == "link 10: the tail was cut off: the log witnessed link 12"


def test_a_chain_rewritten_with_another_key_is_found(database: Database, record: Record) -> None:
    record(*map(push, range(1, LINKS + 1)))
    broken = verdict(database, key=ChainKey(Secret("another key"))).broken
    assert broken is not None
    assert broken.sequence == 1


def test_an_earlier_head_in_the_log_that_still_holds_breaks_nothing(database: Database, record: Record) -> None:
    record(push(1))
    with database.superuser() as connection:
        mac = connection.execute("SELECT encode(mac, 'hex') FROM audit.head").fetchone()
    assert mac
    record(*map(push, range(2, LINKS + 1)))
    assert verdict(database, witnesses={1: mac[0]}).whole
