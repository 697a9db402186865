"""A project's metadata, entry by entry: what is read back, what is told, and what a refusal leaves as it was."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.core.people import ADMIN, NOBODY, Api, code, sentence
from tests.integration.core.rows import artifact_of


def stored(api: Api, project: str) -> tuple[bool, dict[str, str]]:
    """Whether the project is public, and its other metadata, as the database has them."""
    with api.database.superuser() as connection:
        row = connection.execute("SELECT public, metadata FROM core.projects WHERE name = %s", (project,)).fetchone()
    assert row
    return row[0], row[1]


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_entry_is_added_read_replaced_and_taken_away(api: Api, slash: str) -> None:
    project = api.project()
    administrator = api.member(project, "projectAdmin")
    path = f"/projects/{project}/metadatas"
    assert api.send("POST", path + slash, administrator, {"severity": "HIGH"}).status_code == 200
    assert api.get(path + slash, administrator).json == {"public": "false", "severity": "high"}
    assert api.get(f"{path}/severity{slash}", administrator).json == {"severity": "high"}
    body = {"severity": "low", "auto_scan": "true"}
    assert api.send("PUT", f"{path}/severity{slash}", administrator, body).status_code == 200
    assert stored(api, project) == (False, {"severity": "low"})
    assert api.send("DELETE", f"{path}/severity{slash}", administrator).status_code == 200
    assert stored(api, project) == (False, {})
    events = [each for each in api.events("project.updated") if each["subject"] == project]
    assert [(each["actor"], each["data"]["changed"]) for each in events] == [(administrator.name, ["severity"])] * 3


def test_a_project_may_be_named_by_its_number(api: Api) -> None:
    project = api.project()
    number = api.get(f"/projects/{project}").json["project_id"]
    assert api.send("POST", f"/projects/{number}/metadatas", ADMIN, {"auto_scan": "1"}).status_code == 200
    assert api.get(f"/projects/{number}/metadatas/auto_scan").json == {"auto_scan": "true"}


def test_an_entry_that_is_put_need_not_be_there(api: Api) -> None:
    project = api.project()
    assert api.send("PUT", f"/projects/{project}/metadatas/auto_scan", ADMIN, {"auto_scan": "true"}).status_code == 200
    assert stored(api, project) == (False, {"auto_scan": "true"})


def test_public_opens_a_project_and_without_it_the_project_is_private(api: Api) -> None:
    project = api.project()
    artifact_of(api, project, "app")
    path = f"/projects/{project}/metadatas/public"
    assert api.send("PUT", path, ADMIN, {"public": "true"}).status_code == 200
    assert api.get(f"/projects/{project}/artifacts", NOBODY).status_code == 200
    opened = api.events("project.updated")[-1]
    assert (opened["subject"], opened["data"]["changed"], opened["data"]["public"]) == (project, ["public"], True)
    assert api.send("DELETE", path).status_code == 200
    assert stored(api, project) == (False, {})
    assert api.get(f"/projects/{project}/artifacts", NOBODY).status_code == 401
    assert api.events("project.updated")[-1]["data"]["public"] is False
    assert api.get(path).json == {"public": "false"}


def test_what_is_already_so_is_no_event(api: Api) -> None:
    project = api.project()
    before = len(api.events("project.updated"))
    assert api.send("PUT", f"/projects/{project}/metadatas/public", ADMIN, {"public": "false"}).status_code == 200
    assert api.send("DELETE", f"/projects/{project}/metadatas/public").status_code == 200
    assert len(api.events("project.updated")) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"auto_scan": "true", "prevent_vul": "true"}, 400),
        ({"auto_scan": None}, 400),
        ({"auto_scan": True}, 400),
        ({"auto_scan": {"value": "true"}}, 400),
        ({"auto_scan": "perhaps"}, 400),
        ({"severity": "worst"}, 400),
        ({"proxy_speed_kb": "fast"}, 400),
        ({"owner_id": "1"}, 400),
        ({"no_such_entry": "true"}, 400),
        ([], 400),
        ("auto_scan", 400),
        ("{", 400),
        ({"public": "true"}, 409),
        ({"prevent_vul": "false"}, 409),
    ],
    ids=str,
)
def test_an_addition_that_is_refused_changes_nothing(api: Api, body: object, status: int) -> None:
    project = api.project()
    path = f"/projects/{project}/metadatas"
    assert api.send("POST", path, ADMIN, {"prevent_vul": "true"}).status_code == 200
    answer = api.send("POST", path, ADMIN, body)
    assert (answer.status_code, code(answer)) == (status, {400: "BAD_REQUEST", 409: "CONFLICT"}[status])
    assert stored(api, project) == (False, {"prevent_vul": "true"})
    assert api.events("project.updated")[-1]["data"]["changed"] == ["prevent_vul"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("auto_scan", {}),
        ("auto_scan", {"prevent_vul": "true"}),
        ("auto_scan", {"auto_scan": "perhaps"}),
        ("auto_scan", {"auto_scan": 1}),
        ("no_such_entry", {"no_such_entry": "true"}),
        ("storage_limit", {"storage_limit": "-1"}),
    ],
)
def test_a_value_that_does_not_fit_is_refused(api: Api, name: str, body: object) -> None:
    project = api.project()
    answer = api.send("PUT", f"/projects/{project}/metadatas/{name}", ADMIN, body)
    assert answer.status_code == 400
    assert stored(api, project) == (False, {})


def test_what_is_not_json_is_not_read(api: Api) -> None:
    project = api.project()
    headers = {"Content-Type": "text/plain"}
    path = f"/projects/{project}/metadatas"
    assert api.send("POST", path, ADMIN, '{"auto_scan": "true"}', headers=headers).status_code == 415
    assert stored(api, project) == (False, {})


@pytest.mark.parametrize("name", ["auto_scan", "no_such_entry", "a%20b", "%C3%A9"])
def test_an_entry_that_is_not_there_is_not_found(api: Api, name: str) -> None:
    project = api.project()
    for method in ("GET", "DELETE"):
        answer = api.send(method, f"/projects/{project}/metadatas/{name}")
        assert (answer.status_code, sentence(answer)) == (404, "the project does not have this metadata")


def test_a_maintainer_reads_and_changes_nothing(api: Api) -> None:
    project = api.project()
    maintainer = api.member(project, "maintainer")
    path = f"/projects/{project}/metadatas"
    assert api.get(path, maintainer).json == {"public": "false"}
    assert api.send("POST", path, maintainer, {"auto_scan": "true"}).status_code == 403
    assert api.send("PUT", f"{path}/public", maintainer, {"public": "true"}).status_code == 403
    assert api.send("DELETE", f"{path}/public", maintainer).status_code == 403
    assert stored(api, project) == (False, {})


def test_of_many_who_add_one_entry_at_once_one_does(api: Api) -> None:
    project = api.project()

    def add(_number: int) -> int:
        return api.send("POST", f"/projects/{project}/metadatas", ADMIN, {"auto_scan": "true"}).status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(add, range(8))) == [200] + [409] * 7


def test_entries_that_are_set_at_once_do_not_undo_each_other(api: Api) -> None:
    project = api.project()
    names = ["auto_scan", "prevent_vul", "enable_content_trust", "enable_content_trust_cosign", "auto_sbom_generation"]

    def put(name: str) -> int:
        return api.send("PUT", f"/projects/{project}", ADMIN, {"metadata": {name: "true"}}).status_code

    with ThreadPoolExecutor(5) as threads:
        assert set(threads.map(put, names)) == {200}
    assert stored(api, project) == (False, dict.fromkeys(names, "true"))
