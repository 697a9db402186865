"""The audit record through the API, in the forms of both generations: what is seen, and by whom."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from services.audit.commands import record_batch
from services.audit.domain.chain import ChainKey
from shared.db import engine, session_factory
from shared.events.envelope import parse
from shared.secrets import Secret
from tests.integration.core.people import ADMIN, NOBODY, Api, Caller

Recorded = Callable[[], None]
KEY = ChainKey(Secret("the chain's key of a test"))


@pytest.fixture
def recorded(api: Api) -> Iterator[Recorded]:
    """Have the audit service take what waits in the outbox, as it does when the relay has passed it on."""
    bind = engine(api.database.settings("audit"))

    def record() -> None:
        with api.database.superuser() as connection:
            rows = connection.execute("SELECT body FROM events.outbox ORDER BY id").fetchall()
        with session_factory(bind).begin() as session:
            record_batch(session, [parse(row[0]) for row in rows], key=KEY, now=datetime.now(UTC))

    yield record
    bind.dispose()


def resources(api: Api, path: str, caller: Caller = ADMIN) -> list[tuple[str, str]]:
    return [(each["operation"], each["resource"]) for each in api.get(path, caller).json]


def test_what_an_administrator_does_is_on_record_in_both_forms(api: Api, recorded: Recorded) -> None:
    project = api.project()
    member = api.member(project, "developer")
    recorded()
    old = api.get(f"/projects/{project}/logs").json
    new = api.get(f"/projects/{project}/auditlog-exts").json
    assert [(each["operation"], each["resource_type"], each["resource"]) for each in old] == [
        ("create", "member", f"{project}/{member.name}"),
        ("create", "project", project),
    ]
    assert set(old[0]) == {"id", "username", "resource", "resource_type", "operation", "op_time"}
    assert [{key: each[key] for key in old[0]} for each in new] == old
    assert new[0]["operation_description"] == f"add user {member.name} to {project} as developer"
    assert new[0]["operation_result"] is True
    assert {each["username"] for each in new} == {"admin"}


def test_only_a_projects_administrators_and_the_systems_see_its_log(api: Api, recorded: Recorded) -> None:
    own, foreign = api.project(), api.project()
    administrator = api.member(own, "projectAdmin")
    maintainer = api.member(own, "maintainer")
    of_project = api.robot(own, ("log", "list"))
    of_system = api.robot(None, system=(("audit-log", "list"),))
    recorded()
    for path in ("/audit-logs", "/auditlog-exts"):
        seen = {
            name: {resource for _, resource in resources(api, f"{path}?page_size=100", caller)}
            for name, caller in {
                "administrator": administrator, "maintainer": maintainer, "robot": of_project, "system": of_system,
                "admin": ADMIN,
            }.items()
        }  # fmt: skip
        assert own in seen["administrator"]
        assert foreign not in seen["administrator"]
        assert seen["administrator"] == seen["robot"]
        assert seen["maintainer"] == set()
        assert {own, foreign} <= seen["admin"] == seen["system"]
        assert api.get(path, NOBODY).status_code == 401


@pytest.mark.parametrize("path", ["/audit-logs", "/auditlog-exts"])
def test_the_record_of_one_project_is_asked_for_by_its_number(api: Api, recorded: Recorded, path: str) -> None:
    own, foreign = api.project(), api.project()
    numbers = {name: api.get(f"/projects/{name}").json["project_id"] for name in (own, foreign)}
    administrator = api.member(own, "projectAdmin")
    of_system = api.robot(None, system=(("audit-log", "list"),))
    recorded()
    for caller in (ADMIN, of_system, administrator):
        seen = api.get(f"{path}?q=project_id={numbers[own]}", caller)
        assert [each["resource"] for each in seen.json] == [f"{own}/{administrator.name}", own]
        assert seen.headers["x-total-count"] == "2"
    assert resources(api, f"{path}?q=ProjectID={numbers[foreign]}") == [("create", foreign)]
    assert resources(api, f"{path}?q=project_id={numbers[foreign]}", administrator) == []
    assert resources(api, f"{path}?q=project_id=999999999") == []
    both = f"{path}?q=project_id={{{numbers[own]} {numbers[foreign]}}},resource_type=project"
    assert resources(api, both) == [("create", foreign), ("create", own)]
    assert resources(api, both, administrator) == [("create", own)]
    assert api.get(f"{path}?q=project_id=library").status_code == 400


def test_the_record_of_a_deleted_project_is_not_its_namesakes(api: Api, recorded: Recorded) -> None:
    name = api.project()
    api.member(name, "guest")
    api.send("DELETE", f"/projects/{name}")
    with api.database.superuser() as connection:
        later = "UPDATE core.projects SET deleted_at = deleted_at - interval '6 minutes' WHERE name = %s"
        connection.execute(later, (name,))
    newcomer = api.user()
    api.made("/projects", {"project_name": name}, newcomer)
    recorded()
    assert resources(api, f"/projects/{name}/logs", newcomer) == [("create", name)]
    assert resources(api, "/audit-logs", newcomer) == [("create", name)]


def test_records_are_paged_and_filtered(api: Api, recorded: Recorded) -> None:
    project = api.project()
    for _ in range(3):
        api.member(project, "guest")
    recorded()
    path = f"/projects/{project}/logs"
    first = api.get(f"{path}?page_size=2")
    assert first.headers["x-total-count"] == "4"
    assert 'page=2&page_size=2>; rel="next"' in first.headers["link"]
    following = first.headers["link"].partition(">")[0].removeprefix("<")
    assert "cursor=" in following
    assert api.get(following).json == api.get(f"{path}?page=2&page_size=2").json
    assert "cursor=" not in api.get(following).headers["link"]
    assert resources(api, f"{path}?q=resource_type=project") == [("create", project)]
    assert len(resources(api, f"{path}?q=operation=create,resource_type=member")) == 3
    assert resources(api, f"{path}?sort=op_time&page_size=1") == [("create", project)]
    assert api.get(f"{path}?q=op_time=[soon~]").status_code == 400
    assert api.get(f"{path}?page_size=0").headers["x-total-count"] == "4"


def test_the_kinds_of_records_have_harbors_names(api: Api) -> None:
    kinds = {each["event_type"] for each in api.get("/auditlog-exts/events", api.user()).json}
    assert kinds >= {
        "create_artifact", "delete_artifact", "pull_artifact", "create_project", "delete_project", "update_project",
        "delete_repository", "login_user", "create_user", "delete_user", "update_user", "create_robot", "delete_robot",
        "update_configuration", "create_member", "delete_member", "update_member",
    }  # fmt: skip
