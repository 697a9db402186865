"""Replication as an administrator of an instance works with it: registries, policies, runs, and what came of them."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.registry import RegistryClient
from tests.clients.rest import repository_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.images import Blob, Image, Index
    from tests.e2e.system import System

RUNS: Final = "/replication/executions"
POLICIES: Final = "/replication/policies"
OPEN: Final = "InProgress"
Row = dict[str, Any]


class OpenRegistry(RegistryClient):
    """A registry that asks nobody who he is."""

    def token(self, *_scopes: str) -> str:
        return "none"


class Replicating:
    """One instance's replication."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.api = system.admin
        self._registries: list[int] = []
        self._policies: list[int] = []

    def registry(
        self, url: str, *, kind: str = "docker-registry", credential: tuple[str, str] | None = None, **fields: object,
    ) -> int:
        """Sets another registry up, which must answer."""
        body: Row = {"name": f"r{secrets.token_hex(4)}", "type": kind, "url": url} | fields
        if credential:
            body["credential"] = {"type": "basic", "access_key": credential[0], "access_secret": credential[1]}
        number = _made(self.api.must("POST", "/registries", json=body))
        self._registries.append(number)
        return number

    def instance(self, other: System, *, url: str | None = None, **fields: object) -> int:
        """Sets another instance up, with its administrator's password."""
        return self.registry(
            url or other.url, kind="harbor", credential=(other.admin_name, other.admin_password), **fields,
        )

    def policy(
        self, project: str, *, to: int = 0, source: int = 0, event: bool = False, **fields: object,
    ) -> int:
        """Makes a policy for all that is in a project of the source."""
        body = {
            "name": f"n{secrets.token_hex(4)}", "enabled": True,
            "dest_registry": {"id": to}, "src_registry": {"id": source},
            "filters": [{"type": "name", "value": f"{project}/**"}],
            "trigger": {"type": "event_based" if event else "manual"},
        }
        number = _made(self.api.must("POST", POLICIES, json=body | fields))
        self._policies.append(number)
        return number

    def name_of(self, policy: int) -> str:
        return str(self.api.get(f"{POLICIES}/{policy}")["name"])

    def begin(self, policy: int, **more: object) -> int:
        return _made(self.api.must("POST", RUNS, json={"policy_id": policy, **more}))

    def run(self, policy: int, *, within: float = 30, **more: object) -> Row:
        """Begins a run and waits for its end, which must be a good one."""
        run = self.ended(self.begin(policy, **more), within=within)
        assert run["status"] == "Succeed", self.account_of(run)
        return run

    def look(self, number: int) -> Row:
        return dict(self.api.get(f"{RUNS}/{number}"))

    def tasks(self, number: int) -> list[Row]:
        return list(self.api.every(f"{RUNS}/{number}/tasks"))

    def runs(self, policy: int) -> list[Row]:
        return list(self.api.every(RUNS, policy_id=policy))

    def log(self, run: int, task: int) -> str:
        return self.api.must("GET", f"{RUNS}/{run}/tasks/{task}/log").text

    def metric(self, name: str, policy: int) -> float:
        """What Prometheus is told of a policy, under a name with no other labels."""
        answer = requests.get(
            f"{self.system.url}/metrics", auth=(self.system.admin_name, self.system.admin_password), timeout=10
        )
        assert answer.ok, answer.text
        (found,) = [
            sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == f"breakwater_replication_{name}" and sample.labels["policy_id"] == str(policy)
        ]
        return found

    def stop(self, number: int) -> None:
        self.api.must("PUT", f"{RUNS}/{number}")

    def ended(self, number: int, *, within: float = 30) -> Row:
        """The run when it has ended, however it did: then nothing of it is open any more."""
        run: Row = eventually(
            lambda: found if (found := self.look(number))["status"] != OPEN else None, within=within,
            what=f"the end of run {number}",
        )
        assert run["in_progress"] == 0, run
        assert run["total"] == run["succeed"] + run["failed"] + run["stopped"], run
        still = [task for task in self.tasks(number) if task["status"] in {"Pending", OPEN}]
        assert still == []
        return run

    def is_at_rest(self, policy: int) -> bool:
        """Whether nothing of a policy is under way."""
        return all(run["status"] != OPEN for run in self.runs(policy))

    def account_of(self, run: Row) -> str:
        """All that was said of a run, for a test that fails."""
        logs = [f"{task}\n{self.log(run['id'], task['id'])}" for task in self.tasks(run["id"])]
        return "\n".join([str(run), *logs])

    def clear(self) -> None:
        """Ends and removes all that was set up here."""
        for policy in self._policies:
            self.api.must("PUT", f"{POLICIES}/{policy}", json=self.api.get(f"{POLICIES}/{policy}") | {"enabled": False})
            for run in self.runs(policy):
                if run["status"] == OPEN:
                    self.stop(run["id"])
                    self.ended(run["id"])
            self.api.must("DELETE", f"{POLICIES}/{policy}")
        for registry in self._registries:
            self.api.must("DELETE", f"/registries/{registry}")


@contextmanager
def replicating(system: System) -> Iterator[Replicating]:
    """An instance's replication; what is set up is gone afterwards."""
    replication = Replicating(system)
    try:
        yield replication
    finally:
        replication.clear()


def fresh(fragile: System, *, public: bool = False) -> tuple[str, str]:
    """A project, and a repository in it."""
    project = fragile.new_project(public=public)
    return project, f"{project}/app"


def family(seed: str, number: int, *, layer_size: int = 512) -> list[Image]:
    """Images that have six layers in common, and two of their own each."""
    base = make_image(seed, layers=6, layer_size=layer_size)
    return [make_image(f"{seed}/{each}", layers=2, layer_size=layer_size, base=base) for each in range(number)]


def distinct(images: list[Image]) -> dict[str, Blob]:
    """Every blob of images, once."""
    return {blob.digest: blob for image in images for blob in image.blobs}


def push(registry: RegistryClient, repository: str, reference: str, made: Image | Index) -> str:
    """Pushes, which must succeed; the digest."""
    answer = registry.push(repository, reference, made)
    assert answer.status_code == requests.codes.created, answer.text
    return made.digest


def push_to(system: System, repository: str, reference: str, made: Image | Index) -> str:
    """Pushes to an instance and waits until the catalogue has it, which a run goes by; the digest."""
    registry = system.registry()
    digest = push(registry, repository, reference, made)
    registry.close()
    path = f"{repository_path(repository)}/artifacts/{reference}"
    eventually(
        lambda: (found := system.admin.send("GET", path)).ok and found.json()["digest"] == digest, within=15,
        what=f"{repository}:{reference} is catalogued",
    )
    return digest


def digest_of(registry: RegistryClient, repository: str, reference: str) -> str | None:
    """What a reference stands for there, None where there is none (or no project yet)."""
    registry.forget()
    return _digest(registry, repository, reference)


def state_of(registry: RegistryClient, repository: str) -> dict[str, str | None]:
    """Every tag there with its digest; none where there is no such project yet."""
    registry.forget()
    answer = registry.send("GET", f"/v2/{repository}/tags/list", f"repository:{repository}:pull")
    if answer.status_code in {requests.codes.not_found, requests.codes.unauthorized}:
        return {}
    return {tag: _digest(registry, repository, tag) for tag in sorted(answer.json()["tags"] or ())}


def whole_at(registry: RegistryClient, repository: str, reference: str) -> bool:
    """Whether the artifact can be pulled from there, each blob of its digest."""
    return registry.pull(repository, reference).ok


def _digest(registry: RegistryClient, repository: str, reference: str) -> str | None:
    answer = registry.get_manifest(repository, reference, method="HEAD")
    return answer.headers["Docker-Content-Digest"] if answer.ok else None


def _made(answer: requests.Response) -> int:
    return int(answer.headers["Location"].rsplit("/", 1)[1])
