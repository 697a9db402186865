"""How a task has ended, and with the last of them its execution: each once, by whoever still holds the task."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.replication.commands import tallying
from services.replication.commands.telling import tell_finished, tell_tasks_finished
from services.replication.commands.waking import wake_workers
from services.replication.domain.execution import ExecutionState, Scope, outcome_of
from services.replication.domain.tally import Figure, Tally
from services.replication.domain.task import MOST_ATTEMPTS, Fault, Progress, TaskState, pause_before
from services.replication.queries.rows import read_execution
from services.replication.tables import copies, executions, policies, task_lines, tasks
from shared.events import EventContext

FIRST_HEAL: Final = timedelta(seconds=30)
LAST_HEAL: Final = timedelta(hours=1)
"""Between comparisons that do not end what a policy is behind with."""
MOST_LINES: Final = 2_000
"""Of one task's log, the first of them."""
LONGEST_LINE: Final = 1_000
LOST_AGAIN: Final = "given up: each worker that had it was lost"
_LEFT: Final = text(
    """
    SELECT e.id FROM replication.executions e
    WHERE e.state = 'running' AND EXISTS (
        SELECT FROM replication.tasks t
        WHERE t.execution_id = e.id AND t.state = 'pending' AND (e.stopping OR t.attempts > :most)
    )
    ORDER BY e.id
    """
)
_ENDED: Final = text(
    """
    UPDATE replication.tasks t
    SET state = n.state, worker = NULL, due_at = n.due_at, ended_at = n.ended_at, fault = n.fault,
        message = n.message, blobs_total = n.blobs_total, blobs_done = n.blobs_done, bytes_total = n.bytes_total,
        bytes_done = n.bytes_done, bytes_sent = n.bytes_sent
    FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:dues AS timestamptz[]),
                CAST(:ends AS timestamptz[]), CAST(:faults AS text[]), CAST(:messages AS text[]),
                CAST(:blobs_total AS integer[]), CAST(:blobs_done AS integer[]), CAST(:bytes_total AS bigint[]),
                CAST(:bytes_done AS bigint[]), CAST(:bytes_sent AS bigint[]))
        AS n (id, state, due_at, ended_at, fault, message, blobs_total, blobs_done, bytes_total, bytes_done, bytes_sent)
    WHERE t.id = n.id
    """
)
_HEALS: Final = frozenset(Fault) - {Fault.CONFLICT, Fault.NOT_FOUND}
"""What a later comparison may put right by itself: also a credential, a quota or a disk is seen to some time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What an attempt came to."""

    state: TaskState
    """SUCCEEDED, FAILED or STOPPED."""
    message: str = ""
    fault: Fault | None = None
    after: timedelta | None = None
    """The pause that the other side asks for."""
    progress: Progress = field(default_factory=Progress)
    copied: dict[str, str] = field(default_factory=dict)
    """References that the target has from now on, each with its digest."""
    deleted: Sequence[str] = ()
    """References that it has no more, or that are not ours any more."""
    source: str = ""
    target: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verdict:
    """What is written down of a task."""

    task_id: int
    execution_id: int
    policy_id: int
    dry_run: bool
    state: TaskState
    """PENDING where it is tried again."""
    due_at: datetime
    ended_at: datetime | None
    ending: Ending

    @property
    def is_worth_telling(self) -> bool:
        """Of what was found to be as it should be, an event of its own tells nobody anything."""
        did_nothing = self.state is TaskState.SUCCEEDED and not (self.ending.copied or self.ending.deleted)
        return not (self.state.is_open or self.dry_run or did_nothing)


def settle(
    session: Session,
    worker: UUID,
    endings: Mapping[int, Ending],
    *,
    now: datetime,
    chance: Callable[[], float],
    context: EventContext,
) -> dict[int, TaskState]:
    """Record how attempts ended, several at once; returns what became of each task that was still ours.

    One whose attempt failed may be PENDING again.
    """
    mine = (tasks.c.id.in_(endings), tasks.c.worker == worker, tasks.c.state == TaskState.RUNNING)
    held = {
        row.id: row
        for row in session.execute(
            select(executions)
            .where(executions.c.id.in_(select(tasks.c.execution_id).where(*mine)))
            .order_by(executions.c.id)
            .with_for_update()
        )
    }
    verdicts = [
        _judge(task, held[task.execution_id], endings[task.id], now, chance())
        for task in session.execute(select(tasks).where(*mine).order_by(tasks.c.id)).all()
    ]
    _write(session, verdicts)
    _remember(session, [each for each in verdicts if not each.dry_run], now)
    tell_tasks_finished(session, [each.task_id for each in verdicts if each.is_worth_telling], context=context)
    given_up = _fall_behind(session, verdicts, now)
    for execution_id in held:
        ended = [each.state for each in verdicts if each.execution_id == execution_id and not each.state.is_open]
        count(session, execution_id, ended + given_up.get(execution_id, []), now=now, context=context)
    tally = _tally(verdicts)
    for execution_id, states in given_up.items():
        _tally_ended(tally, held[execution_id], states, Fault.UNREACHABLE)
    tallying.add(session, tally)
    if verdicts:
        wake_workers(session)  # the limits of registry and policy have room again
    return {each.task_id: each.state for each in verdicts}


def count(
    session: Session, execution_id: int, ended: Iterable[TaskState], *, now: datetime, context: EventContext
) -> ExecutionState:
    """Count tasks that have ended in their execution, whose row is locked; with the last one it ends itself."""
    states = list(ended)
    columns = executions.c
    told = (columns.state, columns.in_progress, columns.failed, columns.stopped, columns.policy_id, columns.scope)
    row = session.execute(
        update(executions)
        .where(columns.id == execution_id)
        .values(
            in_progress=columns.in_progress - len(states),
            succeeded=columns.succeeded + states.count(TaskState.SUCCEEDED),
            failed=columns.failed + states.count(TaskState.FAILED),
            stopped=columns.stopped + states.count(TaskState.STOPPED),
        )
        .returning(*told)
    ).one()
    if row.in_progress or row.state != ExecutionState.RUNNING:
        return ExecutionState(row.state)
    outcome = outcome_of(failed=row.failed, stopped=row.stopped)
    close(session, execution_id, outcome, now=now, context=context)
    if outcome is ExecutionState.SUCCEEDED and row.scope == Scope.EVERYTHING:
        catch_up(session, row.policy_id)
    return outcome


def clear_up(session: Session, *, now: datetime, context: EventContext) -> int:
    """End what nobody will take any more; returns how many executions that was about.

    Tasks of an execution that is to stop, whose worker is lost; and those that lost every worker that had them.
    """
    ids = [row.id for row in session.execute(_LEFT, {"most": MOST_ATTEMPTS})]
    tally: Tally = Tally()
    for execution_id in ids:
        execution = session.execute(
            select(executions).where(executions.c.id == execution_id).with_for_update()
        ).one_or_none()
        if execution is None or execution.state != ExecutionState.RUNNING:
            continue
        if execution.stopping:
            ended = _end_waiting(session, execution_id, TaskState.STOPPED, "stopped", now=now)
        else:
            ended = _end_waiting(
                session, execution_id, TaskState.FAILED, LOST_AGAIN, now=now, fault=Fault.INTERNAL, least=MOST_ATTEMPTS
            )
        count(session, execution_id, ended, now=now, context=context)
        _tally_ended(tally, execution, ended, Fault.INTERNAL)
    tallying.add(session, tally)
    return len(ids)


def close(
    session: Session, execution_id: int, state: ExecutionState, *, now: datetime, context: EventContext, **more: object
) -> None:
    """End an execution, and tell of it."""
    ended = (
        update(executions)
        .where(executions.c.id == execution_id)
        .values(**{"state": state, "ended_at": now, "worker": None} | more)
        .returning(executions)
    )
    tell_finished(session, read_execution(session.execute(ended).one()), context=context)


def write_lines(session: Session, lines: Sequence[tuple[int, datetime, str]]) -> None:
    """Append to the logs of tasks: number, time, text."""
    if lines:
        rows = [{"task_id": task_id, "at": at, "text": _cut(line)} for task_id, at, line in lines]
        session.execute(insert(task_lines), rows)


def catch_up(session: Session, policy_id: int) -> None:
    """A policy has compared everything and done all: it is behind with nothing."""
    session.execute(
        update(policies)
        .where(policies.c.id == policy_id, policies.c.behind_since.is_not(None))
        .values(behind_since=None, heals=0, heal_at=None)
    )


def pause_of(heals: int) -> timedelta:
    """How long after so many comparisons that did not help the next one waits."""
    return min(LAST_HEAL, FIRST_HEAL * (1 << min(heals, 10)))


def fall_behind(session: Session, policy_id: int, now: datetime) -> None:
    """Something could not be done: a comparison is due, unless one is already."""
    columns = policies.c
    row = session.execute(
        select(columns.heals, columns.heal_at).where(columns.id == policy_id).with_for_update(key_share=True)
    ).one_or_none()
    if row is None or (row.heal_at is not None and row.heal_at > now):
        return
    session.execute(
        update(policies)
        .where(columns.id == policy_id)
        .values(behind_since=func.coalesce(columns.behind_since, now), heal_at=now + pause_of(row.heals))
    )


def _cut(line: str) -> str:
    return line[:LONGEST_LINE].replace("\0", "")


def _judge(task: Row[Any], execution: Row[Any], ending: Ending, now: datetime, chance: float) -> _Verdict:
    """What an attempt's end means for its task."""
    fault = ending.fault
    again = (
        ending.state is TaskState.FAILED
        and not execution.stopping
        and fault is not None
        and fault.passes
        and task.attempts < MOST_ATTEMPTS
    )
    pause = pause_before(task.attempts + 1, chance=chance, asked=ending.after)
    return _Verdict(
        task_id=task.id,
        execution_id=task.execution_id,
        policy_id=task.policy_id,
        dry_run=execution.dry_run,
        state=TaskState.PENDING if again else ending.state,
        due_at=now + pause if again else task.due_at,
        ended_at=None if again else now,
        ending=ending,
    )


def _write(session: Session, verdicts: Sequence[_Verdict]) -> None:
    if not verdicts:
        return
    progress = [each.ending.progress for each in verdicts]
    session.execute(
        _ENDED,
        {
            "ids": [each.task_id for each in verdicts],
            "states": [each.state.value for each in verdicts],
            "dues": [each.due_at for each in verdicts],
            "ends": [each.ended_at for each in verdicts],
            "faults": [each.ending.fault.value if each.ending.fault else "" for each in verdicts],
            "messages": [_cut(each.ending.message) for each in verdicts],
            "blobs_total": [each.blobs_total for each in progress],
            "blobs_done": [each.blobs_done for each in progress],
            "bytes_total": [each.bytes_total for each in progress],
            "bytes_done": [each.bytes_done for each in progress],
            "bytes_sent": [each.bytes_sent for each in progress],
        },
    )


def _tally(verdicts: Sequence[_Verdict]) -> Tally:
    """What these attempts count for."""
    tally: Tally = Tally()
    for each in verdicts:
        if each.dry_run:
            continue
        ending = each.ending
        tally[each.policy_id, Figure.BYTES_SENT, ""] += ending.progress.bytes_sent
        if ending.state is TaskState.FAILED:
            tally[each.policy_id, Figure.FAILURES, ending.fault or Fault.INTERNAL] += 1
        if not each.state.is_open:
            tally[each.policy_id, Figure.TASKS, each.state] += 1
        if ending.copied:
            tally[each.policy_id, Figure.ARTIFACTS_COPIED, ""] += 1
    return tally


def _tally_ended(tally: Tally, execution: Row[Any], ended: Sequence[TaskState], fault: Fault) -> None:
    """Count tasks of an execution that have ended without another attempt."""
    if execution.dry_run:
        return
    for state in ended:
        tally[execution.policy_id, Figure.TASKS, state] += 1
        if state is TaskState.FAILED:
            tally[execution.policy_id, Figure.FAILURES, fault] += 1


def _remember(session: Session, verdicts: Sequence[_Verdict], now: datetime) -> None:
    """Keep what each policy has put where: a deletion will follow this alone."""
    brought = {
        (each.policy_id, each.ending.source, reference): (each.ending.target, digest)
        for each in verdicts
        for reference, digest in each.ending.copied.items()
    }
    if brought:
        new = upsert(copies).values(
            [
                {
                    "policy_id": policy_id,
                    "source": source,
                    "reference": reference,
                    "target": target,
                    "digest": digest,
                    "copied_at": now,
                    "intended": None,
                }
                for (policy_id, source, reference), (target, digest) in sorted(brought.items())
            ]
        )
        session.execute(
            new.on_conflict_do_update(
                index_elements=[copies.c.policy_id, copies.c.source, copies.c.reference],
                set_={name: new.excluded[name] for name in ("target", "digest", "copied_at", "intended")},
            )
        )
    for each in verdicts:
        if each.ending.deleted:
            session.execute(
                delete(copies).where(
                    copies.c.policy_id == each.policy_id,
                    copies.c.source == each.ending.source,
                    copies.c.reference.in_(each.ending.deleted),
                )
            )


def _fall_behind(session: Session, verdicts: Sequence[_Verdict], now: datetime) -> dict[int, list[TaskState]]:
    """Note which policies are behind; what else has ended with that, by execution."""
    failed = [each for each in verdicts if each.state is TaskState.FAILED and each.ending.fault in _HEALS]
    for policy_id in sorted({each.policy_id for each in failed}):
        fall_behind(session, policy_id, now)
    away = {each.execution_id: each for each in failed if each.ending.fault is Fault.UNREACHABLE}
    return {number: _give_up(session, number, each.ending.message, now) for number, each in sorted(away.items())}


def _give_up(session: Session, execution_id: int, message: str, now: datetime) -> list[TaskState]:
    """The registry is away: the execution's other tasks need not find that out each for itself."""
    return _end_waiting(session, execution_id, TaskState.FAILED, message, now=now, fault=Fault.UNREACHABLE)


def _end_waiting(
    session: Session,
    execution_id: int,
    state: TaskState,
    message: str,
    *,
    now: datetime,
    fault: Fault | None = None,
    least: int = -1,
) -> list[TaskState]:
    """End the tasks of an execution that nobody has in hand and that had more than so many attempts."""
    waiting = (
        select(tasks.c.id)
        .where(tasks.c.execution_id == execution_id, tasks.c.state == TaskState.PENDING, tasks.c.attempts > least)
        .order_by(tasks.c.id)
        .with_for_update()
        .cte()
    )
    ended = (
        update(tasks)
        .where(tasks.c.id == waiting.c.id)
        .values(state=state, fault=fault or "", message=_cut(message), ended_at=now)
        .returning(tasks.c.id)
    )
    return [state] * len(session.scalars(ended).all())
