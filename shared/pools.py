"""Pools: the processes of a service that work jobs. Each service keeps a table of its own and beats there.

A process that is killed leaves its row; without a beat it is not listed any more, and whoever beats next drops it.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import (
    Column,
    CompoundSelect,
    DateTime,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    delete,
    func,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

BEAT_SECONDS: Final = 10.0
LISTED: Final = timedelta(seconds=60)
"""Since the last beat; several may be missed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """A process, and how many jobs it works at once."""

    id: UUID
    host: str
    pid: int
    concurrency: int
    started_at: datetime

    @classmethod
    def of_this_process(cls, concurrency: int) -> "Pool":
        """This very process, with a new id."""
        return cls(
            id=uuid4(),
            host=socket.gethostname(),
            pid=os.getpid(),
            concurrency=concurrency,
            started_at=datetime.now(UTC),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedPool:
    """A pool that lives, and its last beat by the clock of the database."""

    pool: Pool
    beaten_at: datetime


def pools_table(metadata: MetaData) -> Table:
    """The table of a service's pools, in the service's schema."""
    return Table(
        "pools",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("host", Text, nullable=False),
        Column("pid", Integer, nullable=False),
        Column("concurrency", Integer, nullable=False),
        Column("started_at", DateTime(timezone=True), nullable=False),
        Column("heartbeat_at", DateTime(timezone=True), nullable=False),
    )


def beat(session: Session, pools: Table, pool: Pool) -> None:
    """Say that a pool lives, in one statement; others of the table that have not for long are dropped."""
    silent = delete(pools).where(pools.c.heartbeat_at < func.now() - LISTED, pools.c.id != pool.id)
    session.execute(
        insert(pools)
        .values(
            id=pool.id,
            host=pool.host,
            pid=pool.pid,
            concurrency=pool.concurrency,
            started_at=pool.started_at,
            heartbeat_at=func.now(),
        )
        .on_conflict_do_update(index_elements=[pools.c.id], set_={"heartbeat_at": func.now()})
        .add_cte(silent.cte("silent"))
    )


def leave(session: Session, pools: Table, pool: Pool) -> None:
    """Say that a pool ends."""
    session.execute(delete(pools).where(pools.c.id == pool.id))


@cache
def _living(tables: tuple[Table, ...]) -> CompoundSelect[Any]:
    return union_all(*(select(pools).where(pools.c.heartbeat_at >= func.now() - LISTED) for pools in tables))


def list_pools(session: Session, tables: Sequence[Table]) -> list[ListedPool]:
    """The pools of several services that live, the oldest first."""
    listed = [
        ListedPool(
            pool=Pool(
                id=row.id, host=row.host, pid=row.pid, concurrency=row.concurrency, started_at=row.started_at
            ),
            beaten_at=row.heartbeat_at,
        )
        for row in session.execute(_living(tuple(tables)))
    ]
    return sorted(listed, key=lambda each: (each.pool.started_at, each.pool.id))
