"""Counting what policies come to, in the transaction that makes it so."""

from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.replication.domain.tally import Tally
from services.replication.tables import tallies


def add(session: Session, tally: Tally) -> None:
    """Add to what was counted before, in one statement and one order of locks: nobody waits in a circle.

    Called once in a transaction, after executions and tasks are locked.
    """
    rows = [
        {"policy_id": policy_id, "figure": figure, "kind": kind, "number": number}
        for (policy_id, figure, kind), number in sorted(tally.items())
        if number
    ]
    if not rows:
        return
    new = upsert(tallies).values(rows)
    session.execute(
        new.on_conflict_do_update(
            index_elements=[tallies.c.policy_id, tallies.c.figure, tallies.c.kind],
            set_={"number": tallies.c.number + new.excluded.number},
        )
    )
