"""Two processes of a part at one queue: in order, one after the other, and each event once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.integration.broker import eventually, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.broker import Broker
    from tests.integration.messaging.conftest import Bench

SINGLE = "x-single-active-consumer"
EVENTS = 60


def test_the_one_that_waits_goes_on_where_the_killed_one_stood_and_nothing_overtakes(bench: Bench) -> None:
    with bench.recorder("first") as first, bench.recorder("second") as second:
        ids = bench.publish(*["library"] * EVENTS)
        eventually(lambda: len(bench.effects()), EVENTS)
        # busy with the first of these when it is killed: the others are in its hands
        ids += bench.publish("slow", *["library"] * EVENTS)
        begun = bench.database.server.home / "slow-begun"
        wait_for(begun.exists, seconds=10, what="the slow one is begun")
        begun.unlink()
        first.kill()
        bench.await_effects(*ids)
        assert begun.exists()  # so it was in the first one's hands, and is begun again
        assert bench.effects() == ids
        ids += bench.publish("library")
        bench.await_effects(*ids)
        assert second.terminate() == 0


def test_a_queue_of_an_older_version_stays_as_it_was_made(rabbit: Broker, tmp_path: Path) -> None:
    """Its arguments cannot be changed: the definitions are loaded all the same, at each start of the broker."""
    content = json.loads((rabbit.home / "definitions.json").read_text())
    queues = {queue["name"]: queue["arguments"] for queue in content["queues"]}
    assert queues["webhook"].pop(SINGLE) is True
    older = tmp_path / "older.json"
    older.write_text(json.dumps(content))
    older.chmod(0o644)
    tmp_path.chmod(0o755)

    def arguments() -> str:
        rows = rabbit.rabbit.control("list_queues", "name", "arguments", "--silent").splitlines()
        return next(row for row in rows if row.startswith("webhook\t"))

    with rabbit.tester() as connection:
        connection.channel().queue_delete("webhook")
    rabbit.rabbit.control("import_definitions", str(older))
    eventually(lambda: "x-delivery-limit" in arguments(), True)
    assert SINGLE not in arguments()
    rabbit.restore()
    assert SINGLE not in arguments()
    with rabbit.tester() as connection:
        connection.channel().queue_delete("webhook")
    rabbit.restore()
    eventually(lambda: SINGLE in arguments(), True)
