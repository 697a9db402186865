"""Helm's own engine, without a cluster: it renders and lints the chart, and says no as `helm install` does.

It runs in a process of its own: it brings Go's runtime along, whose threads and signals are nobody's here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

import pytest
import yaml

from compose.local.options import CHECKOUT

CHART: Final = CHECKOUT / "compose" / "helm"
RELEASE: Final = "breakwater"
NAMESPACE: Final = "registry"
OLDEST: Final = "1.29"
"""The oldest Kubernetes that the chart is for."""
_PROGRAM: Final = """
import json, sys
import helm_python
asked = json.load(sys.stdin)
try:
    if asked["lint"]:
        answer = helm_python.lint(asked["chart"], asked["values"], strict=True, kube_version=asked["kubernetes"])
    else:
        with helm_python.Chart.load(asked["chart"]) as chart:
            answer = chart.render(asked["values"], name=asked["release"], namespace=asked["namespace"])
except helm_python.HelmError as error:
    answer = {"refused": str(error)}
json.dump(answer, sys.stdout)
"""


class RefusedError(Exception):
    """What Helm says instead of rendering."""


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The objects of a release, by kind, and what `helm install` prints."""

    objects: dict[str, dict[str, Any]]
    notes: str
    text: str = field(repr=False)

    @property
    def pod(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.objects["StatefulSet"]["spec"]["template"]["spec"]
        return spec

    @property
    def containers(self) -> dict[str, dict[str, Any]]:
        """All of the pod, in the order in which they are started."""
        return {each["name"]: each for each in (*self.pod["initContainers"], *self.pod["containers"])}


def need_helm() -> None:
    """Skip where the engine has no wheel for this platform."""
    if find_spec("helm_python") is None:
        pytest.skip("the chart was NOT rendered: Helm's engine is not to be had for this platform")


def render(values: dict[str, Any] | None = None, *, release: str = RELEASE) -> Rendered:
    """What `helm install` would send to a cluster. Raises RefusedError."""
    answer = _ask(values, release=release, lint=False)
    notes = answer.pop(f"{CHART_NAME}/templates/NOTES.txt")
    found = [each for text in answer.values() for each in yaml.safe_load_all(text) if each]
    objects = {each["kind"]: each for each in found}
    assert len(objects) == len(found), "two objects of one kind"
    return Rendered(objects=objects, notes=notes, text="\n".join(answer.values()))


def lint(values: dict[str, Any] | None = None) -> list[str]:
    """What `helm lint --strict` finds, but for mere hints."""
    answer = _ask(values, release=RELEASE, lint=True)
    return [*answer["errors"], *(each["error"] for each in answer["messages"] if each["severity"] > 1)]


CHART_NAME: Final[str] = yaml.safe_load(CHART.joinpath("Chart.yaml").read_text(encoding="utf-8"))["name"]


def _ask(values: dict[str, Any] | None, *, release: str, lint: bool) -> dict[str, Any]:
    need_helm()
    asked = {
        "chart": str(CHART), "values": values or {}, "release": release, "namespace": NAMESPACE, "lint": lint,
        "kubernetes": f"v{OLDEST}.0",
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], input=json.dumps(asked), capture_output=True, text=True, check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    if "refused" in answer:
        raise RefusedError(answer["refused"])
    return answer
