"""What the stand-in has of Kubernetes' resources, and how it tells clients of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERBS: Final = ["create", "delete", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One kind of objects, `subresources` with the kind of what each takes or gives."""

    version: str
    kind: str
    plural: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    subresources: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        return self.version.rpartition("/")[0]

    @property
    def full_name(self) -> str:
        """As errors name it."""
        return f"{self.plural}.{self.group}".rstrip(".")


RESOURCES: Final = {
    each.plural: each
    for each in (
        Resource(version="v1", kind="Namespace", plural="namespaces", short=("ns",), namespaced=False),
        Resource(
            version="v1", kind="Pod", plural="pods", short=("po",),
            subresources={"log": "Pod", "exec": "PodExecOptions", "portforward": "PodPortForwardOptions"},
        ),
        Resource(version="v1", kind="Service", plural="services", short=("svc",)),
        Resource(version="v1", kind="Secret", plural="secrets"),
        Resource(version="v1", kind="ConfigMap", plural="configmaps", short=("cm",)),
        Resource(version="v1", kind="PersistentVolumeClaim", plural="persistentvolumeclaims", short=("pvc",)),
        Resource(
            version="apps/v1", kind="StatefulSet", plural="statefulsets", short=("sts",),
            subresources={"scale": "Scale"},
        ),
        Resource(version="networking.k8s.io/v1", kind="Ingress", plural="ingresses", short=("ing",)),
        Resource(version="networking.k8s.io/v1", kind="NetworkPolicy", plural="networkpolicies", short=("netpol",)),
        Resource(version="policy/v1", kind="PodDisruptionBudget", plural="poddisruptionbudgets", short=("pdb",)),
    )
}


@cache
def described(release: str) -> dict[str, dict[str, Any]]:
    """What is said at each address of discovery."""
    versions = ("v1", *sorted({each.version for each in RESOURCES.values() if each.group}))
    major, minor, _ = release.split(".")
    answers: dict[str, dict[str, Any]] = {
        "/version": {"major": major, "minor": minor, "gitVersion": f"v{release}", "platform": "linux/amd64"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(each) for each in versions[1:]]},
        "/openapi/v3": {
            "paths": {_root(each): {"serverRelativeURL": f"/openapi/v3/{_root(each)}"} for each in versions}
        },
    }
    for each in versions:
        listed = {"kind": "APIResourceList", "groupVersion": each, "resources": _listed(each)}
        answers |= {f"/{_root(each)}": listed, f"/openapi/v3/{_root(each)}": _specification(each)}
    return answers


def _root(version: str) -> str:
    return f"apis/{version}" if "/" in version else f"api/{version}"


def _group(version: str) -> dict[str, Any]:
    group, _, name = version.partition("/")
    each = {"groupVersion": version, "version": name}
    return {"name": group, "versions": [each], "preferredVersion": each}


def _listed(version: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for each in RESOURCES.values():
        if each.version != version:
            continue
        known = {"namespaced": each.namespaced, "verbs": _VERBS}
        found.append(
            known | {
                "name": each.plural, "singularName": each.kind.lower(), "kind": each.kind,
                "shortNames": [*each.short],
            }
        )
        for name, kind in each.subresources.items():
            origin = {"group": "autoscaling", "version": "v1"} if kind == "Scale" else {}
            found.append(known | origin | {"name": f"{each.plural}/{name}", "singularName": "", "kind": kind})
    return found


def _specification(version: str) -> dict[str, Any]:
    """No more than that the server itself tells fields that it does not know: then clients leave that to it."""
    group, _, name = version.rpartition("/")
    parameter = {"name": "fieldValidation", "in": "query", "schema": {"type": "string", "uniqueItems": True}}
    paths = {
        f"/{_root(version)}/{each.plural}/{{name}}": {
            "patch": {
                "parameters": [parameter],
                "responses": {},
                "x-kubernetes-group-version-kind": {"group": group, "kind": each.kind, "version": name},
            }
        }
        for each in RESOURCES.values() if each.version == version
    }
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": name}, "paths": paths}
