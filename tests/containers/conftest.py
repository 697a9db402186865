"""The whole in containers, built and started once for all tests of this folder, and removed in any case.

Images are kept for the next run in BREAKWATER_TEST_IMAGES (/var/cache/breakwater/test-images): the first one builds
them all from Debian's packages, which takes minutes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.docker import BRIDGE, CannotStartError, DockerEngine
from tests.containers.stack import PROGRAM, Stack
from tests.outside import Outside, outside_postgres
from tests.outside_broker import OutsideBroker, outside_broker
from tests.s3 import Storage, s3_server
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.rest import RestClient

HERE: Final = BRIDGE.partition("/")[0]
"""This machine, as containers reach it."""
PROGRAMS = (PROGRAM, "debootstrap")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    missing = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if missing:
        pytest.skip(f"the whole in containers was NOT tested: not installed: {', '.join(missing)}")
    images = Path(os.environ.get("BREAKWATER_TEST_IMAGES", "/var/cache/breakwater/test-images"))
    try:
        with DockerEngine(tmp_path_factory.mktemp("engine"), images=images) as engine:
            yield engine
    except CannotStartError as error:
        pytest.skip(f"the whole in containers was NOT tested: no docker engine can be started here: {error}")


@pytest.fixture(scope="session")
def built(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Its images are there; nothing is started."""
    # webhooks of the tests go to this machine
    here = f"{BRIDGE.partition('/')[0]}/32"
    stack = Stack(engine, tmp_path_factory.mktemp("stack"), free_port(), BREAKWATER_OUTBOUND_ALLOW=here)
    stack.build()
    return stack


@pytest.fixture(scope="session")
def stack(built: Stack) -> Iterator[Stack]:
    # what a run that was killed has left
    built.remove()
    try:
        built.up()
        yield built
    finally:
        built.remove()


@pytest.fixture(scope="session")
def password(stack: Stack) -> str:
    return stack.admin_password()


@pytest.fixture(scope="session")
def admin(stack: Stack) -> RestClient:
    return stack.admin()


@pytest.fixture(scope="module")
def database(built: Stack) -> Iterator[Outside]:
    assert built
    with outside_postgres(HERE, clients=("samenet",)) as server:
        yield server


@pytest.fixture(scope="module")
def storage(built: Stack) -> Iterator[Storage]:
    assert built
    with s3_server(host=HERE) as server:
        yield server


@pytest.fixture(scope="module")
def broker(built: Stack) -> Iterator[OutsideBroker]:
    assert built
    with outside_broker(HERE, address=HERE) as server:
        yield server
