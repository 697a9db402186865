"""Every operation that is built, once with success, held against the API's description; the rest answers 501."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from falcon.testing import TestClient

from gateway.core.app import build
from gateway.core.openapi.operations import OPERATIONS
from gateway.core.unbuilt import UNBUILT
from services.api.commands.observation import observe
from shared.auth.login import build_login
from shared.db import engine, session_factory
from shared.names import RepositoryName, TagName
from tests.clients.images import make_image, make_index
from tests.integration.conftest import Database
from tests.integration.core import company
from tests.integration.core.described import OwnDescription, Reads
from tests.integration.core.people import ADMIN, NOBODY, PASSWORD, Api
from tests.integration.core.rows import delivery_of, execution_of, line_of
from tests.integration.core.swagger import DESCRIPTION, Description
from tests.integration.registry_rig import Pusher, registry_server, token_mount
from tests.slapd import LOOPBACK, slapd

pytestmark = pytest.mark.skipif(not DESCRIPTION.exists(), reason=f"the API's description is not at {DESCRIPTION}")

REPOSITORY = "/projects/{project}/repositories/{repository}"
ARTIFACT = REPOSITORY + "/artifacts/{reference}"
NEW_ROBOT = {
    "name": "robot", "level": "system", "duration": -1,
    "permissions": [{"kind": "project", "namespace": "*", "access": [{"resource": "repository", "action": "pull"}]}],
}  # fmt: skip
IMMUTABLE_RULE = {
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "held-*"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}
POLICY = "/projects/{project}/webhook/policies/{webhook_policy_id}"
NEW_POLICY = {
    "name": "hook", "description": "described", "enabled": True, "event_types": ["PUSH_ARTIFACT", "QUOTA_EXCEED"],
    "targets": [{"type": "http", "address": "https://hooks.example.test/in", "auth_header": "Bearer x"}],
}  # fmt: skip
RETENTION = {
    "algorithm": "or",
    "rules": [IMMUTABLE_RULE | {"action": "retain", "template": "latestPushedK", "params": {"latestPushedK": 3}}],
    "trigger": {"kind": "Schedule", "settings": {"cron": "0 0 0 * * *"}},
}
PURGE = {"parameters": {"audit_retention_hour": 24, "include_event_types": "pull_artifact", "dry_run": True}}
REGISTRY = {
    "name": "elsewhere", "description": "described", "type": "harbor", "url": "https://elsewhere.example.test",
    "credential": {"type": "basic", "access_key": "robot", "access_secret": "x"},
    "proxy": "http://proxy.example.test:3128",
}  # fmt: skip
REPLICATION = {
    "name": "copies", "description": "described", "enabled": True,
    "trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 0 2 * * *"}},
    "filters": [{"type": "name", "value": "library/**"}, {"type": "label", "value": ["stable"]},
                {"type": "tag", "value": "v*", "decoration": "excludes"}],
}  # fmt: skip
STARTED = {"dry_run": True}
NEW_USER = {"username": "new", "email": "new@example.test", "realname": "New", "password": PASSWORD}

# In this order: what is made is read, changed, and then deleted.
CALLS: list[tuple[str, str, str, object]] = [
    ("GET", "/ping", "", None),
    ("GET", "/health", "", None),
    ("GET", "/systeminfo", "", None),
    ("GET", "/systeminfo/volumes", "", None),
    ("GET", "/statistics", "", None),
    ("GET", "/search", "?q=a", None),
    ("GET", "/permissions", "", None),
    ("GET", "/configurations", "", None),
    ("PUT", "/configurations", "", {"storage_per_project": -1}),
    ("GET", "/internalconfig", "", None),
    ("PUT", "/system/CVEAllowlist", "", {"items": [{"cve_id": "CVE-2019-10164"}], "expires_at": 1893456000}),
    ("GET", "/system/CVEAllowlist", "", None),
    ("GET", "/users", "", None),
    ("POST", "/users", "", NEW_USER),
    ("GET", "/users/current", "", None),
    ("GET", "/users/current/permissions", "?scope=/project/{project}", None),
    ("GET", "/users/search", "?username=a", None),
    ("GET", "/users/{user_id}", "", None),
    ("PUT", "/users/{user_id}", "", {"email": "u@example.test", "realname": "U", "comment": "c"}),
    ("PUT", "/users/{user_id}/sysadmin", "", {"sysadmin_flag": True}),
    ("PUT", "/users/{user_id}/password", "", {"new_password": "Another1horse"}),
    ("DELETE", "/users/{user_id}", "", None),
    ("GET", "/projects", "", None),
    ("HEAD", "/projects", "?project_name={project}", None),
    ("POST", "/projects", "", {"project_name": "made", "metadata": {"public": "false"}, "storage_limit": -1}),
    ("GET", "/projects/{project}", "", None),
    ("PUT", "/projects/{project}", "", {
        "metadata": {"public": "true", "auto_scan": "true"},
        "cve_allowlist": {"items": [{"cve_id": "CVE-2019-10164"}], "expires_at": 1_893_456_000},
    }),
    ("GET", "/projects/{project}", "", None),
    ("GET", "/projects/{project}/_deletable", "", None),
    ("GET", "/projects/{project}/summary", "", None),
    ("GET", "/projects/{project}/members", "", None),
    ("POST", "/projects/{project}/members", "", {"role_id": 2, "member_user": {"username": "member"}}),
    ("GET", "/projects/{project}/members/{member_id}", "", None),
    ("PUT", "/projects/{project}/members/{member_id}", "", {"role_id": 3}),
    ("DELETE", "/projects/{project}/members/{member_id}", "", None),
    ("POST", "/projects/{project}/metadatas", "", {"prevent_vul": "true"}),
    ("GET", "/projects/{project}/metadatas", "", None),
    ("GET", "/projects/{project}/metadatas/{meta_name}", "", None),
    ("PUT", "/projects/{project}/metadatas/{meta_name}", "", {"prevent_vul": "false"}),
    ("DELETE", "/projects/{project}/metadatas/{meta_name}", "", None),
    ("GET", "/projects/{project}/immutabletagrules", "", None),
    ("POST", "/projects/{project}/immutabletagrules", "", IMMUTABLE_RULE),
    ("PUT", "/projects/{project}/immutabletagrules/{immutable_rule_id}", "", IMMUTABLE_RULE | {"disabled": True}),
    ("DELETE", "/projects/{project}/immutabletagrules/{immutable_rule_id}", "", None),
    ("GET", "/retentions/metadatas", "", None),
    ("POST", "/retentions", "", RETENTION),
    ("GET", "/retentions/{id}", "", None),
    ("PUT", "/retentions/{id}", "", RETENTION),
    ("POST", "/retentions/{id}/executions", "", {"dry_run": True}),
    ("GET", "/retentions/{id}/executions", "", None),
    ("GET", "/retentions/{id}/executions/{eid}/tasks", "", None),
    ("GET", "/retentions/{id}/executions/{eid}/tasks/{tid}", "", None),
    ("PATCH", "/retentions/{id}/executions/{eid}", "", {"action": "stop"}),
    ("GET", "/schedules", "", None),
    ("GET", "/schedules/{job_type}/paused", "", None),
    ("DELETE", "/retentions/{id}", "", None),
    ("POST", "/system/purgeaudit/schedule", "", PURGE | {"schedule": {"type": "Daily", "cron": "0 0 0 * * *"}}),
    ("GET", "/system/purgeaudit/schedule", "", None),
    ("PUT", "/system/purgeaudit/schedule", "", PURGE | {"schedule": {"type": "Manual"}}),
    ("GET", "/system/purgeaudit", "", None),
    ("GET", "/system/purgeaudit/{purge_id}", "", None),
    ("PUT", "/system/purgeaudit/{purge_id}", "", None),
    ("GET", "/system/purgeaudit/{purge_id}/log", "", None),
    ("GET", "/jobservice/pools", "", None),
    ("GET", "/jobservice/pools/{pool_id}/workers", "", None),
    ("GET", "/jobservice/queues", "", None),
    ("GET", "/jobservice/jobs/{job_id}/log", "", None),
    ("POST", "/registries", "", REGISTRY),
    ("GET", "/registries", "?name=else", None),
    ("GET", "/registries/{id}", "", None),
    ("PUT", "/registries/{id}", "", {"description": "changed"}),
    ("GET", "/registries/{id}/info", "", None),
    ("GET", "/replication/adapters", "", None),
    ("GET", "/replication/adapterinfos", "", None),
    ("POST", "/replication/policies", "", REPLICATION),
    ("GET", "/replication/policies", "?name=cop", None),
    ("GET", "/replication/policies/{id}", "", None),
    ("PUT", "/replication/policies/{id}", "", REPLICATION | {"description": "changed"}),
    ("POST", "/replication/executions", "", STARTED),
    ("GET", "/replication/executions", "?status=InProgress&trigger=manual", None),
    ("GET", "/replication/executions/{id}", "", None),
    ("GET", "/replication/executions/{id}/tasks", "?status=Failed&resource_type=image", None),
    ("GET", "/replication/executions/{id}/tasks/{task_id}/log", "", None),
    ("PUT", "/replication/executions/{id}", "", None),
    ("POST", "/replication/policies", "", REPLICATION | {"name": "another"}),
    ("DELETE", "/replication/policies/{id}", "", None),
    ("POST", "/registries", "", REGISTRY | {"name": "another"}),
    ("DELETE", "/registries/{id}", "", None),
    ("GET", "/quotas", "", None),
    ("GET", "/quotas/{quota_id}", "", None),
    ("PUT", "/quotas/{quota_id}", "", {"hard": {"storage": 10**12}}),
    ("GET", "/projects/{project}/artifacts", "", None),
    ("GET", "/projects/{project}/logs", "", None),
    ("GET", "/projects/{project}/auditlog-exts", "", None),
    ("GET", "/audit-logs", "", None),
    ("GET", "/auditlog-exts", "", None),
    ("GET", "/auditlog-exts/events", "", None),
    ("GET", "/repositories", "", None),
    ("GET", "/projects/{project}/repositories", "", None),
    ("GET", REPOSITORY, "", None),
    ("PUT", REPOSITORY, "", {"description": "described"}),
    ("GET", REPOSITORY + "/artifacts", "?with_immutable_status=true", None),
    ("POST", REPOSITORY + "/artifacts", "?from={project}/a/b:many", None),
    ("GET", ARTIFACT, "", None),
    ("POST", "/labels", "", {"name": "first", "scope": "g", "color": "#0065AB", "description": "of this instance"}),
    ("GET", "/labels", "?scope=g", None),
    ("GET", "/labels/{label_id}", "", None),
    ("PUT", "/labels/{label_id}", "", {"name": "changed"}),
    ("POST", ARTIFACT + "/labels", "", {"id": 1}),
    ("GET", ARTIFACT, "?with_label=true", None),
    ("DELETE", ARTIFACT + "/labels/{label_id}", "", None),
    ("DELETE", "/labels/{label_id}", "", None),
    ("GET", ARTIFACT + "/accessories", "", None),
    ("GET", ARTIFACT + "/additions/{addition}", "", None),
    ("GET", ARTIFACT + "/tags", "", None),
    ("POST", ARTIFACT + "/tags", "", {"name": "second"}),
    ("DELETE", ARTIFACT + "/tags/{tag}", "", None),
    ("DELETE", ARTIFACT, "", None),
    ("DELETE", REPOSITORY, "", None),
    ("GET", "/robots", "", None),
    ("POST", "/robots", "", NEW_ROBOT),
    ("GET", "/robots/{robot_id}", "", None),
    ("PUT", "/robots/{robot_id}", "", {"description": "described", "disable": True, "duration": 30}),
    ("PATCH", "/robots/{robot_id}", "", {"secret": ""}),
    ("DELETE", "/robots/{robot_id}", "", None),
    ("GET", "/projects/{project}/webhook/events", "", None),
    ("POST", "/projects/{project}/webhook/policies", "", NEW_POLICY),
    ("GET", "/projects/{project}/webhook/policies", "", None),
    ("GET", POLICY, "", None),
    ("PUT", POLICY, "", NEW_POLICY | {"name": "another"}),
    ("GET", POLICY + "/executions", "", None),
    ("GET", POLICY + "/executions/{execution_id}/tasks", "", None),
    ("GET", POLICY + "/executions/{execution_id}/tasks/{task_id}/log", "", None),
    ("GET", "/projects/{project}/webhook/lasttrigger", "", None),
    ("GET", "/projects/{project}/webhook/jobs", "?policy_id={webhook_policy_id}", None),
    ("DELETE", POLICY, "", None),
    ("DELETE", "/projects/{project}", "", None),
]  # fmt: skip
# The same with a directory, in whose mode nobody makes users of the database.
WITH_DIRECTORY: list[tuple[str, str, str, object]] = [
    ("POST", "/ldap/ping", "", {}),
    ("GET", "/ldap/users/search", "?username=p001", None),
    ("POST", "/ldap/users/import", "", {"ldap_uid_list": ["p001"]}),
    ("GET", "/ldap/groups/search", "?groupname=team01", None),
    ("POST", "/usergroups", "", {"group_type": 1, "ldap_group_dn": "cn=team01,ou=groups,dc=example,dc=test"}),
    ("GET", "/usergroups", "", None),
    ("GET", "/usergroups/search", "?groupname=team", None),
    ("GET", "/usergroups/{group_id}", "", None),
    ("PUT", "/usergroups/{group_id}", "", {"group_name": "first"}),
    ("DELETE", "/usergroups/{group_id}", "", None),
]
WITHOUT_SUCCESS = {("GET", "/systeminfo/getcert"), ("POST", "/registries/ping")}
"""Answers 404 where no certificate is configured, and 400 where no other registry is: each has a test of its own."""
OURS = {
    "/users/current/roles",
    "/users/{user_id}/refresh_tokens",
    "/users/{user_id}/refresh_tokens/{token_id}",
    "/system/queues",
    "/system/queues/{queue}/dead_letters",
    "/system/queues/{queue}/dead_letters/{letter_id}",
    "/openapi.json",
    "/statistics/daily",
    "/statistics/quotas",
    "/system/audit-checks",
    POLICY + "/test",
    POLICY + "/redelivery",
    POLICY + "/executions/{execution_id}/redelivery",
}


@dataclass(frozen=True)
class World:
    """An instance with a registry behind it, one project in it, and the names that paths need."""

    api: Api
    names: dict[str, str]


@pytest.fixture(scope="module")
def described() -> Description:
    return Description()


@pytest.fixture(scope="module")
def own(world: World) -> OwnDescription:
    return OwnDescription(world.api.get("/openapi.json", NOBODY).json)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


@pytest.fixture(scope="module")
def world(core_database: Database) -> Iterator[World]:
    with token_mount(core_database.server) as tokens, registry_server(tokens) as registry:
        settings = core_database.settings(
            "core", registry_socket=registry.socket, token_socket=tokens.socket, outbound_allow=LOOPBACK
        )
        bind, metadata = engine(settings, pool_size=12), engine(core_database.settings("metadata"))
        login = build_login(settings, bind)
        api = Api(TestClient(build(settings, bind, login)), core_database)
        name, member = api.project(), api.user()
        with core_database.superuser() as connection:
            connection.execute("UPDATE core.users SET username = 'member' WHERE username = %s", (member.name,))
        pusher, repository = Pusher(tokens=tokens, socket=registry.socket), f"{name}/a/b"
        pusher.push(repository, "first", make_image("one"))
        pusher.push(repository, "many", make_index("two"))
        with session_factory(metadata).begin() as session:
            now = datetime.now(UTC)
            tags = {TagName("first"): now, TagName("many"): now}
            observe(session, registry.client(tokens), RepositoryName.parse(repository), digests={}, tags=tags)
        names = {
            "project": name, "repository": "a%252Fb", "reference": "first", "tag": "second",
            "addition": "build_history", "meta_name": "prevent_vul",
            "quota_id": str(api.get(f"/projects/{name}").json["project_id"]), "job_type": "all", "tid": "1",
            "purge_id": "1", "pool_id": "all", "job_id": "purge_audit_log-1",
        }  # fmt: skip
        yield World(api, names)
        login.ldap.close()
        bind.dispose()
        metadata.dispose()


@pytest.mark.parametrize(("method", "path", "query", "body"), CALLS, ids=[f"{call[0]} {call[1]}" for call in CALLS])
def test_an_operation_answers_as_it_is_described(
    world: World, described: Description, own: OwnDescription, reads: Reads,
    method: str, path: str, query: str, body: object,
) -> None:
    if path.startswith("/replication") and isinstance(body, dict):
        body = body | {"dest_registry": {"id": int(world.names["registry"])}, "policy_id": int(world.names["id"])}
    if body is RETENTION:
        body = RETENTION | {"scope": {"level": "project", "ref": int(world.names["quota_id"])}}
    answer = world.api.send(method, (path + query).format(**world.names), ADMIN, body)
    assert answer.status_code < 300, answer.text
    described.check(method, path, answer)
    own.check(method, path, answer)
    reads.check(OPERATIONS[method, path])
    if method == "POST" and "location" in answer.headers:
        assert answer.headers["location"].startswith("/api/v2.0/")
        status = world.api.get(answer.headers["location"]).status_code
        assert status == (405 if path.endswith(("immutabletagrules", "{id}/executions")) else 200)
        _remember(world, path, answer.headers["location"].rpartition("/")[2])


def _remember(world: World, path: str, number: str) -> None:
    """Let the paths that follow name what was made."""
    if path.startswith(("/registries", "/replication")):
        world.names["id"] = number
        if path == "/registries":
            world.names.setdefault("registry", number)
        if path == "/replication/executions":
            execution, [task] = execution_of(world.api, int(world.names["policy"]), "running", "failed")
            line_of(world.api, task, "written down")
            world.names.update(id=str(execution), task_id=str(task))
        if path == "/replication/policies":
            world.names["policy"] = number
        return
    kind = path.rstrip("s").rpartition("/")[2]
    kind = {"immutabletagrule": "immutable_rule", "policie": "webhook_policy"}.get(kind, kind)
    name = {"retention": "id", "execution": "eid"}.get(kind, f"{kind}_id")
    world.names[name] = number
    if kind == "webhook_policy":
        execution, task = delivery_of(world.api, int(number))
        world.names.update(execution_id=str(execution), task_id=str(task))


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/projects?page_size=101", None, 422),
        ("GET", "/projects?q=name", None, 400),
        ("POST", "/projects", {"project_name": "NO NAME"}, 400),
        ("POST", "/projects", {"project_name": "library"}, 409),
        ("GET", "/projects/none", None, 404),
        ("POST", "/users", {"username": "x"}, 400),
        ("GET", "/users/999999", None, 404),
        ("POST", "/robots", {"name": "x", "level": "system", "permissions": []}, 400),
    ],
)
def test_a_refusal_has_the_described_shape(
    world: World, described: Description, own: OwnDescription, method: str, path: str, body: object, status: int
) -> None:
    answer = world.api.send(method, path, ADMIN, body)
    assert answer.status_code == status
    template = path.partition("?")[0].replace("/none", "/{project}").replace("/999999", "/{user_id}")
    described.check(method, template, answer)
    own.check(method, template, answer)


@pytest.fixture(scope="module")
def directory(world: World) -> Iterator[dict[str, str]]:
    """The names that paths of groups need, while logins go to a directory."""
    with slapd(company.PEOPLE, company.GROUPS) as running:
        company.configure(world.api, running)
        yield {"group_id": "0"}
        company.configure(world.api, running, auth_mode="db_auth", ldap_url="")


@pytest.mark.parametrize(
    ("method", "path", "query", "body"), WITH_DIRECTORY, ids=[f"{call[0]} {call[1]}" for call in WITH_DIRECTORY]
)
def test_an_operation_with_the_directory_answers_as_it_is_described(
    world: World, directory: dict[str, str], described: Description, method: str, path: str, query: str, body: object
) -> None:
    answer = world.api.send(method, (path + query).format(**directory), ADMIN, body)
    assert answer.status_code < 300, answer.text
    described.check(method, path, answer)
    if "location" in answer.headers:
        assert world.api.get(answer.headers["location"]).status_code == 200
        directory["group_id"] = answer.headers["location"].rpartition("/")[2]


def test_every_operation_of_the_description_is_built_or_says_that_it_is_not(described: Description, api: Api) -> None:
    unbuilt = {(method, path) for path, methods in UNBUILT.items() for method in methods.split()}
    built = {(method, path) for method, path in api.built() if path not in OURS}
    assert built | unbuilt == described.operations()
    assert built & unbuilt == set()


def test_every_built_operation_is_in_the_systems_own_description(own: OwnDescription, api: Api) -> None:
    assert own.operations() == api.built() - {("GET", "/openapi.json")}


def test_every_built_operation_is_held_against_the_description(api: Api) -> None:
    called = {(method, path) for method, path, _, _ in CALLS + WITH_DIRECTORY} | WITHOUT_SUCCESS
    assert {(method, path) for method, path in api.built() if path not in OURS} == called


@pytest.mark.parametrize(("path", "methods"), UNBUILT.items())
def test_what_is_not_built_says_so(api: Api, path: str, methods: str) -> None:
    target = path.replace("{", "").replace("}", "")
    for method in methods.split():
        answer = api.send(method, target, ADMIN)
        assert answer.status_code == 501
        assert answer.json["errors"][0]["code"] == "NOT_IMPLEMENTED"
