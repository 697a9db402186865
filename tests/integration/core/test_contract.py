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
from tests.integration.core.calls import CALLS, OURS, RETENTION, WITH_DIRECTORY, WITHOUT_SUCCESS
from tests.integration.core.described import OwnDescription, Reads
from tests.integration.core.people import ADMIN, NOBODY, Api
from tests.integration.core.rows import delivery_of, execution_of, line_of
from tests.integration.core.swagger import DESCRIPTION, Description
from tests.integration.registry_rig import Pusher, registry_server, token_mount
from tests.slapd import LOOPBACK, slapd

pytestmark = pytest.mark.skipif(not DESCRIPTION.exists(), reason=f"the API's description is not at {DESCRIPTION}")


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
            "purge_id": "1", "gc_id": "1", "pool_id": "all", "job_id": "purge_audit_log-1",
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
