"""The marks of what was put where as a project's retention: written before and after, by one task at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, null, text, update
from sqlalchemy.orm import Session

from services.replication.domain.claim import Claim
from services.replication.domain.retention import Mark, Retention, stored_retention
from services.replication.tables import executions, retentions

_TAKE: Final = text(
    """
    INSERT INTO replication.retentions AS r (registry_id, target, task_id, worker)
    VALUES (:registry, :target, :task, :worker)
    ON CONFLICT (registry_id, target) DO UPDATE SET task_id = excluded.task_id, worker = excluded.worker
    WHERE r.execution_id IS DISTINCT FROM :execution AND (r.task_id = excluded.task_id OR NOT EXISTS (
        SELECT FROM replication.tasks t WHERE t.id = r.task_id AND t.worker = r.worker AND t.state = 'running'
    ))
    RETURNING *
    """
)
_FREE: Final[Mapping[str, object]] = {"task_id": None, "worker": None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """A target's project that a task sees to: what it writes down counts for as long as it is still the one."""

    claim: Claim
    project: str

    def _of_ours(self) -> tuple[Any, ...]:
        columns = retentions.c
        return (
            columns.registry_id == self.claim.registry.id,
            columns.target == self.project,
            columns.task_id == self.claim.task_id,
            columns.worker == self.claim.worker,
        )

    def intend(self, session: Session, mark: Mark) -> bool:
        """Write down what is about to be sent; whether it may be."""
        return self._write(session, _columns(mark))

    def done(self, session: Session, mark: Mark, *, stopped: bool = False, note: str = "") -> None:
        """Write down what is there now: this execution's other tasks need not look any more."""
        if note:
            told = update(executions).where(executions.c.id == self.claim.execution_id, executions.c.message == "")
            session.execute(told.values(message=note))
        ended = {"stopped": stopped, "execution_id": self.claim.execution_id}
        self._write(session, {**_columns(mark), **ended, **_FREE})

    def leave(self, session: Session) -> None:
        """Let another task see to it, which may be a later attempt of this one."""
        self._write(session, _FREE)

    def _write(self, session: Session, values: Mapping[str, object]) -> bool:
        written = update(retentions).where(*self._of_ours()).values(**values).returning(retentions.c.target)
        return session.scalar(written) is not None


def take(session: Session, claim: Claim, project: str) -> tuple[Seat, Mark] | None:
    """See to a target's project, unless another task does or this execution has done so.

    Whoever holds it holds it no longer than its task: one that has ended or was handed on is in nobody's way.
    """
    asked = {
        "registry": claim.registry.id,
        "target": project,
        "task": claim.task_id,
        "worker": claim.worker,
        "execution": claim.execution_id,
    }
    row = session.execute(_TAKE, asked).one_or_none()
    return (Seat(claim=claim, project=project), _mark(row)) if row is not None else None


def forget_stopped(session: Session, registry_id: int) -> None:
    """What somebody else has changed at a registry was never ours: it may be made anew where there is none."""
    session.execute(delete(retentions).where(retentions.c.registry_id == registry_id, retentions.c.stopped))


def _mark(row: Row[Any]) -> Mark:
    return Mark(
        project_id=row.project_id,
        number=row.number,
        carried=stored_retention(row.carried) if row.carried is not None else None,
        intended=stored_retention(row.intended) if row.intended is not None else None,
    )


def _columns(mark: Mark) -> dict[str, object]:
    def stored(retention: Retention | None) -> object:
        # None alone would be JSON's
        return null() if retention is None else retention.stored()

    return {
        "project_id": mark.project_id,
        "number": mark.number,
        "carried": stored(mark.carried),
        "intended": stored(mark.intended),
    }
