"""Taking notifications in: one statement de-duplicates, settles what the gate expected, and fills the outbox.

The registry notifies of a manifest before it has written its tag, and answers the push afterwards: an event with a tag
awaits that answer in the outbox, so that nobody who is told of the tag finds what it named before.

On the registry's way, which waits for the answer before it sends the next: hence plain psycopg and a single round trip.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg

from services.webhook.domain.notification import Unreadable
from services.webhook.domain.observation import Observation
from shared.events import envelope

MOST_PARKED: Final = 10_000
"""Where so many wait to be looked at, more of them tell nobody anything."""
LONGEST_PARKED: Final = 64 * 1024

# A row of events.expected that another is settling is locked: this waits for it, and who comes second is silent.
RECORD: Final[LiteralString] = """
    WITH incoming AS (
        SELECT * FROM jsonb_to_recordset(%(events)s::jsonb) AS event(
            place integer, event_id uuid, type text, routing_key text, project text, body jsonb, on_behalf boolean,
            expected uuid, kind text, repository text, digest text)
    ), answered AS (
        SELECT incoming.event_id, expected.* FROM incoming
        JOIN events.expected ON expected.id = incoming.expected AND expected.kind = incoming.kind
            AND expected.repository = incoming.repository
            AND coalesce(expected.digest, incoming.digest) = incoming.digest
        FOR UPDATE OF expected
    ), settled AS (
        UPDATE events.expected SET
            notified_at = coalesce(expected.notified_at, now()),
            settled_at = CASE WHEN answered.state = 'settled' THEN expected.settled_at ELSE now() END,
            settled_by = CASE WHEN answered.state = 'settled' THEN expected.settled_by ELSE 'registry' END,
            state = 'settled'
        FROM answered WHERE expected.id = answered.id
    ), fresh AS (
        INSERT INTO events.seen (event_id) SELECT event_id FROM incoming ON CONFLICT DO NOTHING RETURNING event_id
    ), told AS (
        SELECT incoming.*, projects.id AS project_id, answered.actor, answered.actor_kind, answered.address,
            answered.user_agent, answered.request_id,
            CASE WHEN answered.kind = 'put' AND answered.answered_at IS NULL AND incoming.body->'data'->>'tag' <> ''
                THEN answered.id END AS awaits,
            CASE WHEN answered.traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN answered.traceparent END
                AS gate
        FROM incoming
        JOIN fresh ON fresh.event_id = incoming.event_id
        LEFT JOIN answered ON answered.event_id = incoming.event_id
        LEFT JOIN directory.projects ON projects.name = incoming.project
        WHERE CASE WHEN answered.id IS NULL THEN NOT incoming.on_behalf ELSE answered.state <> 'settled' END
    ), written AS (
        INSERT INTO events.outbox (event_id, type, routing_key, project, awaits, body)
        SELECT event_id, type, routing_key, project, awaits,
            jsonb_set(
                CASE WHEN on_behalf THEN jsonb_set(jsonb_set(body, '{data,client}', jsonb_build_object(
                         'address', address, 'user_agent', user_agent)),
                         '{data,request_id}', to_jsonb(request_id))
                         || jsonb_build_object('actor', actor, 'actorkind', actor_kind)
                     ELSE body END,
                '{data,project_id}', coalesce(to_jsonb(project_id), 'null'))
                -- the gate's trace; in it this is a span of its own where one was begun
                || CASE WHEN gate IS NULL THEN '{}' ELSE jsonb_build_object('traceparent',
                       overlay(gate PLACING coalesce(substr(body->>'traceparent', 37, 16), substr(gate, 37, 16))
                               FROM 37 FOR 16)) END
        FROM told ORDER BY place
    )
    SELECT event_id, gate FROM told
"""
PARK: Final[LiteralString] = """
    INSERT INTO events.parked (reason, body, address)
    SELECT %(reason)s, %(body)s, %(address)s WHERE (SELECT count(*) FROM events.parked) < %(most)s
"""


def record(connection: psycopg.Connection, observations: Iterable[Observation]) -> Mapping[UUID, str | None]:
    """Write the events that are new and whose tellers we are. Atomic on an autocommit connection.

    Returns their ids, each with the trace context that the gate has given the write it tells of, where it has.
    """
    rows = {str(each.id): _row(each) for each in observations}
    if not rows:
        return {}
    events = [row | {"place": place} for place, row in enumerate(rows.values())]
    text = json.dumps(events, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return dict(connection.execute(RECORD, {"events": text}).fetchall())


def park(connection: psycopg.Connection, unreadable: Sequence[Unreadable], *, address: str) -> int:
    """Keep what can never be accepted, for somebody to look at; returns how many there was room for."""
    return sum(
        connection.execute(
            PARK,
            {"reason": each.reason, "body": each.body[:LONGEST_PARKED], "address": address, "most": MOST_PARKED},
        ).rowcount
        for each in unreadable
    )


def _row(observation: Observation) -> dict[str, Any]:
    event, settlement = observation.event, observation.settlement
    body = envelope.build(event, context=observation.context, event_id=observation.id, time=observation.time)
    row: dict[str, Any] = {
        "event_id": str(observation.id),
        "type": event.type,
        "routing_key": event.routing_key,
        "project": event.project_name,
        "body": body,
        "on_behalf": observation.on_behalf,
    }
    if settlement is not None:
        row |= {
            "expected": str(settlement.id),
            "kind": settlement.kind,
            "repository": settlement.repository,
            "digest": settlement.digest,
        }
    return row
