"""Sending in three steps: claim what is due under a lease, send outside any transaction, record how it went.

A target is served by one at a time, so that one that is slow or dead holds nobody else up; whoever has lost the lease
cannot record any more. Locks are taken in one order: target, then delivery.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, Row, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from services.webhook.commands.enqueue import rest_no_longer, wake
from services.webhook.commands.reform import payload_now
from services.webhook.domain.delivery import (
    GIVEN_UP_AFTER,
    KEPT,
    MOST_WAITING,
    Breaker,
    Claim,
    Outcome,
    State,
    next_attempt,
)
from services.webhook.domain.shares import QUICK, Shares
from services.webhook.errors import NoSuchDelivery, PolicyDisabled
from services.webhook.queries.policy import get_policy
from services.webhook.queries.ready import ready_targets
from services.webhook.tables import attempts, delivered_events, deliveries, targets

LEASE: Final = timedelta(seconds=60)
"""Longer than any attempt may take."""
PRUNED_AT_ONCE: Final = 1_000

_LOCKED: Final = text(
    """
    SELECT id FROM webhook.targets
    WHERE id = ANY(CAST(:ready AS integer[]))
      AND (leased_until IS NULL OR leased_until <= :now) AND (open_until IS NULL OR open_until <= :now)
    FOR NO KEY UPDATE SKIP LOCKED
    """
)
# asked once the targets are locked: what whoever served one before us has recorded is seen here, and not above
_NEXT: Final = text(
    """
    UPDATE webhook.deliveries d SET attempts = d.attempts + 1, updated_at = :now
    FROM unnest(CAST(:targets AS integer[])) AS ready (id)
    CROSS JOIN LATERAL (
        SELECT n.id FROM webhook.deliveries n
        WHERE n.target_id = ready.id AND n.state = 'pending' AND n.due_at <= :now
        ORDER BY n.due_at, n.id LIMIT 1
    ) AS next
    WHERE d.id = next.id AND d.state = 'pending'
    RETURNING d.id, d.uid, d.attempts, d.target_id, d.policy_id, d.event_type, d.content_type, d.body, d.event_id,
        d.request_id
    """
)
_LEASE: Final = text(
    """
    UPDATE webhook.targets t
    SET lease = :lease, leased_until = :until, served_at = :now, pool_id = :pool, delivery_id = next.delivery_id
    FROM unnest(CAST(:targets AS integer[]), CAST(:deliveries AS bigint[])) AS next (target_id, delivery_id),
         webhook.policies p
    WHERE t.id = next.target_id AND p.id = t.policy_id
    RETURNING t.id, p.project_id, t.quick, t.address, t.payload_format, t.skip_cert_verify, t.auth_header,
        t.signing_secret
    """
)
_FREE: Final[dict[str, Any]] = {"lease": None, "leased_until": None, "pool_id": None, "delivery_id": None}


def claim(session: Session, shares: Shares, *, most: int, pool_id: UUID, now: datetime) -> list[Claim]:
    """Up to `most` deliveries that are due, each of another target, as projects' shares allow; ours for the lease."""
    ready = ready_targets(session, shares, most=most, now=now)
    if ready:
        ready = list(session.scalars(_LOCKED, {"ready": ready, "now": now}))
    if not ready:
        return []
    found = session.execute(_NEXT, {"targets": ready, "now": now}).all()
    lease = uuid4()
    leased = session.execute(
        _LEASE,
        {
            "lease": lease,
            "until": now + LEASE,
            "now": now,
            "pool": pool_id,
            "targets": [row.target_id for row in found],
            "deliveries": [row.id for row in found],
        },
    )
    by_target = {row.id: row for row in leased}
    return [_claim(session, lease, row, by_target[row.target_id]) for row in found if row.target_id in by_target]


def record(session: Session, claimed: Claim, outcome: Outcome, *, now: datetime, chance: float) -> State | None:
    """Write down how an attempt went, and where the delivery stands now; None where it is not ours any more."""
    locked = session.execute(
        select(targets.c.failures, targets.c.open_until)
        .where(targets.c.id == claimed.target_id, targets.c.lease == claimed.lease)
        .with_for_update(key_share=True)
    ).one_or_none()
    if locked is None:
        return None
    before = Breaker(failures=locked.failures, open_until=locked.open_until)
    after = before.after(outcome.fault, now=now, chance=chance)
    quick = outcome.finished_at - outcome.started_at <= QUICK
    session.execute(
        update(targets)
        .where(targets.c.id == claimed.target_id)
        .values(failures=after.failures, open_until=after.open_until, quick=quick, **_FREE)
    )
    session.execute(
        insert(attempts).values(
            delivery_id=claimed.delivery_id,
            number=claimed.number,
            started_at=outcome.started_at,
            finished_at=outcome.finished_at,
            succeeded=outcome.fault is None,
            message=outcome.message,
            request=outcome.request,
            response=outcome.response,
        )
    )
    state = _settle(session, claimed, outcome, now=now, chance=chance)
    if before.failures and not after.failures:
        # it is back: what was put off while it was away need not wait any longer
        waiting = (deliveries.c.target_id == claimed.target_id, deliveries.c.state == State.PENDING)
        others = (*waiting, deliveries.c.id != claimed.delivery_id, deliveries.c.due_at > now)
        session.execute(update(deliveries).where(*others).values(due_at=now))
    return state


def redeliver(session: Session, project_id: int, policy_id: int, delivery_id: int, *, now: datetime) -> None:
    """Send a delivery again, with another day of attempts. Raises NoSuchPolicy, PolicyDisabled, NoSuchDelivery."""
    _require_enabled(session, project_id, policy_id)
    mine = (deliveries.c.id == delivery_id, deliveries.c.policy_id == policy_id)
    target_id = session.scalar(select(deliveries.c.target_id).where(*mine))
    if target_id is None:
        raise NoSuchDelivery
    rest_no_longer(session, [target_id])
    session.execute(update(deliveries).where(*mine).values(**_due_again(now)))
    wake(session)


def redeliver_failed(session: Session, project_id: int, policy_id: int, *, now: datetime) -> int:
    """The same for all that were given up, the newest where there are too many; returns how many.

    Raises NoSuchPolicy, PolicyDisabled.
    """
    _require_enabled(session, project_id, policy_id)
    failed = (
        select(deliveries.c.id)
        .where(deliveries.c.policy_id == policy_id, deliveries.c.state == State.ERROR)
        .order_by(deliveries.c.id.desc())
        .limit(MOST_WAITING)
    )
    owned = select(targets.c.id).where(targets.c.policy_id == policy_id)
    rest_no_longer(session, session.scalars(owned).all())
    again = update(deliveries).where(deliveries.c.id.in_(failed)).values(**_due_again(now)).returning(deliveries.c.id)
    count = len(session.scalars(again).all())
    wake(session)
    return count


def expire(session: Session, *, now: datetime) -> int:
    """Give up what has waited out its day unsent, as under a policy that is disabled; a limited number at once."""
    over = (
        select(deliveries.c.id)
        .where(deliveries.c.state == State.PENDING, deliveries.c.expires_at < now)
        .order_by(deliveries.c.expires_at)
        .limit(PRUNED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    given_up = (
        update(deliveries)
        .where(deliveries.c.id.in_(over))
        .values(
            state=State.ERROR,
            finished_at=now,
            updated_at=now,
            message=func.coalesce(func.nullif(deliveries.c.message, ""), "not sent within a day"),
        )
    )
    return _count(session.execute(given_up))


def prune(session: Session, *, now: datetime) -> int:
    """Drop what ended long ago, and the ids of events that will not come again; a limited number at once."""
    ended = (
        select(deliveries.c.id)
        .where(deliveries.c.finished_at < now - KEPT)
        .order_by(deliveries.c.finished_at)
        .limit(PRUNED_AT_ONCE)
    )
    old = (
        select(delivered_events.c.event_id)
        .where(delivered_events.c.seen_at < now - KEPT)
        .order_by(delivered_events.c.seen_at)
        .limit(PRUNED_AT_ONCE)
    )
    dropped = session.execute(delete(deliveries).where(deliveries.c.id.in_(ended)))
    forgotten = session.execute(delete(delivered_events).where(delivered_events.c.event_id.in_(old)))
    return _count(dropped) + _count(forgotten)


def _settle(session: Session, claimed: Claim, outcome: Outcome, *, now: datetime, chance: float) -> State:
    """Move the delivery on; one that was asked for again meanwhile keeps its new day."""
    expires_at = session.scalar(select(deliveries.c.expires_at).where(deliveries.c.id == claimed.delivery_id))
    due = expires_at and next_attempt(claimed.number, now=now, expires_at=expires_at, chance=chance)
    if outcome.fault is None:
        state, values = State.SUCCESS, {"finished_at": now}
    elif due:
        state, values = State.PENDING, {"due_at": due}
    else:
        state, values = State.ERROR, {"finished_at": now}
    session.execute(
        update(deliveries)
        .where(deliveries.c.id == claimed.delivery_id)
        .values(**values, state=state, message=outcome.message, updated_at=now)
    )
    return state


def _due_again(now: datetime) -> dict[str, Any]:
    return {
        "state": State.PENDING,
        "attempts": 0,
        "message": "",
        "due_at": now,
        "expires_at": now + GIVEN_UP_AFTER,
        "finished_at": None,
        "updated_at": now,
    }


def _require_enabled(session: Session, project_id: int, policy_id: int) -> None:
    if not get_policy(session, project_id, policy_id).enabled:
        raise PolicyDisabled


def _claim(session: Session, lease: UUID, row: Row[Any], target: Row[Any]) -> Claim:
    payload = payload_now(session, row, target)
    return Claim(
        lease=lease,
        delivery_id=row.id,
        uid=row.uid,
        number=row.attempts,
        target_id=row.target_id,
        policy_id=row.policy_id,
        project_id=target.project_id,
        quick=target.quick,
        address=target.address,
        skip_cert_verify=target.skip_cert_verify,
        auth_header=target.auth_header,
        signing_secret=target.signing_secret,
        event_type=row.event_type,
        content_type=payload.content_type,
        body=payload.body,
    )


def _count(result: Any) -> int:  # noqa: ANN401 - SQLAlchemy types the result of every statement alike
    return result.rowcount if isinstance(result, CursorResult) else 0

