"""A running Breakwater as the e2e tests see it: its address, its administrator, its clients, what lies behind."""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg

from compose.local.network import PORTS as PORTS_FILE
from compose.local.network import kept_ports
from compose.local.parts import PARTS
from compose.local.site import PORT_OF_SOCKET
from compose.local.supervision import State, Supervisor
from shared.settings import Settings, load_settings
from tests.clients.polling import eventually
from tests.clients.registry import RegistryClient
from tests.clients.rest import RestClient
from tests.clients.skopeo import Outcome, Skopeo
from tests.clients.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from compose.local.instance import Instance


@dataclass(frozen=True, kw_only=True)
class Person:
    """An account and how it signs in."""

    name: str
    password: str
    id: int


class System:
    """One instance; `instance` itself starts, stops and kills its parts."""

    admin_name = "admin"

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.url = instance.url
        self.host = urlsplit(instance.url).netloc
        self.admin_password = instance.admin_password
        self.admin = RestClient(self.url, self.admin_name, self.admin_password)

    @property
    def settings(self) -> Settings:
        """The settings as the owner of the database reads them."""
        layout = self.instance.layout
        ports = kept_ports(layout.home / PORTS_FILE)
        assert ports, "the instance has never run"
        values: dict[str, Any] = {
            "home": layout.home, "run": layout.run, "port": self.instance.port, "part": "owner",
            "database_port": PORT_OF_SOCKET, "amqp_port": ports.amqp, "intake_port": ports.intake,
        }
        if self.instance.variables.get("BREAKWATER_DATABASE_HOST"):
            outside = ("database_host", "database_port", "database_name")
            values |= {name: self.instance.variables[f"BREAKWATER_{name.upper()}"] for name in outside}
            values["database_authorities"] = self.instance.variables["BREAKWATER_DATABASE_CA"]
        if self.instance.variables.get("BREAKWATER_AMQP_HOST"):
            values |= {"amqp_nodes": self.instance.variables["BREAKWATER_AMQP_HOST"], "amqp_users": "breakwater-"}
        return load_settings(**values)

    def as_compared(self) -> System:
        """Itself, the nightly comparison being done: otherwise a new instance begins it in the hours of the night.

        A test or a measurement is to find the same at every hour, and rows that it wrote without a registry stay.
        """
        self.rows("UPDATE core.reconciliation SET started_at = now(), finished_at = now() RETURNING repository")
        return self

    def pids_by_part(self) -> dict[str, list[int]]:
        """Every process of the instance, the supervisor's among them."""
        parts = {part: self.instance.pids(part) for part in PARTS}
        return {"supervisor": [Supervisor(self.instance.layout).pid()], **parts}

    def start_part(self, part: str) -> None:
        """Starts a stopped part and nothing else, and waits until it runs."""
        supervisor = Supervisor(self.instance.layout)
        supervisor.start([part])
        eventually(
            lambda: supervisor.children()[part].state is State.RUNNING, within=60, what=f"{part} runs", every=0.1,
        )

    # clients

    def rest(self, person: Person | None = None) -> RestClient:
        """The API as a person, or anonymously."""
        return RestClient(self.url, person.name, person.password) if person else RestClient(self.url)

    def registry(self, person: Person | None = None) -> RegistryClient:
        """The registry's HTTP API as a person; as the administrator where none is named."""
        if person is None:
            return RegistryClient(self.url, self.admin_name, self.admin_password)
        return RegistryClient(self.url, person.name, person.password)

    def anonymous_registry(self) -> RegistryClient:
        return RegistryClient(self.url)

    def skopeo(self, authfile: Path) -> Skopeo:
        return Skopeo(self.host, authfile)

    @contextmanager
    def stream(self, client: RestClient, *, last_event_id: str | None = None, **filters: str) -> Iterator[Stream]:
        """The event stream as that client, open and accepted."""
        with Stream(self.url, client.credentials, last_event_id=last_event_id, **filters) as stream:
            assert not stream.refusal, f"{stream.status} {stream.refusal}"
            yield stream

    def login(self, name: str, password: str) -> int:
        """The status that `docker login` would get."""
        registry = RegistryClient(self.url, name, password)
        status = registry.ask_token().status_code
        registry.close()
        return status

    def breakwater(self, *words: str) -> Outcome:
        """A verb of the command line, run against this instance."""
        done = self.instance.run(*words)
        return Outcome(ok=done.returncode == 0, out=done.stdout, err=done.stderr)

    # records that tests need

    def new_person(self) -> Person:
        name, password = f"u{secrets.token_hex(4)}", f"Aa1{secrets.token_hex(6)}"
        return Person(name=name, password=password, id=self.admin.create_user(name, password))

    def new_project(self, *, public: bool = False) -> str:
        name = f"p{secrets.token_hex(4)}"
        self.admin.create_project(name, public=public)
        return name

    # behind the curtain

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection as the database's owner, in autocommit mode."""
        with psycopg.connect(**self.settings.conninfo(), autocommit=True) as connection:  # type: ignore[arg-type]
            yield connection

    def rows(self, query: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
        with self.database() as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    @property
    def intake_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.intake_port}/service/notifications"

    @property
    def notification_token(self) -> str:
        return (self.settings.secrets / "intake" / "notification-token").read_text().strip()

    def events_of(self, project: str, noun_verb: str) -> list[dict[str, Any]]:
        """What the numbered log holds for a project, in order."""
        found = self.rows(
            "SELECT body FROM events.log WHERE project = %s AND type = %s ORDER BY sequence",
            (project, f"breakwater.{noun_verb}.v1"),
        )
        return [body if isinstance(body, dict) else json.loads(body) for (body,) in found]
