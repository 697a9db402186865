"""Faults of the database: who is let in, how many more, whether its tables are the code's and its clock is ours."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

from compose.local.credentials import DATABASE_PARTS
from compose.local.doctor.finding import Finding, broken, warning
from compose.local.doctor.patient import Check, Patient
from shared.errors import ConfigurationError, Unavailable
from shared.migrations import run
from shared.settings import CLOCK_LEEWAY

_AGAIN: Final = "./breakwater up gives every role its password again"
_FULL_AT: Final = 0.8
_SLIGHT: Final = timedelta(seconds=2)
_LOOK: Final = "./breakwater logs --part postgres tells why"
# what kind of a process another role's is the owner is not told: of those with a database few are no client's
_CONNECTIONS: Final = """
    SELECT (
            SELECT count(*) FROM pg_stat_activity
            WHERE datname IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
        ),
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
"""
_NEWEST: Final = """
    SELECT greatest((SELECT recorded_at FROM audit.head),
        (SELECT max(recorded_at) FROM events.log WHERE sequence = (SELECT last_sequence FROM events.relay)))
"""


def answers(patient: Patient) -> Iterator[Finding]:
    """Whether its owner is let in at all."""
    try:
        with patient.database():
            pass
    except ConfigurationError as error:
        yield broken(error.sentence, _AGAIN)
    except Unavailable as error:
        yield from judge_refusal("owner", str(error.__cause__), look=_look(patient))


def roles(patient: Patient) -> Iterator[Finding]:
    """Whether each part's role is let in."""
    for part in DATABASE_PARTS:
        try:
            with psycopg.connect(**patient.settings(part).conninfo()):  # type: ignore[arg-type]  # psycopg types its keywords one by one
                pass
        except ConfigurationError as error:
            yield broken(error.sentence, _AGAIN)
        except psycopg.OperationalError as error:
            yield from judge_refusal(part, str(error), look=_look(patient))


def judge_refusal(part: str, said: str, *, look: str = _LOOK) -> Iterator[Finding]:
    """Why a role is not let in, by what libpq says; that is never passed on as it is."""
    if "password authentication failed" in said:
        yield broken(f"the database does not accept the password of {part}", _AGAIN)
    elif "too many clients" in said or "remaining connection slots" in said:
        yield broken("the database has no connection left", _fewer())
    elif "starting up" in said or "shutting down" in said:
        yield broken("the database is starting or stopping", "wait a moment and ask again")
    else:
        yield broken(f"the database does not let {part} in", look)


def _look(patient: Patient) -> str:
    """Where to look for the reason."""
    host = patient.options.database_host
    return f"look at the database's own log, at {host}, and at the way to it" if host else _LOOK


def connections(patient: Patient) -> Iterator[Finding]:
    """How many are left for everybody."""
    with patient.database() as database:
        used, most = database.execute(_CONNECTIONS).fetchone() or (0, 0)
    yield from judge_connections(used, most)


def judge_connections(used: int, most: int) -> Iterator[Finding]:
    """Whether it is too many."""
    if used >= most * _FULL_AT:
        yield warning(f"{used} of the database's {most} connections are in use", _fewer())


def revision(patient: Patient) -> Iterator[Finding]:
    """Whether its tables are those that this code works with."""
    yield from judge_revision(run.current(patient.settings("owner")))


def judge_revision(found: str) -> Iterator[Finding]:
    """What a database's revision is to this code."""
    if found == run.newest():
        return
    if found == "none" or run.is_known(found):
        yield broken(
            f"migrations are pending: the database is at {found}, the code is at {run.newest()}",
            "./breakwater up brings the database up to date",
        )
    else:
        yield broken(
            f"the database is newer than this code: it does not know revision {found}",
            "run the version that wrote it, or restore a backup of this version's",
        )


def clock(patient: Patient) -> Iterator[Finding]:
    """Whether the database's clock is ours, and whether ours was ever ahead of now."""
    before = datetime.now(UTC)
    with patient.database() as database:
        row = database.execute("SELECT clock_timestamp()").fetchone()
        after = datetime.now(UTC)
        newest = database.execute(_NEWEST).fetchone()
    if row:
        yield from judge_clock(row[0], before=before, after=after)
    if newest and newest[0]:
        yield from judge_newest(newest[0], now=after)


def judge_clock(told: datetime, *, before: datetime, after: datetime) -> Iterator[Finding]:
    """What another clock told, which was asked between two looks at ours."""
    skew = max(before - told, told - after, timedelta(0))
    if skew <= _SLIGHT:
        return
    what = f"the database's clock and this machine's are {skew.total_seconds():.0f} s apart"
    remedy = "keep both by NTP: timedatectl tells whether this machine does"
    yield broken(what + ": tokens are refused", remedy) if skew > CLOCK_LEEWAY else warning(what, remedy)


def judge_newest(newest: datetime, *, now: datetime) -> Iterator[Finding]:
    """What was recorded cannot be later than now."""
    if newest - now > _SLIGHT:
        yield warning(
            f"the newest record is of {newest:%Y-%m-%d %H:%M:%S} UTC, which is in the future: a clock was set back",
            "keep the clock by NTP: timedatectl tells whether this machine does",
        )


def _fewer() -> str:
    return "look in pg_stat_activity for who holds them; a client beside Breakwater should use a database of its own"


CHECKS: Final[Iterable[Check]] = (
    Check(
        name="database",
        looks_for="a database that answers nobody",
        remedy="`./breakwater logs --part postgres` tells why",
        ask=answers,
    ),
    Check(
        name="database-roles",
        looks_for="a part whose password the database does not accept",
        remedy="`./breakwater up` gives every role its password again",
        ask=roles,
    ),
    Check(
        name="connections",
        looks_for="too few connections left in the database",
        remedy="find who holds them in `pg_stat_activity`",
        ask=connections,
    ),
    Check(
        name="migrations",
        looks_for="a database that is older than the code, or newer",
        remedy="`./breakwater up` brings it up to date; for one that is newer, run the version that wrote it",
        ask=revision,
    ),
    Check(
        name="clock",
        looks_for="a clock of the database that is not this machine's, and records of the future",
        remedy="keep all clocks by NTP",
        ask=clock,
    ),
)
