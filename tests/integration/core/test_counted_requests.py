"""What the workers of the core mount answer is added up, and what they know is told before they end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.integration.conftest import Database
from tests.integration.core.gunicorn import ask, core
from tests.integration.core.people import ADMIN, BASE
from tests.integration.told import silent_for, told

MANY = 60
PATH = f"{BASE}/users/current"


def test_requests_to_several_workers_count_as_one_and_survive_their_end(core_database: Database) -> None:
    for times in (1, 2):
        with core(core_database, workers=2) as running, ThreadPoolExecutor(8) as threads:
            headers = [ADMIN.headers, {}] * (MANY // 2)
            answers = list(threads.map(partial(ask, running.socket, "GET", PATH), headers))
            statuses = [answer.status for answer, _ in answers]
            assert (statuses.count(200), statuses.count(401)) == (MANY // 2, MANY // 2)
            ask(running.socket, "BREW", f"{BASE}/projects")
        counted = told(core_database, "core")
        assert counted["http_requests", "api", "GET", "401"] == times * MANY // 2
        assert counted["http_requests", "api", "GET", "200"] >= times * MANY // 2  # it is also asked whether it is up
        assert counted["http_requests", "api", "other", "400"] == times
        assert silent_for(core_database, "core") is not None
