"""Takes a project's retention policy along to the target, and follows it as long as nobody else changes it there.

What is about to be sent is written down before it goes: whoever is broken off in between, the next one knows it again.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from services.replication.commands import retention as commands
from services.replication.commands.retention import Seat
from services.replication.domain.claim import Claim
from services.replication.domain.retention import NOTHING, Mark, Placed, Retention, Whose, whose
from services.replication.ends import Catalogue
from services.replication.queries import content
from services.replication.transfer.copy import Say

_LEFT_ALONE: Final[Mapping[Whose, str]] = {
    Whose.ANOTHERS: "was made there by somebody else",
    Whose.CHANGED: "was changed there by somebody else",
    Whose.REMOVED: "was deleted there by somebody else",
}


def retain(sessions: sessionmaker[Session], remote: Catalogue, claim: Claim, say: Say) -> None:
    """Have the target's project keep what the source's keeps; once an execution. Raises AttemptFailed."""
    source, project = (name.partition("/")[0] for name in (claim.source, claim.target))
    with sessions.begin() as session:
        taken = commands.take(session, claim, project)
        if taken is None:
            return
        wanted = content.retention_of(session, source)
    seat, mark = taken
    try:
        _see_to(sessions, remote, seat, mark, wanted, say)
    finally:
        with sessions.begin() as session:
            seat.leave(session)


def _see_to(
    sessions: sessionmaker[Session], remote: Catalogue, seat: Seat, mark: Mark, wanted: Retention, say: Say
) -> None:
    if wanted == NOTHING and mark == Mark():
        with sessions.begin() as session:
            seat.done(session, mark)
        return
    there = remote.retention(seat.project)
    found = whose(mark, there)
    if found in _LEFT_ALONE:
        _leave_alone(sessions, seat, mark, there, wanted, found, say)
        return
    if there.retention != wanted:
        intended = Mark(
            project_id=there.project_id,
            number=there.number,
            carried=there.retention if there.number is not None else None,
            intended=wanted,
        )
        with sessions.begin() as session:
            if not seat.intend(session, intended):
                return
        told = f"the retention policy of {seat.project} {_done(there, wanted)}"
        there = replace(there, number=remote.put_retention(seat.project, there, wanted))
        say(told)
    kept = Mark(project_id=there.project_id, number=there.number, carried=wanted)
    with sessions.begin() as session:
        seat.done(session, kept if there.number is not None else Mark())


def _leave_alone(
    sessions: sessionmaker[Session],
    seat: Seat,
    mark: Mark,
    there: Placed,
    wanted: Retention,
    found: Whose,
    say: Say,
) -> None:
    """Say so where it matters; where both sides happen to agree, there is nothing to say."""
    if found is Whose.REMOVED and wanted == NOTHING:
        mark = Mark()
    note = ""
    if there.retention != wanted:
        note = f"the retention policy of {seat.project} {_LEFT_ALONE[found]}: it is left as it is"
        say(note)
    with sessions.begin() as session:
        seat.done(session, mark, stopped=bool(note) and found is not Whose.ANOTHERS, note=note)


def _done(there: Placed, wanted: Retention) -> str:
    if there.number is None:
        return "is made as it is here"
    return "has no rules now, for there are none here" if wanted == NOTHING else "is what it is here now"
