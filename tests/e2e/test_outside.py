"""An instance whose database is a PostgreSQL outside: at work, without it for a while, backed up, made anew, gone."""

from __future__ import annotations

import os
import shlex
import signal
from typing import TYPE_CHECKING

import pytest
import requests

from compose.local.instance import Instance
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.documented import documented, run_commands
from tests.e2e.conftest import end, fresh_system
from tests.e2e.system import System
from tests.outside import OWNER, OWNER_PASSWORD, Outside, outside_postgres
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def server() -> Iterator[Outside]:
    with outside_postgres() as started:
        yield started


@pytest.fixture(scope="module")
def system(server: Outside) -> Iterator[System]:
    """Made and told of its database as the page says; the server is on no port that is known beforehand."""
    made = {"DATABASE breakwater": "DATABASE images", "OWNER breakwater_admin": f"OWNER {OWNER}"}
    server.run(documented("docs/operating.md", "CREATE DATABASE").fitted(made))
    command = documented("docs/operating.md", "BREAKWATER_DATABASE_HOST").fitted({
        "HOST=db.example.com": f"HOST={server.host}", "CA=/etc/ssl/company.pem": f"CA={server.ca}",
        "NAME=breakwater ": "NAME=images ", "OWNER=breakwater_admin": f"OWNER={OWNER}",
        "OWNER_PASSWORD=…": f"OWNER_PASSWORD={shlex.quote(OWNER_PASSWORD)}",
    })
    settings = server.variables()
    port = {"BREAKWATER_DATABASE_PORT": settings["BREAKWATER_DATABASE_PORT"]}

    def start(instance: Instance) -> None:
        others = {name: value for name, value in instance.environment.items() if name not in settings}
        run_commands(command, others | port)

    yield from fresh_system(settings, start=start)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with short_folder() as found:
        yield found


@pytest.fixture(scope="module")
def backup(system: System, folder: Path) -> Path:
    system.registry().push("library/kept", "v1", make_image("kept outside"))
    eventually(lambda: system.admin.artifacts("library/kept"), within=20, what="the push is catalogued")
    done = system.instance.run("backup", str(folder / "backup"))
    assert done.returncode == 0, done.stderr
    return folder / "backup"


def test_an_instance_works_on_it_and_starts_none_of_its_own(system: System, server: Outside) -> None:
    project = system.new_project()
    system.registry().push(f"{project}/app", "v1", make_image(project))
    eventually(lambda: system.admin.artifacts(f"{project}/app"), within=20, what="the push is catalogued")
    eventually(lambda: system.admin.audit(project, q="operation=create"), within=20, what="the push is recorded")
    assert not system.instance.layout.database.exists()
    assert "postgres" not in system.breakwater("status").out
    assert system.breakwater("status").ok
    encrypted = server.run(
        "SELECT usename FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE ssl AND datname = 'images'"
    )
    assert {f"breakwater_{part}" for part in ("token", "core", "relay", "metadata")} <= {name for (name,) in encrypted}
    assert system.breakwater("audit", "verify").ok
    assert system.breakwater("reconcile").ok


def test_up_again_changes_nothing_and_needs_the_settings_no_more(system: System) -> None:
    same = Instance(home=system.instance.home, port=system.instance.port)
    done = same.run("up", "--no-tour")
    assert done.returncode == 0, done.stderr
    assert "everything runs already" in done.stdout


def test_doctor_asks_it_as_it_asks_one_of_its_own(system: System) -> None:
    told = system.breakwater("doctor")
    assert not [line for line in told.out.splitlines() if "database" in line or "postgres" in line], told.said


def test_while_it_is_away_the_rest_goes_on_and_it_is_back_by_itself(system: System, server: Outside) -> None:
    assert system.login(system.admin_name, system.admin_password) == requests.codes.ok
    server.run("ALTER DATABASE images ALLOW_CONNECTIONS false")
    try:
        server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'images'")
        answer = system.admin.send("GET", "/projects")
        assert (answer.status_code, "Retry-After" in answer.headers) == (requests.codes.unavailable, True)
        told = system.breakwater("doctor")
        assert (told.ok, "look at the database's own log, at localhost" in " ".join(told.out.split())) == (False, True)
    finally:
        server.run("ALTER DATABASE images ALLOW_CONNECTIONS true")
    eventually(lambda: system.admin.send("GET", "/projects").ok, within=30, what="the database is used again")
    eventually(
        lambda: system.login(system.admin_name, system.admin_password) == requests.codes.ok, within=30,
        what="and by the token mount",
    )  # fmt: skip
    project = system.new_project()
    system.registry().push(f"{project}/app", "v1", make_image(project))
    eventually(lambda: system.admin.artifacts(f"{project}/app"), within=30, what="the push is catalogued")


def test_a_backup_goes_into_an_empty_database_outside_alone(
    system: System, server: Outside, backup: Path, folder: Path
) -> None:
    full = Instance(home=folder / "full", port=free_port(), variables=server.variables())
    try:
        done = full.run("restore", str(backup))
        assert done.returncode == 1
        assert (
            "the database images at localhost is not empty, and a backup is to be restored: name another one by"
            " BREAKWATER_DATABASE_NAME"
        ) in " ".join(done.stderr.split())
        full.variables["BREAKWATER_DATABASE_NAME"] = "another"
        done = full.run("up", "--no-tour")
        assert done.returncode == 0, done.stderr
        works(System(full), system)
        assert full.run("destroy", "--yes").returncode == 0
    finally:
        end(full)
    assert server.run("SELECT count(*) FROM core.artifacts", "another") != [(0,)]


def test_a_backup_makes_an_instance_with_a_database_of_its_own(system: System, backup: Path, folder: Path) -> None:
    own = Instance(home=folder / "own", port=free_port(), variables={"BREAKWATER_DATABASE_HOST": ""})
    try:
        done = own.run("restore", str(backup))
        assert done.returncode == 0, done.stderr
        works(System(own), system)
        assert own.layout.database.exists()
        assert not (own.layout.secrets / "owner" / "database-owner-password").exists()
    finally:
        end(own)


def works(restored: System, before: System) -> None:
    assert restored.admin_password == before.admin_password
    assert restored.registry().pull("library/kept", "v1").status_code == requests.codes.ok
    assert [row["digest"] for row in restored.admin.artifacts("library/kept")] == [make_image("kept outside").digest]
    assert restored.instance.run("audit", "verify").returncode == 0
    restored.registry().push("library/new", "v1", make_image("new"))
    eventually(lambda: restored.admin.artifacts("library/new"), within=30, what="a push is catalogued")


def test_up_starts_again_what_was_killed(system: System) -> None:
    for part in ("core", "relay"):
        for pid in system.instance.pids(part):
            os.kill(pid, signal.SIGKILL)
    done = system.instance.run("up", "--no-tour")
    assert done.returncode == 0, done.stderr


def test_destroy_leaves_the_database(system: System, server: Outside) -> None:
    """The last one."""
    assert system.instance.run("down").returncode == 0
    done = system.instance.run("destroy", "--yes")
    assert done.returncode == 0, done.stderr
    assert "the database images at localhost stays" in " ".join(done.stdout.split())
    assert server.run("SELECT count(*) FROM core.projects", "images") != [(0,)]
