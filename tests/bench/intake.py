"""How many notifications a second the intake takes from a registry that sends one and waits for the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.bound import insert_bound
from tests.bench.figures import Figure, Goal, Side, percentile
from tests.bench.load import Load, drive, request
from tests.bench.tokens import all_good
from tests.clients.images import make_image
from tests.clients.notifications import CONTENT_TYPE, body_of, event

if TYPE_CHECKING:
    from tests.bench.rig import Rig

ASKED_FOR = 500


def prepared(rig: Rig, repository: str, digest: str, number: int) -> list[bytes]:
    """The bytes of so many notifications of pulls, each with an id of its own."""
    headers = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {rig.system.notification_token}"}
    return [
        request("POST", "/service/notifications", headers, body_of(event("pull", repository, digest=digest, tag="v1")))
        for _ in range(number)
    ]


def pushed_image(rig: Rig, repository: str) -> str:
    """Pushes a small image for notifications to name; returns its digest."""
    image = make_image(repository)
    rig.system.registry().push(repository, "v1", image).raise_for_status()
    return image.digest


def measure(rig: Rig) -> list[Figure]:
    """One connection, one request open at a time."""
    project = rig.system.new_project()
    digest = pushed_image(rig, f"{project}/app")
    seconds = rig.scaled(6, 1)
    rig.say("intake: one notification at a time")
    bound = insert_bound(rig.system.settings.conninfo(), seconds=seconds / 2)
    result = all_good(drive(Load(
        address=("127.0.0.1", rig.system.settings.intake_port),
        requests=prepared(rig, f"{project}/app", digest, int(4_000 * (seconds + 1))),
        connections=1, seconds=seconds,
    )))
    return [
        Figure(
            name="intake",
            ours=Side(what="taken, one at a time", value=result.rate, unit="notifications/s"),
            against=Side(what="asked for", value=ASKED_FOR, unit="notifications/s"),
            goal=Goal.AT_LEAST, limit=1,
            details={
                "bound": f"{bound:,.0f}/s bare INSERT and COMMIT of such a row; the intake reaches "
                f"{result.rate / bound:.0%} of it",
                "p99": f"{percentile(result.latencies, 0.99) * 1000:.1f} ms",
            },
        ),
    ]
