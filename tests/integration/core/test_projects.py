"""Projects through the API: made, listed, changed, deleted, and what each of that leaves behind."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.core.people import ADMIN, NOBODY, Api, code, sentence
from tests.integration.core.rows import artifact_of


def test_a_new_project_is_found_by_name_and_number(api: Api) -> None:
    made = api.send("POST", "/projects", ADMIN, {"project_name": "found", "public": True})
    assert made.status_code == 201
    assert made.text == ""
    by_number = api.get(made.headers["location"]).json
    assert api.get("/projects/found").json == by_number
    assert by_number["name"] == "found"
    assert by_number["metadata"] == {"public": "true"}
    assert by_number["owner_name"] == "admin"
    assert by_number["current_user_role_id"] == 1
    assert by_number["repo_count"] == 0


def test_a_location_is_by_name_where_that_is_asked(api: Api) -> None:
    headers = {"X-Resource-Name-In-Location": "true"}
    made = api.send("POST", "/projects", ADMIN, {"project_name": "by-name"}, headers=headers)
    assert made.headers["location"] == "/api/v2.0/projects/by-name"


def test_a_name_of_digits_needs_the_header_that_says_it_is_one(api: Api) -> None:
    api.made("/projects", {"project_name": "424242"})
    assert api.get("/projects/424242").status_code == 404
    assert api.get("/projects/424242", headers={"X-Is-Resource-Name": "true"}).json["name"] == "424242"
    assert api.get("/projects/424242", headers={"X-Is-Resource-Name": "perhaps"}).status_code == 422
    assert api.get("/projects/424242/repositories").status_code == 200


def test_whoever_creates_a_project_is_its_administrator(api: Api) -> None:
    creator = api.user()
    name = api.project(caller=creator)
    assert api.get(f"/projects/{name}", creator).json["current_user_role_ids"] == [1]
    members = api.get(f"/projects/{name}/members", creator).json
    assert [(each["entity_name"], each["role_name"]) for each in members] == [(creator.name, "projectAdmin")]
    event = api.events("project.created")[-1]
    assert event["actor"] == creator.name
    assert event["subject"] == name
    assert event["data"]["public"] is False


def test_a_robots_project_belongs_to_the_first_administrator(api: Api) -> None:
    robot = api.robot(None, system=(("project", "create"),))
    name = api.project(caller=robot)
    assert api.get(f"/projects/{name}").json["owner_id"] == 1


@pytest.mark.parametrize("name", ["", "Upper", "a b", "a/b", "-a", "a--b", "a'b", "a;b", "<b>", "a" * 256, "é"])
def test_a_name_that_follows_no_grammar_is_refused(api: Api, name: str) -> None:
    answer = api.send("POST", "/projects", ADMIN, {"project_name": name})
    assert answer.status_code == (422 if len(name) > 255 else 400)


def test_a_taken_name_is_a_conflict(api: Api) -> None:
    answer = api.send("POST", "/projects", ADMIN, {"project_name": "library"})
    assert (answer.status_code, code(answer)) == (409, "CONFLICT")


def test_of_many_who_want_a_name_at_once_one_gets_it(api: Api) -> None:
    def create(_number: int) -> int:
        return api.send("POST", "/projects", ADMIN, {"project_name": "wanted"}).status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(create, range(8))) == [201] + [409] * 7


def test_only_administrators_choose_a_storage_limit(api: Api) -> None:
    limits = {}
    for who, caller in {"admin": ADMIN, "user": api.user()}.items():
        name = f"limited-by-{who}"
        api.made("/projects", {"project_name": name, "storage_limit": 1000}, caller)
        limits[who] = api.get(f"/projects/{name}/summary", caller).json["quota"]["hard"]["storage"]
    assert limits == {"admin": 1000, "user": -1}
    answer = api.send("POST", "/projects", ADMIN, {"project_name": "limitless", "storage_limit": -5})
    assert answer.status_code == 400


def test_a_proxy_of_another_registry_is_refused_in_so_many_words(api: Api) -> None:
    answer = api.send("POST", "/projects", ADMIN, {"project_name": "proxy", "registry_id": 1})
    assert (answer.status_code, sentence(answer)) == (400, "proxy-cache projects are not supported")


def test_fields_that_are_not_the_clients_to_set_are_dropped(api: Api) -> None:
    caller = api.user()
    body = {"project_name": "mine", "project_id": 1, "owner_id": 1, "owner_name": "admin", "repo_count": 9,
            "deleted": True,
            "metadata": {"public": "false", "owner": "admin", "severity": "low", "retention_id": "4"}}  # fmt: skip
    api.made("/projects", body, caller)
    project = api.get("/projects/mine", caller).json
    assert project["owner_name"] == caller.name
    assert project["repo_count"] == 0
    assert project["metadata"] == {"public": "false", "severity": "low"}


def test_metadata_are_changed_entry_by_entry(api: Api) -> None:
    name = api.project(public=False)
    body = {"metadata": {"public": "true", "prevent_vul": "1", "severity": "HIGH"}, "project_name": "another"}
    assert api.send("PUT", f"/projects/{name}", ADMIN, body).status_code == 200
    assert api.send("PUT", f"/projects/{name}", ADMIN, {"metadata": {"severity": "low"}}).status_code == 200
    metadata = api.get(f"/projects/{name}").json["metadata"]
    assert metadata == {"public": "true", "prevent_vul": "true", "severity": "low"}
    first, second = api.events("project.updated")[-2:]
    assert first["data"]["changed"] == ["prevent_vul", "public", "severity"]
    assert (second["data"]["changed"], second["data"]["public"]) == (["severity"], True)


def test_a_change_to_what_is_already_so_is_no_event(api: Api) -> None:
    name = api.project()
    before = len(api.events("project.updated"))
    assert api.send("PUT", f"/projects/{name}", ADMIN, {"metadata": {"public": "false"}}).status_code == 200
    assert len(api.events("project.updated")) == before


@pytest.mark.parametrize("metadata", [{"public": "perhaps"}, {"severity": "worst"}, {"public": True}, [], "x"])
def test_metadata_that_do_not_fit_change_nothing(api: Api, metadata: object) -> None:
    name = api.project()
    assert api.send("PUT", f"/projects/{name}", ADMIN, {"metadata": metadata}).status_code == 400
    assert api.get(f"/projects/{name}").json["metadata"] == {"public": "false"}


def test_a_project_with_repositories_is_not_deleted(api: Api) -> None:
    name = api.project()
    artifact_of(api, name, "app")
    assert api.get(f"/projects/{name}/_deletable").json["deletable"] is False
    answer = api.send("DELETE", f"/projects/{name}")
    assert (answer.status_code, code(answer)) == (412, "PRECONDITION")
    assert api.get(f"/projects/{name}").status_code == 200


def test_a_deleted_project_is_gone_with_its_members_and_robots(api: Api) -> None:
    name = api.project()
    member, robot = api.member(name, "developer"), api.robot(name, ("repository", "pull"))
    assert api.get(f"/projects/{name}/_deletable").json == {"deletable": True}
    assert api.send("DELETE", f"/projects/{name}").status_code == 200
    assert api.get(f"/projects/{name}").status_code == 404
    assert api.send("DELETE", f"/projects/{name}").status_code == 404
    assert api.get(f"/projects/{name}", member).status_code == 403
    assert api.get("/users/current", robot).status_code == 401
    assert api.events("project.deleted")[-1]["data"]["project"] == name


def test_a_deleted_projects_name_is_reserved_while_its_tokens_may_live(api: Api) -> None:
    name = api.project()
    api.send("DELETE", f"/projects/{name}")
    again = api.send("POST", "/projects", ADMIN, {"project_name": name})
    assert again.status_code == 409
    until = datetime.fromisoformat(sentence(again).split("until ")[1].split(",")[0])
    left = until - datetime.now(UTC)
    assert timedelta(minutes=5) < left <= timedelta(minutes=6)
    assert api.send("HEAD", f"/projects?project_name={name}").status_code == 404
    with api.database.superuser() as connection:
        later = "UPDATE core.projects SET deleted_at = deleted_at - interval '6 minutes' WHERE name = %s"
        connection.execute(later, (name,))
    assert api.send("POST", "/projects", ADMIN, {"project_name": name}).status_code == 201
    assert len(api.get(f"/projects/{name}/members").json) == 1


def test_a_list_shows_what_is_public_and_what_is_the_callers(api: Api) -> None:
    caller, public = api.user(), api.project(public=True)
    own, foreign = api.project(caller=caller), api.project()
    robot = api.robot(foreign, ("repository", "pull"))

    def names(who: object) -> set[str]:
        return {project["name"] for project in api.get("/projects?page_size=100", who).json}  # type: ignore[arg-type]

    assert names(NOBODY) >= {"library", public}
    assert not names(NOBODY) & {own, foreign}
    assert names(caller) - names(NOBODY) == {own}
    assert names(robot) - names(NOBODY) == {foreign}
    assert names(ADMIN) >= {public, own, foreign}


def test_a_systems_robot_that_may_list_projects_sees_all_and_gets_into_none(api: Api) -> None:
    private = api.project()
    artifact_of(api, private, "app")
    lister = api.robot(None, system=(("project", "list"),))
    other = api.robot(None, system=(("audit-log", "list"),))
    assert private in {each["name"] for each in api.get("/projects?page_size=100", lister).json}
    assert private in {each["name"] for each in api.get(f"/search?q={private}", lister).json["project"]}
    assert api.get(f"/search?q={private}", lister).json["repository"] == []
    assert private not in {each["name"] for each in api.get("/projects?page_size=100", other).json}
    assert api.get(f"/projects/{private}", lister).status_code == 403


def test_a_list_is_paged_sorted_and_filtered(api: Api) -> None:
    for letter in "cab":
        api.made("/projects", {"project_name": f"page-{letter}", "public": letter == "a"})

    def names(query: str) -> list[str]:
        return [project["name"] for project in api.get(f"/projects?{query}").json]

    assert names("name=page-") == ["page-a", "page-b", "page-c"]
    assert names("q=name=~PAGE-&sort=-name") == ["page-c", "page-b", "page-a"]
    assert names("q=name=~page-&sort=-creation_time&page_size=1") == ["page-b"]
    assert names("q=name=~page-,public=true") == ["page-a"]
    assert names("name=page-&public=false&owner=admin") == ["page-b", "page-c"]
    assert names("name=page-&owner=nobody-else") == []
    assert names("name=100%25") == []
    assert names("q=unknown_key=1,name=page-a") == ["page-a"]
    assert names("name=page-&public=1") == ["page-a"]
    for wrong in ("public=abc", "public=2", "with_detail=abc"):
        answer = api.get(f"/projects?{wrong}")
        assert (answer.status_code, code(answer)) == (422, "UNPROCESSABLE_ENTITY")
    assert api.get("/projects?q=public=abc").status_code == 400
    second = api.get("/projects?name=page-&page=2&page_size=2")
    assert [project["name"] for project in second.json] == ["page-c"]
    assert second.headers["x-total-count"] == "3"
    assert second.headers["link"] == '</api/v2.0/projects?name=page-&page=1&page_size=2>; rel="prev"'


def test_a_guest_sees_no_members_in_a_summary_unless_he_may(api: Api) -> None:
    name = api.project()
    guest, limited = api.member(name, "guest"), api.member(name, "limitedGuest")
    seen = api.get(f"/projects/{name}/summary", guest).json
    assert (seen["project_admin_count"], seen["guest_count"], seen["limited_guest_count"]) == (1, 1, 1)
    assert "guest_count" not in api.get(f"/projects/{name}/summary", limited).json


def test_whether_a_name_is_taken_is_told_to_whoever_has_signed_in(api: Api) -> None:
    name, caller = api.project(), api.user()
    assert api.send("HEAD", f"/projects?project_name={name}", caller).status_code == 200
    assert api.send("HEAD", "/projects?project_name=free", caller).status_code == 404
    assert api.send("HEAD", f"/projects?project_name={name}", NOBODY).status_code == 401
    assert api.send("HEAD", "/projects", caller).status_code == 422
