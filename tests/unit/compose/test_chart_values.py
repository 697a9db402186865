"""The chart's values: what may be set, what is refused in which words; and that Kubernetes takes what is rendered."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, Final

import kubernetes_validate
import pytest
import yaml

from compose.local.options import CHECKOUT, Options
from tests.clients import helm

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES: Final[dict[str, Any]] = yaml.safe_load(helm.CHART.joinpath("values.yaml").read_text())
SCHEMA: Final[dict[str, Any]] = json.loads(helm.CHART.joinpath("values.schema.json").read_text())
KUBERNETES: Final = (helm.OLDEST, kubernetes_validate.latest_version())
FREE: Final = {"annotations", "labels", "nodeSelector", "affinity", "limits", "requests"}
"""Objects whose keys are whoever's who sets them."""
BY_THE_CHART: Final = "the chart sets it: one place, one port, and images of its own"
LEFT_OUT: Final = {
    "BREAKWATER_HOME": BY_THE_CHART,
    "BREAKWATER_BIND": BY_THE_CHART,
    "BREAKWATER_PORT": "service.port stands for it",
    "BREAKWATER_REDIRECT_PORT": "an Ingress leads from http to https by itself",
    "BREAKWATER_TLS_CERT": "tls.existingSecret stands for it",
    "BREAKWATER_TLS_KEY": "tls.existingSecret stands for it",
    "BREAKWATER_TLS_FOLDER": "tls.existingSecret stands for it",
    "BREAKWATER_LOG_FORWARD": "the log is the kubelet's, and sending it on the cluster's",
    "BREAKWATER_ENGINE_ROOT": "the same",
    "BREAKWATER_REGISTRY_PROGRAM": "images.registry stands for it",
    "BREAKWATER_ADMIN_PASSWORD": "admin.existingSecret stands for it: no secret is a value",
    "BREAKWATER_BASE": "images are built by compose",
} | dict.fromkeys(
    (
        f"BREAKWATER_{part}_MEMORY"
        for part in ("CORE", "PART", "POSTGRES", "PROXY", "RABBITMQ", "REGISTRY", "REPLICATION")
    ),
    "resources stand for it",
) | dict.fromkeys(
    (
        *(f"BREAKWATER_S3_{name}" for name in ("BUCKET", "REGION", "ENDPOINT", "PREFIX", "ACCESS_KEY", "SECRET_KEY")),
        *(f"BREAKWATER_DATABASE_{name}" for name in ("HOST", "PORT", "NAME", "OWNER", "OWNER_PASSWORD")),
        "BREAKWATER_DATABASE_CA", "BREAKWATER_DATABASE_CA_FOLDER",
        *(f"BREAKWATER_AMQP_{name}" for name in ("HOST", "VHOST", "USERS", "CA", "CA_FOLDER")),
    ),
    "not offered by the chart yet: the pod keeps its own database, broker and images",
)  # fmt: skip
"""Settings of docs/configuration.md that are none of the chart's, and why."""
TESTED_ELSEWHERE: Final = {
    # what goes with it is refused without it
    ("service", "type"), ("ingress", "host"),
    # excludes names that a certificate is made for
    ("tls", "existingSecret"),
    # set to its default here, as another value needs it
    ("networkPolicy", "enabled"),
}  # fmt: skip
RULE: Final = {"podSelector": {"matchLabels": {"role": "ingress"}}}
EVERY: Final[dict[str, Any]] = {
    "nameOverride": "store",
    "fullnameOverride": "store-of-images",
    "images": {
        "prefix": "registry.example.com/platform/", "pullPolicy": "Always", "pullSecrets": ["pull"],
        **{
            name: {"repository": f"own-{name}", "tag": "9", "digest": f"sha256:{'0' * 64}"}
            for name in ("breakwater", "postgres", "rabbitmq", "registry", "proxy")
        },
    },
    "settings": {
        "BREAKWATER_URL": "https://registry.example.com",
        "BREAKWATER_TLS_NAMES": "registry.example.com, 10.0.0.7",
        "BREAKWATER_TOKEN_LIFETIME_SECONDS": 600,
        "BREAKWATER_WORKERS": 4,
        "BREAKWATER_OUTBOUND_ALLOW": "10.0.0.0/8, fd00::/8",
        "BREAKWATER_DISK_RESERVE_PERCENT": 7.5,
        "BREAKWATER_DISK_RESERVE_BYTES": 5368709120,
        "BREAKWATER_LOG_LEVEL": "debug",
        "BREAKWATER_TRACES_ENDPOINT": "http://collector.tracing:4318",
        "BREAKWATER_TRACES_RATIO": 0.25,
    },
    "admin": {"existingSecret": "first", "key": "word"},
    "tls": {"existingSecret": "certificate"},
    "service": {
        "type": "LoadBalancer", "port": 8443, "nodePort": 30443, "annotations": {"a": "b"},
        "externalTrafficPolicy": "Local", "loadBalancerSourceRanges": ["10.0.0.0/8"],
    },
    "ingress": {
        "enabled": True, "className": "nginx", "host": "images.example.com", "tlsSecret": "front",
        "annotations": {"c": "d"},
    },
    "networkPolicy": {"enabled": False, "from": [RULE], "egress": [{"to": [RULE]}]},
    "podDisruptionBudget": {"enabled": True},
    "storage": {
        "class": "fast",
        **{name: {"size": "7Gi", "class": "slow"} for name in ("postgres", "rabbitmq", "registry", "secrets")},
    },
    "resources": {
        name: {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "3Gi"}} for name in VALUES["resources"]
    },
    "pod": {
        "annotations": {"e": "f"}, "labels": {"team": "platform", "app.kubernetes.io/name": "not-this"},
        "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "only", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}}, "priorityClassName": "important", "terminationGracePeriodSeconds": 300,
    },
}  # fmt: skip


def leaves(values: dict[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and key not in FREE:
            yield from leaves(value, (*at, key))
        else:
            yield (*at, key), value


def changed(**paths: Any) -> dict[str, Any]:  # noqa: ANN401 - values of any kind
    """Every value set, but for these, `a__b` for b in a."""
    values = copy.deepcopy(EVERY)
    for path, value in paths.items():
        *folders, last = path.split("__")
        place = values
        for name in folders:
            place = place[name]
        place[last] = value
    return values


def accepted(rendered: helm.Rendered) -> None:
    for version in KUBERNETES:
        for each in rendered.objects.values():
            kubernetes_validate.validate(each, version, strict=True)


def test_lint_finds_nothing() -> None:
    assert helm.lint() == []
    assert helm.lint(changed(tls__existingSecret="")) == []


def test_lint_finds_what_is_wrong() -> None:
    assert helm.lint({"service": {"type": "Elsewhere"}})


def test_kubernetes_takes_what_is_rendered_by_default() -> None:
    accepted(helm.render())


@pytest.mark.parametrize("paths", [
    {"tls__existingSecret": ""},
    {"settings__BREAKWATER_TLS_NAMES": "", "networkPolicy__enabled": True},
    {"settings__BREAKWATER_TLS_NAMES": "", "service__type": "NodePort", "service__loadBalancerSourceRanges": []},
])  # fmt: skip
def test_kubernetes_takes_what_is_rendered_with_every_value_set(paths: dict[str, Any]) -> None:
    rendered = helm.render(changed(**paths))
    accepted(rendered)
    assert ("NetworkPolicy" in rendered.objects) == paths.get("networkPolicy__enabled", False)


def test_kubernetes_does_not_take_anything() -> None:
    broken = helm.render()
    broken.pod["containers"][0]["livenessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        accepted(broken)


def test_every_value_is_set_above_to_something_else_than_its_default() -> None:
    given, default = dict(leaves(EVERY)), dict(leaves(VALUES))
    assert given.keys() == default.keys()
    same = {path for path, value in given.items() if value == default[path]}
    assert same == set()


def test_every_value_changes_what_is_rendered() -> None:
    """Each alone is put back to its default: what changes nothing then is heeded by nobody."""
    base: dict[str, Any] = {"tls__existingSecret": "", "networkPolicy__enabled": True}
    before = helm.render(changed(**base))
    unheeded = set()
    for path, value in leaves(VALUES):
        if path not in TESTED_ELSEWHERE and (path[0] != "resources" or path[1] == "token"):
            after = helm.render(changed(**base, **{"__".join(path): value}))
            if (after.text, after.notes) == (before.text, before.notes):
                unheeded.add(path)
    # each volume names a class of its own there, and each image a digest
    images = {("images", name, "tag") for name in ("breakwater", "postgres", "rabbitmq", "registry", "proxy")}
    assert unheeded == {("storage", "class"), *images}
    class_of_all = helm.render({"storage": {"class": "fast"}}).objects["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert {claim["spec"]["storageClassName"] for claim in class_of_all} == {"fast"}
    tagged = helm.render({"images": {name: {"tag": "7"} for _, name, _ in images}})
    assert {each["image"].rpartition(":")[2] for each in tagged.containers.values()} == {"7"}


def test_schema_knows_every_value_and_no_other() -> None:
    def known(schema: dict[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        if "$ref" in schema:
            schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
        for name, inner in schema.get("properties", {}).items():
            yield from known(inner, (*at, name))
        if "properties" in schema:
            assert schema["additionalProperties"] is False, at
        else:
            yield at

    assert {*known(SCHEMA)} - {("global",)} == {path for path, _ in leaves(VALUES)}


def test_schema_draws_the_same_bounds_as_the_settings() -> None:
    described = Options.model_json_schema()["properties"]
    for variable, schema in SCHEMA["properties"]["settings"]["properties"].items():
        option = described[variable.removeprefix("BREAKWATER_").lower()]
        if "pattern" in option:
            assert option["pattern"] == f"^({'|'.join(schema['enum'])})$"
        else:
            for bound in ("minimum", "maximum"):
                assert schema.get(bound) == option.get(bound), variable
        if "default" in option:
            assert VALUES["settings"][variable] == (option["default"] or type(VALUES["settings"][variable])())


def test_every_setting_is_the_chart_s_or_is_named_here_with_the_reason() -> None:
    page = CHECKOUT.joinpath("docs", "configuration.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(BREAKWATER_\w+)` \|", page, re.MULTILINE))
    assert len(listed) > 20
    assert listed == {*VALUES["settings"]} | {*LEFT_OUT}
    assert not {*VALUES["settings"]} & {*LEFT_OUT}


def environment(values: dict[str, Any], container: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in helm.render(values).containers[container]["env"] if "value" in each}


def test_settings_arrive_as_they_were_written_and_are_ones_that_a_part_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment(changed(tls__existingSecret=""), "prepare")
    written = {name: str(value) for name, value in EVERY["settings"].items()}
    assert given == written | {"BREAKWATER_POD": "true"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    options = Options()
    assert options.disk_reserve_bytes == 5368709120
    assert options.names == ("registry.example.com", "10.0.0.7")


def test_ingress_tells_the_address_unless_another_is_set() -> None:
    def told(**ingress: object) -> str:
        return environment({"ingress": {"enabled": True, "host": "r.example.com", **ingress}}, "core")["BREAKWATER_URL"]

    assert told(tlsSecret="front") == "https://r.example.com"
    assert told() == "http://r.example.com"
    assert environment({}, "core")["BREAKWATER_URL"] == ""


def test_certificate_is_mounted_where_it_is_looked_for_and_nowhere_else() -> None:
    rendered = helm.render({"tls": {"existingSecret": "certificate"}})
    mounting = {
        name: [mount for mount in container["volumeMounts"] if mount["name"] == "given"]
        for name, container in rendered.containers.items()
    }
    assert {name: found for name, found in mounting.items() if found} == {
        "prepare": [{"name": "given", "mountPath": "/given", "readOnly": True}]
    }
    assert {"name": "given", "secret": {"secretName": "certificate", "defaultMode": 0o400}} in rendered.pod["volumes"]
    (port,) = rendered.objects["Service"]["spec"]["ports"]
    assert (port["name"], port["port"]) == ("https", 443)


def test_names_are_the_release_s_and_short_enough_for_what_is_made_of_them() -> None:
    assert helm.render(release="store").objects["Service"]["metadata"]["name"] == "store-breakwater"
    name = helm.render(release="r" * 53).objects["StatefulSet"]["metadata"]["name"]
    # a label holds it with ten characters and a dash behind
    assert len(name) <= 63 - 11
    assert "store-of-images" in helm.render({"fullnameOverride": "store-of-images"}).notes


def test_labels_of_one_s_own_do_not_lead_the_service_astray() -> None:
    rendered = helm.render(changed(tls__existingSecret=""))
    labels = rendered.objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert (labels["team"], labels["app.kubernetes.io/name"]) == ("platform", "store")


WRONG: Final = [
    (
        {"settings": {"BREAKWATER_LOG_LEVEL": "loud"}},
        "'/settings/BREAKWATER_LOG_LEVEL': value must be one of 'debug', 'info'",
    ),
    (
        {"settings": {"BREAKWATER_TOKEN_LIFETIME_SECONDS": 59}},
        "'/settings/BREAKWATER_TOKEN_LIFETIME_SECONDS': minimum: got 59, want 60",
    ),
    ({"settings": {"BREAKWATER_WORKERS": "two"}}, "'/settings/BREAKWATER_WORKERS': got string, want integer"),
    ({"settings": {"BREAKWATER_TRACES_RATIO": 2}}, "'/settings/BREAKWATER_TRACES_RATIO': maximum: got 2, want 1"),
    ({"settings": {"BREAKWATER_PORT": 80}}, "'/settings': additional properties 'BREAKWATER_PORT' not allowed"),
    (
        {"settings": {"BREAKWATER_ADMIN_PASSWORD": "x"}},
        "additional properties 'BREAKWATER_ADMIN_PASSWORD' not allowed",
    ),
    (
        {"settings": {"BREAKWATER_URL": "registry"}},
        "settings.BREAKWATER_URL is https://HOST, https://HOST:PORT or the same",
    ),
    ({"settings": {"BREAKWATER_URL": "https://a.example.com/x"}}, "settings.BREAKWATER_URL is https://HOST"),
    (
        {"settings": {"BREAKWATER_TRACES_ENDPOINT": "http://a:b@c"}},
        "settings.BREAKWATER_TRACES_ENDPOINT is http://HOST:PORT",
    ),
    (
        {"settings": {"BREAKWATER_OUTBOUND_ALLOW": "10.0.0.0/8,here"}},
        'settings.BREAKWATER_OUTBOUND_ALLOW holds "here", which is no',
    ),
    *(
        (
            {"settings": {"BREAKWATER_OUTBOUND_ALLOW": f"192.0.2.7, {wrong}"}},
            f'settings.BREAKWATER_OUTBOUND_ALLOW holds " {wrong}", which is no',
        )
        for wrong in ("10.0.0.0/33", "256.0.0.0/8", "fd00::/129", "10.0.0/8")
    ),
    (
        {"settings": {"BREAKWATER_OUTBOUND_ALLOW": "10.0.0.0/8,172.16.0.0/12,0.0.0.0/0,192.0.2.128/24"}},
        'settings.BREAKWATER_OUTBOUND_ALLOW holds "192.0.2.128/24", an address within a network',
    ),
    ({"settings": {"BREAKWATER_URL": "https://a.example.com:65536"}}, "settings.BREAKWATER_URL is https://HOST"),
    (
        {"settings": {"BREAKWATER_TRACES_ENDPOINT": "http://a:65536"}},
        "settings.BREAKWATER_TRACES_ENDPOINT is http://HOST:PORT",
    ),
    (
        {"settings": {"BREAKWATER_TLS_NAMES": "a b"}},
        'settings.BREAKWATER_TLS_NAMES holds "a b", which is neither a name nor',
    ),
    ({"settings": {"BREAKWATER_TLS_NAMES": "a"}, "tls": {"existingSecret": "b"}}, "set one of the two"),
    ({"setting": {}}, "at '': additional properties 'setting' not allowed"),
    ({"replicas": 2}, "at '': additional properties 'replicas' not allowed"),
    (
        {"service": {"type": "ExternalName"}},
        "'/service/type': value must be one of 'ClusterIP', 'NodePort', 'LoadBalancer'",
    ),
    ({"service": {"port": 70000}}, "'/service/port': maximum: got 70,000, want 65,535"),
    (
        {"service": {"nodePort": 30000}},
        "service.nodePort and service.externalTrafficPolicy go with the types NodePort",
    ),
    ({"service": {"externalTrafficPolicy": "Local"}}, "go with the types NodePort and LoadBalancer alone"),
    ({"service": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}}, "goes with the type LoadBalancer alone"),
    (
        {"ingress": {"enabled": True}},
        "ingress.enabled needs ingress.host, the name under which clients reach the registry",
    ),
    ({"ingress": {"enabled": True, "host": "https://a"}}, "ingress.enabled needs ingress.host"),
    ({"ingress": {"enabled": "yes"}}, "'/ingress/enabled': got string, want boolean"),
    ({"storage": {"registry": {"size": "big"}}}, "'/storage/registry/size': 'big' does not match pattern"),
    ({"storage": {"log": {"size": "1Gi"}}}, "'/storage': additional properties 'log' not allowed"),
    ({"resources": {"token": {"limits": {"memory": "much"}}}}, "'/resources/token/limits/memory'"),
    ({"resources": {"log": {}}}, "'/resources': additional properties 'log' not allowed"),
    ({"images": {"prefix": "https://x/y"}}, "'/images/prefix': 'https://x/y' does not match pattern"),
    ({"images": {"prefix": "a b"}}, "'/images/prefix': 'a b' does not match pattern"),
    ({"images": {"proxy": {"repository": "nginx:1"}}}, "'/images/proxy/repository': 'nginx:1' does not match pattern"),
    ({"images": {"proxy": {"tag": "1.22@x"}}}, "'/images/proxy/tag': '1.22@x' does not match pattern"),
    (
        {"service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/33"]}},
        "'/service/loadBalancerSourceRanges/0': '10.0.0.0/33' does not match pattern",
    ),
    ({"images": {"pullSecrets": "x"}}, "'/images/pullSecrets': got string, want array"),
    (
        {"images": {"pullPolicy": "Sometimes"}},
        "'/images/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
    ),
    ({"images": {"proxy": {"digest": "sha256:1"}}}, "'/images/proxy/digest': 'sha256:1' does not match pattern"),
    ({"images": {"proxy": {"repository": ""}}}, "'/images/proxy/repository': minLength: got 0, want 1"),
    ({"admin": {"password": "x"}}, "'/admin': additional properties 'password' not allowed"),
    ({"admin": {"existingSecret": "A_B"}}, "'/admin/existingSecret': 'A_B' does not match pattern"),
    ({"pod": {"terminationGracePeriodSeconds": 5}}, "'/pod/terminationGracePeriodSeconds': minimum: got 5, want 60"),
]  # fmt: skip


@pytest.mark.parametrize("prefix", ["a", "a/", "mirror.example.com:5000/own/x__y", "[fd00::1]:5000/a", "10.0.0.7:80"])
def test_image_goes_behind_whatever_place_images_can_lie_in(prefix: str) -> None:
    containers = helm.render({"images": {"prefix": prefix}}).containers
    assert containers["proxy"]["image"] == f"{prefix.removesuffix('/')}/nginx:1.22"


@pytest.mark.parametrize(("values", "sentence"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_refused_in_words_that_name_it(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(helm.RefusedError) as refusal:
        helm.render(values)
    assert sentence in str(refusal.value)
