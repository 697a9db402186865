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
    from collections.abc import Iterable, Iterator

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
    ("BREAKWATER_S3_ACCESS_KEY", "BREAKWATER_S3_SECRET_KEY"), "bucket.existingSecret stands for them"
) | {
    "BREAKWATER_DATABASE_OWNER_PASSWORD": "database.existingSecret stands for it",
    "BREAKWATER_DATABASE_CA": "database.ca stands for it",
    "BREAKWATER_DATABASE_CA_FOLDER": "the same",
    "BREAKWATER_AMQP_CA": "broker.ca stands for it",
    "BREAKWATER_AMQP_CA_FOLDER": "the same",
}  # fmt: skip
"""Settings of docs/configuration.md that are none of the chart's, and why."""
TESTED_ELSEWHERE: Final = {
    # what goes with it is refused without it
    ("service", "type"), ("ingress", "host"),
    # excludes names that a certificate is made for
    ("tls", "existingSecret"),
    # set to its default here, as another value needs it
    ("networkPolicy", "enabled"),
    # of two places for the same thing one is set
    ("database", "ca", "configMap"), ("broker", "ca", "secret"),
}  # fmt: skip
NOTHING_OUTSIDE: Final[dict[str, Any]] = {"replicas": 1, "storage__secrets__shared": False} | dict.fromkeys(
    (
        *(f"settings__BREAKWATER_{name}" for name in ("DATABASE_HOST", "DATABASE_OWNER", "AMQP_HOST")),
        *(f"settings__BREAKWATER_S3_{name}" for name in ("BUCKET", "ENDPOINT", "PREFIX")),
        "database__existingSecret", "database__ca__secret", "broker__ca__configMap", "bucket__existingSecret",
    ),
    "",
)  # fmt: skip
"""What is put back to its default, of all values, for a pod with a database, a broker and images of its own."""
RULE: Final = {"podSelector": {"matchLabels": {"role": "ingress"}}}
EVERY: Final[dict[str, Any]] = {
    "replicas": 3,
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
        "BREAKWATER_DOWNLOADS": 1000,
        "BREAKWATER_OUTBOUND_ALLOW": "10.0.0.0/8, fd00::/8",
        "BREAKWATER_DISK_RESERVE_PERCENT": 7.5,
        "BREAKWATER_DISK_RESERVE_BYTES": 5368709120,
        "BREAKWATER_LOG_LEVEL": "debug",
        "BREAKWATER_TRACES_ENDPOINT": "http://collector.tracing:4318",
        "BREAKWATER_TRACES_RATIO": 0.25,
        "BREAKWATER_DATABASE_HOST": "db.example.com",
        "BREAKWATER_DATABASE_PORT": 6432,
        "BREAKWATER_DATABASE_NAME": "images",
        "BREAKWATER_DATABASE_OWNER": "company",
        "BREAKWATER_AMQP_HOST": "mq1.example.com, mq2.example.com:5673",
        "BREAKWATER_AMQP_VHOST": "images",
        "BREAKWATER_AMQP_USERS": "images-",
        "BREAKWATER_S3_BUCKET": "images",
        "BREAKWATER_S3_REGION": "eu-central-1",
        "BREAKWATER_S3_ENDPOINT": "https://storage.example.com",
        "BREAKWATER_S3_PREFIX": "registry/one",
    },
    "database": {
        "existingSecret": "owner", "key": "word",
        "ca": {"configMap": "authorities", "secret": "sealed", "key": "a.pem"},
    },
    "broker": {"ca": {"configMap": "authorities", "secret": "sealed", "key": "b.pem"}},
    "bucket": {"existingSecret": "storage", "accessKey": "one", "secretKey": "two"},
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
        **{name: {"size": "7Gi", "class": "slow"} for name in ("postgres", "rabbitmq", "registry")},
        "secrets": {"size": "7Gi", "class": "slow", "shared": True},
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
    """Every value set, but for these, `a__b` for b in a, and for one of the two places of authorities."""
    values = copy.deepcopy(EVERY)
    for path, value in ({"database__ca__configMap": "", "broker__ca__secret": ""} | paths).items():
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
    {"tls__existingSecret": "", **NOTHING_OUTSIDE},
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


def unheeded(base: dict[str, Any], paths: Iterable[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """Those of the values that change nothing when they alone are put back to their defaults."""
    default, before, found = dict(leaves(VALUES)), helm.render(changed(**base)), set()
    for path in paths:
        try:
            after = helm.render(changed(**base | {"__".join(path): default[path]}))
        except helm.RefusedError:
            # it is missed
            continue
        if (after.text, after.notes) == (before.text, before.notes):
            found.add(path)
    return found


def test_every_value_changes_what_is_rendered() -> None:
    """What changes nothing, neither with all that can be outside nor without, is heeded by nobody."""
    base: dict[str, Any] = {"tls__existingSecret": "", "networkPolicy__enabled": True}
    paths = {
        path for path, _ in leaves(VALUES)
        if path not in TESTED_ELSEWHERE and (path[0] != "resources" or path[1] == "token")
    }
    of_the_pod_s_own = unheeded(base, paths)
    assert {("storage", "postgres", "size"), ("images", "rabbitmq", "repository")} < of_the_pod_s_own
    # each volume names a class of its own there, and each image a digest
    images = {("images", name, "tag") for name in ("breakwater", "postgres", "rabbitmq", "registry", "proxy")}
    assert unheeded(base | NOTHING_OUTSIDE, of_the_pod_s_own) == {("storage", "class"), *images}
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
    assert given == written | {"BREAKWATER_POD": "true", "BREAKWATER_PODS": "3"}
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


@pytest.mark.parametrize("prefix", ["a", "a/", "mirror.example.com:5000/own/x__y", "[fd00::1]:5000/a", "10.0.0.7:80"])
def test_image_goes_behind_whatever_place_images_can_lie_in(prefix: str) -> None:
    containers = helm.render({"images": {"prefix": prefix}}).containers
    assert containers["proxy"]["image"] == f"{prefix.removesuffix('/')}/nginx:1.22"
