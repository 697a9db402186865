"""Repositories, artifacts and tags as the API lists them; what deletes them is proven with the contract."""

import pytest

from tests.integration.core.people import ADMIN, NOBODY, Api, code, sentence
from tests.integration.core.rows import artifact_of


def test_repositories_have_their_full_name_and_their_counters(api: Api) -> None:
    project = api.project()
    artifact_of(api, project, "a/b")
    artifact_of(api, project, "a/b")
    artifact_of(api, project, "c")
    listed = api.get(f"/projects/{project}/repositories?sort=name")
    assert [(each["name"], each["artifact_count"]) for each in listed.json] == [
        (f"{project}/a/b", 2), (f"{project}/c", 1),
    ]  # fmt: skip
    assert listed.headers["x-total-count"] == "2"
    assert [each["name"] for each in api.get(f"/projects/{project}/repositories?q=name=~A/").json] == [f"{project}/a/b"]


@pytest.mark.parametrize("encoded", ["a%252Fb", "a%252fb", "a%2Fb", "a%2fb"])
def test_slashes_of_a_repository_may_be_encoded_once_or_twice(api: Api, encoded: str) -> None:
    project = api.project()
    digest = artifact_of(api, project, "a/b", "v1")
    path = f"/projects/{project}/repositories/{encoded}"
    assert api.get(path).json["name"] == f"{project}/a/b"
    assert api.get(f"{path}/artifacts/v1").json["digest"] == digest
    assert api.get(f"{path}/artifacts/{digest}").json["tags"][0]["name"] == "v1"
    assert api.get(f"{path}/artifacts/{digest.replace(':', '%3A')}/tags/").json[0]["name"] == "v1"
    link = api.get(f"{path}/artifacts/v1").json["addition_links"]["build_history"]
    assert link == {"absolute": False, "href": f"/api/v2.0/projects/{project}/repositories/a%252Fb/artifacts/{digest}"
                                               "/additions/build_history"}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["..%252F..%252Flibrary", "a%252F..%252Fb", "A", "a%252F", "%252Fa", "a%2525", "a%27", "a%20b"]
)
def test_a_name_that_is_none_is_refused(api: Api, name: str) -> None:
    assert api.get(f"/projects/library/repositories/{name}").status_code == 400


def test_artifacts_show_tags_unless_they_are_not_wanted(api: Api) -> None:
    project = api.project()
    digest = artifact_of(api, project, "app", "v1", "v2")
    path = f"/projects/{project}/repositories/app/artifacts"
    [artifact] = api.get(path).json
    assert {tag["name"] for tag in artifact["tags"]} == {"v1", "v2"}
    assert (artifact["type"], artifact["repository_name"], artifact["digest"]) == ("IMAGE", f"{project}/app", digest)
    assert artifact["extra_attrs"] == {"architecture": "amd64", "os": "linux"}
    assert artifact["pull_time"] == "0001-01-01T00:00:00.000Z"
    assert "tags" not in api.get(f"{path}?with_tag=false").json[0]
    assert "immutable" not in artifact["tags"][0]
    assert api.get(f"{path}?with_immutable_status=true").json[0]["tags"][0]["immutable"] is False
    assert api.get(f"{path}?with_tag=perhaps").status_code == 422


def test_artifacts_of_a_whole_project_are_listed_by_name_or_number(api: Api) -> None:
    project = api.project()
    artifact_of(api, project, "a")
    artifact_of(api, project, "a")
    newest = {artifact_of(api, project, "a"), artifact_of(api, project, "b")}
    number = api.get(f"/projects/{project}").json["project_id"]
    assert len(api.get(f"/projects/{project}/artifacts").json) == 4
    assert api.get(f"/projects/{number}/artifacts").headers["x-total-count"] == "4"
    latest = api.get(f"/projects/{project}/artifacts?latest_in_repository=true").json
    assert {each["digest"] for each in latest} == newest


def test_what_is_missing_is_told_to_those_who_may_know(api: Api) -> None:
    project = api.project(public=True)
    artifact_of(api, project, "app")
    for path in ("none", "none/artifacts", "app/artifacts/none", "app/artifacts/sha256:" + "0" * 64):
        assert api.get(f"/projects/{project}/repositories/{path}").status_code == 404
    assert api.get(f"/projects/{project}/repositories/app/artifacts/sha256:0").status_code == 400
    assert api.get(f"/projects/{project}/repositories/app/artifacts", NOBODY).status_code == 200
    assert api.get(f"/projects/{project}/repositories/app", NOBODY).status_code == 401


@pytest.mark.parametrize(
    ("kind", "addition", "status"),
    [
        ("IMAGE", "magic", 422),
        ("IMAGE", "values.yaml", 400),
        ("IMAGE", "readme.md", 400),
        ("IMAGE", "sbom", 400),
        ("CHART", "values.yaml", 501),
        ("CHART", "build_history", 501),
    ],
)
def test_additions_that_are_not_there_are_told_apart(api: Api, kind: str, addition: str, status: int) -> None:
    project = api.project()
    digest = artifact_of(api, project, "app", "v1")
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.artifacts SET type = %s WHERE digest = %s", (kind, digest))
    path = f"/projects/{project}/repositories/app/artifacts"
    assert api.get(f"{path}/v1/additions/{addition}").status_code == status
    assert api.get(f"{path}/v2/additions/{addition}").status_code == (422 if addition == "magic" else 404)


def test_an_index_has_no_build_history(api: Api) -> None:
    project = api.project()
    index, child = artifact_of(api, project, "app", "v1"), artifact_of(api, project, "app")
    with api.database.superuser() as connection:
        connection.execute(
            """
            INSERT INTO core.artifact_references (parent_id, position, child_digest, child_id)
            SELECT parent.id, 0, child.digest, child.id FROM core.artifacts parent, core.artifacts child
            WHERE parent.digest = %s AND child.digest = %s
            """,
            (index, child),
        )
    path = f"/projects/{project}/repositories/app/artifacts/v1/additions/build_history"
    assert api.get(path).status_code == 400


def test_a_description_is_changed_by_those_who_push(api: Api) -> None:
    project = api.project()
    artifact_of(api, project, "app")
    path = f"/projects/{project}/repositories/app"
    developer = api.member(project, "developer")
    text = "<script>alert(1)</script>"
    assert api.send("PUT", path, developer, {"description": text, "pull_count": 99}).status_code == 200
    shown = api.get(path)
    assert (shown.json["description"], shown.json["pull_count"]) == (text, 0)
    assert shown.headers["content-type"] == "application/json"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert api.events("repository.updated")[-1]["actor"] == developer.name


def test_a_list_over_all_projects_holds_what_the_caller_may_list(api: Api) -> None:
    public, own, foreign = api.project(public=True), api.project(), api.project()
    for project in (public, own, foreign):
        artifact_of(api, project, "seen")
    member = api.member(own, "limitedGuest")
    puller = api.robot(foreign, ("repository", "pull"))
    lister = api.robot(foreign, ("repository", "list"))

    def projects(who: object) -> set[str]:
        rows = api.get("/repositories?q=name=~/seen&page_size=100", who).json  # type: ignore[arg-type]
        return {row["name"].partition("/")[0] for row in rows}

    assert projects(NOBODY) == {public}
    assert projects(member) == {public, own}
    assert projects(puller) == {public}
    assert projects(lister) == {public, foreign}
    assert projects(ADMIN) == {public, own, foreign}


def test_a_search_finds_what_the_caller_may_see(api: Api) -> None:
    public, hidden = api.project(public=True), api.project()
    for project in (public, hidden):
        artifact_of(api, project, "needle")
    member = api.member(hidden, "guest")

    def found(who: object) -> set[str]:
        return {each["repository_name"] for each in api.get("/search?q=NEEDLE", who).json["repository"]}  # type: ignore[arg-type]

    assert found(NOBODY) == {f"{public}/needle"}
    assert found(member) == {f"{public}/needle", f"{hidden}/needle"}
    assert [each["name"] for each in api.get(f"/search?q={hidden}", member).json["project"]] == [hidden]
    assert api.get(f"/search?q={hidden}", NOBODY).json == {"project": [], "repository": []}
    assert api.get("/search?q=%25").json == {"project": [], "repository": []}
    assert api.get("/search").status_code == 422
    assert api.get("/search?q=").status_code == 200


def test_statistics_count_what_the_caller_may_see(api: Api) -> None:
    caller = api.user()
    before = api.get("/statistics", caller).json
    public, own = api.project(public=True), api.project(caller=caller)
    artifact_of(api, public, "a")
    artifact_of(api, own, "a")
    api.project()
    after = api.get("/statistics", caller).json
    grown = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert grown == {
        "public_project_count": 1, "private_project_count": 1, "public_repo_count": 1, "private_repo_count": 1,
    }  # fmt: skip
    assert after["total_project_count"] == 0
    assert api.get("/statistics").json["total_project_count"] > 2


@pytest.mark.parametrize(
    "origin", ["app", "library/app", "library/app:", "library/app@sha256:0", "/app:v1", "a/B:v1"]
)
def test_a_copy_of_what_is_no_artifacts_name_is_refused(api: Api, origin: str) -> None:
    project = api.project()
    assert api.send("POST", f"/projects/{project}/repositories/app/artifacts?from={origin}").status_code == 400


@pytest.mark.parametrize("origin", ["app", "library/app"])
def test_a_copy_of_no_tag_and_no_digest_is_told_how_an_artifact_is_named(api: Api, origin: str) -> None:
    answer = api.send("POST", f"/projects/{api.project()}/repositories/app/artifacts?from={origin}")
    forms = "project/repository:tag or project/repository@digest"
    assert sentence(answer) == f"'{origin}' names no artifact: that is {forms}"


@pytest.mark.parametrize("query", ["", "?from="])
def test_a_copy_of_nothing_is_not_a_valid_request(api: Api, query: str) -> None:
    answer = api.send("POST", f"/projects/{api.project()}/repositories/app/artifacts{query}")
    assert (answer.status_code, code(answer)) == (422, "UNPROCESSABLE_ENTITY")


def test_a_copy_needs_to_read_where_it_comes_from(api: Api) -> None:
    mine, other = api.project(), api.project()
    artifact_of(api, other, "secret", "v1")
    developer = api.member(mine, "developer")
    path = f"/projects/{mine}/repositories/app/artifacts?from={other}/secret:v1"
    assert api.send("POST", path, developer).status_code == 403
    assert api.send("POST", path.replace("secret", "absent"), developer).status_code == 403
