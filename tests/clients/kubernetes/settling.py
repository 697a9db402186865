"""What a cluster does by itself, as far as the chart's commands see it: a StatefulSet's claims, pods and status.

It is a stand-in: no container runs. A pod is ready when the Secrets and ConfigMaps that it names are there with the
keys that it names, and none of its images is among those that the test calls lacking. One that a client deletes ends
when the client waits for that, as a real one takes seconds: `kubectl delete` looks twice before it waits, and waits for
ever where the pod was replaced between the two.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.kubernetes.store import Store, Thing

SECONDS: Final = 0.05
"""Between two steps, so that clients see what lies between: a pod that ends, one that is there and not yet ready."""
ENDING_SECONDS: Final = 5
"""Until a pod ends that was deleted by a client which does not wait for that."""
PATIENCE_SECONDS: Final = 20


def is_ready(pod: Thing) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])


def long_running(pod: Thing) -> list[str]:
    """Those containers that count where it is told how many of a pod are ready: sidecars are such."""
    first = [each["name"] for each in pod["spec"].get("initContainers", ()) if each.get("restartPolicy") == "Always"]
    return [*first, *(each["name"] for each in pod["spec"]["containers"])]


class Settling(threading.Thread):
    """Takes all StatefulSets a step further again and again, until `end`."""

    def __init__(self, store: Store) -> None:
        super().__init__(daemon=True)
        self._store = store
        self._ended = threading.Event()
        self.lacking: set[str] = set()
        """Images that no node can pull."""
        self._quiet_at = -1
        self._ends_at: dict[str, float] = {}
        self._watched: dict[tuple[str, str], int] = {}

    def run(self) -> None:
        while not self._ended.wait(SECONDS):
            with self._store.changed:
                before = self._store.number
                for namespace in self._store.namespaces():
                    self._settle(namespace)
                if self._store.number == before and not self._is_ending_any():
                    self._quiet_at = before
                    self._store.changed.notify_all()

    def await_quiet(self) -> None:
        """Until nothing is left to do."""
        with self._store.changed:
            quiet = self._store.changed.wait_for(lambda: self._quiet_at == self._store.number, timeout=PATIENCE_SECONDS)
        assert quiet, "the stand-in does not come to rest"

    def delete_pod(self, namespace: str, name: str) -> None:
        """As a client asks."""
        with self._store.changed:
            marked = self._store.mark_deleted("pods", namespace, name)
            self._ends_at.setdefault(marked["metadata"]["uid"], time.monotonic() + ENDING_SECONDS)

    def watch_pod(self, namespace: str, name: str, number: int) -> None:
        """A client looks from here on what becomes of it."""
        with self._store.changed:
            self._watched[namespace, name] = number

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _is_ending_any(self) -> bool:
        return any(
            "deletionTimestamp" in pod["metadata"]
            for namespace in self._store.namespaces() for pod in self._store.all("pods", namespace)
        )  # fmt: skip

    def _has_ended(self, namespace: str, metadata: Thing) -> bool:
        is_watched = self._watched.get((namespace, metadata["name"]), -1) >= int(metadata["resourceVersion"])
        return is_watched or time.monotonic() >= self._ends_at.get(metadata["uid"], 0)

    def _settle(self, namespace: str) -> None:
        sets = self._store.all("statefulsets", namespace)
        owners = {each["metadata"]["uid"] for each in sets}
        for pod in self._store.all("pods", namespace):
            if "deletionTimestamp" in pod["metadata"]:
                if self._has_ended(namespace, pod["metadata"]):
                    self._store.delete("pods", namespace, pod["metadata"]["name"])
            elif pod["metadata"]["ownerReferences"][0]["uid"] not in owners:
                self._store.mark_deleted("pods", namespace, pod["metadata"]["name"])
            elif not is_ready(pod) and self._may_start(namespace, pod):
                self._tell(namespace, pod, ready=True)
        for each in sets:
            self._settle_set(namespace, each)

    def _settle_set(self, namespace: str, owner: Thing) -> None:
        spec, name = owner["spec"], owner["metadata"]["name"]
        revision = f"{name}-{hashlib.sha256(json.dumps(spec['template'], sort_keys=True).encode()).hexdigest()[:10]}"
        names = [f"{name}-{number}" for number in range(spec["replicas"])]
        for pod in self._pods(namespace, owner):
            is_old = pod["metadata"]["labels"]["controller-revision-hash"] != revision
            # one that does not get beyond its start is not replaced
            replaced = is_old and spec["updateStrategy"]["type"] == "RollingUpdate" and is_ready(pod)
            if replaced or pod["metadata"]["name"] not in names:
                self._store.mark_deleted("pods", namespace, pod["metadata"]["name"])
        for each in names:
            pod = self._store.find("pods", namespace, each) or self._start(namespace, owner, each, revision)
            if not is_ready(pod):
                break
        self._tell_set(namespace, owner, revision)

    def _pods(self, namespace: str, owner: Thing) -> list[Thing]:
        return [
            pod for pod in self._store.all("pods", namespace)
            if pod["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
        ]  # fmt: skip

    def _start(self, namespace: str, owner: Thing, name: str, revision: str) -> Thing:
        spec = owner["spec"]
        volumes = list(spec["template"]["spec"].get("volumes", ()))
        for template in spec.get("volumeClaimTemplates", ()):
            claim = f"{template['metadata']['name']}-{name}"
            volumes.append({"name": template["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim}})
            if self._store.find("persistentvolumeclaims", namespace, claim) is None:
                labels = template["metadata"].get("labels", {}) | spec["selector"]["matchLabels"]
                metadata = {"name": claim, "labels": labels}
                self._store.create("persistentvolumeclaims", namespace, template | {"metadata": metadata})
        template = spec["template"]
        metadata = template["metadata"] | {
            "name": name,
            "labels": template["metadata"]["labels"] | {"controller-revision-hash": revision},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1", "kind": "StatefulSet", "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"], "controller": True,
                }
            ],
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] | {"volumes": volumes}}
        pod = self._store.create("pods", namespace, pod)
        self._tell(namespace, pod, ready=False)
        return self._store.get("pods", namespace, name)

    def _tell(self, namespace: str, pod: Thing, *, ready: bool) -> None:
        statuses = [
            {"name": name, "ready": ready, "restartCount": 0, "image": "", "imageID": ""} for name in long_running(pod)
        ]
        self._store.tell(
            "pods", namespace, pod["metadata"]["name"], phase="Running" if ready else "Pending",
            conditions=[{"type": "Ready", "status": str(ready)}], containerStatuses=statuses,
        )

    def _may_start(self, namespace: str, pod: Thing) -> bool:
        spec = pod["spec"]
        containers = [*spec.get("initContainers", ()), *spec["containers"]]
        if self.lacking & {each["image"] for each in containers}:
            return False
        return all(self._has(namespace, *each) for each in _needed(containers, spec["volumes"]))

    def _has(self, namespace: str, plural: str, name: str, key: str) -> bool:
        found = self._store.find(plural, namespace, name)
        return found is not None and (not key or key in found.get("data", {}))

    def _tell_set(self, namespace: str, owner: Thing, revision: str) -> None:
        pods = self._pods(namespace, owner)
        ready = sum(map(is_ready, pods))
        new = sum(pod["metadata"]["labels"]["controller-revision-hash"] == revision for pod in pods)
        before = owner.get("status", {}).get("currentRevision", revision)
        self._store.tell(
            "statefulsets", namespace, owner["metadata"]["name"],
            observedGeneration=owner["metadata"]["generation"], replicas=len(pods), readyReplicas=ready,
            availableReplicas=ready, updatedReplicas=new, currentReplicas=new,
            currentRevision=revision if new == len(pods) else before, updateRevision=revision,
        )


def _needed(containers: list[Thing], volumes: list[Thing]) -> Iterator[tuple[str, str, str]]:
    """Resource, name and key of what a pod does not start without. No key is all of it."""
    for container in containers:
        for variable in container.get("env", ()):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield "secrets", reference["name"], reference["key"]
    for volume in volumes:
        if secret := volume.get("secret"):
            yield from (("secrets", secret["secretName"], item["key"]) for item in secret.get("items", [{"key": ""}]))
        if given := volume.get("configMap"):
            yield from (("configmaps", given["name"], item["key"]) for item in given.get("items", [{"key": ""}]))
        if claim := volume.get("persistentVolumeClaim"):
            yield "persistentvolumeclaims", claim["claimName"], ""
