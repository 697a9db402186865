"""What docs/helm.md says in sentences of helm and kubectl, and the commands that Helm prints after an install.

The real programs, against a stand-in for the API: what only a cluster does is not seen here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.clients import helm
from tests.clients.kubernetes.settling import is_ready
from tests.clients.kubernetes.tools import missing
from tests.integration.compose.chart_checks import CHECKS, CLAIMS, check_chart, parsed
from tests.integration.compose.chart_reader import (
    NAMESPACE,
    PAGE,
    WORDS,
    Reader,
    Step,
    commands,
    goes_before_the_install,
    install,
    laid_over,
    prepare,
    reading,
    values,
)
from tests.sentences import said
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.clients.kubernetes.store import Thing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
(UPGRADE, *_) = re.findall(r"^helm upgrade .*$", PAGE, re.MULTILINE)
INSTALL: Final = UPGRADE.replace("upgrade", "install")
SET: Final = "statefulset/breakwater"


def told(text: str) -> None:
    """The page still says so."""
    assert text in " ".join(PAGE.split())


def must(step: Step) -> Step:
    assert step.ended.code == 0, f"{step.text}\n{step.ended.said}"
    return step


def installed(folder: Path, word: str) -> Iterator[Reader]:
    with reading(folder, values(*WORDS[word])) as reader:
        prepare(reader, word)
        install(reader)
        yield reader


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Reader]:
    """Who has an instance of one pod."""
    yield from installed(tmp_path, "helm")


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Reader]:
    """Who has one of two pods."""
    yield from installed(tmp_path, "several")


def printed(step: Step) -> list[str]:
    """The commands in what Helm prints."""
    _, notes = step.ended.said.split("NOTES:\n")
    return [line.strip() for line in notes.splitlines() if line.startswith("  ")]


def check_forwarded(step: Step, port: int) -> None:
    assert f"Forwarding from 127.0.0.1:{port} -> 8080\n" in step.ended.said
    (asked,) = [each for each in step.asked if each.path.endswith("/portforward")]
    assert asked.path == f"/api/v1/namespaces/{NAMESPACE}/pods/breakwater-0/portforward"


def forward(reader: Reader, line: str) -> None:
    """Until it is ready to forward, on a port that is free here."""
    (port,) = re.findall(r" (\d+):", line)
    mine = free_port()
    line = line.replace(f" {port}:", f" {mine}:")
    check_forwarded(
        must(
            reader.run(
                f"{line} >forwarded 2>&1 & until grep -q 'Forwarding from' forwarded; do kill -0 $!; sleep 0.1; done\n"
                "kill $!; cat forwarded"
            )
        ),
        mine,
    )


WITHOUT_INGRESS: Final = {"ingress": {"enabled": False}}


@pytest.mark.parametrize(("word", "changes", "last"), [
    ("helm", {}, "rollout"),
    ("outside", {}, "rollout"),
    ("several", {}, "wait"),
    ("helm", WITHOUT_INGRESS, "port-forward"),
    ("helm", WITHOUT_INGRESS | {"settings": {"BREAKWATER_TLS_NAMES": "a"}}, "port-forward"),
    ("helm", WITHOUT_INGRESS | {"service": {"type": "LoadBalancer"}}, "get service"),
    ("helm", {"admin": {"existingSecret": "first", "key": "pass-word"}}, "rollout"),
], ids=["one", "outside", "several", "first-look", "by-tls", "with-an-address", "with-another-secret"])  # fmt: skip
def test_what_helm_prints_leads_to_a_running_instance(
    tmp_path: Path, word: str, changes: dict[str, Any], last: str
) -> None:
    with reading(tmp_path, laid_over(values(*WORDS[word]), changes)) as reader:
        must(reader.run(f"kubectl create namespace {NAMESPACE}"))
        if word != "helm":
            reader.follow_all(filter(goes_before_the_install, commands("outside")))
        first = must(reader.run(INSTALL))
        check_chart(first, parsed(INSTALL))
        # the pod waits for the Secret that is made now
        assert not any(map(is_ready, first.there("pods").values()))
        lines = printed(first)
        assert "create secret generic" in lines[0]
        assert f" {last} " in lines[-1]
        for line in lines:
            if " port-forward " in line:
                forward(reader, line)
            elif " get service " in line:
                assert "breakwater" in must(reader.run(line)).ended.said
            else:
                command = parsed(line)
                CHECKS[command.verb](must(reader.run(line)), command)
        pods = reader.run("true").there("pods").values()
        assert all(map(is_ready, pods))
        assert len(pods) == reader.values.get("replicas", 1)


def test_page_names_the_programs_that_run_its_commands(tmp_path: Path) -> None:
    with reading(tmp_path, {}) as reader:
        shown = reader.run("helm version --template '{{.Version}}'; echo; kubectl version --client").ended.said
    versions = re.findall(r"v(\d+\.\d+)\.\d+$", shown, re.MULTILINE)
    told(f"Helm {versions[0]} and kubectl {versions[1]}")


def test_all_containers_of_a_pod_that_runs_are_ready(one: Reader) -> None:
    told("`kubectl get pods` shows 13 of 13")
    shown = must(one.run(f"{said('kubectl get pods')} -n {NAMESPACE}")).ended.said
    assert re.search(r"^breakwater-0 +13/13 +Running ", shown, re.MULTILINE)


def test_an_outside_secret_needs_the_namespace(tmp_path: Path) -> None:
    told("When there is a namespace, and before the install:")
    with reading(tmp_path, values("helm", "outside")) as reader:
        (block,) = filter(goes_before_the_install, commands("outside"))
        refused = reader.run(block.text)
    assert refused.ended.code == 1
    assert f'namespaces "{NAMESPACE}" not found' in refused.ended.said


def test_rollout_status_refuses_several_pods(several: Reader) -> None:
    told("`kubectl rollout status` refuses here")
    refused = several.run(f"{said('kubectl rollout status')} -n {NAMESPACE} {SET}")
    assert (refused.ended.code, refused.ended.said) == (
        1, "error: rollout status is only available for RollingUpdate strategy type\n",
    )  # fmt: skip


def pods_told(step: Step) -> dict[str, str]:
    """By pod: how many its settings know."""
    return {
        name: variable["value"]
        for name, pod in step.there("pods").items() for container in pod["spec"]["containers"]
        for variable in container.get("env", ()) if variable["name"] == "BREAKWATER_PODS"
    }  # fmt: skip


def test_scale_changes_no_settings_of_pods(several: Reader) -> None:
    told("`kubectl scale` does not do: the pod that is left goes by its settings")
    told("Nor does it add a pod that the settings do not know")
    fewer = must(several.run(f"{said('kubectl scale')} -n {NAMESPACE} {SET} --replicas=1"))
    assert pods_told(fewer) == {"breakwater-0": "2"}
    more = must(several.run(f"kubectl -n {NAMESPACE} scale {SET} --replicas=3"))
    assert pods_told(more) == dict.fromkeys(("breakwater-0", "breakwater-1", "breakwater-2"), "2")


def uids(things: dict[str, Thing]) -> dict[str, str]:
    return {name: thing["metadata"]["uid"] for name, thing in things.items()}


def tagged(written: dict[str, Any], tag: str) -> dict[str, Any]:
    return laid_over(written, {"images": {"breakwater": {"tag": tag}}})


def images(step: Step) -> set[str]:
    return {
        container["image"] for pod in step.there("pods").values() for container in pod["spec"]["containers"]
        if "platform/breakwater:" in container["image"]
    }  # fmt: skip


def test_settings_replace_none_of_several_pods_by_themselves(several: Reader) -> None:
    told("no pod is replaced by itself, as new code must not meet old")
    several.write(tagged(several.values, "2"))
    upgraded = must(several.run(UPGRADE))
    check_chart(upgraded, parsed(UPGRADE))
    assert uids(upgraded.there("pods")) == uids(upgraded.was("pods"))


def test_a_pod_that_is_not_there_yet_is_told_of_as_the_page_says(several: Reader) -> None:
    told("Where the second line says `NotFound`, it came before the new pod")
    (line,) = re.findall(r"^ *(kubectl .* wait --for=condition=Ready .*)$", PAGE, re.MULTILINE)
    must(several.run(f"kubectl -n {NAMESPACE} scale {SET} --replicas=1"))
    refused = several.run(line)
    assert refused.ended.code == 1
    assert '(NotFound): pods "breakwater-1" not found' in refused.ended.said


def test_an_only_pod_is_replaced_by_an_upgrade_and_by_a_rollback(one: Reader) -> None:
    told("`helm rollback` does not bring that back")
    one.write(tagged(one.values, "2"))
    upgraded = must(one.run(UPGRADE))
    assert images(upgraded) == {"registry.example.com/platform/breakwater:2"}
    back = must(one.run(f"{said('helm rollback')} {helm.RELEASE} --namespace {NAMESPACE}"))
    assert images(back) == images(one.run("true")) != images(upgraded)
    assert back.there(CLAIMS) == back.was(CLAIMS) != {}


def test_a_pod_that_does_not_start_is_replaced_when_it_is_deleted(one: Reader) -> None:
    told("A pod that does not get beyond its start is not replaced by itself")
    told("after you have mended the values, delete it:")
    good = one.values
    one.write(tagged(good, "misspelt"))
    one.kubernetes.settling.lacking.add("registry.example.com/platform/breakwater:misspelt")
    assert not any(map(is_ready, must(one.run(UPGRADE)).there("pods").values()))
    one.write(good)
    mended = must(one.run(UPGRADE))
    assert uids(mended.there("pods")) == uids(mended.was("pods"))
    (block,) = [block for block in commands("helm") if "delete pod " in block.text]
    deleted = must(one.run(block.text))
    CHECKS["kubectl delete pod"](deleted, parsed(block.text))


@pytest.mark.parametrize(("sentence", "changes"), [
    ("A StatefulSet's claims cannot be changed through Helm", {"storage": {"registry": {"size": "1Ti"}}}),
    ("Kubernetes refuses another set of volumes for a StatefulSet that is there", values("outside")),
], ids=["larger", "outside"])  # fmt: skip
def test_claims_are_not_changed_by_helm(one: Reader, sentence: str, changes: dict[str, Any]) -> None:
    told(sentence)
    one.write(laid_over(one.values, changes))
    refused = one.run(UPGRADE)
    assert refused.ended.code == 1
    assert 'UPGRADE FAILED: cannot patch "breakwater" with kind StatefulSet' in refused.ended.said
    assert refused.there(CLAIMS) == refused.was(CLAIMS) != {}


def test_another_install_finds_the_volumes(one: Reader) -> None:
    told("The volumes stay, and another install finds them")
    before = one.run("true").there(CLAIMS)
    (block,) = [block for block in commands("helm") if "helm uninstall " in block.text]
    must(one.run(block.text))
    again = must(one.run(INSTALL))
    check_chart(again, parsed(INSTALL))
    assert again.there(CLAIMS) == before != {}
    assert all(map(is_ready, again.there("pods").values()))
