"""What one push, one pull, one token, one event and one page of a list cost: processor time, by part; a pull, memory.

From these docs/scaling.md counts. What an instance spends at rest meanwhile is taken off.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.bench.bare import fresh_seed
from tests.bench.cpu import spent
from tests.bench.figures import Figure, Side
from tests.bench.held import memory_of_a_layer
from tests.bench.intake import prepared
from tests.bench.load import Load, drive, request
from tests.bench.tokens import all_good, ask
from tests.bench.transfers import FailedTransferError
from tests.clients.images import make_image, write_layout
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.bench.rig import Rig

LAYERS: Final = 8
SHARED: Final = 6
LAYER: Final = 20_000
EVENTS_A_SECOND: Final = 100
CONNECTIONS: Final = 32
_WORTH_TELLING: Final = 0.000_005


def measure(rig: Rig) -> list[Figure]:
    """Each kind of act by itself, many times, until all that it set off has ended."""
    meter = _Meter(rig)
    rounds = int(rig.scaled(30, 2))
    repository = f"{rig.system.new_project()}/app"
    layouts = _images(rig, rounds)
    skopeo = rig.system.skopeo(rig.folder / "costs.json")
    if not (done := skopeo.login(rig.system.admin_name, rig.system.admin_password)).ok:
        raise FailedTransferError(done.said)

    def push() -> int:
        for number, layout in enumerate(layouts):
            if not (done := skopeo.push(layout, "v1", f"{repository}:v{number}")).ok:
                raise FailedTransferError(done.said)
        return len(layouts)

    def pull() -> int:
        for number in range(rounds):
            if not (done := skopeo.pull(f"{repository}:v{number}", rig.folder / f"pulled-{number}")).ok:
                raise FailedTransferError(done.said)
        return rounds

    person = rig.system.new_person()
    basic = b64encode(f"admin:{rig.system.admin_password}".encode()).decode()
    project, _, name = repository.partition("/")
    path = f"/api/v2.0/projects/{project}/repositories/{name}/artifacts?page_size=25"
    page = request("GET", path, {"Authorization": f"Basic {basic}"})
    figures = [
        meter.figure(f"a push of {LAYERS} layers, {LAYERS - SHARED} of them new", push),
        meter.figure(f"a pull of {LAYERS} layers", pull),
        meter.figure("a token", lambda: _ask(rig, [ask(person.name, person.password)])),
    ]
    ((digest,),) = rig.system.rows("SELECT digest FROM core.artifacts ORDER BY id DESC LIMIT 1")
    told = prepared(rig, repository, digest, int(EVENTS_A_SECOND * rig.scaled(6, 1)) + CONNECTIONS)
    return [
        *figures,
        meter.figure("an event", lambda: _tell(rig, told)),
        meter.figure("a page of 25 artifacts", lambda: _ask(rig, [page])),
        memory_of_a_layer(rig),
    ]


class _Meter:
    """Weighs acts by what each part spends on them."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._settle()
        before, begun = self._spent(), time.monotonic()
        time.sleep(rig.scaled(10, 0.5))
        rested = time.monotonic() - begun
        self._at_rest = {part: (now - before[part]) / rested for part, now in self._spent().items()}

    def figure(self, name: str, act: Callable[[], int]) -> Figure:
        """What one such act costs; `act` does some, and returns how many."""
        self._rig.say(f"costs: {name}")
        before, begun = self._spent(), time.monotonic()
        number = act()
        self._settle()
        took = time.monotonic() - begun
        each = Counter(
            {
                part: max(0.0, now - before[part] - took * self._at_rest[part]) / number
                for part, now in self._spent().items()
            }
        )
        parts = ", ".join(f"{part} {cost * 1000:.2f}" for part, cost in each.most_common() if cost > _WORTH_TELLING)
        return Figure(
            name=f"cost of {name}",
            ours=Side(what="of processor", value=each.total() * 1000, unit="ms"),
            against=Side(what="that a core has in a second", value=1000, unit="ms"),
            details={"ms by part": parts, "taken of": f"{number:,}"},
        )

    def _spent(self) -> dict[str, float]:
        return {part: spent(pids) for part, pids in self._rig.system.pids_by_part().items()}

    def _settle(self) -> None:
        """Wait until nothing has been recorded for a while, and nothing waits to be."""
        quiet_seconds = self._rig.scaled(2, 0.2)
        seen, quiet_since = self._recorded(), time.monotonic()

        def quiet() -> bool:
            nonlocal seen, quiet_since
            now = self._recorded()
            if now != seen or now[0]:
                seen, quiet_since = now, time.monotonic()
            return time.monotonic() - quiet_since > quiet_seconds

        eventually(quiet, within=120, what="all that was set off has ended")

    def _recorded(self) -> tuple[int, int]:
        ((waiting, recorded),) = self._rig.system.rows(
            "SELECT (SELECT count(*) FROM events.outbox), (SELECT coalesce(max(sequence), 0) FROM audit.records)"
        )
        return waiting, recorded


def _images(rig: Rig, number: int) -> list[Path]:
    """Images that share most of their layers, as they lie on a client's disk."""
    base = make_image(fresh_seed(), layers=SHARED, layer_size=LAYER)
    return [
        write_layout(
            rig.folder / f"cost-{each}",
            {"v1": make_image(fresh_seed(), layers=LAYERS - SHARED, layer_size=LAYER, base=base)},
        )
        for each in range(number)
    ]


def _ask(rig: Rig, requests: Sequence[bytes]) -> int:
    result = all_good(drive(Load(
        address=rig.address, requests=requests, connections=CONNECTIONS, seconds=rig.scaled(6, 1), warm_up=0,
    )))
    return len(result.latencies)


def _tell(rig: Rig, notifications: Sequence[bytes]) -> int:
    result = all_good(drive(Load(
        address=("127.0.0.1", rig.system.settings.intake_port), requests=notifications, connections=1,
        seconds=rig.scaled(6, 1), warm_up=0, per_second=EVENTS_A_SECOND,
    )))
    return len(result.latencies)
