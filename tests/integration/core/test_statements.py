"""How many statements a page costs: the same for one row and for a hundred."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.integration.core.people import ADMIN, Api, Caller
from tests.integration.core.rows import artifact_of, delivery_of, label_of


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that any engine executes, the login's own on plain connections left out."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:  # noqa: ANN401 - SQLAlchemy's hook
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture(scope="module")
def project(api: Api) -> str:
    name = api.project()
    for number in range(4):
        artifact_of(api, name, f"app{number}", "v1", "v2")
        artifact_of(api, name, "app0", f"w{number}")
        api.member(name, "guest")
        api.robot(name, ("repository", "pull"))
        api.project(public=True)
        label_of(api, name)
        policy = api.made(f"/projects/{name}/webhook/policies", {
            "name": f"hook{number}", "event_types": ["PUSH_ARTIFACT"],
            "targets": [{"type": "http", "address": "https://hooks.example.test/"}] * 2,
        })  # fmt: skip
        for _ in range(2):
            delivery_of(api, policy)
    with api.database.superuser() as connection:
        connection.execute(
            """
            INSERT INTO core.artifact_labels (artifact_id, label_id)
            SELECT a.id, l.id FROM core.projects p JOIN core.artifacts a ON a.project_id = p.id
            JOIN core.labels l ON l.project_id = p.id WHERE p.name = %s
            """,
            (name,),
        )
    return name


@pytest.mark.parametrize("as_admin", [True, False], ids=["administrator", "member"])
@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/projects", 3),
        ("/projects/{project}/members", 2),
        ("/projects/{project}/repositories", 2),
        ("/projects/{project}/repositories/app0/artifacts", 4),
        ("/projects/{project}/repositories/app0/artifacts?with_label=true", 5),
        ("/projects/{project}/artifacts", 4),
        ("/projects/{project}/artifacts?with_label=true", 5),
        ("/labels?scope=p&project_id={number}", 3),
        ("/repositories", 3),
        ("/robots?q=Level=project,ProjectID={number}", 5),
        ("/search?q=project", 4),
        ("/projects/{project}/webhook/policies", 3),
        ("/projects/{project}/webhook/policies/{policy}/executions", 4),
    ],
)
def test_a_page_costs_the_same_however_long_it_is(
    api: Api, project: str, path: str, most: int, *, as_admin: bool
) -> None:
    caller = ADMIN if as_admin else api.member(project, "projectAdmin")
    number = api.get(f"/projects/{project}").json["project_id"]
    policy = api.get(f"/projects/{project}/webhook/policies").json[0]["id"]
    target = path.format(project=project, number=number, policy=policy)
    counts = {size: _count(api, target, size, caller) for size in (1, 100)}
    assert counts[1] == counts[100] <= most


def _count(api: Api, target: str, size: int, caller: Caller) -> int:
    joint = "&" if "?" in target else "?"
    api.get(target, caller)
    with statements() as seen:
        answer = api.get(f"{target}{joint}page_size={size}", caller)
    assert answer.status_code == 200
    assert answer.json
    return len(seen)
