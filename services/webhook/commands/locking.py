"""Locks on targets, always in one order: who changes a policy and who writes deliveries for it wait for one another."""

from collections.abc import Sequence
from enum import Enum

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from services.webhook.tables import policies, targets


class Lock(Enum):
    """What targets are locked for, as PostgreSQL has it: read, and key_share."""

    DROP = (False, False)
    """Nobody else does anything with them."""
    CHANGE = (False, True)
    """Nobody else changes or drops them."""
    KEEP = (True, True)
    """Nobody drops them."""


def lock_targets(session: Session, lock: Lock, *which: ColumnElement[bool]) -> Sequence[int]:
    """Lock targets, by what is true of them or of their policies, until the end of the transaction; those that are."""
    read, key_share = lock.value
    found = select(targets.c.id).join(policies, policies.c.id == targets.c.policy_id).where(*which)
    locked = found.order_by(targets.c.id).with_for_update(of=targets, read=read, key_share=key_share)
    return session.scalars(locked).all()
