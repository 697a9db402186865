"""From a notification's commit to its audit row while pushes go on: at a steady rate, and as fast as they are taken."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4, uuid5

import psycopg
import requests

from tests.bench.figures import Figure, Goal, Side, percentile
from tests.bench.intake import pushed_image
from tests.bench.load import connect, request
from tests.clients.images import make_image
from tests.clients.notifications import CONTENT_TYPE, body_of, event
from tests.clients.registry import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Event

    from tests.bench.rig import Rig

STEADY: Final = 200
LATENCY_ASKED: Final = 100.0
CATCH_UP_SECONDS: Final = 90
_POLL: Final = 0.002


class LostEventsError(Exception):
    """Events that were accepted never reached the record."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """When each event was accepted and when its audit row could be read; clock: time.monotonic of this machine."""

    accepted: Mapping[UUID, float] = field(repr=False)
    recorded: Mapping[UUID, float] = field(repr=False)
    begun: float

    @property
    def latencies(self) -> list[float]:
        return [max(0.0, self.recorded[each] - at) for each, at in self.accepted.items()]

    @property
    def sustained(self) -> float:
        """Events a second from the first one sent to the last one recorded."""
        return len(self.accepted) / (max(self.recorded[each] for each in self.accepted) - self.begun)


def _send(port: int, bodies: Sequence[tuple[UUID, bytes]], per_second: float, pipe: Connection) -> None:
    """One after the other, as the registry does; `per_second` 0 sends each as soon as the last is answered."""
    accepted = {}
    connected = connect(("127.0.0.1", port))
    begun = time.monotonic()
    for number, (event_id, body) in enumerate(bodies):
        if per_second and (ahead := begun + number / per_second - time.monotonic()) > 0:
            time.sleep(ahead)
        connected.sendall(body)
        answer = connected.recv(65_536)
        accepted[event_id] = time.monotonic()
        if not answer.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"the intake answered {answer[:200]!r}")
    connected.close()
    pipe.send((begun, accepted))
    pipe.close()


def _push(url: str, password: str, repository: str, stop: Event, pipe: Connection) -> None:
    """Small images, one after the other, until told to stop."""
    registry = RegistryClient(url, "admin", password)
    pushed, number = 0, 0
    while not stop.is_set():
        number += 1
        answer = registry.push(repository, f"v{number % 50}", make_image(f"{repository}/{uuid4()}", layer_size=2_000))
        pushed += answer.status_code == requests.codes.created
    pipe.send((pushed, number))
    pipe.close()


def _recorded(
    conninfo: Mapping[str, str | int], wanted: set[UUID], after: int, sender: Connection,
) -> dict[UUID, float]:
    """Reads the record until all wanted rows are there; raises LostEventsError when they do not come.

    The sender has sent all once it tells so, or has ended.
    """
    seen: dict[UUID, float] = {}
    missing, deadline = set(wanted), None
    with psycopg.connect(**conninfo, autocommit=True) as connection:  # type: ignore[arg-type]  # one mapping, many types
        while missing:
            rows = connection.execute(
                "SELECT sequence, event_id FROM audit.records WHERE sequence > %s ORDER BY sequence", (after,),
                prepare=True,
            ).fetchall()
            now = time.monotonic()
            for sequence, event_id in rows:
                after = sequence
                if event_id in missing:
                    seen[event_id] = now
                    missing.discard(event_id)
            if deadline is None and sender.poll():
                deadline = now + CATCH_UP_SECONDS
            if deadline is not None and now > deadline:
                raise LostEventsError(f"{len(missing)} of {len(wanted)} accepted events never reached the record")
            time.sleep(_POLL)
    return seen


def _run(rig: Rig, repository: str, digest: str, number: int, per_second: float) -> Run:
    headers = {
        "Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {rig.system.notification_token}",
    }
    bodies = []
    for _ in range(number):
        told = event("pull", repository, digest=digest, tag="v1")
        bodies.append((
            uuid5(rig.system.settings.instance_id, told["id"]),
            request("POST", "/service/notifications", headers, body_of(told)),
        ))
    ((after,),) = rig.system.rows("SELECT coalesce(max(sequence), 0) FROM audit.records")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    sender = context.Process(
        target=_send, args=(rig.system.settings.intake_port, bodies, per_second, theirs), daemon=True,
    )
    sender.start()
    theirs.close()
    recorded = _recorded(rig.system.settings.conninfo(), {each for each, _ in bodies}, after, ours)
    begun, accepted = ours.recv()
    sender.join(10)
    return Run(accepted=accepted, recorded=recorded, begun=begun)


def measure(rig: Rig) -> list[Figure]:
    """Both rates beside one pusher; every accepted event must be recorded once."""
    project = rig.system.new_project()
    repository = f"{project}/app"
    digest = pushed_image(rig, repository)
    number = int(rig.scaled(2_000, 100))
    context = multiprocessing.get_context("spawn")
    stop, (ours, theirs) = context.Event(), context.Pipe(duplex=False)
    pusher = context.Process(
        target=_push, args=(rig.system.url, rig.system.admin_password, f"{project}/load", stop, theirs), daemon=True,
    )
    pusher.start()
    begun = time.monotonic()
    try:
        rig.say(f"events: {number} notifications at {STEADY} a second beside pushes")
        steady = _run(rig, repository, digest, number, STEADY)
        rig.say(f"events: {number} notifications as fast as they are taken, beside pushes")
        burst = _run(rig, repository, digest, number, 0)
    finally:
        stop.set()
    pushed, tried = ours.recv() if ours.poll(60) else (0, 0)
    seconds = time.monotonic() - begun
    pusher.join(10)
    rows = rig.system.rows(
        "SELECT count(*), count(DISTINCT event_id) FROM audit.records WHERE project = %s AND operation = 'pull'",
        (project,),
    )
    p50, p99 = (percentile(steady.latencies, share) * 1000 for share in (0.5, 0.99))
    return [
        Figure(
            name=f"event latency p99 at {STEADY}/s, beside pushes",
            ours=Side(what="from commit to audit row", value=p99, unit="ms"),
            against=Side(what="asked for", value=LATENCY_ASKED, unit="ms"),
            goal=Goal.AT_MOST, limit=1,
            details={
                "p50": f"{p50:.1f} ms",
                "beside": f"{pushed / seconds:.1f} pushes/s, {pushed} of {tried} accepted",
                "recorded": f"{rows[0][0]} rows of {2 * number} notifications, {rows[0][1]} of them distinct",
            },
        ),
        Figure(
            name="events, sustained beside pushes",
            ours=Side(what="from the first sent to the last recorded", value=burst.sustained, unit="events/s"),
            against=Side(what="asked for", value=STEADY, unit="events/s"),
            goal=Goal.AT_LEAST, limit=1,
            details={
                "taken by the intake": f"{number / (max(burst.accepted.values()) - burst.begun):,.0f}/s",
                "p99 from commit to audit row in the burst": f"{percentile(burst.latencies, 0.99) * 1000:,.0f} ms",
            },
        ),
    ]
