"""The instance that is examined, and what a check is."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy.orm import Session

from compose.local.doctor.finding import Finding
from compose.local.layout import Layout
from compose.local.options import Options
from compose.local.site import Site
from compose.local.supervision import Child, State
from shared.db import engine, session_factory, unavailable_when_down
from shared.postgres import connect
from shared.settings import Settings, load_settings

_REACHED = frozenset({"postgres", "rabbitmq", "token"})


@dataclass(frozen=True, kw_only=True)
class Patient:
    """An instance at one moment."""

    site: Site
    now: datetime
    children: Mapping[str, Child] = field(default_factory=dict)
    """What the supervisor tells of each part; empty where nothing runs."""

    @property
    def layout(self) -> Layout:
        """Where its things lie."""
        return self.site.layout

    @property
    def options(self) -> Options:
        """The settings of the instance as a whole."""
        return self.site.options

    def runs(self, part: str) -> bool:
        """Whether the supervisor says so; what is outside is asked whenever anything runs.

        Of containers no supervisor tells: those that can be asked from where the verbs run are asked.
        """
        if self.site.contained:
            return part in _REACHED
        if part in {"postgres", "rabbitmq"} and part not in self.site.parts:
            return bool(self.children)
        return part in self.children and self.children[part].state is State.RUNNING

    def settings(self, part: str) -> Settings:
        """The settings as that part reads them."""
        names = {name.removeprefix("BREAKWATER_").lower(): value for name, value in self.site.settings.items()}
        return load_settings(**names, part=part)

    @contextmanager
    def database(self, part: str = "owner") -> Iterator[psycopg.Connection[Any]]:
        """A connection on which nothing can be written. Raises Unavailable."""
        with connect(self.settings(part), statement_timeout_ms=STATEMENT_MS) as connection:
            connection.execute("SET default_transaction_read_only = on")
            yield connection

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session that is never committed. Raises Unavailable."""
        bind = engine(self.settings("owner"), pool_size=1, statement_timeout_ms=STATEMENT_MS)
        try:
            with unavailable_when_down(), session_factory(bind)() as session:
                yield session
        finally:
            bind.dispose()


STATEMENT_MS = 3_000

Ask = Callable[[Patient], Iterable[Finding]]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One small question."""

    name: str
    looks_for: str
    """What fault it finds, as the troubleshooting page has it."""
    remedy: str
    """What is to be done in general, as that page has it."""
    ask: Ask


@dataclass(frozen=True, kw_only=True)
class Group:
    """Checks that stand on the same part: where the first one finds it broken, the others have nothing to ask."""

    needs: str | None
    """The part that has to run, or None where the instance may be stopped."""
    checks: tuple[Check, ...]
