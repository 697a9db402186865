"""The relay's writing: numbering the outbox into the log, remembering what was published, and the log's upkeep.

All of it on a plain psycopg connection in autocommit mode, so each statement is a transaction.
"""

from typing import Final, LiteralString, NamedTuple

import psycopg

NUMBER: Final[LiteralString] = """
    WITH head AS (
        SELECT last_sequence FROM events.relay FOR UPDATE
    ), moved AS (
        DELETE FROM events.outbox WHERE id IN (
            SELECT id FROM events.outbox
            WHERE awaits IS NULL OR created_at < now() - make_interval(secs => %(patience)s)
                OR NOT EXISTS (SELECT FROM events.expected WHERE expected.id = awaits AND answered_at IS NULL)
            ORDER BY id LIMIT %(most)s) RETURNING *
    ), logged AS (
        INSERT INTO events.log (sequence, event_id, type, routing_key, project, body, recorded_at)
        SELECT sequence, event_id, type, routing_key, project,
            body || jsonb_build_object('sequence', sequence::text), now()
        FROM (SELECT moved.*, head.last_sequence + row_number() OVER (ORDER BY moved.id) AS sequence
              FROM moved, head) AS numbered
        RETURNING sequence
    )
    UPDATE events.relay SET last_sequence = (SELECT max(sequence) FROM logged)
    WHERE EXISTS (SELECT FROM logged)
    RETURNING (SELECT count(*) FROM logged), pg_notify('breakwater_log', last_sequence::text)
"""
ADVANCE: Final[LiteralString] = (
    "UPDATE events.relay SET published_through = %(sequence)s WHERE published_through < %(sequence)s"
)
FORGET: Final[LiteralString] = """
    DELETE FROM events.seen WHERE event_id IN (
        SELECT event_id FROM events.seen WHERE seen_at < now() - make_interval(days => %(days)s)
        ORDER BY seen_at LIMIT %(most)s)
"""

PATIENCE_SECONDS: Final = 30.0
"""How long an event waits for an answer that is lost, because whoever was to note it has died."""
AWAKE_LOCK: Final = 7_302_013
"""As the trigger on the outbox knows it."""
LOG_DAYS: Final = 7
"""How long the numbered log is kept for replay; what is not published yet is kept longer."""
DAYS_AHEAD: Final = 3
SEEN_DAYS: Final = 14
"""How long a notification's id is remembered; the registry repeats one as long as its process lives, at most."""
FORGET_AT_ONCE: Final = 10_000


class Numbered(NamedTuple):
    """What one look at the outbox came to."""

    moved: int
    held: bool
    """Nothing was moved, and there is something: it awaits the answer to the write that it tells of."""


def number(connection: psycopg.Connection, *, most: int, patience: float = PATIENCE_SECONDS) -> Numbered:
    """Move up to `most` committed events into the log, in order, with consecutive numbers.

    One that awaits an answer is left, for at most `patience` seconds, and does not hold up the others.
    """
    if connection.execute("SELECT EXISTS (SELECT FROM events.outbox)").fetchone() == (False,):
        return Numbered(moved=0, held=False)
    row = connection.execute(NUMBER, {"most": most, "patience": patience}).fetchone()
    moved = int(row[0]) if row else 0
    return Numbered(moved=moved, held=not moved)


def stay_awake(connection: psycopg.Connection) -> bool:
    """Have writers of the outbox notify nobody; False while one of them is still about to."""
    return connection.execute("SELECT pg_try_advisory_lock(%s)", (AWAKE_LOCK,)).fetchone() == (True,)


def fall_asleep(connection: psycopg.Connection) -> None:
    """Have writers of the outbox notify again. Who is in the middle of his transaction may not."""
    connection.execute("SELECT pg_advisory_unlock(%s)", (AWAKE_LOCK,))


def advance(connection: psycopg.Connection, sequence: int) -> None:
    """Remember that the broker has everything up to this number."""
    connection.execute(ADVANCE, {"sequence": sequence})


def prepare_log(connection: psycopg.Connection) -> None:
    """Make the log's partitions of today and the next days."""
    connection.execute("SELECT events.prepare_log(%s)", (DAYS_AHEAD,))


def trim_log(connection: psycopg.Connection) -> int:
    """Drop the log's days that are older than it is kept and wholly published; returns how many."""
    row = connection.execute("SELECT events.trim_log(%s)", (LOG_DAYS,)).fetchone()
    return int(row[0]) if row else 0


def forget_seen(connection: psycopg.Connection) -> int:
    """Drop ids of notifications that will not come again; returns how many, a limited number a transaction."""
    total, last = 0, FORGET_AT_ONCE
    while last == FORGET_AT_ONCE:
        last = connection.execute(FORGET, {"days": SEEN_DAYS, "most": FORGET_AT_ONCE}).rowcount
        total += last
    return total
