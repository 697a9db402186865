"""Replication from the terminal: `breakwater replication` against a whole instance."""

from __future__ import annotations

import re
import secrets
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.documented import documented, run_commands
from tests.e2e.replicating import OPEN, Replicating, digest_of, fresh, push, push_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.between import Between
    from tests.clients.registry import RegistryClient
    from tests.e2e.system import System

KIBIBYTE: Final = 1024
PATIENCE: Final = 60


def test_the_terminal_runs_lists_shows_and_stops(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    digest = push_to(fragile, repository, "v1", make_image(project, layer_size=4 * KIBIBYTE**2))
    registry = here.instance(system)
    slow, quick = here.policy(project, to=registry, speed=64), here.policy(project, to=registry)

    begun = fragile.breakwater("replication", "run", here.name_of(slow))
    (found,) = re.findall(r"^execution (\d+): preparing$", begun.out, re.MULTILINE)
    eventually(lambda: here.look(int(found))["bytes_sent"], within=15, what="it sends")
    commands = documented("docs/operating.md", "replication run").fitted({
        "POLICY": here.name_of(quick), "EXECUTION": found,
    })
    said = run_commands(commands, fragile.instance.environment)
    assert re.search(rf"{here.name_of(slow)} .* running *\n", said), said
    assert re.search(rf"{repository}:v1 .* 1 would be copied *\n", said), said
    assert here.ended(int(found), within=10)["status"] == "Stopped"

    done = fragile.breakwater("replication", "run", here.name_of(quick), "--follow")
    assert done.ok, done.said
    assert f"of {here.name_of(quick)}, by system:operator: succeeded" in done.out
    assert digest_of(target, repository, "v1") == digest

    going = here.begin(quick)
    followed = fragile.breakwater("replication", "follow", str(going))
    assert followed.ok, followed.said
    assert f"execution {going} of {here.name_of(quick)}, by {fragile.admin_name}: succeeded" in followed.out
    assert here.look(going)["status"] == "Succeed"
    ended = fragile.breakwater("replication", "follow", found)
    assert (ended.ok, ": stopped" in ended.out) == (False, True), ended.said

    listed = fragile.breakwater("replication", "list").out.splitlines()
    assert [line.split()[-1] for line in listed if here.name_of(slow) in line] == ["stopped"]
    assert [line.split()[-1] for line in listed if here.name_of(quick) in line] == ["succeeded"]
    shown = fragile.breakwater("replication", "show", found)
    assert shown.ok, shown.said
    assert "artifacts: 1, succeeded 0, failed 0, stopped 1" in shown.out
    assert f"{repository}:v1" in shown.out

    push(target, repository, "v2", make_image(f"{project}/theirs"))
    push_to(fragile, repository, "v2", make_image(f"{project}/ours"))
    failed = fragile.breakwater("replication", "run", here.name_of(quick), "--follow")
    assert (failed.ok, "does not override" in failed.out.replace("\n", " ")) == (False, True)
    unknown = fragile.breakwater("replication", "run", f"no-{secrets.token_hex(4)}")
    assert (unknown.ok, "Traceback" in unknown.said) == (False, False)


@contextmanager
def following(fragile: System, run: int) -> Iterator[subprocess.Popen[str]]:
    """`breakwater replication follow`, as somebody types it and watches it."""
    instance = fragile.instance
    with subprocess.Popen(
        instance.command("replication", "follow", str(run)), env=instance.environment, cwd="/", text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as watching:  # fmt: skip
        try:
            yield watching
        finally:
            watching.kill()


def test_the_terminal_follows_what_somebody_else_has_begun_and_to_break_it_off_stops_nothing(
    fragile: System, system: System, here: Replicating, counted: Between, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    digest = push_to(fragile, repository, "v1", make_image(project))
    policy = here.policy(project, to=here.instance(system, url=counted.url))
    released = threading.Event()

    def held(method: str, target: str) -> None:
        if method == "PUT" and "/manifests/" in target:
            released.wait(PATIENCE)

    counted.rules.append(held)
    run = here.begin(policy)
    try:
        with following(fragile, run) as watching:
            assert watching.stdout
            assert watching.stdout.readline().startswith("0/1 artifacts, ")
            watching.terminate()
            assert watching.wait(PATIENCE) != 0
        assert here.look(run)["status"] == OPEN
        with following(fragile, run) as watching:
            assert watching.stdout
            assert watching.stdout.readline().startswith("0/1 artifacts, ")
            released.set()
            told, _ = watching.communicate(timeout=PATIENCE)
            assert watching.returncode == 0, told
    finally:
        released.set()
    assert f"execution {run} of {here.name_of(policy)}, by {fragile.admin_name}: succeeded" in told
    assert "artifacts: 1, succeeded 1, failed 0, stopped 0" in told
    assert digest_of(target, repository, "v1") == digest
