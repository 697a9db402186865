"""The portal at a thousand projects: what a first page weighs, how long any takes the server, how soon a push shows."""

from __future__ import annotations

import gzip
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from tests.bench.api import ARTIFACTS, PROJECTS, fill
from tests.bench.bare import fresh_seed
from tests.bench.figures import Figure, Goal, Side, percentile
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.stream import Stream
from tests.portal.places import PLACES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.rig import Rig
    from tests.e2e.system import System

FIRST_PAGE: Final = 130_000
INTERACTION: Final = 3_000
SERVER_TIME: Final = 50.0
LIVE: Final = 1.0
RECORDS: Final = 100
"""Audit rows a project."""
PUSHES: Final = 20
LOOKS: Final = (0.15, 0.25, 0.5)
"""Seconds after an event, and after that, at which a page asks for its list, as portal.js does it."""
CONNECTIONS: Final = 2
"""As many as there are cores to answer them."""
_ASSET: Final = re.compile(r'(?:href|src)="(/assets/[^"]+)"')
_PART: Final = {"HX-Request": "true", "HX-Target": "list"}


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Somebody who has signed in."""

    system: System
    cookie: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie, "Accept-Encoding": "gzip"}

    def weight(
        self, path: str, headers: Mapping[str, str] | None = None, *, missing: bool = False
    ) -> tuple[int, bytes]:
        """Bytes of an answer's body as sent, and the body itself; with `missing` it may be one that says 404."""
        connection = HTTPConnection("127.0.0.1", self.system.instance.port, timeout=30)
        connection.request("GET", path, headers=self.headers | dict(headers or {}))
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200 and not (missing and answer.status == 404):
            raise RuntimeError(f"GET {path} answered {answer.status}")
        zipped = answer.headers.get("Content-Encoding") == "gzip"
        return len(body), gzip.decompress(body) if zipped else body

    def latencies(self, path: str, number: int) -> list[float]:
        """Seconds of so many requests, one after the other on one connection."""
        connection, seconds = HTTPConnection("127.0.0.1", self.system.instance.port, timeout=30), []
        for _ in range(number):
            begun = time.perf_counter()
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            answer.read()
            seconds.append(time.perf_counter() - begun)
            if answer.status != 200:
                raise RuntimeError(f"GET {path} answered {answer.status}")
        connection.close()
        return seconds

    def everything(self, path: str) -> int:
        """The weight of a page with all that it loads."""
        sent, body = self.weight(path)
        return sent + sum(self.weight(asset)[0] for asset in sorted(set(_ASSET.findall(body.decode()))))


def measure(rig: Rig) -> list[Figure]:
    """All of it in the instance of the run, filled up to its thousand projects."""
    projects = 4 if rig.small else PROJECTS
    rig.say(f"portal: {projects:,} projects, {projects * ARTIFACTS:,} artifacts")
    (already,) = rig.system.rows("SELECT count(*) FROM core.projects WHERE name LIKE 'load%'")[0]
    fill(rig.system, first=already + 1, last=projects, records=RECORDS)
    visit = _sign_in(rig.system)
    slowest = _server_times(rig, visit)
    first = visit.everything("/projects")
    part, _ = visit.weight("/projects?page=2", _PART)
    shown = _shown_after(rig, visit)
    return [
        _figure("portal, first page", first / 1000, FIRST_PAGE / 1000, "kB gzipped, all in"),
        _figure("portal, an interaction", part / 1000, INTERACTION / 1000, "kB gzipped"),
        Figure(
            name="portal, slowest page",
            ours=Side(what=f"p95, {CONNECTIONS} connections", value=slowest[0][1], unit="ms"),
            against=Side(what="allowed", value=SERVER_TIME, unit="ms"),
            goal=Goal.AT_MOST, limit=1, details={name: f"{milliseconds:.1f} ms" for name, milliseconds in slowest},
        ),
        _figure("portal, a push is shown", shown, LIVE, "s"),
    ]


def _figure(name: str, value: float, allowed: float, unit: str) -> Figure:
    return Figure(
        name=name, ours=Side(what="", value=value, unit=unit), against=Side(what="allowed", value=allowed, unit=unit),
        goal=Goal.AT_MOST, limit=1,
    )  # fmt: skip


def _sign_in(system: System) -> Visit:
    connection = HTTPConnection("127.0.0.1", system.instance.port, timeout=30)
    fields = urlencode({"principal": system.admin_name, "password": system.admin_password})
    connection.request("POST", "/sign-in", fields, {
        "Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{system.instance.port}",
    })  # fmt: skip
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.headers.get("Set-Cookie") or "").partition(";")[0]
    if not cookie.startswith("sid="):
        raise RuntimeError(f"signing in answered {answer.status}")
    return Visit(system=system, cookie=cookie)


def _server_times(rig: Rig, visit: Visit) -> list[tuple[str, float]]:
    """p95 of every page in milliseconds, from the client's side, slowest first."""
    (digest,) = rig.system.rows(
        "SELECT a.digest FROM core.artifacts a JOIN core.repositories r ON r.id = a.repository_id"
        " WHERE r.name = 'load1/app' ORDER BY a.id LIMIT 1"
    )[0]
    asked, warm = int(rig.scaled(60, 3)), int(rig.scaled(10, 1))
    found = []
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for name, path in PLACES.items():
            where = path.format(project="load1", repository="app", digest=digest)
            taken = threads.map(lambda _, at=where: visit.latencies(at, asked)[warm:], range(CONNECTIONS))
            milliseconds = percentile([each for one in taken for each in one], 0.95) * 1000
            found.append((f"{name} ({where.partition('?')[0]})", milliseconds))
    return sorted(found, key=lambda each: -each[1])


def _shown_after(rig: Rig, visit: Visit) -> float:
    """p95 of the seconds from a push's answer until the list, asked as the page asks it, has its tag."""
    project = rig.system.new_project()
    registry, seconds = rig.system.registry(), []
    kind = "breakwater.artifact.pushed.v1"
    sent = {"Cookie": visit.cookie}
    with Stream(rig.system.url, None, sent=sent, project=project, type=kind) as stream:
        for number in range(int(rig.scaled(PUSHES, 2))):
            registry.push(f"{project}/app", f"shown{number}", make_image(fresh_seed(), layers=1, layer_size=1000))
            begun = time.perf_counter()
            eventually(lambda count=number: len(stream.events) > count, within=20, what="the event", every=0.005)
            for pause in LOOKS:
                time.sleep(pause)
                _, part = visit.weight(f"/projects/{project}/repositories/app", _PART, missing=True)
                if f"shown{number}".encode() in part:
                    break
            else:
                raise RuntimeError("the list does not show what the event told of")
            seconds.append(time.perf_counter() - begun)
    return percentile(seconds, 0.95)
