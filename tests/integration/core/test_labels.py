"""Labels through the API: kept by administrators or by projects, changed, listed and deleted."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.core.labels import ABSENT, count_of, meanwhile, number_of, stored
from tests.integration.core.people import ADMIN, NOBODY, Api, code, sentence
from tests.integration.core.rows import label_of


def test_a_label_of_a_project_is_made_shown_changed_and_deleted(api: Api) -> None:
    project = api.project()
    number, maintainer = number_of(api, project), api.member(project, "maintainer")
    body = {"name": "released", "description": "for customers", "color": "#0065AB", "scope": "p", "project_id": number}
    label_id = api.made("/labels", body, maintainer)
    shown = api.get(f"/labels/{label_id}", maintainer).json
    assert shown.pop("creation_time") == shown.pop("update_time")
    assert shown == {**body, "id": label_id}
    changed = {"name": "shipped", "color": "red", "scope": "g", "project_id": 1, "id": 1}
    assert api.send("PUT", f"/labels/{label_id}", maintainer, changed).status_code == 200
    assert stored(api, label_id) == ("shipped", "", "red", number)
    assert api.send("DELETE", f"/labels/{label_id}", maintainer).status_code == 200
    assert stored(api, label_id) is None
    told = [api.events(f"label.{verb}")[-1] for verb in ("created", "updated", "deleted")]
    assert [each["actor"] for each in told] == [maintainer.name] * 3
    assert [each["subject"] for each in told] == [f"{project}/released", f"{project}/shipped", f"{project}/shipped"]
    assert {each["data"]["label_id"] for each in told} == {label_id}
    assert told[1]["data"]["changed"] == ["name", "description", "color"]


def test_a_global_label_has_no_project(api: Api) -> None:
    label_id = api.made("/labels", {"name": "global", "scope": "g", "project_id": 1})
    assert stored(api, label_id) == ("global", "", "", None)
    shown = api.get(f"/labels/{label_id}").json
    assert (shown["scope"], shown["project_id"]) == ("g", 0)
    event = api.events("label.created")[-1]
    assert (event["subject"], event["data"]["project"], event["data"]["project_id"]) == ("global", None, None)


def test_a_system_robot_does_with_global_labels_what_it_was_given(api: Api) -> None:
    maker = api.robot(None, system=(("label", "create"), ("label", "read")))
    label_id = api.made("/labels", {"name": "by-a-robot", "scope": "g"}, maker)
    assert api.get(f"/labels/{label_id}", maker).status_code == 200
    assert api.send("PUT", f"/labels/{label_id}", maker, {"name": "other"}).status_code == 403
    assert api.send("DELETE", f"/labels/{label_id}", maker).status_code == 403
    assert stored(api, label_id) == ("by-a-robot", "", "", None)
    keeper = api.robot(None, system=(("label", "update"), ("label", "delete")))
    assert api.send("PUT", f"/labels/{label_id}", keeper, {"name": "other"}).status_code == 200
    assert api.send("POST", "/labels", keeper, {"name": "more", "scope": "g"}).status_code == 403
    assert api.send("DELETE", f"/labels/{label_id}", keeper).status_code == 200
    assert stored(api, label_id) is None


def test_a_project_administrator_keeps_no_global_label(api: Api) -> None:
    project, label_id = api.project(), label_of(api, name="not-yours")
    administrator = api.member(project, "projectAdmin")
    assert api.send("POST", "/labels", administrator, {"name": "mine-for-all", "scope": "g"}).status_code == 403
    for method, body in (("GET", None), ("PUT", {"name": "mine"}), ("DELETE", None)):
        assert api.send(method, f"/labels/{label_id}", administrator, body).status_code == 403
    assert stored(api, label_id) == ("not-yours", "", "", None)
    assert count_of(api, "mine-for-all") == 0


def test_a_label_is_kept_by_its_own_project_only(api: Api) -> None:
    own, foreign = api.project(), api.project()
    administrator = api.member(own, "projectAdmin")
    label_id = label_of(api, foreign, "foreign")
    body = {"name": "planted", "scope": "p", "project_id": number_of(api, foreign)}
    assert api.send("POST", "/labels", administrator, body).status_code == 403
    for method, body in (("GET", None), ("PUT", {"name": "mine"}), ("DELETE", None)):
        answers = [api.send(method, f"/labels/{each}", administrator, body) for each in (label_id, ABSENT)]
        assert answers[0].status_code == answers[1].status_code == 403
        assert answers[0].text == answers[1].text
    assert stored(api, label_id) == ("foreign", "", "", number_of(api, foreign))
    assert count_of(api, "planted") == 0


def test_an_administrator_is_told_that_a_label_is_missing(api: Api) -> None:
    for method, body in (("GET", None), ("PUT", {"name": "a"}), ("DELETE", None)):
        answer = api.send(method, f"/labels/{ABSENT}", ADMIN, body)
        assert (answer.status_code, sentence(answer)) == (404, "the label does not exist")
    assert api.get("/labels/one").status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"scope": "g"}, 400),
        ({"name": "", "scope": "g"}, 400),
        ({"name": "n" * 129, "scope": "g"}, 400),
        ({"name": "unfit"}, 400),
        ({"name": "unfit", "scope": "x"}, 400),
        ({"name": "unfit", "scope": "p"}, 400),
        ({"name": "unfit", "scope": "p", "project_id": 0}, 400),
        ({"name": "unfit", "scope": "p", "project_id": "1"}, 400),
        ({"name": "unfit", "scope": "p", "project_id": ABSENT}, 404),
        ({"name": "unfit", "scope": "p", "project_id": 2**40}, 404),
        ({"name": 5, "scope": "g"}, 400),
        ({"name": "unfit", "scope": "g", "color": "#000;}"}, 400),
        ({"name": "unfit", "scope": "g", "description": "d" * 1025}, 400),
        ([], 400),
        ("{", 400),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_label_that_does_not_fit_is_not_made(api: Api, body: object, status: int) -> None:
    before = len(api.events("label.created"))
    assert api.send("POST", "/labels", ADMIN, body).status_code == status
    assert count_of(api, "unfit") == 0
    assert len(api.events("label.created")) == before


def test_a_name_is_taken_in_its_own_scope_only(api: Api) -> None:
    first, second = number_of(api, api.project()), number_of(api, api.project())
    bodies: list[dict[str, object]] = [
        {"name": "same", "scope": "g"},
        {"name": "same", "scope": "p", "project_id": first},
        {"name": "same", "scope": "p", "project_id": second},
    ]
    made = [api.made("/labels", body) for body in bodies]
    for body in bodies:
        answer = api.send("POST", "/labels", ADMIN, body)
        assert (answer.status_code, code(answer)) == (409, "CONFLICT")
    assert count_of(api, "same") == 3
    other = api.made("/labels", {"name": "other", "scope": "p", "project_id": first})
    renamed = api.send("PUT", f"/labels/{other}", ADMIN, {"name": "same"})
    assert (renamed.status_code, code(renamed)) == (409, "CONFLICT")
    assert stored(api, other) == ("other", "", "", first)
    assert api.send("PUT", f"/labels/{made[1]}", ADMIN, {"name": "same", "color": "red"}).status_code == 200


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "n" * 129}, {"name": "a", "color": "a b"}, {"name": 1}])
def test_a_change_that_does_not_fit_changes_nothing(api: Api, body: object) -> None:
    label_id = label_of(api, name="fits")
    try:
        assert api.send("PUT", f"/labels/{label_id}", ADMIN, body).status_code == 400
        assert stored(api, label_id) == ("fits", "", "", None)
    finally:
        api.send("DELETE", f"/labels/{label_id}")


def test_a_change_to_what_is_already_so_is_no_event(api: Api) -> None:
    label_id = label_of(api, name="as-it-was")
    before = len(api.events("label.updated"))
    assert api.send("PUT", f"/labels/{label_id}", ADMIN, {"name": "as-it-was"}).status_code == 200
    assert len(api.events("label.updated")) == before


def test_of_many_who_want_a_name_at_once_one_gets_it(api: Api) -> None:
    def create(_number: int) -> int:
        return api.send("POST", "/labels", ADMIN, {"name": "wanted", "scope": "g"}).status_code

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(create, range(8))) == [201] + [409] * 7


def test_labels_are_listed_by_scope_and_found_by_a_part_of_the_name(api: Api) -> None:
    project = api.project()
    number = number_of(api, project)
    for name in ("listed-b", "listed-a", "listed-c"):
        label_of(api, project, name)
    label_of(api, name="listed-global")

    def names(query: str) -> list[str]:
        return [each["name"] for each in api.get(f"/labels?{query}").json]

    assert names("scope=g&name=LISTED") == ["listed-global"]
    assert names(f"scope=p&project_id={number}") == ["listed-a", "listed-b", "listed-c"]
    assert names(f"scope=p&project_id={number}&name=-B") == ["listed-b"]
    assert names(f"scope=p&project_id={number}&name=%25") == []
    assert names(f"scope=p&project_id={number}&sort=-name&q=name={{listed-a listed-c}}") == ["listed-c", "listed-a"]
    page = api.get(f"/labels?scope=p&project_id={number}&page=2&page_size=2", headers={"X-Is-Resource-Name": "true"})
    assert [each["name"] for each in page.json] == ["listed-c"]
    assert page.headers["x-total-count"] == "3"
    assert 'rel="prev"' in page.headers["link"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("scope=x", 400),
        ("scope=p", 400),
        ("scope=p&project_id=0", 400),
        ("scope=p&project_id=one", 422),
        ("scope=p&project_id=-1", 422),
        (f"scope=p&project_id={ABSENT}", 404),
        ("scope=g&page_size=101", 422),
        ("scope=g&q=name", 400),
    ],
)
def test_a_list_of_nothing_in_particular_is_refused(api: Api, query: str, status: int) -> None:
    assert api.get(f"/labels?{query}").status_code == status


def test_the_labels_of_a_private_project_are_not_for_strangers(api: Api) -> None:
    private, public = number_of(api, api.project()), number_of(api, api.project(public=True))
    assert api.get(f"/labels?scope=p&project_id={private}", api.user()).status_code == 403
    assert api.get(f"/labels?scope=p&project_id={ABSENT}", api.user()).status_code == 403
    assert api.get(f"/labels?scope=p&project_id={private}", NOBODY).status_code == 401
    assert api.get(f"/labels?scope=p&project_id={public}", NOBODY).json == []
    assert api.get("/labels?scope=g", NOBODY).status_code == 401


def test_a_deleted_project_takes_its_labels_along(api: Api) -> None:
    project, everybodys = api.project(), label_of(api)
    label_id = label_of(api, project)
    assert api.send("DELETE", f"/projects/{project}").status_code == 200
    assert stored(api, label_id) is None
    assert stored(api, everybodys) is not None
    assert api.get(f"/labels/{label_id}").status_code == 404


def test_a_label_that_comes_after_the_end_of_its_project_is_not_made(api: Api) -> None:
    project = api.project()
    body = {"name": "too-late", "scope": "p", "project_id": number_of(api, project)}
    end = "WITH held AS (SELECT id FROM core.projects WHERE name = %s FOR UPDATE)"
    end += " UPDATE core.projects p SET deleted_at = now() FROM held WHERE p.id = held.id"
    answer = meanwhile(api, end, project, "POST", "/labels", body)
    assert (answer.status_code, sentence(answer)) == (404, "the project does not exist")
    assert count_of(api, "too-late") == 0
