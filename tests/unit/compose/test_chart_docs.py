"""The commands of docs/helm.md, and those that Helm prints, are known to the oldest kubectl that goes with the chart.

tests/integration/compose/test_helm_commands.py has a newer one run them.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from compose.local.options import CHECKOUT
from tests.clients import helm

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = CHECKOUT.joinpath("docs", "helm.md").read_text(encoding="utf-8")
FENCE: Final = re.compile(r"^ *```((?:sh|yaml) (?:helm|outside|several))\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
COMMANDS: Final = [
    line.strip() for kind, text in FENCE.findall(PAGE) if kind.startswith("sh ") for line in text.splitlines()
]
KNOWN: Final = {
    "helm install": {"--namespace", "--values"},
    "helm upgrade": {"--namespace", "--values"},
    "helm uninstall": {"--namespace"},
    "kubectl create namespace": set[str](),
    "kubectl create secret generic": {"--from-literal"},
    "kubectl create configmap": {"--from-file"},
    "kubectl get secret": {"-o"},
    "kubectl get pvc": {"-l"},
    "kubectl get service": set[str](),
    "kubectl delete pvc": {"-l"},
    "kubectl delete pod": set[str](),
    "kubectl rollout status": set[str](),
    "kubectl rollout restart": set[str](),
    "kubectl logs": {"-c", "--since"},
    "kubectl exec": {"-c"},
    "kubectl scale": {"--replicas"},
    "kubectl wait": {"--for", "--timeout"},
    "kubectl patch pvc": {"-p"},
    "kubectl port-forward": set[str](),
}
"""What there is in the oldest Kubernetes's kubectl, as far as it is used, with the options of each."""
AWAITED: Final = ("condition=", "delete", "jsonpath=")
"""What `wait` can wait for there: `create` came later."""


def documented_values(of: str = "helm") -> dict[str, Any]:
    (text,) = [text for kind, text in FENCE.findall(PAGE) if kind == f"yaml {of}"]
    values: dict[str, Any] = yaml.safe_load(text)
    return documented_values("outside") | values if of == "several" else values


def check(line: str) -> None:
    """Fails for a verb, or an option, that is not known."""
    words = shlex.split(line)
    if words[1] == "-n":
        del words[1:3]
    verb = max((each for each in KNOWN if f"{' '.join(words)} ".startswith(f"{each} ")), key=len)
    for word in words[:words.index("--")] if "--" in words else words:
        name, _, value = word.partition("=")
        assert not name.startswith("-") or name in KNOWN[verb], word
        assert name != "--for" or value.startswith(AWAITED), word


@pytest.mark.parametrize("line", COMMANDS, ids=range(len(COMMANDS)))
def test_a_documented_command_is_known_to_the_oldest_programs(line: str) -> None:
    check(line)


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 15
    assert {line.split()[0] for line in COMMANDS} == {"helm", "kubectl"}


@pytest.mark.parametrize("line", [
    "helm upgrade breakwater compose/helm --namespace breakwater --value breakwater-values.yaml",
    "helm rollback breakwater --namespace breakwater",
    "kubectl -n breakwater rollout undo statefulset/breakwater",
    "kubectl -n breakwater delete pod breakwater-0 --interactive",
    "kubectl -n breakwater get pvc --subresource=status",
    "kubectl -n breakwater wait --for=create pod/breakwater-0",
    "docker compose ps",
])  # fmt: skip
def test_a_command_that_is_not_known_is_found(line: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check(line)


def printed(values: dict[str, Any]) -> Iterator[str]:
    for line in helm.render(values).notes.splitlines():
        if line.startswith("  "):
            yield line.strip()


@pytest.mark.parametrize("values", [
    {}, documented_values(), documented_values("outside"), documented_values("several"),
    {"service": {"type": "LoadBalancer"}}, {"settings": {"BREAKWATER_TLS_NAMES": "a"}},
    {"admin": {"existingSecret": "first", "key": "word"}},
], ids=range(7))  # fmt: skip
def test_first_steps_that_are_printed_are_known_too(values: dict[str, Any]) -> None:
    lines = list(printed(values))
    assert len(lines) >= 3
    for line in lines:
        check(line)


def test_first_steps_tell_the_address_where_it_is_known() -> None:
    assert "Sign in as admin at https://registry.example.com\n" in helm.render(documented_values()).notes
    assert "http://127.0.0.1:8080" in helm.render().notes
    assert "https://127.0.0.1:8080" in helm.render({"settings": {"BREAKWATER_TLS_NAMES": "a"}}).notes


def mebibytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]


def test_page_tells_the_numbers_that_are_true() -> None:
    ready = [each for each in helm.render().containers.values() if "readinessProbe" in each]
    asked = [each["resources"]["requests"] for each in ready]
    assert f"{sum(int(each['cpu'].removesuffix('m')) for each in asked)}m of a processor" in PAGE
    assert f"{sum(mebibytes(each['memory']) for each in asked)}Mi of memory" in PAGE
    limit = sum(mebibytes(each["resources"]["limits"]["memory"]) for each in ready)
    assert f"may take {limit // 1024}Gi" in PAGE
    assert limit % 1024 == 0
    assert f"{len(ready)} of {len(ready)}" in PAGE
    assert f"**Kubernetes {helm.OLDEST} or newer**" in PAGE
    version = yaml.safe_load(helm.CHART.joinpath("Chart.yaml").read_text())["appVersion"]
    assert f"breakwater:{version}" in PAGE
    assert f'version = "{version}"' in CHECKOUT.joinpath("pyproject.toml").read_text()
