"""Containers are killed one by one (DESIGN §5): pushes go on or are taken up again, and no event is lost or doubled."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
import requests

from compose.local.parts import PARTS
from tests.clients.images import make_image
from tests.clients.polling import eventually, settled
from tests.containers.stack import DOCKER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.rest import RestClient
    from tests.containers.stack import Stack

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

ON_THE_WAY: Final = frozenset({"postgres", "registry", "token", "core", "proxy"})
"""Without these no push is answered; without any other it is, at once."""
BACK_SECONDS: Final = 60


@pytest.mark.parametrize("part", PARTS)
def test_killed_container_comes_back_and_no_push_is_lost_or_counted_twice(
    stack: Stack, admin: RestClient, password: str, part: str
) -> None:
    project = f"killed-{part}"
    admin.create_project(project)
    before, meanwhile, after = (make_image(f"{part}/{moment}") for moment in ("before", "meanwhile", "after"))
    restarts = stack.container(part).restarts

    def push(tag: str, image: object) -> bool:
        registry = stack.registry(password)
        try:
            return bool(registry.push(f"{project}/app", tag, image).status_code == requests.codes.created)
        except (requests.RequestException, AssertionError):
            return False
        finally:
            registry.close()

    assert push("before", before)
    stack.kill(part)
    if part in ON_THE_WAY:
        eventually(lambda: push("meanwhile", meanwhile), within=BACK_SECONDS, what="a push is taken again", every=0.5)
    else:
        assert push("meanwhile", meanwhile)
    eventually(
        lambda: stack.container(part).restarts > restarts and stack.container(part).healthy,
        within=BACK_SECONDS, what=f"{part} is back", every=0.5,
    )
    assert push("after", after)

    def recorded() -> Counter[str]:
        rows = (row for row in admin.audit(project) if row["resource_type"] == "artifact")
        return Counter(row["resource"].rpartition(":")[2] for row in rows if row["operation"] == "create")

    pushed = {"before", "meanwhile", "after"}
    eventually(lambda: {*recorded()} == pushed, within=150, what="every push is on record", every=0.5)
    # a push whose answer was lost is sent again, and then is two; nothing else is
    twice = {tag for tag, count in recorded().items() if count > 1}
    assert twice <= ({"meanwhile"} if part in ON_THE_WAY else set())
    settled(
        lambda: {artifact["digest"] for artifact in admin.artifacts(f"{project}/app")},
        {image.digest for image in (before, meanwhile, after)}, within=30, what="the three are catalogued", every=0.5,
    )
    assert stack.ailing() == []


def test_what_dies_while_the_log_is_away_is_started_by_what_looks_each_minute(
    stack: Stack, password: str, tmp_path: Path
) -> None:
    """The engine starts nothing whose lines it cannot send, and does not try again by itself."""
    unit = configparser.RawConfigParser()
    unit.read_string((DOCKER / "breakwater-containers.service").read_text().replace("FOLDER", str(DOCKER)))
    # systemd's programs are not those of the tests: compose is the one that is tested, by the name of Debian's
    (tmp_path / "docker-compose").symlink_to(shutil.which(stack.program) or stack.program)
    environment = stack.environment() | {"COMPOSE_FILE": ":".join(stack.names)}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"

    def run(line: str) -> int:
        words = shlex.split(unit["Service"][line])
        return subprocess.run(words, env=environment, cwd=DOCKER, check=False, timeout=240).returncode

    def looked_after() -> bool:
        if run("ExecCondition") == 0:
            run("ExecStart")
        return not stack.ailing()

    assert run("ExecCondition") == 1
    started = {part: stack.container(part).told["Id"] for part in PARTS}
    stack.compose("stop", "log")
    for part in ("relay", "registry"):
        stack.kill(part)
    settled(
        lambda: {stack.container(part).told["State"]["Status"] for part in ("log", "relay", "registry")}, {"exited"},
        within=60, what="they have ended and stay away", every=0.5,
    )
    assert run("ExecCondition") == 0
    eventually(looked_after, within=120, what="every part is healthy", every=5)
    assert {part: stack.container(part).told["Id"] for part in PARTS} == started
    assert stack.registry(password).push("library/after-the-log", "v1", make_image("after-the-log")).ok
