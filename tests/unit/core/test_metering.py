"""In which words a mount counts what it answers."""

from __future__ import annotations

import pytest

from gateway.metering import count_answer
from shared.metrics.figures import HTTP_REQUESTS, HTTP_SECONDS
from shared.metrics.tally import Tally


@pytest.mark.parametrize(
    ("method", "counted"), [("GET", "GET"), ("DELETE", "DELETE"), ("BREW", "other"), ("", "other")]
)
def test_methods_that_clients_make_up_count_as_one(method: str, counted: str) -> None:
    tally = Tally()
    count_answer(tally, "api", method, 404, 0.3)
    taken = {(told.name, told.labels): told.value for told in tally.take()}
    assert taken == {
        (HTTP_REQUESTS.name, ("api", counted, "404")): 1,
        (HTTP_SECONDS.name, ("api", "0.5")): 1,
        (HTTP_SECONDS.name, ("api", "sum")): 0.3,
    }
