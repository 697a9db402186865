"""Replication to another registry, against `skopeo sync --all` between the same two, taken in turn in the same run."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from tests.bench.bare import bare_registry, fresh_seed
from tests.bench.cpu import descendants, spent
from tests.bench.delay import delayed
from tests.bench.figures import Figure, Goal, Side
from tests.clients.images import make_image
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.rig import Rig

REPOSITORIES: Final = 5
LAYERS: Final = 8
SHARED: Final = 6
LAYER: Final = 20_000
ROUND_TRIP: Final = 0.020
_PATIENCE: Final = 900
_OPEN: Final = "InProgress"


class FailedReplicationError(Exception):
    """It did not end well; its words say why."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one side took."""

    seconds: float
    sent: int = 0
    cpu: float = 0.0
    """Processor seconds of the parts that replicate."""


def measure(rig: Rig) -> list[Figure]:
    """Many small images, again with nothing to do, few big ones, one repository over a slow link."""
    each = int(rig.scaled(40, 2))
    shop = _Shop(rig)
    rig.say(f"replication: {REPOSITORIES * each} small images are made")
    distinct = shop.fill("small", each)
    figures: list[Figure] = []
    with shop.target() as target:
        rig.say("replication: small images")
        ours, theirs = shop.ours("small/**", target), shop.skopeo("small", REPOSITORIES, target)
        again, their_again = shop.ours("small/**", target), shop.skopeo("small", REPOSITORIES, target)
    figures += [
        _figure(f"replication of {REPOSITORIES * each} small images", ours, theirs, 0.45, distinct=distinct),
        _figure("replication with nothing to do", again, their_again, 0.5, distinct=0),
    ]
    with shop.target() as target, delayed(target, round_trip=ROUND_TRIP) as far:
        rig.say("replication: one repository over a slow link")
        ours, theirs = shop.ours("small/r0", far), shop.skopeo("small", 1, far)
    figures.append(_figure(f"replication with {ROUND_TRIP * 1000:.0f} ms more a round trip", ours, theirs, 0.15))
    size = int(rig.scaled(300_000_000, 3_000_000))
    rig.say("replication: big images are made")
    big = shop.fill_big("big", int(rig.scaled(6, 2)), size)
    with shop.target() as target:
        rig.say("replication: big images")
        with shop.memory() as most:
            ours = shop.ours("big/**", target)
        theirs = shop.skopeo("big", 1, target)
    figures += [
        _figure(f"replication of images of {size / 1e6:.0f} MB", ours, theirs, 0.9, distinct=big),
        Figure(
            name="memory of the worker meanwhile",
            ours=Side(what="resident", value=most[0] / 1e6, unit="MB"),
            against=Side(what="allowed", value=150, unit="MB"),
            goal=Goal.AT_MOST, limit=1,
        ),
    ]
    return figures


def _figure(name: str, ours: Run, theirs: Run, limit: float, *, distinct: int | None = None) -> Figure:
    details = {"processor seconds of the part that replicates": f"{ours.cpu:.1f}"}
    if distinct is not None:
        details["bytes sent"] = f"{ours.sent:,}; distinct blobs that were missing: {distinct:,}"
    return Figure(
        name=name,
        ours=Side(what="Breakwater", value=ours.seconds, unit="s"),
        against=Side(what="skopeo sync --all", value=theirs.seconds, unit="s"),
        goal=Goal.AT_MOST, limit=limit, details=details,
    )


class _Shop:
    """The instance as the source, with what it takes to copy from it either way."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._system = rig.system
        self._auth = rig.folder / "sync.json"
        done = self._system.skopeo(self._auth).login(self._system.admin_name, self._system.admin_password)
        if not done.ok:
            raise FailedReplicationError(done.said)

    def fill(self, project: str, each: int) -> int:
        """So many images in each repository; returns the bytes of their distinct blobs."""
        registry = self._system.registry()
        self._system.admin.create_project(project)
        blobs: dict[str, int] = {}
        base = make_image(fresh_seed(), layers=SHARED, layer_size=LAYER)
        for number in range(REPOSITORIES):
            for tag in range(each):
                image = make_image(fresh_seed(), layers=LAYERS - SHARED, layer_size=LAYER, base=base)
                registry.push(f"{project}/r{number}", f"v{tag}", image)
                blobs |= {blob.digest: len(blob.content) for blob in image.blobs}
        self._catalogued(project, REPOSITORIES * each)
        return sum(blobs.values())

    def fill_big(self, project: str, number: int, size: int) -> int:
        """Images of three layers each; returns the bytes of their blobs."""
        registry = self._system.registry()
        self._system.admin.create_project(project)
        total = 0
        for tag in range(number):
            image = make_image(fresh_seed(), layers=3, layer_size=size // 3)
            registry.push(f"{project}/r0", f"v{tag}", image)
            total += sum(len(blob.content) for blob in image.blobs)
        self._catalogued(project, number)
        return total

    def _catalogued(self, project: str, number: int) -> None:
        admin = self._system.admin
        eventually(
            lambda: sum(each["artifact_count"] for each in admin.every(f"/projects/{project}/repositories")) == number,
            within=120, what=f"{number} artifacts are catalogued",
        )

    def target(self) -> AbstractContextManager[str]:
        """A plain registry behind the same nginx; gives host:port."""
        return bare_registry(self._system.instance.layout.conf / "nginx.conf")

    def ours(self, pattern: str, target: str) -> Run:
        """One execution of a policy, from the request to its end."""
        admin = self._system.admin
        name = f"bench-{fresh_seed()}"
        admin.must("POST", "/registries", json={"name": name, "type": "docker-registry", "url": f"http://{target}"})
        (registry,) = admin.get("/registries", name=name)
        policy = {
            "name": name, "dest_registry": {"id": registry["id"]}, "enabled": True, "trigger": {"type": "manual"},
            "filters": [{"type": "name", "value": pattern}], "override": True,
        }  # fmt: skip
        made = admin.must("POST", "/replication/policies", json=policy)
        number = int(made.headers["Location"].rpartition("/")[2])
        pids = [pid for root in self._system.instance.pids("replication") for pid in descendants(root)]
        before, begun = spent(pids), time.perf_counter()
        started = admin.must("POST", "/replication/executions", json={"policy_id": number})
        place = f"/replication/executions/{started.headers['Location'].rpartition('/')[2]}"
        while (execution := admin.get(place))["status"] == _OPEN:
            if time.perf_counter() - begun > _PATIENCE:
                raise FailedReplicationError(f"it has not ended in {_PATIENCE} s: {execution}")
            time.sleep(0.05)
        seconds = time.perf_counter() - begun
        if execution["status"] != "Succeed":
            raise FailedReplicationError(str(execution))
        return Run(seconds=seconds, sent=execution["bytes_sent"], cpu=spent(pids) - before)

    def skopeo(self, project: str, repositories: int, target: str) -> Run:
        """The same by hand."""
        wanted = self._rig.folder / "sync.yaml"
        images = {f"{project}/r{number}": [] for number in range(repositories)}
        wanted.write_text(json.dumps({self._system.host: {"tls-verify": False, "images": images}}))
        begun = time.perf_counter()
        done = subprocess.run(
            ["skopeo", "sync", "--all", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false",
             "--src-authfile", str(self._auth), str(wanted), f"{target}/by-skopeo"],
            capture_output=True, text=True, check=False, timeout=_PATIENCE,
        )  # fmt: skip
        if done.returncode:
            raise FailedReplicationError(done.stderr[-500:])
        return Run(seconds=time.perf_counter() - begun)

    def memory(self) -> AbstractContextManager[list[int]]:
        """The most that the worker holds meanwhile, in a list of one number of bytes."""
        (pid,) = self._system.instance.pids("replication")
        return _memory_of(pid)


@contextmanager
def _memory_of(pid: int) -> Iterator[list[int]]:
    """Samples the resident memory of a process; the most of it, in a list of one."""
    most, ended = [0], Event()

    def sample() -> None:
        while not ended.wait(0.1):
            for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmRSS:"):
                    most[0] = max(most[0], int(line.split()[1]) * 1024)

    thread = Thread(target=sample, daemon=True)
    thread.start()
    yield most
    ended.set()
    thread.join(5)
