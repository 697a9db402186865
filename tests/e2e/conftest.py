"""One instance for all tests that break nothing, another for those that do; both are gone afterwards.

Two workers may share the work: then each has the first of them for its own.

BREAKWATER_E2E_HOME and BREAKWATER_E2E_PORT name a running instance to use instead of the first: that saves starts
while tests are written.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
from xdist.scheduler import LoadScopeScheduling

from compose.local import processes
from compose.local.certificate import make_certificate
from compose.local.instance import Instance
from compose.local.supervision import Supervisor, SupervisorSilent
from tests.clients.between import Between, between
from tests.clients.docker import CannotStartError, DockerEngine
from tests.documented import documented, run_commands
from tests.e2e.replicating import Replicating, replicating
from tests.e2e.system import Person, System
from tests.e2e.telling import LIVE, pytest_runtest_makereport
from tests.servers import free_port, short_folder
from tests.slapd import Directory, slapd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.clients.registry import RegistryClient

__all__ = ["pytest_runtest_makereport"]

REACHABLE: Final = "127.0.0.1/32"
"""Where webhooks may go in the shared instance, and logins in the fragile one, beyond what is open to all."""
WITH_FRAGILE: Final = (
    "test_collecting", "test_doctor", "test_faults", "test_ldap", "test_replication", "test_replication_along",
    "test_replication_faults", "test_replication_limits", "test_replication_size", "test_replication_terminal",
    "test_slow_storage", "test_v2",
)  # fmt: skip
"""The modules that break the fragile instance, or copy out of it."""
OF_THEIR_OWN: Final = (
    "test_bucket", "test_lifecycle", "test_metrics", "test_outside", "test_outside_broker", "test_registry3",
    "test_sentences", "test_tls",
)  # fmt: skip
"""The modules that start what they need, and can be anybody's."""
PEOPLE: Final = {name: f"{name.title()}-of-the-d1rectory" for name in ("alice", "bob", "carol", "dora")}
ADMINISTRATORS: Final = "operators"
"""A group of the directory."""


class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # xdist is untyped
    """Two workers at most, with an instance each that is not the other's: what needs the fragile one, and the rest.

    Whoever is through first takes one after the other of the modules that need neither.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = Path(nodeid.partition("::")[0]).stem
        return module if module in OF_THEIR_OWN else str(module in WITH_FRAGILE)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:  # noqa: ANN401 - as above
    return Lanes(config, log)


def pytest_itemcollected(item: pytest.Item) -> None:
    if "fragile" in getattr(item, "fixturenames", ()) and item.path.stem not in WITH_FRAGILE:
        raise pytest.UsageError(f"{item.path.stem} needs the fragile instance and is missing in WITH_FRAGILE")


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """The shared instance: no test may stop a part of it."""
    if home := os.environ.get("BREAKWATER_E2E_HOME"):
        yield System(Instance(home=Path(home), port=int(os.environ["BREAKWATER_E2E_PORT"])))
        return
    yield from fresh_system({"BREAKWATER_OUTBOUND_ALLOW": REACHABLE})


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    try:
        with DockerEngine(tmp_path_factory.mktemp("engine")) as engine:
            yield engine
    except CannotStartError as error:
        pytest.skip(f"no docker engine can be started here: {error}")


@pytest.fixture(scope="session")
def fragile() -> Iterator[System]:
    """An instance whose parts may be killed; no account but the administrator's is made in it."""
    yield from fresh_system({"BREAKWATER_OUTBOUND_ALLOW": REACHABLE})


@pytest.fixture(scope="session")
def directory(fragile: System) -> Iterator[Directory]:
    """slapd, and the instance told of it as the page says; that needs an instance without other accounts."""
    with short_folder() as folder:
        chain, key = make_certificate(folder / "tls", ["127.0.0.1"], datetime.now(UTC))
        both = folder / "both.pem"
        both.write_bytes(chain.read_bytes() + key.read_bytes())
        with slapd(PEOPLE, {ADMINISTRATORS: ["dora"]}, certificate=both) as directory:
            base, url = {"dc=example,dc=com": directory.base}, {"ldaps://directory.example.com": directory.tls_url}
            group = {"cn=registry-admins": f"cn={ADMINISTRATORS}"}
            for block, places in (
                (documented("docs/operating.md", "ldap_ca_certificate"), {"company-ca.pem": str(chain)}),
                (documented("docs/operating.md", "ldap_group_admin_dn"), base | group),
                (documented("docs/operating.md", "ldap_url"), base | url),
            ):
                run_commands(
                    block.fitted(places), fragile.instance.environment, given=f"{directory.reader_password}\n"
                )
            yield directory


@dataclass(frozen=True, kw_only=True)
class Departure:
    """Somebody who has logged in and was taken out of the directory then; `at` by the monotonic clock."""

    name: str
    at: float


@pytest.fixture(scope="session")
def departed(fragile: System, directory: Directory) -> Departure:
    """Made early: the minute for which a login is remembered passes beside other tests."""
    name = "bob"
    assert fragile.login(name, directory.people[name]) == requests.codes.ok
    directory.remove(name)
    return Departure(name=name, at=time.monotonic())


def fresh_system(
    variables: dict[str, str] | None = None, *, start: Callable[[Instance], object] = Instance.up
) -> Iterator[System]:
    """A new instance, started in this way; afterwards nothing is left of it."""
    with short_folder() as folder:
        instance = Instance(home=folder / "home", port=free_port(), variables=variables or {})
        try:
            start(instance)
            system = System(instance).as_compared()
            LIVE.append(system)
            yield system
        finally:
            LIVE[:] = [each for each in LIVE if each.instance is not instance]
            end(instance)


def end(instance: Instance) -> None:
    """Ends all at once: how an instance is stopped well is another test's question."""
    with suppress(SupervisorSilent):
        os.kill(Supervisor(instance.layout).pid(), signal.SIGKILL)
    processes.stop(processes.of_instance(instance.home), seconds=0)


@pytest.fixture
def project(system: System) -> str:
    """A fresh private project."""
    return system.new_project()


@pytest.fixture
def person(system: System) -> Callable[[str, str], Person]:
    """Makes an account with a role in a project."""

    def make(project: str, role: str) -> Person:
        made = system.new_person()
        system.admin.add_member(project, made.name, role)
        return made

    return make


# replication, from the fragile instance to the shared one

@pytest.fixture
def here(fragile: System) -> Iterator[Replicating]:
    """Where images come from."""
    with replicating(fragile) as replication:
        yield replication


@pytest.fixture
def source(fragile: System) -> RegistryClient:
    return fragile.registry()


@pytest.fixture
def target(system: System) -> RegistryClient:
    return system.registry()


@pytest.fixture
def counted(system: System) -> Iterator[Between]:
    """The way to the shared instance, on which what goes through is counted."""
    with between(system.url) as proxy:
        yield proxy
