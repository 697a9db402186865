"""What a refusal costs does not tell whether the account exists."""

from typing import Any

import psycopg

from tests import factories
from tests.bench.cpu import descendants, spent
from tests.integration.token.mount import Mount

TRIES = 20


def test_known_unknown_disabled_and_robot_accounts_are_refused_at_the_same_cost(
    mount: Mount, rows: psycopg.Connection[Any]
) -> None:
    factories.user(rows, "known")
    factories.user(rows, "closed", disabled=True)
    factories.user(rows, "of-a-directory", password=None, source="ldap")
    factories.robot(rows, "known", {"*": [("repository", "pull")]})
    workers = descendants(mount.process.pid)
    # processor time, as the clock on the wall tells more of what else runs on this machine
    cost = {}
    for name in ("known", "unknown", "closed", "of-a-directory", "robot$known", "robot$unknown"):
        before = spent(workers)
        for number in range(TRIES):
            answer = mount.get(name, password=f"guess{number}", address=f"203.0.113.{number}")
            assert answer.status == 401
        cost[name] = spent(workers) - before
    assert max(cost.values()) < 1.35 * min(cost.values()), cost
