"""The delivering part as it really runs, a broker that feeds it, and policies made by the use cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

from cryptography.fernet import Fernet
from sqlalchemy.orm import Session, sessionmaker

from services.webhook.commands.policy import create_policy, update_policy
from services.webhook.domain.policy import WantedPolicy, WantedTarget
from services.webhook.queries.policy import get_policy
from shared.db import engine, session_factory
from shared.events import Actor, ActorKind, Event, EventContext
from shared.events.definitions.artifact import ArtifactPushed
from shared.events.envelope import build, encode
from shared.messaging.connection import connected
from shared.messaging.publish import Outgoing, Publisher
from shared.messaging.topology import EVENTS
from shared.secrets import Sealer, Secret
from tests import factories
from tests.integration.broker import Broker, Process, eventually, running
from tests.integration.conftest import Database

DELIVERIES = "services.webhook.deliveries:DeliveryService"
LOOPBACK = "127.0.0.0/8"
DIGEST = "sha256:" + "a" * 64
CONTEXT = EventContext(
    instance_id=UUID("4be0643f-1d98-573b-97cd-ca98a65347dd"),
    actor=Actor(kind=ActorKind.USER, name="alice"),
    request_id="r-1",
)
_numbers = count(1)


@dataclass
class Hooks:
    """A database with policies, and what happens to their deliveries."""

    database: Database
    broker: Broker
    folder: Path
    sessions: sessionmaker[Session]
    process: Process | None = field(default=None, repr=False)

    @property
    def sealer(self) -> Sealer:
        return Sealer.read(self.database.server.home / "secrets" / "config-key")

    @contextmanager
    def delivering(self, *, allow: str = LOOPBACK) -> Iterator[Process]:
        """The part runs; ended again afterwards, whatever a test has done to it."""
        settings = self.database.settings("webhook", amqp_port=self.broker.port)
        with running(
            DELIVERIES, settings, self.folder / "log",
            BREAKWATER_OUTBOUND_ALLOW=allow, BREAKWATER_URL="https://registry.example.test",
        ) as process:  # fmt: skip
            yield process

    def project(self, *, public: bool = False) -> tuple[int, str]:
        """A new project's number and name."""
        name = f"hooked{next(_numbers)}"
        with self.database.superuser() as connection:
            return factories.project(connection, name, public=public), name

    def policy(
        self, project: tuple[int, str], *targets: WantedTarget | str, events: Sequence[str] = ("PUSH_ARTIFACT",),
        enabled: bool = True,
    ) -> int:  # fmt: skip
        """A policy with targets, http ones where only an address is given; returns its number."""
        wanted = tuple(http(each) if isinstance(each, str) else each for each in targets)
        with self.sessions.begin() as session:
            policy = create_policy(
                session,
                WantedPolicy(
                    name=f"hook{next(_numbers)}", description="", targets=wanted, event_types=tuple(events),
                    enabled=enabled,
                ),
                project_id=project[0], project=project[1], creator="alice", refuses=lambda _host: False,
                sealer=self.sealer, now=datetime.now(UTC), context=CONTEXT,
            )  # fmt: skip
        return policy.id

    def change(self, project: tuple[int, str], policy: int, *targets: WantedTarget | str) -> None:
        """Have a policy send to these targets, in this order."""
        with self.sessions.begin() as session:
            stored = get_policy(session, project[0], policy)
            wanted = WantedPolicy(
                name=stored.name, description="", targets=tuple(http(each) if isinstance(each, str) else each
                for each in targets), event_types=stored.event_types, enabled=stored.enabled,
            )  # fmt: skip
            update_policy(
                session, project[0], policy, wanted, project=project[1], refuses=lambda _host: False,
                sealer=self.sealer, now=datetime.now(UTC), context=CONTEXT,
            )  # fmt: skip

    def publish(self, *events: Event, ids: Sequence[UUID] = (), context: EventContext = CONTEXT) -> list[UUID]:
        """Publish as the relay does; returns the events' ids."""
        chosen = list(ids) or [uuid4() for _ in events]
        now = datetime.now(UTC)
        with connected(self.broker.settings("relay")) as connection:
            Publisher(connection).publish(
                [
                    Outgoing(
                        exchange=EVENTS, routing_key=event.routing_key,
                        body=encode(
                            build(event, context=context, event_id=event_id, time=now) | {"sequence": str(number)}
                        ).encode(),
                    )
                    for number, (event, event_id) in enumerate(zip(events, chosen, strict=True), start=1)
                ]
            )  # fmt: skip
        return chosen

    @property
    def unsettled(self) -> int:
        """Events in the queue, those in the part's hands among them."""
        listed = self.broker.rabbit.control("list_queues", "--silent", "name", "messages").split("\n")
        return next(int(line.split("\t")[1]) for line in listed if line.startswith("webhook\t"))

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with self.database.superuser() as connection:
            return connection.execute(query, values).fetchall()

    def do(self, query: LiteralString, *values: object) -> None:
        with self.database.superuser() as connection:
            connection.execute(query, values)

    def states(self, policy: int) -> list[str]:
        """Where each delivery of a policy stands, in order."""
        stored = "SELECT state FROM webhook.deliveries WHERE policy_id = %s ORDER BY id"
        return [row[0] for row in self.rows(stored, policy)]

    def attempts(self, policy: int) -> list[tuple[int, bool, str]]:
        """Number, success and message of each attempt, in order."""
        stored = """
            SELECT a.number, a.succeeded, a.message FROM webhook.attempts a
            JOIN webhook.deliveries d ON d.id = a.delivery_id WHERE d.policy_id = %s ORDER BY a.id
        """
        return [(row[0], row[1], row[2]) for row in self.rows(stored, policy)]

    def become_due(self, policy: int) -> None:
        """What waits for another attempt, and for the target's breaker, waits no longer."""
        self.do("UPDATE webhook.targets SET open_until = NULL WHERE policy_id = %s", policy)
        self.do("UPDATE webhook.deliveries SET due_at = now() WHERE policy_id = %s AND state = 'pending'", policy)

    def settled(self, policy: int, *states: str, seconds: float = 20) -> None:
        """Wait until the deliveries of a policy stand there."""
        eventually(lambda: self.states(policy), list(states), seconds=seconds)


@contextmanager
def hooks_of(database: Database, broker: Broker, folder: Path) -> Iterator[Hooks]:
    key = database.server.home / "secrets" / "config-key"
    if not key.exists():
        key.write_text(Fernet.generate_key().decode() + "\n")
    bind = engine(database.settings("core"))
    yield Hooks(database, broker, folder, session_factory(bind))
    bind.dispose()


def http(
    address: str, *, auth: str | None = "", secret: str = "", form: str = "Default", trusting: bool = False
) -> WantedTarget:
    """An HTTP target; an `auth` of None is a masked one."""
    return WantedTarget(
        kind="http", address=address, payload_format=form, skip_cert_verify=trusting,
        auth_header=None if auth is None else Secret(auth), signing_secret=Secret(secret),
    )  # fmt: skip


def slack(address: str) -> WantedTarget:
    return WantedTarget(kind="slack", address=address, auth_header=Secret(""), signing_secret=Secret(""))


def push(project: tuple[int, str], tag: str | None = "v1", **more: Any) -> ArtifactPushed:  # noqa: ANN401
    """A push into a project."""
    values = {"project": project[1], "project_id": project[0], "repository": f"{project[1]}/app", "digest": DIGEST}
    return ArtifactPushed(**(values | {"tag": tag} | more))
