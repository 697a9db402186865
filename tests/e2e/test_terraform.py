"""What Terraform's provider for Harbor asks, resource by resource: made, read without a difference, changed, destroyed.

Terraform itself is not run: its provider is no Debian package. What it sends and what it reads is told from its source.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.terraform import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.system import System

GIB = 2**30
NEVER = "0001-01-01T00:00:00Z"
"""Go's zero time, which the provider sends where it knows none."""


@pytest.fixture
def provider(system: System) -> Provider:
    return Provider(system.url, system.admin_name, system.admin_password)


@pytest.fixture
def name() -> str:
    return f"tf{secrets.token_hex(4)}"


@pytest.fixture
def project(provider: Provider, name: str) -> Iterator[str]:
    """The id of a project: its path."""
    path = provider.create("/projects", project_body(name))
    yield path
    provider.destroy(path)


def project_body(name: str, *, public: str = "false", quota: int = -1) -> dict[str, Any]:
    return {
        "project_name": name, "cve_allowlist": {}, "storage_limit": quota,
        "metadata": {
            "enable_content_trust": "false", "auto_scan": "true", "severity": "low", "reuse_sys_cve_allowlist": "true",
            "public": public, "prevent_vul": "false",
        },
    }  # fmt: skip


def number(path: str) -> int:
    return int(path.rpartition("/")[2])


def test_a_project_with_its_quota_is_made_changed_and_destroyed_with_what_is_in_it(
    system: System, provider: Provider, name: str
) -> None:
    path = provider.create("/projects", project_body(name))
    found = provider.read(path)
    assert (found["name"], path) == (name, f"/projects/{found['project_id']}")
    sent: dict[str, str] = project_body(name)["metadata"]
    assert {key: found["metadata"].get(key) for key in sent} == sent
    assert [each["project_id"] for each in provider.read(f"/projects?name={name}")] == [found["project_id"]]
    provider.update(path, project_body(name, public="true", quota=2 * GIB))
    assert provider.read(path)["metadata"]["public"] == "true"
    # the quota is changed apart: it is looked for page by page, until one is empty
    assert provider.read("/configurations")["quota_per_project_enable"]["value"] is True
    page, quotas = 1, []
    while rows := provider.read(f"/quotas/?page={page}&page_size=100"):
        quotas += [row for row in rows if row["ref"]["id"] == found["project_id"]]
        page += 1
    (quota,) = quotas
    provider.update(f"/quotas/{quota['id']}", {"hard": {"storage": 2 * GIB}})
    assert provider.read(f"/quotas/{quota['id']}")["hard"]["storage"] == 2 * GIB
    system.registry().push(f"{name}/deep/app", "v1", make_image(name))
    # even before the catalogue has heard of the push
    provider.send("DELETE", path, None, 412)
    eventually(lambda: provider.read(path)["repo_count"] == 1, within=20, what="it is catalogued")
    # with force_destroy its repositories go first, their slashes encoded twice
    (repository,) = provider.read(f"/projects/{name}/repositories?page=1&page_size=100")
    assert provider.read(f"/projects/{name}/repositories?page=2&page_size=100") == []
    within = repository["name"].removeprefix(f"{name}/").replace("/", "%252F")
    provider.send("DELETE", f"/projects/{name}/repositories/{within}", None, 200)
    provider.destroy(path)


def test_members_of_a_project(provider: Provider, project: str, system: System) -> None:
    somebody = system.new_person()
    body = {"role_id": 2, "member_group": {}, "member_user": {"username": somebody.name}}
    path = provider.create(f"{project}/members", body)
    found = provider.read(path)
    assert (found["role_id"], found["entity_name"], found["project_id"]) == (2, somebody.name, number(project))
    provider.update(path, body | {"role_id": 4})
    assert provider.read(path)["role_id"] == 4
    provider.destroy(path)


def test_a_user(provider: Provider, system: System, name: str) -> None:
    body = {
        "username": name, "password": "Of-terraf0rm", "realname": "Somebody", "email": f"{name}@example.test",
        "new_password": "Of-terraf0rm",
    }  # fmt: skip
    path = provider.create("/users", body)
    found = provider.read(path)
    assert (found["username"], found["realname"], found["email"]) == (name, "Somebody", f"{name}@example.test")
    assert found["sysadmin_flag"] is False
    changed = body | {"realname": "Somebody else", "password": "An0ther-one", "new_password": "An0ther-one"}
    provider.update(path, changed)
    provider.update(f"{path}/sysadmin", changed | {"sysadmin_flag": True})
    assert provider.read(path)["sysadmin_flag"] is True
    # false is empty, and left out
    provider.update(f"{path}/sysadmin", changed)
    provider.update(f"{path}/password", changed)
    found = provider.read(path)
    assert (found["realname"], found["sysadmin_flag"]) == ("Somebody else", False)
    assert system.login(name, "An0ther-one") == 200
    assert [each["username"] for each in provider.read(f"/users?page=1&q=username={name}")] == [name]
    provider.destroy(path)


@pytest.mark.parametrize("level", ["project", "system"])
def test_a_robot_account_shows_no_difference_once_it_is_made(
    provider: Provider, project: str, system: System, name: str, level: str
) -> None:
    project_name = provider.read(project)["name"]
    access = [
        {"action": action, "resource": "repository", "effect": "allow"} for action in ("pull", "push")
    ]
    body = {
        "name": name, "level": level, "description": "of Terraform", "duration": -1,
        "permissions": [{"access": access, "kind": "project", "namespace": project_name}],
    }  # fmt: skip
    made = provider.send("POST", "/robots", body, 201)
    path = made.headers["Location"].replace("/api", "").replace("/v2.0", "")
    assert path == f"/robots/{made.json()['id']}"
    assert made.json()["secret"]
    provider.send("PATCH", path, {"secret": "Given-by-terraf0rm"}, 200)
    found = provider.read(path)
    prefix = provider.read("/configurations")["robot_name_prefix"]["value"]
    short = found["name"].removeprefix(prefix)
    assert (short.partition("+")[2] if level == "project" else short) == name
    assert (found["level"], found["duration"], found["disable"]) == (level, -1, False)
    (permission,) = found["permissions"]
    assert (permission["kind"], permission["namespace"]) == ("project", project_name)
    assert sorted(permission["access"], key=lambda each: each["action"]) == access
    assert system.login(found["name"], "Given-by-terraf0rm") == 200
    provider.update(path, body | {"name": found["name"], "description": "changed", "disable": True})
    found = provider.read(path)
    assert (found["description"], found["disable"]) == ("changed", True)
    provider.destroy(path)


def test_a_registry(provider: Provider, system: System, name: str) -> None:
    body = {
        "credential": {"access_key": system.admin_name, "access_secret": system.admin_password, "type": "basic"},
        "name": name, "url": system.url, "insecure": True, "type": "harbor", "description": "another",
    }  # fmt: skip
    path = provider.create("/registries", body)
    found = provider.read(path)
    assert {key: found[key] for key in ("name", "url", "insecure", "type", "description")} == {
        key: value for key, value in body.items() if key != "credential"
    }
    assert found["credential"]["access_key"] == system.admin_name
    (listed,) = (each for each in provider.read(f"/registries?name={name}") if each["name"] == name)
    assert listed["id"] == found["id"] == number(path)
    provider.update(path, {"access_key": system.admin_name, "access_secret": system.admin_password,
                           "name": name, "url": system.url, "insecure": True, "description": "changed"})
    assert provider.read(path)["description"] == "changed"
    provider.destroy(path)


@pytest.fixture
def registry(provider: Provider, system: System, name: str) -> Iterator[int]:
    path = provider.create("/registries", {
        "credential": {"access_key": system.admin_name, "access_secret": system.admin_password, "type": "basic"},
        "name": name, "url": system.url, "insecure": True, "type": "harbor",
    })
    yield number(path)
    provider.destroy(path)


@pytest.mark.parametrize("action", ["push", "pull"])
def test_a_replication_policy(provider: Provider, registry: int, name: str, action: str) -> None:
    end = {"push": "dest_registry", "pull": "src_registry"}[action]
    body: dict[str, Any] = {
        "name": name, "id": 0, "src_registry": {}, "dest_registry": {}, "dest_namespace": "elsewhere",
        "dest_namespace_replace_count": 1, "enabled": True, "override": True, "speed": -1,
        "trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 0 3 * * *"}},
        "filters": [
            {"type": "name", "value": f"{name}/**"}, {"type": "tag", "value": "v*", "decoration": "excludes"},
            {"type": "resource", "value": "image"},
        ],
        end: {"id": registry},
    }  # fmt: skip
    path = provider.create("/replication/policies", body)
    found = provider.read(path)
    # by this alone it tells a push from a pull
    assert found[end]["id"] == registry
    assert (found["dest_registry"] or {}).get("id", 0) == (registry if action == "push" else 0)
    assert found["trigger"] == {"type": "scheduled", "trigger_settings": {"cron": "0 0 3 * * *"}}
    for key in ("name", "enabled", "override", "dest_namespace", "dest_namespace_replace_count"):
        assert found[key] == body[key], key
    # no limit is told as Harbor tells it, and read by nobody
    assert (found["deletion"], found["copy_by_chunk"], found["speed"]) == (False, False, 0)
    # what is false is left out of the body, and false it becomes
    changed = {key: value for key, value in body.items() if key != "override"} | {
        "enabled": False, "trigger": {"type": "manual", "trigger_settings": {}}, "deletion": True,
    }
    provider.update(path, changed)
    found = provider.read(path)
    assert (found["override"], found["enabled"], found["deletion"]) == (False, False, True)
    assert found["trigger"]["type"] == "manual"
    provider.update(path, changed | {"enabled": True})
    assert provider.read(path)["enabled"] is True
    provider.create("/replication/executions", {"policy_id": number(path)})
    provider.update(path, body)
    assert (provider.read(path)["deletion"], provider.read(path)["override"]) == (False, True)
    executions = f"/replication/executions?policy_id={number(path)}"
    for execution in provider.read(executions):
        provider.send("PUT", f"/replication/executions/{execution['id']}", None, 200)
    # what was under way is broken off within its next report; a policy with an execution stays
    eventually(
        lambda: all(each["status"] != "InProgress" for each in provider.read(executions)),
        within=20, what="what is stopped has ended",
    )  # fmt: skip
    provider.destroy(path)


def test_retention_of_a_project_is_made_found_where_it_is_there_and_emptied(provider: Provider, project: str) -> None:
    body: dict[str, Any] = {
        "algorithm": "or", "scope": {"level": "project", "ref": number(project)},
        "trigger": {"kind": "Schedule", "references": {}, "settings": {"cron": "0 0 0 * * *"}},
        "rules": [{
            "disabled": False, "action": "retain", "template": "latestPushedK", "params": {"latestPushedK": 5},
            "tag_selectors": [
                {"kind": "doublestar", "decoration": "matches", "pattern": "**", "extras": '{"untagged":true}'},
            ],
            "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
        }],
    }  # fmt: skip
    path = provider.create("/retentions", body)
    found = provider.read(path)
    assert found["scope"]["ref"] == number(project)
    assert found["trigger"]["settings"]["cron"] == "0 0 0 * * *"
    (rule,) = found["rules"]
    assert (rule["template"], rule["params"]["latestPushedK"], rule["disabled"]) == ("latestPushedK", 5, False)
    assert rule["tag_selectors"][0] == body["rules"][0]["tag_selectors"][0]
    assert rule["scope_selectors"]["repository"][0]["decoration"] == "repoMatches"
    # where there is one already, it is found by the project and put anew
    provider.send("POST", "/retentions", body, 400)
    assert path == f"/retentions/{provider.read(project)['metadata']['retention_id']}"
    provider.update(path, body)
    emptied = {"rules": [], "trigger": {"kind": "Schedule", "references": {}, "settings": {"cron": ""}}}
    provider.update(path, body | emptied | {"id": number(path)})
    assert provider.read(path)["rules"] == []


def test_a_rule_of_immutable_tags(provider: Provider, project: str) -> None:
    def body(pattern: str, rule: int = 0) -> dict[str, Any]:
        return {
            **({"id": rule} if rule else {}), "disabled": False, "action": "immutable",
            "template": "immutable_template", "scope": {"level": "", "ref": 0},
            "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": pattern}],
            "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
        }  # fmt: skip

    path = provider.create(f"{project}/immutabletagrules", body("v1*"))
    assert path.startswith(f"{project}/immutabletagrules/")
    (found,) = provider.read(f"{project}/immutabletagrules")
    assert (found["id"], found["tag_selectors"][0]["pattern"]) == (number(path), "v1*")
    assert found["scope_selectors"]["repository"][0]["decoration"] == "repoMatches"
    provider.update(path, body("v2*", number(path)))
    (found,) = provider.read(f"{project}/immutabletagrules")
    assert found["tag_selectors"][0]["pattern"] == "v2*"
    provider.send("DELETE", path, None, 200)
    assert provider.read(f"{project}/immutabletagrules") == []


def test_a_webhook(provider: Provider, project: str, name: str) -> None:
    target = {"type": "http", "auth_header": "", "skip_cert_verify": True, "address": "http://127.0.0.1:9/hook"}
    body: dict[str, Any] = {
        "update_time": NEVER, "description": "", "creator": "", "creation_time": NEVER, "enabled": True,
        "targets": [target], "event_types": ["PUSH_ARTIFACT", "DELETE_ARTIFACT"], "project_id": 0, "id": 0,
        "name": name,
    }  # fmt: skip
    path = provider.create(f"{project}/webhook/policies", body)
    found = provider.read(path)
    assert (found["name"], found["enabled"], found["event_types"]) == (name, True, body["event_types"])
    # what is not there is empty to the provider
    assert {key: found["targets"][0].get(key, "") for key in target} == target
    provider.update(path, body | {"enabled": False})
    assert provider.read(path)["enabled"] is False
    provider.destroy(path)


@pytest.mark.parametrize("scope", ["g", "p"])
def test_a_label(provider: Provider, project: str, name: str, scope: str) -> None:
    of = {"project_id": number(project)} if scope == "p" else {}
    body = {"name": name, "description": "of Terraform", "color": "#FFFFFF", "scope": scope, **of}
    path = provider.create("/labels", body)
    found = provider.read(path)
    assert {key: found[key] for key in ("name", "description", "color", "scope")} == {
        key: body[key] for key in ("name", "description", "color", "scope")
    }
    provider.update(path, body | {"color": "#000000"})
    assert provider.read(path)["color"] == "#000000"
    provider.destroy(path)


@pytest.mark.parametrize(
    ("path", "parameters", "read_back"),
    [
        ("/system/gc/schedule", {"delete_untagged": True, "workers": 1}, {"delete_untagged": True}),
        ("/system/purgeaudit/schedule",
         {"audit_retention_hour": 720, "include_operations": "create,delete,pull"}, {"audit_retention_hour": 720}),
    ],
)  # fmt: skip
def test_a_schedule_of_the_system(
    provider: Provider, path: str, parameters: dict[str, Any], read_back: dict[str, Any]
) -> None:
    body = {"schedule": {"type": "Daily", "cron": "0 0 0 * * *"}, "parameters": parameters}
    # where nothing is answered there is none yet, and it is made; else it is put anew
    there = provider.send("GET", path, None, 200).text
    provider.send("PUT" if there else "POST", path, body, 200 if there else 201)
    found = provider.read(path)
    assert found["schedule"]["type"] == "Daily"
    kept = json.loads(found["job_parameters"])
    assert {key: kept[key] for key in read_back} == read_back
    provider.update(path, body | {"schedule": {"type": "Weekly", "cron": "0 0 0 * * 0"}})
    assert provider.read(path)["schedule"]["type"] == "Weekly"
    provider.update(path, {"schedule": {"type": "None"}, "parameters": {}})
    after = provider.send("GET", path, None, 200)
    assert not after.text or "schedule" not in after.json()
    # and made once more afterwards
    there = after.text
    provider.send("PUT" if there else "POST", path, body, 200 if there else 201)
    provider.update(path, {"schedule": {"type": "None"}, "parameters": {}})


@pytest.mark.parametrize(
    "body",
    [
        {"project_creation_restriction": "adminonly", "read_only": False, "scanner_skip_update_pulltime": False,
         "robot_token_duration": 45, "quota_per_project_enable": True, "robot_name_prefix": "robot$",
         "storage_per_project": -1},
        {"auth_mode": "db_auth", "primary_auth_mode": False, "oidc_verify_cert": False, "oidc_auto_onboard": False,
         "ldap_verify_cert": True, "ldap_scope": 2, "ldap_group_search_scope": 1,
         "ldap_group_membership_attribute": "member"},
        {"email_host": "mail.example.test", "email_port": 25, "email_ssl": False, "email_insecure": False},
    ],
    ids=["system", "auth", "email"],
)  # fmt: skip
def test_the_systems_configuration(provider: Provider, body: dict[str, Any]) -> None:
    before = provider.read("/configurations")
    provider.update("/configurations", body)
    found = provider.read("/configurations")
    # of mail there is no feature, here as in Harbor: what is not known is passed over
    assert all(found[key]["value"] == value for key, value in body.items() if not key.startswith("email_"))
    provider.update("/configurations", {key: before[key]["value"] for key in body if key in before})
