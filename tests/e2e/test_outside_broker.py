"""An instance whose broker is a RabbitMQ outside: told of it, at work over TLS, without it for a while, moved away."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import pytest

from compose.local.instance import Instance
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.documented import documented, run_commands
from tests.e2e.conftest import end
from tests.e2e.system import System
from tests.outside_broker import OutsideBroker, outside_broker
from tests.servers import RABBITMQCTL, free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def broker() -> Iterator[OutsideBroker]:
    with outside_broker() as started:
        yield started


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with short_folder() as found:
        yield found


@pytest.fixture(scope="module")
def instance(broker: OutsideBroker, folder: Path) -> Iterator[Instance]:
    instance = Instance(home=folder / "home", port=free_port(), variables=broker.variables)
    try:
        yield instance
    finally:
        end(instance)


def rabbitmqctl(broker: OutsideBroker, folder: Path) -> str:
    """The program of that name on the broker's own machine; the path that leads to it."""
    folder.mkdir()
    program = folder / "rabbitmqctl"
    settings = shlex.join(f"{name}={value}" for name, value in broker.rabbit.environment.items())
    program.write_text(f'#!/bin/sh\nexec env -i {settings} {RABBITMQCTL} "$@"\n')
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture(scope="module")
def system(instance: Instance, broker: OutsideBroker, folder: Path) -> System:
    """Started as the page says, which the first command says too."""
    nodes, file = instance.variables["BREAKWATER_AMQP_HOST"], folder / "definitions"
    commands = documented("docs/operating.md", "rabbitmqctl").fitted({
        "mq1.example.com,mq2.example.com,mq3.example.com": nodes, "VHOST=breakwater": "VHOST=images",
        "/etc/ssl/company.pem": str(broker.ca), "FILE": str(file),
        "./breakwater up  ": "! ./breakwater up  ",  # it fails, and says what the next two are for
    })
    others = {name: value for name, value in instance.environment.items() if name not in instance.variables}
    said = " ".join(run_commands(commands, others | {"PATH": rabbitmqctl(broker, folder / "programs")}).split())
    told = (
        f"the broker at {nodes} has not been told of this instance: give it what"
        " ./breakwater events broker-definitions FILE writes, by rabbitmqctl import_definitions FILE, and run"
        " ./breakwater up again"
    )
    assert f" {told} written: {file}." in said, said
    assert file.stat().st_mode & 0o777 == 0o600
    return System(instance).as_compared()


def recorded(system: System, project: str) -> bool:
    return bool(system.admin.audit(project, q="operation=create,resource_type=artifact"))


def test_events_go_over_it_and_none_of_its_own_is_started(system: System, broker: OutsideBroker) -> None:
    project = system.new_project()
    system.registry().push(f"{project}/app", "v1", make_image(project))
    eventually(lambda: recorded(system, project), within=30, what="the push is recorded")
    eventually(lambda: system.admin.artifacts(f"{project}/app"), within=30, what="the push is catalogued")
    assert system.breakwater("status").ok
    assert "rabbitmq" not in system.breakwater("status").out
    users = broker.rabbit.control("list_connections", "user", "ssl").split("\n")
    assert {f"breakwater-{part}\ttrue" for part in ("relay", "audit", "metadata", "webhook", "replication")} <= {*users}
    health = {each["name"]: each["status"] for each in system.admin.get("/health")["components"]}
    assert {*health.values()} == {"healthy"}, health


def test_doctor_asks_it_as_it_asks_one_of_its_own(system: System) -> None:
    told = system.breakwater("doctor")
    assert not [line for line in told.out.splitlines() if "broker" in line or "queue" in line], told.said


def test_while_it_is_away_pushes_go_on_and_up_does_too(system: System, broker: OutsideBroker) -> None:
    project = system.new_project()
    broker.rabbit.control("stop_app")
    try:
        system.registry().push(f"{project}/app", "v1", make_image(project))
        told = system.breakwater("doctor")
        assert (told.ok, "look at that broker, at its log" in " ".join(told.out.split())) == (False, True)
        done = system.instance.run("up", "--no-tour")
        assert done.returncode == 0, done.stderr
    finally:
        broker.rabbit.control("start_app")
    eventually(lambda: recorded(system, project), within=60, what="the push is recorded")


def test_moved_to_a_broker_of_its_own_nothing_is_lost_and_nothing_counts_twice(
    system: System, broker: OutsideBroker
) -> None:
    """The last one: what was for the audit waits in the broker that is left."""
    project = system.new_project()
    eventually(lambda: system.admin.audit(project), within=30, what="the project is recorded")
    system.instance.stop_part("audit")
    system.registry().push(f"{project}/app", "v1", make_image(project))
    published = "SELECT 1 FROM events.relay r WHERE published_through = (SELECT max(sequence) FROM events.log)"
    eventually(lambda: system.rows(published), within=20, what="the broker has all")
    assert not recorded(system, project)
    system.instance.variables.clear()
    system.instance.variables["BREAKWATER_AMQP_HOST"] = ""
    broker.rabbit.control("stop_app")
    system.instance.up()
    eventually(lambda: recorded(system, project), within=60, what="the push is recorded")
    assert system.rows("SELECT count(*) - count(DISTINCT event_id) FROM audit.records") == [(0,)]
    assert "rabbitmq" in system.breakwater("status").out
