"""`doctor` against running instances: a healthy one, and one in which many faults are made at once and undone."""

from __future__ import annotations

import dataclasses
import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from compose.local.supervision import Supervisor
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.system import System

LEFT_BY_OTHERS: Final = {"parked", "queues", "registries", "disk"}
"""What other tests of the session may leave behind, and what the machine itself may lack."""
NOBODY: Final = "tcp://127.0.0.1:1"
LOOPING: Final = "relay"
"""No other test ends it: how often it has ended is for this one to know."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Told:
    """What `doctor --json` has said."""

    code: int
    text: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def lines(self) -> list[str]:
        return [f"{each['check']} {each['severity']}: {each['what']}" for each in self.findings]


def doctor(system: System, **variables: str) -> Told:
    instance = dataclasses.replace(system.instance, variables=system.instance.variables | variables)
    done = instance.run("doctor", "--json", seconds=90)
    assert done.stderr == ""
    return Told(code=done.returncode, text=done.stdout)


def test_healthy_instance_gives_exit_code_0_and_nothing_is_changed_by_asking(system: System) -> None:
    before = system.rows("SELECT last_sequence, (SELECT count(*) FROM events.parked) FROM events.relay")
    told = doctor(system)
    assert told.code == 0, told.lines
    assert not [each for each in told.findings if each["check"] not in LEFT_BY_OTHERS]
    after = system.rows("SELECT last_sequence, (SELECT count(*) FROM events.parked) FROM events.relay")
    assert after == before


def test_log_is_in_the_health_of_an_instance_on_a_machine_and_no_part_waits_for_anything(system: System) -> None:
    health = {each["name"]: each["status"] for each in system.admin.get("/health")["components"]}
    assert health["log"] == "healthy"
    assert "waits for" not in system.breakwater("status").out


@contextmanager
def edited(file: Path, old: str, new: str) -> Iterator[None]:
    """A file with other words in it, in place: owner and mode stay."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    try:
        yield
    finally:
        file.write_text(text)


@contextmanager
def open_to_all(file: Path) -> Iterator[None]:
    mode = file.stat().st_mode & 0o777
    file.chmod(0o644)
    try:
        yield
    finally:
        file.chmod(mode)


@contextmanager
def other_password(system: System, part: str) -> Iterator[None]:
    """A role whose password in the database is not the one of its file."""
    file = system.settings.secrets / part / "database-password"
    with edited(file, file.read_text().strip(), "another"):
        yield


@contextmanager
def stopped(system: System, part: str) -> Iterator[None]:
    system.instance.stop_part(part)
    try:
        yield
    finally:
        system.start_part(part)


@contextmanager
def parked(system: System) -> Iterator[None]:
    system.rows("INSERT INTO events.parked (reason, body) VALUES ('of a test', 'x') RETURNING id")
    try:
        yield
    finally:
        system.rows("DELETE FROM events.parked WHERE reason = 'of a test' RETURNING id")


@contextmanager
def flagged(file: Path) -> Iterator[None]:
    file.touch()
    try:
        yield
    finally:
        file.unlink()


def end_again_and_again(system: System, part: str) -> None:
    """Kill a part until the supervisor has started it anew three times."""
    supervisor = Supervisor(system.instance.layout)
    for _ in range(3):
        before = supervisor.children()[part].pid
        system.instance.kill_part(part)
        eventually(
            lambda before=before: supervisor.children()[part].pid not in {0, before},  # type: ignore[misc]
            within=30, what=f"{part} starts again", every=0.1,
        )  # fmt: skip


@pytest.fixture(scope="module")
def ill(fragile: System) -> Told:
    """What is said while all of this is wrong at once."""
    layout, secrets = fragile.instance.layout, fragile.settings.secrets
    credentials = secrets / "token" / "system-credentials.json"
    fingerprint = json.loads(credentials.read_text())["replication"]
    end_again_and_again(fragile, LOOPING)
    with ExitStack() as faults:
        faults.enter_context(stopped(fragile, "audit"))
        faults.enter_context(open_to_all(secrets / "core" / "amqp-password"))
        faults.enter_context(other_password(fragile, "events"))
        faults.enter_context(edited(credentials, fingerprint, "0" * len(fingerprint)))
        faults.enter_context(edited(layout.registry_conf / "registry.yml", fragile.notification_token, "another"))
        faults.enter_context(parked(fragile))
        faults.enter_context(flagged(layout.collecting_flag))
        return doctor(fragile, BREAKWATER_URL="https://registry.invalid", BREAKWATER_LOG_FORWARD=NOBODY)


@pytest.mark.fault
@pytest.mark.parametrize(
    "words",
    [
        "parts broken: audit does not run: stopped",
        f"loops broken: {LOOPING} restarts in a loop: it ended 3 times",
        "queues broken: queue audit has no consumer",
        "secrets broken: {secrets}/core/amqp-password has mode 0644, not 0600; somebody else may have read it",
        "database-roles broken: the database does not accept the password of events",
        "system-credentials broken: the token mount refuses the credential of replication",
        "intake broken: the intake refuses the registry's notifications: the two have different tokens",
        "url broken: the host of BREAKWATER_URL, https://registry.invalid, is in no DNS",
        "realm broken: wrong realm: /v2/ sends clients to http://registry.invalid/auth/token",
        "read-only broken: pushes and deletions are refused, for {run}/collecting exists",
        f"log-forward warning: the collector of BREAKWATER_LOG_FORWARD, {NOBODY}, is not reached: connection refused",
        "parked warning: 1 notifications of the registry are parked",
    ],
    ids=lambda words: words.split()[0],
)
def test_fault_is_found(ill: Told, fragile: System, words: str) -> None:
    wanted = words.format(secrets=fragile.settings.secrets, run=fragile.instance.layout.run)
    assert any(line.startswith(wanted) for line in ill.lines), ill.lines


@pytest.mark.fault
def test_what_is_broken_gives_exit_code_1_and_says_what_to_do(ill: Told) -> None:
    assert ill.code == 1
    assert all(each["remedy"] for each in ill.findings)


@pytest.mark.fault
def test_last_lines_of_a_part_that_does_not_run_are_told(ill: Told) -> None:
    (audit,) = [each for each in ill.findings if each["what"].startswith("audit does not run")]
    assert audit["lines"]


@pytest.mark.fault
def test_no_secret_is_told(ill: Told, fragile: System) -> None:
    files = [file for file in fragile.settings.secrets.rglob("*") if file.is_file()]
    secrets = {file.read_text().strip() for file in files if file.suffix not in {".pem", ".crt", ".key", ".json"}}
    assert len(secrets) > 10
    assert not [secret for secret in secrets if secret in ill.text]
