"""An instance whose broker is a RabbitMQ outside: told of it, at work over TLS, without it for a while, moved away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compose.local.instance import Instance
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.e2e.conftest import end
from tests.e2e.system import System
from tests.outside_broker import OutsideBroker, outside_broker
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def broker() -> Iterator[OutsideBroker]:
    with outside_broker() as started:
        yield started


@pytest.fixture(scope="module")
def instance(broker: OutsideBroker) -> Iterator[Instance]:
    with short_folder() as folder:
        instance = Instance(home=folder / "home", port=free_port(), variables=broker.variables)
        try:
            yield instance
        finally:
            end(instance)


@pytest.fixture(scope="module")
def system(instance: Instance, broker: OutsideBroker) -> System:
    """Started the way that it says itself."""
    done = instance.run("up", "--no-tour")
    nodes = instance.variables["BREAKWATER_AMQP_HOST"]
    told = (
        f"the broker at {nodes} has not been told of this instance: give it what"
        " ./breakwater events broker-definitions FILE writes, by rabbitmqctl import_definitions FILE, and run"
        " ./breakwater up again"
    )
    assert (done.returncode, " ".join(done.stderr.split())) == (1, told)
    file = instance.home / "definitions"
    written = instance.run("events", "broker-definitions", str(file))
    assert written.returncode == 0, written.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    broker.rabbit.control("import_definitions", str(file))
    instance.up()
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
