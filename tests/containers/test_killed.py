"""Containers are killed one by one (DESIGN §5): pushes go on or are taken up again, and no event is lost or doubled."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
import requests

from compose.local.parts import PARTS
from tests.clients.images import make_image
from tests.clients.polling import eventually, settled
from tests.containers.stack import ComposeFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.clients.rest import RestClient
    from tests.containers.stack import Stack

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

ON_THE_WAY: Final = frozenset({"postgres", "registry", "token", "core", "proxy"})
"""Without these no push is answered; without any other it is, at once."""
BACK_SECONDS: Final = 60
TOO_EARLY: Final = re.compile(r"^dependency failed to start: container \S+ exited \(137\)$", re.MULTILINE)
"""Said by compose v2 of a container that it took for running."""


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


def comes_too_early(stack: Stack, killed: Sequence[str]) -> bool:
    """Whether compose v2 took one for running that had just died: it says so, or leaves it as it is."""
    try:
        stack.compose("up", "-d", seconds=240)
    except ComposeFailedError as error:
        if not (stack.is_v2 and TOO_EARLY.search(str(error))):
            raise
        return True
    return stack.is_v2 and not all(stack.container(part).running for part in killed)


def test_what_dies_together_with_the_log_is_started_by_the_next_up(stack: Stack, password: str) -> None:
    """The engine starts nothing whose lines it cannot send, and does not try again by itself."""
    together = ("log", "relay", "registry")
    for part in together:
        stack.kill(part)
    if comes_too_early(stack, together):
        stack.compose("up", "-d", seconds=240)
    stack.await_health()
    assert stack.registry(password).push("library/after-the-log", "v1", make_image("after-the-log")).ok
