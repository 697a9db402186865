"""One collection: the registry put aside for a read-only one, the garbage collected, the registry put back.

The order is what keeps blobs. Pushes are refused first; then every read goes to the registry that stands in; only when
the other one has ended, with all it had in hand, is anything looked at or taken away. What comes back is a new process:
one that had been running would remember blobs that are gone.
"""

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from compose.registryctl.checking import Doomed, check
from compose.registryctl.children import Child, await_answers, end, point, serve
from compose.registryctl.plan import Plan
from compose.registryctl.storage import Stopped, Weigh, storage_of

SETTLE_SECONDS = 1.0
"""So long what was let in before the refusal has to reach the registry, and notifications to leave it."""
DRAIN_SECONDS = 65.0
"""Longer than the registry itself waits for what it has in hand."""
HAND_OVER_SECONDS = 0.3
"""So long a connection may have been asked for, and not been taken yet: a registry that ends breaks those off."""
_EVERY = 0.5
_REASON_LINES = 5
_BLOB = "blob eligible for deletion: "
_LINK = ": layer link eligible for deletion: "
_SUMMARY = re.compile(r"^\d+ blobs marked, (\d+) blobs and (\d+) manifests eligible for deletion$")

Say = Callable[[dict[str, object]], None]


class Failed(Exception):
    """The registry's own program could not do it."""


class Stand(NamedTuple):
    """The two registries, handed from the parent to a collection and back."""

    writable: Child
    leaving: Child | None
    """The one that stood in: it still gives what it has begun to give."""


def readonly(plan: Plan, stand: Stand, stop: threading.Event) -> Child:
    """Refuse pushes, and let a read-only registry answer in place of the other one, which ends. Raises Stopped."""
    plan.flag.touch()
    if stop.wait(SETTLE_SECONDS):
        raise Stopped
    stand_in = serve(plan.program, plan.readonly)
    try:
        await_answers(stand_in, plan.readonly_socket)
        point(plan.front, plan.readonly_socket)
    except BaseException:
        end(stand_in, seconds=1.0)
        raise
    time.sleep(HAND_OVER_SECONDS)
    end(stand.writable, seconds=DRAIN_SECONDS)
    return stand_in


def writable(plan: Plan, stand_in: Child) -> Stand:
    """The other way round. Raises NotStarted."""
    fresh = serve(plan.program, plan.writable)
    await_answers(fresh, plan.writable_socket)
    point(plan.front, plan.writable_socket)
    time.sleep(HAND_OVER_SECONDS)
    # it closes connections that are kept for later: a push must not come to it by one
    stand_in.terminate()
    time.sleep(HAND_OVER_SECONDS)
    plan.flag.unlink(missing_ok=True)
    return Stand(writable=fresh, leaving=stand_in)


def collect(plan: Plan, say: Say, stop: threading.Event, *, dry_run: bool) -> dict[str, object]:
    """Run the registry's collection; returns what it took, or would take. Raises Stopped, Failed, Named, NotRead.

    It is asked first what it would take, and nothing of that may be named: what the program marks is its version's own
    affair. Never with `--delete-untagged`: distribution 2.8 takes that to mean the children of a tagged index too.
    """
    storage = storage_of(plan, stop)
    if not storage.holds_blobs():
        # the program calls an empty storage a failure, and one whose first blob is still on its way
        return {"blobs": 0, "freed": 0}
    storage.complete()
    would = _Tally(say, storage.sizes(), is_telling=dry_run)
    _run([plan.program, "garbage-collect", "--dry-run", plan.writable], would, stop)
    would.must_be_understood()
    if dry_run or not any(would.doomed):
        return would.result
    check(would.doomed, storage.manifests())
    took = _Tally(say, would.sizes.get, eligible=len(would.doomed.blobs))
    _run([plan.program, "garbage-collect", plan.writable], took, stop)
    return took.result


class _Tally:
    """Reads what the registry's program says, and says it on, not oftener than anybody can read."""

    def __init__(self, say: Say, weigh: Weigh, *, is_telling: bool = True, eligible: int | None = None) -> None:
        """Of single blobs it tells where it shall; how many are eligible is known where that was asked before."""
        self._say, self._weigh, self._is_telling, self._eligible = say, weigh, is_telling, eligible
        self._said = 0.0
        self._repositories = 0
        self._summary = ""
        self.sizes: dict[str, int | None] = {}
        self._links: set[tuple[str, str]] = set()
        self.last: list[str] = []

    @property
    def doomed(self) -> Doomed:
        """All that went, or would go, by name."""
        return Doomed(blobs=self.sizes.keys(), links=self._links)

    @property
    def result(self) -> dict[str, object]:
        """What went, or would go."""
        return {"blobs": len(self.sizes), "freed": sum(size or 0 for size in self.sizes.values())}

    def take(self, line: str) -> None:
        self.last = [*self.last, line][-_REASON_LINES:]
        if line.startswith(_BLOB):
            self._take_blob(line.removeprefix(_BLOB))
        elif _LINK in line:
            repository, _, digest = line.partition(_LINK)
            self._links.add((repository, digest))
        elif _SUMMARY.search(line):
            self._summary = line
            if self._eligible is None:
                self._say({"log": line})
        elif ": " not in line:
            self._repositories += 1
        else:
            return
        if time.monotonic() >= self._said + _EVERY:
            self._said = time.monotonic()
            self._say({"repositories": self._repositories, "eligible": self._eligible, "gone": len(self.sizes)})

    def _take_blob(self, digest: str) -> None:
        self.sizes[digest] = size = self._weigh(digest)
        if self._is_telling:
            self._say({"blob": digest, "size": size})

    def must_be_understood(self) -> None:
        """Raises Failed where it said that it would take anything else than what was read here."""
        match = _SUMMARY.search(self._summary)
        if match is None or (int(match[1]), int(match[2])) != (len(self.sizes), 0):
            raise Failed("what the registry's program says of its garbage is not understood: nothing was taken")


def _run(command: list[str], tally: _Tally, stop: threading.Event) -> None:
    """The program, to its end. Raises Stopped, Failed."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    threading.Thread(target=_break_off, args=(process, stop), daemon=True).start()
    for line in _lines(process):
        tally.take(line)
    process.wait()
    if stop.is_set():
        raise Stopped
    if process.returncode:
        raise Failed("; ".join(tally.last) or f"it ended with {process.returncode}")


def _lines(process: Child) -> Iterator[str]:
    for raw in process.stdout or ():
        if line := raw.decode(errors="replace").strip():
            yield line


def _break_off(process: Child, stop: threading.Event) -> None:
    """A blob that is half taken away is one that nothing names: to end it anywhere is safe."""
    while process.poll() is None:
        if stop.wait(_EVERY):
            process.kill()
            return
