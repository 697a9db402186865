"""Replication to another registry, against `skopeo sync --all` between the same two, taken in turn in the same run."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from tests.bench.bare import Bare, bare_registry, fresh_seed
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
ROUNDS: Final = 2
_PATIENCE: Final = 900
_OPEN: Final = "InProgress"


class FailedReplicationError(Exception):
    """It did not end well; its words say why."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one side took."""

    seconds: float = 0.0
    sent: int = 0
    cpu: float = 0.0
    """Processor seconds of the parts that replicate."""
    target_cpu: float = 0.0
    """Of the registry that is copied to, and its nginx."""

    def __add__(self, other: Run) -> Run:
        """Both together."""
        return Run(
            seconds=self.seconds + other.seconds, sent=self.sent + other.sent, cpu=self.cpu + other.cpu,
            target_cpu=self.target_cpu + other.target_cpu,
        )


@dataclass(kw_only=True)
class Sides:
    """What both sides took in all rounds together."""

    rounds: int
    ours: Run = field(default_factory=Run)
    theirs: Run = field(default_factory=Run)

    def figure(self, name: str, limit: float, *, distinct: int | None = None) -> Figure:
        """A round of each, on average."""
        ours, theirs, rounds = self.ours, self.theirs, self.rounds
        details = {
            "processor seconds of the part that replicates": f"{ours.cpu / rounds:.1f}",
            "of the target registry and its proxy": f"{ours.target_cpu / rounds:.1f}, "
            f"{theirs.target_cpu / rounds:.1f} with skopeo",
        }
        if distinct is not None:
            details["bytes sent"] = f"{ours.sent // rounds:,}; distinct blobs that were missing: {distinct:,}"
        return Figure(
            name=name,
            ours=Side(what="Breakwater", value=ours.seconds / rounds, unit="s"),
            against=Side(what="skopeo sync --all", value=theirs.seconds / rounds, unit="s"),
            goal=Goal.AT_MOST, limit=limit, details=details,
        )


def measure(rig: Rig) -> list[Figure]:
    """Many small images, again with nothing to do, few big ones, one repository over a slow link.

    Each a few times, and another side first each time: who comes second finds the disk busy with what the first wrote.
    """
    each, rounds = int(rig.scaled(40, 2)), int(rig.scaled(ROUNDS, 1))
    shop = _Shop(rig)
    rig.say(f"replication: {REPOSITORIES * each} small images are made")
    distinct = shop.fill("small", each)
    rig.say("replication: small images, and again with nothing to do")
    small, again = Sides(rounds=rounds), Sides(rounds=rounds)
    for number in range(rounds):
        with shop.target() as target:
            for sides in (small, again):
                shop.in_turn(sides, number, "small/**", "small", REPOSITORIES, target)
    rig.say("replication: one repository over a slow link")
    slow = Sides(rounds=1)
    with shop.target() as target, delayed(target.address, round_trip=ROUND_TRIP) as far:
        shop.in_turn(slow, 0, "small/r0", "small", 1, replace(target, address=far))
    size = int(rig.scaled(300_000_000, 3_000_000))
    rig.say("replication: big images are made")
    distinct_of_big = shop.fill_big("big", int(rig.scaled(6, 2)), size)
    rig.say("replication: big images")
    big = Sides(rounds=rounds)
    with shop.memory() as most:
        for number in range(rounds):
            with shop.target() as target:
                shop.in_turn(big, number, "big/**", "big", 1, target)
    return [
        small.figure(f"replication of {REPOSITORIES * each} small images", 0.45, distinct=distinct),
        again.figure("replication with nothing to do", 0.5, distinct=0),
        slow.figure(f"replication with {ROUND_TRIP * 1000:.0f} ms more a round trip", 0.15),
        big.figure(f"replication of images of {size / 1e6:.0f} MB", 0.9, distinct=distinct_of_big),
        Figure(
            name="memory of the worker meanwhile",
            ours=Side(what="resident", value=most[0] / 1e6, unit="MB"),
            against=Side(what="allowed", value=150, unit="MB"),
            goal=Goal.AT_MOST, limit=1,
        ),
    ]


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

    def target(self) -> AbstractContextManager[Bare]:
        """A plain registry behind the same nginx."""
        return bare_registry(self._system.instance.layout.conf / "nginx.conf")

    def in_turn(
        self, sides: Sides, number: int, pattern: str, project: str, repositories: int, target: Bare,
    ) -> None:
        """One round of each side; in odd ones skopeo is the first."""
        for mine in (True, False) if number % 2 == 0 else (False, True):
            if mine:
                sides.ours += self.ours(pattern, target)
            else:
                sides.theirs += self.skopeo(project, repositories, target)

    def ours(self, pattern: str, target: Bare) -> Run:
        """One execution of a policy, from the request to its end."""
        admin = self._system.admin
        name = f"bench-{fresh_seed()}"
        admin.must("POST", "/registries", json={"name": name, "type": "docker-registry", "url": f"http://{target.address}"})
        (registry,) = admin.get("/registries", name=name)
        policy = {
            "name": name, "dest_registry": {"id": registry["id"]}, "enabled": True, "trigger": {"type": "manual"},
            "filters": [{"type": "name", "value": pattern}], "override": True,
        }  # fmt: skip
        made = admin.must("POST", "/replication/policies", json=policy)
        number = int(made.headers["Location"].rpartition("/")[2])
        pids = [pid for root in self._system.instance.pids("replication") for pid in descendants(root)]
        before, of_target, begun = spent(pids), spent(target.pids), time.perf_counter()
        started = admin.must("POST", "/replication/executions", json={"policy_id": number})
        place = f"/replication/executions/{started.headers['Location'].rpartition('/')[2]}"
        while (execution := admin.get(place))["status"] == _OPEN:
            if time.perf_counter() - begun > _PATIENCE:
                raise FailedReplicationError(f"it has not ended in {_PATIENCE} s: {execution}")
            time.sleep(0.05)
        seconds = time.perf_counter() - begun
        if execution["status"] != "Succeed":
            raise FailedReplicationError(str(execution))
        return Run(
            seconds=seconds, sent=execution["bytes_sent"], cpu=spent(pids) - before,
            target_cpu=spent(target.pids) - of_target,
        )

    def skopeo(self, project: str, repositories: int, target: Bare) -> Run:
        """The same by hand."""
        wanted = self._rig.folder / "sync.yaml"
        images = {f"{project}/r{number}": [] for number in range(repositories)}
        wanted.write_text(json.dumps({self._system.host: {"tls-verify": False, "images": images}}))
        of_target, begun = spent(target.pids), time.perf_counter()
        done = subprocess.run(
            ["skopeo", "sync", "--all", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false",
             "--src-authfile", str(self._auth), str(wanted), f"{target.address}/by-skopeo"],
            capture_output=True, text=True, check=False, timeout=_PATIENCE,
        )  # fmt: skip
        if done.returncode:
            raise FailedReplicationError(done.stderr[-500:])
        return Run(seconds=time.perf_counter() - begun, target_cpu=spent(target.pids) - of_target)

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
