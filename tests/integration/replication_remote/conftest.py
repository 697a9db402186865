from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.faulty import Faulty, faulty
from tests.integration.remote_rig import Plain, distribution


@pytest.fixture(scope="module")
def plain() -> Iterator[Plain]:
    with distribution() as registry:
        yield registry


@pytest.fixture
def wrong() -> Iterator[Faulty]:
    """A registry that does wrong when it is told to."""
    with faulty() as registry:
        yield registry
