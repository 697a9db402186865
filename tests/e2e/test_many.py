"""Many at once: nothing is lost, nothing counted twice, and keys may be rotated meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import requests

from tests.clients.images import make_image
from tests.clients.polling import settled

if TYPE_CHECKING:
    from tests.e2e.system import System

PUSHES = 200


def grown(rows: list[str], to: int) -> bool:
    return len(rows) >= to


def test_200_concurrent_pushes_give_exactly_200_audit_rows_and_200_artifacts(system: System, project: str) -> None:
    images = [make_image(f"many/{project}/{number}", layer_size=64) for number in range(PUSHES)]
    local = threading.local()

    def push(number: int) -> int:
        if not hasattr(local, "registry"):
            local.registry = system.registry()
        answer = local.registry.push(f"{project}/app-{number % 5}", f"v{number}", images[number])
        return int(answer.status_code)

    with ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(push, range(PUSHES)))
    assert statuses == [requests.codes.created] * PUSHES

    def rows() -> int:
        return sum(
            (row["operation"], row["resource_type"]) == ("create", "artifact") for row in system.admin.audit(project)
        )

    def artifacts() -> int:
        return sum(system.admin.count(f"/projects/{project}/repositories/app-{part}/artifacts") for part in range(5))

    settled(rows, PUSHES, within=30, what="one audit row for each push", every=0.5)
    settled(artifacts, PUSHES, within=30, what="one artifact for each push", every=0.5)
    found = {artifact["digest"] for part in range(5) for artifact in system.admin.artifacts(f"{project}/app-{part}")}
    assert found == {image.digest for image in images}


def test_keys_rotated_twice_under_pushes_break_none(system: System, project: str) -> None:
    stop = threading.Event()
    refused: list[str] = []
    pushed: list[str] = []

    def push_on(lane: int) -> None:
        number = 0
        while not stop.is_set():
            registry = system.registry()
            image = make_image(f"rotate/{project}/{lane}/{number}", layer_size=64)
            answer = registry.push(f"{project}/app-{lane}", f"v{number}", image)
            if answer.status_code == requests.codes.created:
                pushed.append(image.digest)
            else:
                refused.append(f"{answer.status_code} {answer.text}")
            registry.close()
            number += 1

    lanes = [threading.Thread(target=push_on, args=(lane,)) for lane in range(3)]
    for lane in lanes:
        lane.start()
    try:
        before = system.registry()
        held = before.token(f"repository:{project}/app-0:pull,push")
        for _ in range(2):
            done = system.breakwater("keys", "rotate")
            assert done.ok, done.said
            settled(partial(grown, pushed, len(pushed) + 6), True, within=20, what="pushes go on")
    finally:
        stop.set()
        for lane in lanes:
            lane.join()
    assert not refused
    answer = before.send("GET", f"/v2/{project}/app-0/tags/list", token=held)
    assert answer.status_code == requests.codes.ok, "a token signed before the rotation lives out its time"
