"""What a small company's registry holds: so that no picture of the portal is empty."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import amqp
import requests
from msgspec.structs import replace

from tests.clients.images import make_image, make_index, make_referrer
from tests.clients.polling import eventually
from tests.clients.rest import repository_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.clients.images import Image, Index
    from tests.e2e.system import System

PEOPLE: Final = {
    "ada": "Ada Okafor", "ben": "Ben Lindqvist", "chiara": "Chiara Rossi", "dmitri": "Dmitri Volkov",
}  # fmt: skip
MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "storefront": {"ada": "projectAdmin", "ben": "maintainer", "chiara": "developer", "dmitri": "guest"},
    "platform": {"ben": "projectAdmin", "dmitri": "developer"},
    "sandbox": {"chiara": "projectAdmin"},
}
PUBLIC: Final = frozenset({"platform"})
LABELS: Final = {"production": "#61717D", "tested": "#00AB9A", "deprecated": "#F57600"}
TAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "storefront/web": ("1.8.0", "1.8.1", "1.9.0", "2.0.0-rc.1", "main"),
    "storefront/checkout": ("3.2.0", "3.2.1", "3.3.0"),
    "storefront/mail/renderer": ("0.4.0",),
    "platform/base": ("2026.1", "2026.2"),
    "platform/tools/backup": ("1.0.0", "1.1.0"),
    "library/hello": ("1",),
}
OF_SEVERAL_PLATFORMS: Final = frozenset({"platform/base", "storefront/web"})
ROBOTS: Final = {"ci": ("pull", "push"), "cluster": ("pull",)}
LAYER_BYTES: Final = 200_000


def seed(system: System) -> None:
    """Fill an instance by its own API and registry, and wait until it is catalogued; what is filled stays as it is."""
    if system.admin.send("HEAD", "/projects", params={"project_name": "storefront"}).status_code == requests.codes.ok:
        return
    for name, real_name in PEOPLE.items():
        system.admin.must("POST", "/users", json={
            "username": name, "realname": real_name, "email": f"{name}@example.test", "comment": "",
            "password": f"Aa1{secrets.token_hex(8)}",
        })  # fmt: skip
    for project, members in MEMBERS.items():
        number = system.admin.create_project(project, public=project in PUBLIC)
        for name, role in members.items():
            system.admin.add_member(project, name, role)
        for name, color in LABELS.items():
            system.admin.must("POST", "/labels", json={
                "name": name, "color": color, "scope": "p", "project_id": number, "description": "",
            })  # fmt: skip
    for name, actions in ROBOTS.items():
        system.admin.create_robot(name, "storefront", actions)
    _push(system)
    _describe(system)
    _administer(system)
    _happen(system)
    _go_wrong(system)


def _push(system: System) -> None:
    registry = system.registry()
    for repository, tags in TAGS.items():
        for tag in tags:
            answer = registry.push(repository, tag, _made(repository, tag))
            assert answer.status_code == requests.codes.created, answer.text
            assert registry.pull(repository, tag).status_code == requests.codes.ok
        signed = _made(repository, tags[-1]).manifest
        signature = make_referrer(signed, artifact_type="application/vnd.dev.cosign.artifact.sig.v1+json")
        assert registry.push(repository, signature.digest, signature).status_code == requests.codes.created
    registry.close()
    for repository, tags in TAGS.items():
        eventually(
            lambda name=repository, wanted=tags: _tags_of(system, name) >= {*wanted}, within=60,
            what=f"the tags of {repository} are catalogued",
        )  # fmt: skip


def parts_of(system: System) -> dict[str, str]:
    """What stands for the names in PLACES and DETAILS, once the instance is filled."""
    digest = next(
        row["digest"] for row in system.admin.artifacts("storefront/web")
        if any(tag["name"] == "1.9.0" for tag in row["tags"] or ())
    )  # fmt: skip
    webhook, policy, runs = _webhook(system), _policy(system), _runs(system)
    (delivery, *_) = system.admin.get(f"{webhook}/executions")
    (run, *_) = system.admin.get(runs)
    (task, *_) = system.admin.get(f"{runs}/{run['id']}/tasks")
    (attempt, *_) = eventually(
        lambda: system.admin.get(f"{webhook}/executions/{delivery['id']}/tasks"), within=20, what="the first attempt",
    )  # fmt: skip
    (execution, *_) = system.admin.every("/replication/executions", policy_id=policy)
    (letter, *_) = system.admin.get("/system/queues/audit/dead_letters")
    (parked, *_) = system.admin.every("/system/parked_notifications")
    (record, *_) = system.admin.get("/auditlog-exts")
    return {
        "project": "storefront", "repository": "web", "digest": digest, "run": str(run["id"]), "task": str(task["id"]),
        "webhook": webhook.rpartition("/")[2], "delivery": str(delivery["id"]), "attempt": str(attempt["id"]),
        "policy": str(policy), "execution": str(execution["id"]), "letter": quote(letter["id"], safe=""),
        "parked": parked["id"], "record": str(record["id"]), "recorded": quote(record["op_time"]),
    }  # fmt: skip


def _happen(system: System) -> None:
    """A trial of each: retention that keeps all, a delivery, and copies that fail or are stopped: nobody is there."""
    system.admin.must("POST", _runs(system), json={"dry_run": True})
    system.admin.must("POST", f"{_webhook(system)}/test")
    made = system.admin.must("POST", "/replication/executions", json={"policy_id": _policy(system), "dry_run": True})
    number = made.headers["Location"].rpartition("/")[2]
    run = f"/replication/executions/{number}"
    eventually(lambda: system.admin.get(run)["total"], within=20, what="the copies are planned")
    system.admin.must("PUT", run)
    eventually(lambda: system.admin.get(run)["status"] != "InProgress", within=60, what="the copies have ended")


def _go_wrong(system: System) -> None:
    """What nobody can read: a notification at the intake, and an event at the services."""
    answer = requests.post(
        system.intake_url, data=b"not a notification", timeout=10,
        headers={"Authorization": f"Bearer {system.notification_token}"},
    )  # fmt: skip
    assert answer.ok, answer.text
    settings = replace(system.settings, part="relay")
    with amqp.Connection(
        host=f"{settings.amqp_host}:{settings.amqp_port}", userid="relay",
        password=settings.secret("amqp-password").reveal(), confirm_publish=True, connect_timeout=5,
    ) as connection:
        message = amqp.Message(b"not an event", content_type="application/json", delivery_mode=2)
        connection.channel().basic_publish_confirm(message, "breakwater.events", "user.updated")
    eventually(
        lambda: system.admin.get("/system/queues/audit/dead_letters"), within=30, what="the dead letter",
    )  # fmt: skip


def _webhook(system: System) -> str:
    (policy,) = system.admin.get("/projects/storefront/webhook/policies")
    return f"/projects/storefront/webhook/policies/{policy['id']}"


def _policy(system: System) -> int:
    (policy,) = system.admin.every("/replication/policies", name="releases-to-berlin")
    return int(policy["id"])


def _runs(system: System) -> str:
    return f"/retentions/{system.admin.get('/projects/storefront')['metadata']['retention_id']}/executions"


def _administer(system: System) -> None:
    number = _number(system, "storefront")
    system.admin.must("POST", "/labels", json={
        "name": "approved", "color": "#0065AB", "scope": "g", "description": "Security has looked at it.",
    })  # fmt: skip
    system.admin.must("POST", "/robots", json={
        "name": "scheduler", "level": "system", "duration": 90, "description": "Pulls for every cluster",
        "permissions": [
            {"kind": "project", "namespace": "*", "access": [{"resource": "repository", "action": "pull"}]},
        ],
    })  # fmt: skip
    system.admin.must("POST", "/retentions", json={
        "algorithm": "or", "scope": {"level": "project", "ref": number},
        "trigger": {"kind": "Schedule", "settings": {}},
        "rules": [{
            "action": "retain", "template": "latestPushedK", "params": {"latestPushedK": 10},
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**"}],
            "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
        }],
    })  # fmt: skip
    system.admin.must("POST", "/projects/storefront/webhook/policies", json={
        "name": "deployments", "enabled": True, "event_types": ["PUSH_ARTIFACT"],
        "targets": [{"type": "http", "address": "https://deploy.example.test/images", "skip_cert_verify": False}],
    })  # fmt: skip
    system.admin.must("POST", "/registries", json={
        "name": "edge-berlin", "type": "docker-registry", "url": "https://registry.berlin.example.test",
        "description": "What the shops in Berlin pull from",
    })  # fmt: skip
    (registry,) = system.admin.every("/registries", name="edge-berlin")
    system.admin.must("POST", "/replication/policies", json={
        "name": "releases-to-berlin", "dest_registry": {"id": registry["id"]}, "override": True, "enabled": True,
        "trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 0 2 * * *"}},
        "filters": [{"type": "name", "value": "storefront/**"}, {"type": "tag", "value": "[0-9]*"}],
    })  # fmt: skip


def _describe(system: System) -> None:
    (label,) = (row for row in system.admin.every("/labels", scope="p", project_id=_number(system, "storefront"))
                if row["name"] == "production")  # fmt: skip
    web = repository_path("storefront/web")
    system.admin.must("POST", f"{web}/artifacts/1.9.0/labels", json={"id": label["id"]})
    system.admin.must("PUT", web, json={"description": "The shop as customers see it."})
    system.admin.must("POST", "/projects/storefront/immutabletagrules", json={
        "disabled": False, "action": "immutable", "template": "immutable_template",
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "[0-9]*"}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    })  # fmt: skip


def _made(repository: str, tag: str) -> Image | Index:
    seed = f"{repository}:{tag}"
    if repository in OF_SEVERAL_PLATFORMS:
        return make_index(seed, layer_size=LAYER_BYTES)
    return make_image(seed, layers=3, layer_size=LAYER_BYTES)


def _tags_of(system: System, repository: str) -> set[str]:
    return {tag["name"] for row in system.admin.artifacts(repository) for tag in row["tags"] or ()}


def _number(system: System, project: str) -> int:
    return int(system.admin.get(f"/projects/{project}")["project_id"])
