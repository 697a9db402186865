"""Push and pull by skopeo through the whole system, against the bare registry behind the same nginx."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

from tests.bench.bare import bare_registry, fresh_seed
from tests.bench.figures import Figure, Goal, Side
from tests.clients.images import make_image, write_layout
from tests.clients.skopeo import Skopeo

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.rig import Rig
    from tests.clients.skopeo import Outcome

LIMIT = 1.15


class FailedTransferError(Exception):
    """skopeo failed; its words say why."""


def measure(rig: Rig) -> list[Figure]:
    """Both directions of a small image of many layers and of a big one."""
    rendered = rig.system.instance.layout.conf / "nginx.conf"
    with bare_registry(rendered) as bare:
        ours = rig.system.skopeo(rig.folder / "ours.json")
        theirs = Skopeo(bare.address, rig.folder / "none.json", timeout=600)
        done = ours.login(rig.system.admin_name, rig.system.admin_password)
        if not done.ok:
            raise FailedTransferError(done.said)
        return [
            *_compared(
                rig, ours, theirs, "40 small layers", layers=40, layer_size=2_000, rounds=int(rig.scaled(11, 1)),
            ),
            *_compared(
                rig, ours, theirs, "500 MB" if not rig.small else "5 MB", layers=5,
                layer_size=int(rig.scaled(100_000_000, 1_000_000)), rounds=int(rig.scaled(3, 1)),
            ),
        ]


def name_of(number: int) -> str:
    """Where a round's image goes."""
    return f"library/bench:v{number}"


def _timed(act: Callable[[], Outcome]) -> float:
    os.sync()
    begun = time.perf_counter()
    done = act()
    spent = time.perf_counter() - begun
    if not done.ok:
        raise FailedTransferError(done.said)
    return spent


def _compared(
    rig: Rig, ours: Skopeo, theirs: Skopeo, name: str, *, layers: int, layer_size: int, rounds: int,
) -> list[Figure]:
    pushes: dict[Skopeo, list[float]] = {ours: [], theirs: []}
    pulls: dict[Skopeo, list[float]] = {ours: [], theirs: []}
    layout, pulled = rig.folder / "layout", rig.folder / "pulled"
    for number in range(rounds):
        rig.say(f"transfers: {name}, round {number + 1} of {rounds}")
        write_layout(layout, {"v1": make_image(fresh_seed(), layers=layers, layer_size=layer_size)})
        order = (ours, theirs) if number % 2 == 0 else (theirs, ours)
        for skopeo in order:
            pushes[skopeo].append(_timed(partial(skopeo.push, layout, "v1", name_of(number))))
        for skopeo in order:
            pulls[skopeo].append(_timed(partial(skopeo.pull, name_of(number), pulled)))
            shutil.rmtree(pulled)
        shutil.rmtree(layout)
    return [
        Figure(
            name=f"{direction} of {name}",
            ours=Side(what="whole system", value=statistics.median(taken[ours]), unit="s"),
            against=Side(what="bare registry, same nginx", value=statistics.median(taken[theirs]), unit="s"),
            goal=Goal.AT_MOST, limit=LIMIT,
            details={
                "all runs": " ".join(
                    f"{one:.2f}/{other:.2f}" for one, other in zip(taken[ours], taken[theirs], strict=True)
                ),
            },
        )
        for direction, taken in (("push", pushes), ("pull", pulls))
    ]
