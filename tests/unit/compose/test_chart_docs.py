"""The commands of docs/helm.md, and those that Helm prints after an install, are ones that fit what the chart makes."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from compose.docker import site as containers
from compose.local.layout import DEFINITIONS
from compose.local.options import CHECKOUT
from tests.clients import helm

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = CHECKOUT.joinpath("docs", "helm.md").read_text(encoding="utf-8")
FENCE: Final = re.compile(r"^ *```((?:sh|yaml) (?:helm|outside|several))\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
COMMANDS: Final = [
    (kind.removeprefix("sh "), line.strip())
    for kind, text in FENCE.findall(PAGE) if kind.startswith("sh ") for line in text.splitlines()
]  # fmt: skip
"""With the name of the values that each goes with."""
VALUES_FILE: Final = "breakwater-values.yaml"
NAMESPACE: Final = "breakwater"
DEFINITIONS_FILE: Final = f"{containers.HOME}/secrets/rabbitmq/{DEFINITIONS}"
HELM_OPTIONS: Final = {"--namespace": "one", "--values": "one"}
KUBECTL_OPTIONS: Final = {
    "create namespace": {},
    "create secret generic": {"--from-literal": "several"},
    "create configmap": {"--from-file": "one"},
    "get secret": {"-o": "one"},
    "get pvc": {"-l": "one"},
    "get service": {},
    "delete pvc": {"-l": "one"},
    "delete pod": {},
    "rollout status": {},
    "rollout restart": {},
    "logs": {"-c": "one", "--since": "one"},
    "exec": {"-c": "one"},
    "scale": {"--replicas": "one"},
    "wait": {"--for": "one", "--timeout": "one"},
    "patch pvc": {"-p": "one"},
    "port-forward": {},
}
"""What kubectl knows, as far as it is used, with the options of each."""


def documented_values(of: str = "helm") -> dict[str, Any]:
    (text,) = [text for kind, text in FENCE.findall(PAGE) if kind == f"yaml {of}"]
    values: dict[str, Any] = yaml.safe_load(text)
    return documented_values("outside") | values if of == "several" else values


def split(words: list[str], known: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Arguments and options, several of one name in lines. Fails for an option that is not known."""
    arguments, options, rest = [], {}, iter(words)
    for word in rest:
        name, given, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if word.startswith("-"):
            assert name in known, word
            value = value if given else next(rest)
            options[name] = f"{options[name]}\n{value}" if known[name] == "several" and name in options else value
        else:
            arguments.append(word)
    return arguments, options


def made(rendered: helm.Rendered) -> dict[str, set[str]]:
    """What there is to name, by kind."""
    name, spec = rendered.objects["StatefulSet"]["metadata"]["name"], rendered.objects["StatefulSet"]["spec"]
    claims = spec.get("volumeClaimTemplates", ())
    references = [
        variable["valueFrom"]["secretKeyRef"]
        for variable in rendered.containers["prepare"]["env"] if "secretKeyRef" in variable.get("valueFrom", {})
    ]  # fmt: skip
    maps = [volume["configMap"] for volume in rendered.pod["volumes"] if "configMap" in volume]
    return {
        "statefulset": {name}, "pod": {f"{name}-{number}" for number in range(spec["replicas"])},
        "service": {rendered.objects["Service"]["metadata"]["name"]},
        "pvc": {f"{claim['metadata']['name']}-{name}-0" for claim in claims},
        "secret": {each["name"] for each in references}, "key": {each["key"] for each in references},
        "configmap": {each["name"] for each in maps}, "file": {each["items"][0]["key"] for each in maps},
    }


def check_helm(words: list[str], values: dict[str, Any]) -> None:
    verb, *rest = words
    arguments, options = split(rest, HELM_OPTIONS if verb != "uninstall" else {"--namespace": "one"})
    assert options["--namespace"] == NAMESPACE
    assert options.get("--values", VALUES_FILE) == VALUES_FILE
    match verb:
        case "install" | "upgrade":
            release, chart = arguments
            assert (CHECKOUT / chart).samefile(helm.CHART)
            helm.render(values if "--values" in options else {}, release=release)
        case "uninstall":
            assert arguments == [helm.RELEASE]
        case _:
            pytest.fail(f"helm {verb}")


def check_kubectl(words: list[str], rendered: helm.Rendered, namespace: str) -> None:
    verb = max((each for each in KUBECTL_OPTIONS if f"{' '.join(words)} ".startswith(f"{each} ")), key=len)
    if verb == "exec":
        at = words.index("--")
        words, command = words[:at], words[at + 1:]
        assert command == ["cat", DEFINITIONS_FILE, ">definitions.json"]
    arguments, options = split(words[len(verb.split()):], KUBECTL_OPTIONS[verb])
    there = made(rendered)
    kind = verb.split()[1] if " " in verb else ""
    for word in arguments:
        of, slash, name = word.partition("/")
        match kind, slash:
            case "namespace", _:
                assert word == namespace
            case ("rollout" | "status" | "restart" | ""), "/":
                assert name in there[of], word
            case "", _ if verb == "port-forward":
                ports = rendered.objects["Service"]["spec"]["ports"]
                assert int(word.partition(":")[2]) in {port["port"] for port in ports}
            case "", _ if verb in {"logs", "exec"}:
                assert word in there["pod"]
            case "generic" | "secret" | "configmap" | "pvc" | "pod" | "service", "":
                assert word in there["secret" if verb.endswith("generic") else kind], word
            case _:
                pytest.fail(word)
    check_options(verb, options, rendered)


def check_options(verb: str, options: dict[str, str], rendered: helm.Rendered) -> None:
    keys = made(rendered)["key"]
    if "-c" in options:
        assert options["-c"] in rendered.containers
    if "-l" in options:
        label, _, value = options["-l"].partition("=")
        for claim in rendered.objects["StatefulSet"]["spec"]["volumeClaimTemplates"]:
            assert claim["metadata"]["labels"][label] == value
    if "--from-literal" in options:
        assert {each.partition("=")[0] for each in options["--from-literal"].splitlines()} <= keys
    if "--from-file" in options:
        assert options["--from-file"].partition("=")[0] in made(rendered)["file"]
    if "-p" in options:
        assert yaml.safe_load(options["-p"]).keys() == {"spec"}
    if verb == "get secret":
        assert any(key in options["-o"] for key in keys)


def check(line: str, rendered: helm.Rendered, namespace: str, values: dict[str, Any]) -> None:
    program, *words = shlex.split(line)
    match program:
        case "helm":
            check_helm(words, values)
        case "kubectl":
            if words[0] == "-n":
                assert words[1] == namespace
                words = words[2:]
            check_kubectl(words, rendered, namespace)
        case _:
            pytest.fail(line)


@pytest.mark.parametrize(("of", "line"), COMMANDS, ids=range(len(COMMANDS)))
def test_a_documented_command_fits_what_the_chart_makes(of: str, line: str) -> None:
    values = documented_values(of)
    check(line, helm.render(values), NAMESPACE, values)


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 15
    assert {line.split()[0] for _, line in COMMANDS} == {"helm", "kubectl"}
    assert {of for of, _ in COMMANDS} == {"helm", "outside", "several"}


@pytest.mark.parametrize("line", [
    "helm install breakwater compose/chart --namespace breakwater",
    "helm upgrade breakwater compose/helm --namespace breakwater --value breakwater-values.yaml",
    "helm rollback breakwater --namespace breakwater",
    "kubectl -n registry delete pod breakwater-0",
    "kubectl -n breakwater delete pod breakwater-1",
    "kubectl -n breakwater logs breakwater-0 -c log",
    "kubectl -n breakwater delete pvc -l app.kubernetes.io/instance=other",
    "kubectl -n breakwater rollout status deployment/breakwater",
    "kubectl -n breakwater create secret generic breakwater --from-literal=password=x",
    "kubectl -n breakwater create secret generic breakwater-admin --from-literal=word=x --from-literal=password=y",
    "kubectl -n breakwater create configmap company-authorities --from-file=ca.crt=company.pem",
    "kubectl -n breakwater exec breakwater-0 -c migrate -- cat /etc/passwd >definitions.json",
    "docker compose ps",
])  # fmt: skip
def test_a_command_that_does_not_fit_is_found(line: str) -> None:
    with pytest.raises((AssertionError, KeyError, OSError, ValueError, pytest.fail.Exception)):
        check(line, helm.render(), NAMESPACE, {})


def printed(values: dict[str, Any]) -> Iterator[str]:
    for line in helm.render(values).notes.splitlines():
        if line.startswith("  "):
            yield line.strip()


@pytest.mark.parametrize("values", [
    {}, documented_values(), documented_values("outside"), documented_values("several"),
    {"service": {"type": "LoadBalancer"}}, {"settings": {"BREAKWATER_TLS_NAMES": "a"}},
    {"admin": {"existingSecret": "first", "key": "word"}},
], ids=range(7))  # fmt: skip
def test_first_steps_that_are_printed_fit_too(values: dict[str, Any]) -> None:
    lines = list(printed(values))
    assert len(lines) >= 3
    for line in lines:
        check(line, helm.render(values), helm.NAMESPACE, values)


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
