"""`breakwater replication` as an operator types it, against a real database; the engine is played by statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString

import pytest
from typer.testing import CliRunner, Result

from compose.cli import replication
from compose.cli.replication import app
from services.replication.errors import NoSuchExecution, NoSuchPolicy, PolicyDisabled
from tests.integration.conftest import Database
from tests.integration.core.people import Api
from tests.integration.core.rows import execution_of, policy_of, registry_of

Run = Callable[..., Result]


@pytest.fixture
def run(core_database: Database, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Types `breakwater replication …`."""
    server = core_database.server
    for name, value in {
        "HOME": server.home, "RUN": server.run, "DATABASE_PORT": server.port, "DATABASE_NAME": core_database.name,
    }.items():  # fmt: skip
        monkeypatch.setenv(f"BREAKWATER_{name}", str(value))
    monkeypatch.setattr(replication, "_PAUSE", 0.05)
    return lambda *arguments: CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.fixture
def policy(api: Api) -> Iterator[str]:
    """The name of a policy, the only one there is."""
    registry = registry_of(api, name="branch office")
    number = policy_of(api, registry, name="copies [bold]")
    yield "copies [bold]"
    rows(api, "UPDATE replication.executions SET state = 'failed', ended_at = now(), total = 0, in_progress = 0,"
         " succeeded = 0, failed = 0, stopped = 0 RETURNING id")  # fmt: skip
    api.send("DELETE", f"/replication/policies/{number}")
    api.send("DELETE", f"/registries/{registry}")


def rows(api: Api, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    with api.database.superuser() as connection:
        return connection.execute(query, values).fetchall()


def number_of(api: Api) -> int:
    return int(api.get("/replication/policies").json[0]["id"])


def test_without_policies_that_is_said(run: Run) -> None:
    assert run("list").output == "there are no replication policies\n"


def test_policies_are_listed_with_their_last_executions(api: Api, run: Run, policy: str) -> None:
    listed = run("list").output
    assert policy in listed
    assert "to branch office" in listed
    assert "never" in listed
    execution_of(api, number_of(api), "succeeded", "succeeded")
    last, _ = execution_of(api, number_of(api), "failed", "failed")
    line = next(line for line in run("list").output.splitlines() if policy in line)
    assert (str(last) in line, "failed" in line) == (True, True)
    executions = run("list", "--policy", policy).output.splitlines()
    assert len(executions) == 3
    assert executions[1].startswith(str(last))
    assert "90 bytes of 100 bytes" in executions[1]


def test_an_execution_is_shown_with_its_tasks_and_why_they_failed(api: Api, run: Run, policy: str) -> None:
    number, (_, failed) = execution_of(api, number_of(api), "failed", "succeeded", "failed")
    because = "UPDATE replication.tasks SET message = 'the target has something else' WHERE id = %s RETURNING id"
    rows(api, because, failed)
    shown = run("show", str(number)).output
    assert f"execution {number} of {policy}, by admin: failed" in shown
    assert "artifacts: 2, succeeded 1, failed 1, stopped 0; blobs: 6/8; bytes: 180 bytes of 200 bytes" in shown
    assert "library/app:1.0,latest" in shown
    assert "the target has something else" in shown


def test_without_a_terminal_no_row_is_folded_and_on_one_it_is(
    api: Api, run: Run, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert policy
    name = "copies-" + "of-everything-" * 15 + "to-the-branch-office"
    number = policy_of(api, int(api.get("/registries").json[0]["id"]), name=name)
    try:
        _, row, _ = run("list").output.splitlines()
        assert name in row
        assert row.split()[-1] == "never"
        monkeypatch.setattr(type(replication.out), "is_terminal", True)
        assert name not in run("list").output
    finally:
        api.send("DELETE", f"/replication/policies/{number}")


@pytest.mark.parametrize("dry", [True, False])
def test_a_policy_is_carried_out(api: Api, run: Run, policy: str, *, dry: bool) -> None:
    done = run("run", policy, *(["--dry-run"] if dry else []))
    [(number, operator, dry_run, state)] = rows(
        api, "SELECT id, operator, dry_run, state FROM replication.executions ORDER BY id DESC LIMIT 1"
    )
    assert done.output == f"execution {number}: {'dry run, ' if dry else ''}preparing\n"
    assert (operator, dry_run, state, done.exit_code) == ("system:operator", dry, "preparing", 0)
    started = api.events("replication.started")[-1]
    assert (started["actor"], started["data"]["execution_id"]) == ("system:operator", number)


def test_a_policy_is_named_by_its_number_too(api: Api, run: Run, policy: str) -> None:
    assert policy
    assert run("run", str(number_of(api))).exit_code == 0


def test_an_execution_is_stopped(api: Api, run: Run, policy: str) -> None:
    assert policy
    number, _ = execution_of(api, number_of(api), "running", "pending")
    assert run("stop", str(number)).output == f"execution {number}: stopped\n"
    running, _ = execution_of(api, number_of(api), "running", "pending", "running")
    assert run("stop", str(running)).output == f"execution {running}: stopping\n"
    assert api.get(f"/replication/executions/{running}").json["stopped"] == 1


def _end(api: Api, number: int, task: int, state: str) -> None:
    with api.database.superuser() as connection:
        connection.execute(
            """
            WITH ended AS (
                UPDATE replication.tasks SET state = %(state)s, worker = NULL, ended_at = now() WHERE id = %(task)s
            )
            UPDATE replication.executions
            SET state = %(state)s, in_progress = 0, ended_at = now(), succeeded = (%(state)s = 'succeeded')::int,
                failed = (%(state)s = 'failed')::int, stopped = (%(state)s = 'stopped')::int
            WHERE id = %(number)s
            """,
            {"state": state, "task": task, "number": number},
        )


@pytest.mark.parametrize("terminal", [True, False], ids=["bars", "lines"])
@pytest.mark.parametrize(("end", "code"), [("succeeded", 0), ("failed", 1), ("stopped", 1)])
def test_an_execution_is_followed_to_its_end(
    api: Api, run: Run, policy: str, monkeypatch: pytest.MonkeyPatch, end: str, code: int, *, terminal: bool
) -> None:
    assert policy
    monkeypatch.setattr(type(replication.out), "is_terminal", terminal)
    number, (task,) = execution_of(api, number_of(api), "running", "running")
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(run, "follow", str(number))
        with pytest.raises(TimeoutError):
            following.result(timeout=1)
        _end(api, number, task, end)
        done = following.result(timeout=10)
    assert done.exit_code == code
    assert f"execution {number} of {policy}, by admin: {end}" in done.output


def test_what_is_skipped_at_once_is_no_success(api: Api, run: Run, policy: str) -> None:
    rows(api, "UPDATE replication.policies SET single_active = true RETURNING id")
    assert run("run", policy).exit_code == 0
    for arguments in ((), ("--follow",)):
        skipped = run("run", policy, *arguments)
        assert skipped.exit_code == 1
    assert "Execution skipped" in skipped.output


def test_what_is_missing_or_disabled_is_refused(api: Api, run: Run, policy: str) -> None:
    with pytest.raises(NoSuchPolicy):
        run("run", "no such policy")
    with pytest.raises(NoSuchPolicy):
        run("run", "999999999")
    for verb in ("show", "stop", "follow"):
        with pytest.raises(NoSuchExecution):
            run(verb, "999999999")
    rows(api, "UPDATE replication.policies SET enabled = false RETURNING id")
    with pytest.raises(PolicyDisabled):
        run("run", policy)
    assert "disabled" in run("list").output
