"""The objects of the stand-in: made, changed, taken away and watched as the API does that for its clients."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import kubernetes_validate

from tests.clients.kubernetes.patching import VERSION, merge, merge_strategically, schema_of
from tests.clients.kubernetes.resources import RESOURCES, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

Thing = dict[str, Any]
"""An object of the API."""
_CHANGEABLE: Final = (
    "replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip
"""All that Kubernetes lets a client change in a StatefulSet's `spec`."""


class RefusedError(Exception):
    """What the API answers instead, as its clients know it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    def body(self) -> Thing:
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(self),
            "reason": self.reason, "code": self.status,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Event:
    """That an object was added, modified or deleted, and how it was then."""

    number: int
    kind: str
    plural: str
    thing: Thing


def matches(thing: Thing, *, labels: str = "", fields: str = "") -> bool:
    """Whether it is one of those that a client's selectors name: `a=b,c=d`, `metadata.name=a`, `status=a` as labels."""
    for term in filter(None, labels.split(",")):
        name, _, value = term.replace("==", "=").partition("=")
        if thing["metadata"].get("labels", {}).get(name) != value:
            return False
    for term in filter(None, fields.split(",")):
        path, _, value = term.partition("=")
        found: Any = thing
        for step in path.split("."):
            found = found.get(step, {})
        if found != value:
            return False
    return True


class Store:
    """All objects, by resource, namespace and name; `events` has everything that was ever done to them.

    Objects that come in are held against Kubernetes' schemas: a field that it does not know is refused.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.events: list[Event] = []
        self._things: dict[tuple[str, str, str], Thing] = {}

    @property
    def number(self) -> int:
        """That of the last event, which is the version of the whole."""
        return len(self.events)

    def all(self, plural: str, namespace: str = "", *, labels: str = "", fields: str = "") -> list[Thing]:
        with self.changed:
            return [
                copy.deepcopy(thing) for (of, within, _), thing in sorted(self._things.items())
                if (of, within) == (plural, namespace) and matches(thing, labels=labels, fields=fields)
            ]

    def find(self, plural: str, namespace: str, name: str) -> Thing | None:
        with self.changed:
            return copy.deepcopy(self._things.get((plural, namespace, name)))

    def get(self, plural: str, namespace: str, name: str) -> Thing:
        found = self.find(plural, namespace, name)
        if found is None:
            raise RefusedError(404, "NotFound", f'{RESOURCES[plural].full_name} "{name}" not found')
        return found

    def snapshot(self) -> dict[tuple[str, str, str], Thing]:
        """Every object, by resource, namespace and name."""
        with self.changed:
            return copy.deepcopy(self._things)

    def namespaces(self) -> Iterator[str]:
        yield from (each["metadata"]["name"] for each in self.all("namespaces"))

    def create(self, plural: str, namespace: str, thing: Thing) -> Thing:
        resource, name = RESOURCES[plural], thing["metadata"]["name"]
        with self.changed:
            if resource.namespaced:
                self.get("namespaces", "", namespace)
            if (plural, namespace, name) in self._things:
                raise RefusedError(409, "AlreadyExists", f'{resource.full_name} "{name}" already exists')
            made = {
                "uid": str(uuid4()), "creationTimestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "generation": 1,
            } | ({"namespace": namespace} if resource.namespaced else {})  # fmt: skip
            thing = thing | {"metadata": thing["metadata"] | made}
            if plural == "secrets":
                thing = {"type": "Opaque", "data": {}} | thing
            _validate(resource, thing)
            return self._put("ADDED", plural, namespace, thing)

    def replace(self, plural: str, namespace: str, name: str, thing: Thing) -> Thing:
        """Puts it in the place of what is there. The system's own part of it stays: who made it, and how it is."""
        resource = RESOURCES[plural]
        with self.changed:
            before = self.get(plural, namespace, name)
            kept = {key: before["metadata"][key] for key in ("uid", "creationTimestamp", "generation")}
            thing = thing | {"metadata": thing["metadata"] | kept}
            if "status" in before:
                thing["status"] = before["status"]
            _validate(resource, thing)
            if thing.get("spec") != before.get("spec"):
                if plural == "statefulsets":
                    _check_unchangeable(name, before["spec"], thing["spec"])
                thing["metadata"]["generation"] += 1
            if thing == before:
                return before
            return self._put("MODIFIED", plural, namespace, thing)

    def patch(self, plural: str, namespace: str, name: str, kind: str, patch: Thing) -> Thing:
        """`kind` is the content type of the patch."""
        with self.changed:
            before, resource = self.get(plural, namespace, name), RESOURCES[plural]
            match kind:
                case "application/merge-patch+json":
                    after = merge(before, patch)
                case "application/strategic-merge-patch+json":
                    after = merge_strategically(before, patch, schema_of(resource.kind, resource.version))
                case _:
                    raise RefusedError(415, "UnsupportedMediaType", f"the stand-in takes no {kind}")
            return self.replace(plural, namespace, name, after)

    def tell(self, plural: str, namespace: str, name: str, **status: Any) -> None:  # noqa: ANN401 - JSON
        """How it is: its `status`, which clients do not write."""
        with self.changed:
            thing = self.get(plural, namespace, name)
            if thing.get("status") != status:
                self._put("MODIFIED", plural, namespace, thing | {"status": status})

    def mark_deleted(self, plural: str, namespace: str, name: str) -> Thing:
        """It goes when what it stands for has ended."""
        with self.changed:
            thing = self.get(plural, namespace, name)
            if "deletionTimestamp" in thing["metadata"]:
                return thing
            thing["metadata"]["deletionTimestamp"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            return self._put("MODIFIED", plural, namespace, thing)

    def delete(self, plural: str, namespace: str, name: str) -> Thing:
        with self.changed:
            thing = self.get(plural, namespace, name)
            del self._things[plural, namespace, name]
            self._record("DELETED", plural, thing)
            return thing

    def _put(self, kind: str, plural: str, namespace: str, thing: Thing) -> Thing:
        self._things[plural, namespace, thing["metadata"]["name"]] = self._record(kind, plural, thing)
        return copy.deepcopy(thing)

    def _record(self, kind: str, plural: str, thing: Thing) -> Thing:
        number = self.number + 1
        thing["metadata"]["resourceVersion"] = str(number)
        kept = copy.deepcopy(thing)
        self.events.append(Event(number=number, kind=kind, plural=plural, thing=kept))
        self.changed.notify_all()
        return kept


def _validate(resource: Resource, thing: Thing) -> None:
    try:
        kubernetes_validate.validate(thing, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        place = ".".join(map(str, error.path))
        raise RefusedError(
            422, "Invalid", f'{resource.kind} "{thing["metadata"]["name"]}" is invalid: {place}: {error.message}'
        ) from error


def _check_unchangeable(name: str, before: Thing, after: Thing) -> None:
    if {k: v for k, v in before.items() if k not in _CHANGEABLE} != {
        k: v for k, v in after.items() if k not in _CHANGEABLE
    }:
        known = f"{', '.join(repr(each) for each in _CHANGEABLE[:-1])} and {_CHANGEABLE[-1]!r}"
        raise RefusedError(
            422, "Invalid", f'StatefulSet.apps "{name}" is invalid: spec: Forbidden: updates to statefulset spec for'
            f" fields other than {known} are forbidden",
        )
