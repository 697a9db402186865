"""The chart's pod with a database, a broker and a bucket outside: what it has none of then, and what it is given."""

from __future__ import annotations

import re
from typing import Any, Final

import kubernetes_validate
import pytest

from compose.local.options import Options
from tests.clients import helm
from tests.unit.compose.test_chart import HOME, mounts
from tests.unit.compose.test_chart_refusals import OUTSIDE
from tests.unit.compose.test_chart_values import KUBERNETES, SCHEMA

SETTINGS: Final = OUTSIDE["settings"]
ALONE: Final[dict[str, dict[str, Any]]] = {
    "database": {
        "settings": {name: SETTINGS[name] for name in ("BREAKWATER_DATABASE_HOST", "BREAKWATER_DATABASE_OWNER")},
        "database": OUTSIDE["database"],
    },
    "broker": {"settings": {"BREAKWATER_AMQP_HOST": SETTINGS["BREAKWATER_AMQP_HOST"]}},
    "bucket": {"settings": {"BREAKWATER_S3_BUCKET": SETTINGS["BREAKWATER_S3_BUCKET"]}, "bucket": OUTSIDE["bucket"]},
}
"""Each of the three by itself."""
GONE: Final = {"database": {"postgres"}, "broker": {"rabbitmq"}, "bucket": {"registry"}}
"""The claims that there is nothing for then."""


@pytest.fixture(scope="module")
def own() -> helm.Rendered:
    return helm.render()


def claims(rendered: helm.Rendered) -> set[str]:
    return {each["metadata"]["name"] for each in rendered.objects["StatefulSet"]["spec"]["volumeClaimTemplates"]}


@pytest.mark.parametrize("what", ALONE)
def test_what_is_outside_has_no_container_and_no_claim(own: helm.Rendered, what: str) -> None:
    rendered = helm.render(ALONE[what])
    assert claims(own) - claims(rendered) == GONE[what]
    # the registry's container stays: it is what asks the bucket
    assert {*own.containers} - {*rendered.containers} == GONE[what] - {"registry"}
    for version in KUBERNETES:
        for each in rendered.objects.values():
            kubernetes_validate.validate(each, version, strict=True)


def test_with_all_outside_the_pod_keeps_its_secrets_alone_and_no_server_of_its_own() -> None:
    rendered = helm.render(OUTSIDE)
    assert claims(rendered) == {"secrets"}
    assert [each["name"] for each in rendered.pod["initContainers"]] == ["prepare", "migrate"]


@pytest.mark.parametrize("values", [*ALONE.values(), OUTSIDE], ids=[*ALONE, "all"])
def test_every_volume_that_is_mounted_is_there_and_used(own: helm.Rendered, values: dict[str, Any]) -> None:
    rendered = helm.render(values)
    there = claims(rendered) | {volume["name"] for volume in rendered.pod["volumes"]}
    used = set()
    for name, container in rendered.containers.items():
        found = mounts(container)
        used |= {volume.partition("/")[0] for volume, _ in found.values()}
        # but for what is outside, a container has what it has otherwise
        before = mounts(own.containers[name])
        assert found.items() <= before.items()
        lost = {path.removeprefix(f"{HOME}/") for path in before.keys() - found.keys()}
        assert lost <= {"postgres", "database", "rabbitmq", "registry"}
    assert used == there


def test_secrets_are_given_to_who_prepares_alone_and_are_in_nothing_that_is_rendered() -> None:
    rendered = helm.render(OUTSIDE | {"bucket": {"existingSecret": "keys", "accessKey": "one", "secretKey": "two"}})
    given = {
        name: {
            each["name"].removeprefix("BREAKWATER_"): tuple(each["valueFrom"]["secretKeyRef"].values())
            for each in container.get("env", ()) if "secretKeyRef" in each.get("valueFrom", {})
        }
        for name, container in rendered.containers.items()
    }
    assert given.pop("prepare") == {
        "ADMIN_PASSWORD": ("breakwater-admin", "password"), "DATABASE_OWNER_PASSWORD": ("owner", "password"),
        "S3_ACCESS_KEY": ("keys", "one"), "S3_SECRET_KEY": ("keys", "two"),
    }  # fmt: skip
    assert not any(given.values())
    assert {*rendered.objects} == {"StatefulSet", "Service", "NetworkPolicy"}


@pytest.mark.parametrize("server", ["database", "broker"])
@pytest.mark.parametrize(("place", "source"), [
    ("configMap", {"configMap": {"name": "authorities"}}), ("secret", {"secret": {"secretName": "authorities"}}),
])  # fmt: skip
def test_authorities_are_mounted_where_they_are_looked_for(server: str, place: str, source: dict[str, Any]) -> None:
    """Under the one name that `prepare` knows, whatever they are called there."""
    ca = {place: "authorities", "key": "company.pem"}
    rendered = helm.render(OUTSIDE | {server: OUTSIDE.get(server, {}) | {"ca": ca}})
    (volume,) = [each for each in rendered.pod["volumes"] if each["name"] == f"given-for-{server}"]
    ((kind, told),) = [(kind, told) for kind, told in volume.items() if kind != "name"]
    assert {kind: {name: value for name, value in told.items() if name != "items"}} == source
    assert told["items"] == [{"key": "company.pem", "path": "ca.crt"}]
    mounting = {
        name: path
        for name, container in rendered.containers.items()
        for path, (mounted, mode) in mounts(container).items()
        if (mounted, mode) == (volume["name"], "ro")
    }
    assert mounting == {"prepare": f"/given-for-{server}"}
    for version in KUBERNETES:
        kubernetes_validate.validate(rendered.objects["StatefulSet"], version, strict=True)


FORMS: Final = {
    "database_name": ("images", "a-b", "1a", "a b", "a" * 64),
    "database_owner": ("", "company", "a.b", "_a"),
    "amqp_vhost": ("/", "a/b", "a b", "", "v" * 65),
    "amqp_users": ("ours-", "a/b", "u" * 33),
    "s3_bucket": ("", "images", "ab", "Images", "a_b", "a" * 64),
    "s3_region": ("", "eu-central-1", "eu_1", "-a"),
    "s3_prefix": ("", "registry/one", "/a", "a/", "a//b", ".a"),
}


@pytest.mark.parametrize("name", FORMS)
def test_schema_takes_the_forms_that_the_parts_take(name: str) -> None:
    form = re.compile(SCHEMA["properties"]["settings"]["properties"][f"BREAKWATER_{name.upper()}"]["pattern"])
    taken = {text for text in FORMS[name] if form.fullmatch(text)}
    accepted = set()
    for text in FORMS[name]:
        try:
            accepted.add(getattr(Options(**{name: text}), name))  # type: ignore[arg-type]  # pydantic checks them
        except ValueError:
            continue
    assert taken == accepted
    assert taken < {*FORMS[name]}


def test_first_steps_tell_how_a_broker_outside_is_told_of_the_instance(own: helm.Rendered) -> None:
    said = "exec breakwater-0 -c migrate -- cat /var/lib/breakwater/secrets/rabbitmq/rabbitmq-definitions.json"
    assert said in helm.render(ALONE["broker"]).notes
    assert said not in own.notes
