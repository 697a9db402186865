"""Compose v2, which makes all containers before it starts one: tested where there is one beside Debian's 1.29."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.images import make_image
from tests.containers.stack import PROGRAM, Stack, is_v2
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

PLUGINS: Final = (
    Path.home() / ".docker", Path("/usr/local/lib/docker"), Path("/usr/local/libexec/docker"), Path("/usr/lib/docker"),
    Path("/usr/libexec/docker"),
)  # fmt: skip
"""Where `docker compose` looks for it."""


@pytest.fixture(scope="module")
def program() -> str:
    found = (PROGRAM, *(str(folder / "cli-plugins" / "docker-compose") for folder in PLUGINS))
    v2 = next((each for each in found if is_v2(each)), None)
    if v2 is None:
        pytest.skip("compose v2 was NOT tested: it is not installed, and BREAKWATER_TEST_COMPOSE does not name one")
    return v2


@pytest.fixture(scope="module")
def started(program: str, built: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("v2")
    stack = Stack(built.engine, folder, free_port(), project="breakwater-test-v2", program=program)
    stack.remove()
    try:
        stack.up()
        yield stack
    finally:
        stack.remove()


def test_all_are_made_anew_from_volumes_in_use_and_from_volumes_that_were_left(started: Stack) -> None:
    password = started.admin_password()
    assert started.registry(password).push("library/kept", "v1", make_image("kept by v2")).ok
    before = started.container("core").told["Id"]
    started.compose("up", "-d", "--force-recreate", seconds=240)
    started.await_health()
    assert started.container("core").told["Id"] != before
    started.compose("down", "--timeout", "10", seconds=180)
    started.up()
    assert started.registry(password).pull("library/kept", "v1").ok
