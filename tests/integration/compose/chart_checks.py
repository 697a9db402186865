"""What each command of docs/helm.md has to bring about, by its verb: `CHECKS`."""

from __future__ import annotations

import base64
import json
import re
import shlex
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.clients import helm
from tests.clients.kubernetes.resources import RESOURCES
from tests.clients.kubernetes.settling import is_ready
from tests.integration.compose.chart_reader import AUTHORITY, GIVEN, NAMESPACE, TOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.clients.kubernetes.store import Thing
    from tests.integration.compose.chart_reader import Step

CLAIMS: Final = "persistentvolumeclaims"
PLURALS: Final = {"statefulset": "statefulsets", "pod": "pods", "pvc": CLAIMS}
_TWO_WORDS: Final = {"create", "get", "delete", "rollout", "patch"}


@dataclass(frozen=True, kw_only=True)
class Command:
    """A line of a page, taken apart. `verb` is `kubectl create secret`; what stands behind `--` is `remote`."""

    verb: str
    arguments: list[str]
    options: dict[str, list[str]] = field(default_factory=dict)
    remote: list[str] = field(default_factory=list)

    @property
    def named(self) -> tuple[str, str]:
        """Resource and name out of `kind/name`."""
        kind, _, name = next(each for each in self.arguments if "/" in each).partition("/")
        return PLURALS[kind], name

    def option(self, name: str) -> str:
        (value,) = self.options[name]
        return value


def parsed(line: str) -> Command:
    words = shlex.split(line)
    remote = words[words.index("--") + 1:] if "--" in words else []
    rest = iter(words[1: len(words) - len(remote) - bool(remote)])
    arguments: list[str] = []
    options: dict[str, list[str]] = {}
    for word in rest:
        if word.startswith("-"):
            name, given, value = word.partition("=")
            options.setdefault(name, []).append(value if given else next(rest))
        else:
            arguments.append(word)
    length = 2 if words[0] == "kubectl" and arguments[0] in _TWO_WORDS else 1
    verb = " ".join([words[0], *arguments[:length]])
    return Command(verb=verb, arguments=arguments[length:], options=options, remote=remote)


def rendered(values: dict[str, Any]) -> helm.Rendered:
    """By Helm's engine as the chart's other tests have it, once for the same values."""
    return _rendered(json.dumps(values))


@cache
def _rendered(values: str) -> helm.Rendered:
    return helm.render(json.loads(values))


def read_by_the_chart(values: dict[str, Any]) -> dict[str, set[str]]:
    """The keys that the chart's pod reads, by Secret or ConfigMap."""
    pod = rendered(values)
    found: dict[str, set[str]] = {}
    for container in pod.containers.values():
        for variable in container.get("env", ()):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                found.setdefault(reference["name"], set()).add(reference["key"])
    for volume in pod.pod["volumes"]:
        if given := volume.get("configMap"):
            found.setdefault(given["name"], set()).update(item["key"] for item in given["items"])
    return found


def without_the_system_s(thing: Thing) -> Thing:
    """What a chart says of an object, without what Helm, kubectl and the API add."""
    ours = {name: value for name, value in thing.items() if name not in {"status", "metadata"}}
    metadata = thing["metadata"]
    annotations = metadata.get("annotations") or {}
    ours["annotations"] = {name: text for name, text in annotations.items() if not name.startswith("meta.helm.sh/")}
    if "template" in ours.get("spec", {}):
        template = ours["spec"]["template"]
        kept = {name: value for name, value in template["metadata"].items() if name != "annotations"}
        ours["spec"] = ours["spec"] | {"template": template | {"metadata": kept}}
    return ours | {"name": metadata["name"], "labels": metadata["labels"]}


def of_the_release(step: Step) -> dict[str, Thing]:
    """What there is afterwards of what Helm has made, by kind."""
    return {
        thing["kind"]: thing for thing in step.after.values()
        if thing["metadata"].get("annotations", {}).get("meta.helm.sh/release-name") == helm.RELEASE
    }  # fmt: skip


def _releases(things: dict[str, Thing]) -> dict[str, str]:
    """Helm's own record: the state of each revision."""
    found = [thing["metadata"]["labels"] for thing in things.values() if thing["type"].startswith("helm.sh/")]
    return {labels["version"]: labels["status"] for labels in found}


def check_chart(step: Step, _: Command) -> None:
    """All that is rendered is there as it is rendered, and nothing else."""
    wanted = rendered(step.values).objects
    found = of_the_release(step)
    assert found.keys() == wanted.keys()
    for kind, thing in wanted.items():
        assert without_the_system_s(found[kind]) == without_the_system_s(thing)
        assert found[kind]["metadata"]["namespace"] == NAMESPACE
    revision = len(_releases(step.was("secrets"))) + 1
    assert _releases(step.there("secrets"))[str(revision)] == "deployed"
    assert f"REVISION: {revision}\n" in step.ended.said


def check_namespace(step: Step, command: Command) -> None:
    (name,) = command.arguments
    assert step.changes("namespaces", name, "ADDED")
    assert name == NAMESPACE


def check_secret(step: Step, command: Command) -> None:
    kind, name = command.arguments
    (secret,) = step.changes("secrets", name, "ADDED")
    assert (kind, secret["type"]) == ("generic", "Opaque")
    held = {key: base64.b64decode(text).decode() for key, text in secret["data"].items()}
    assert held.keys() == read_by_the_chart(step.values)[name]
    given = dict(each.split("=", 1) for each in command.options["--from-literal"])
    assert held.keys() == given.keys()
    for key, text in given.items():
        if text.removeprefix("$") in GIVEN:
            assert held[key] == GIVEN[text.removeprefix("$")]
        else:
            assert text.startswith("$(openssl ")
            assert re.fullmatch("[A-Za-z0-9+/]{24}", held[key])


def check_config_map(step: Step, command: Command) -> None:
    (name,) = command.arguments
    (made,) = step.changes("configmaps", name, "ADDED")
    assert made["data"].keys() == read_by_the_chart(step.values)[name]
    assert [*made["data"].values()] == [AUTHORITY]


def check_read_secret(step: Step, command: Command) -> None:
    (name,) = command.arguments
    (held,) = step.there("secrets")[name]["data"].values()
    assert step.ended.said.splitlines()[-1] == base64.b64decode(held).decode()


def check_rolled_out(step: Step, command: Command) -> None:
    plural, name = command.named
    status = step.there(plural)[name]["status"]
    count = step.values.get("replicas", 1)
    assert f"rolling update complete {count} pods at revision {status['updateRevision']}..." in step.ended.said
    assert (status["readyReplicas"], status["updatedReplicas"]) == (count, count)


def check_restarted(step: Step, command: Command) -> None:
    """Each pod is another, of a template that says when; nothing else is changed."""
    plural, name = command.named
    before, after = step.was(plural)[name], step.there(plural)[name]
    assert before["spec"]["template"] != after["spec"]["template"]
    assert without_the_system_s(before) == without_the_system_s(after)
    assert after["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]
    old, new = step.was("pods"), step.there("pods")
    assert old.keys() == new.keys() != set()
    assert not {each["metadata"]["uid"] for each in old.values()} & {each["metadata"]["uid"] for each in new.values()}


def check_log(step: Step, command: Command) -> None:
    (pod,) = command.arguments
    container = command.option("-c")
    (asked,) = [each for each in step.asked if each.path.endswith("/log")]
    assert asked.path == f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/log"
    assert asked.query["container"] == [container]
    if "--since" in command.options:
        minutes = command.option("--since").removesuffix("m")
        assert asked.query["sinceSeconds"] == [str(int(minutes) * 60)]
    assert f"{container} of {pod}\n" in step.ended.said


def check_executed(step: Step, command: Command) -> None:
    (pod,) = command.arguments
    (asked,) = [each for each in step.asked if each.path.endswith("/exec")]
    assert asked.path == f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/exec"
    assert asked.query["container"] == [command.option("-c")]
    *remote, to = command.remote
    assert asked.query["command"] == remote
    assert step.files[to.removeprefix(">")] == TOLD


def check_waited(step: Step, command: Command) -> None:
    """What is waited for was so at some time, or is."""
    plural, name = command.named
    awaited = command.option("--for")
    states = [*step.changes(plural, name), *([step.was(plural)[name]] if name in step.was(plural) else [])]
    if awaited == "delete":
        assert step.changes(plural, name, "DELETED")
    elif awaited == "condition=Ready":
        assert any(map(is_ready, states))
    else:
        path, _, value = awaited.removeprefix("jsonpath={.").partition("}=")
        section, member = path.split(".")
        assert any(str(each[section].get(member)) == value for each in states)


def check_deleted_pod(step: Step, command: Command) -> None:
    (name,) = command.arguments
    (ended,) = step.changes("pods", name, "DELETED")
    anew = step.there("pods")[name]
    assert anew["metadata"]["uid"] != ended["metadata"]["uid"]
    assert is_ready(anew)
    assert f'pod "{name}" deleted' in step.ended.said


def check_scaled(step: Step, command: Command) -> None:
    plural, name = command.named
    count = int(command.option("--replicas"))
    states = [step.was(plural)[name], *step.changes(plural, name)]
    assert any(each["spec"]["replicas"] == count == each["status"]["replicas"] for each in states)
    asked = [json.loads(each.body) for each in step.asked if each.method == "PATCH" and each.path.endswith("/scale")]
    assert {"spec": {"replicas": count}} in asked
    assert f"statefulset.apps/{name} scaled" in step.ended.said


def chosen(step: Step, command: Command) -> set[str]:
    """The claims that there were and that the command's labels choose."""
    label, _, value = command.option("-l").partition("=")
    return {name for name, each in step.was(CLAIMS).items() if each["metadata"]["labels"].get(label) == value}


def check_listed(step: Step, command: Command) -> None:
    names = chosen(step, command)
    assert names == claims_of(step)
    assert all(re.search(rf"^{name} ", step.ended.said, re.MULTILINE) for name in names)
    assert not any(name in step.ended.said for name in step.was(CLAIMS).keys() - names)


def claims_of(step: Step) -> set[str]:
    """The claims of the chart's only pod."""
    claims = rendered(step.values).objects["StatefulSet"]["spec"]["volumeClaimTemplates"]
    return {f"{each['metadata']['name']}-{helm.RELEASE}-0" for each in claims}


def check_patched(step: Step, command: Command) -> None:
    """It asks for as much as the page says, and nothing else is changed."""
    (name,) = command.arguments
    before, after = step.was(CLAIMS)[name]["spec"], step.there(CLAIMS)[name]["spec"]
    sizes = [each["resources"]["requests"]["storage"] for each in (before, after)]
    assert sizes == [step.values["storage"]["registry"]["size"], "800Gi"]
    assert "800Gi" in command.option("-p")
    assert after == before | {"resources": {"requests": {"storage": "800Gi"}}}


def check_uninstalled(step: Step, command: Command) -> None:
    """Claims and Secrets stay, and all that the chart has made goes, with the pod."""
    assert command.arguments == [helm.RELEASE]
    assert not step.there("pods")
    kept = {RESOURCES[plural].kind for plural in ("namespaces", "secrets", "configmaps", CLAIMS)}
    assert {thing["kind"] for thing in step.after.values()} <= kept
    assert not _releases(step.there("secrets"))
    assert step.there(CLAIMS) == step.was(CLAIMS)
    assert claims_of(step) <= step.there(CLAIMS).keys()
    assert step.there("secrets").keys() == read_by_the_chart(step.values).keys()


def check_deleted_claims(step: Step, command: Command) -> None:
    assert chosen(step, command) == claims_of(step)
    left = step.there(CLAIMS)
    assert left
    assert left.keys() == step.was(CLAIMS).keys() - claims_of(step)


CHECKS: Final[Mapping[str, Callable[[Step, Command], None]]] = {
    "helm install": check_chart,
    "helm upgrade": check_chart,
    "helm uninstall": check_uninstalled,
    "kubectl create namespace": check_namespace,
    "kubectl create secret": check_secret,
    "kubectl create configmap": check_config_map,
    "kubectl get secret": check_read_secret,
    "kubectl get pvc": check_listed,
    "kubectl rollout status": check_rolled_out,
    "kubectl rollout restart": check_restarted,
    "kubectl logs": check_log,
    "kubectl exec": check_executed,
    "kubectl wait": check_waited,
    "kubectl delete pod": check_deleted_pod,
    "kubectl delete pvc": check_deleted_claims,
    "kubectl scale": check_scaled,
    "kubectl patch pvc": check_patched,
}
