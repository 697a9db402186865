"""The figures of replication for whoever watches it: of all policies at once, in a fixed number of statements."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.replication.domain.execution import ExecutionState
from services.replication.domain.registry import Registry
from services.replication.domain.tally import Figure
from services.replication.queries.lag import Lag, lags_of
from services.replication.queries.rows import read_registry
from services.replication.tables import executions, policies, pools, registries, tallies
from shared.pools import list_pools


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyFigures:
    """How one policy does, and what it has come to since it was made."""

    id: int
    name: str
    lag: Lag
    executions: Mapping[ExecutionState, int]
    """Those that are kept."""
    tallied: Mapping[tuple[Figure, str], int]

    def total(self, figure: Figure, kind: str = "") -> int:
        """What was counted."""
        return self.tallied.get((figure, kind), 0)


def policy_figures(session: Session) -> list[PolicyFigures]:
    """Of every policy."""
    named = session.execute(select(policies.c.id, policies.c.name).order_by(policies.c.id)).all()
    lags = lags_of(session, [row.id for row in named])
    kept: dict[int, dict[ExecutionState, int]] = defaultdict(dict)
    columns = (executions.c.policy_id, executions.c.state)
    for row in session.execute(select(*columns, func.count().label("number")).group_by(*columns)):
        kept[row.policy_id][ExecutionState(row.state)] = row.number
    tallied: dict[int, dict[tuple[Figure, str], int]] = defaultdict(dict)
    for row in session.execute(select(tallies)):
        tallied[row.policy_id][Figure(row.figure), row.kind] = row.number
    return [
        PolicyFigures(
            id=row.id,
            name=row.name,
            lag=lags.get(row.id, Lag()),
            executions=kept[row.id],
            tallied=tallied[row.id],
        )
        for row in named
    ]


def all_registries(session: Session) -> list[Registry]:
    """Every registry."""
    return [read_registry(row) for row in session.execute(select(registries).order_by(registries.c.id))]


def living_workers(session: Session) -> int:
    """How many processes copy."""
    return len(list_pools(session, [pools]))
