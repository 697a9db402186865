"""Quotas in the API: who sees them, what a limit may be, and what is left in the database."""

import pytest

from tests.integration.core.people import ADMIN, Api, code, sentence


def stored(api: Api, name: str) -> int:
    with api.database.superuser() as connection:
        row = connection.execute("SELECT storage_limit FROM core.projects WHERE name = %s", (name,)).fetchone()
    assert row
    return int(row[0])


def number_of(api: Api, name: str) -> int:
    return int(api.get(f"/projects/{name}").json["project_id"])


def test_a_quota_is_read_set_and_lifted(api: Api) -> None:
    name = api.project()
    number = number_of(api, name)
    quota = api.get(f"/quotas/{number}").json
    assert (quota["id"], quota["ref"]["name"], quota["hard"], quota["used"]) == (
        number, name, {"storage": -1}, {"storage": 0},
    )  # fmt: skip
    for limit in (10**9, -1):
        assert api.send("PUT", f"/quotas/{number}", ADMIN, {"hard": {"storage": limit}}).status_code == 200
        assert stored(api, name) == limit
        assert api.get(f"/projects/{name}/summary").json["quota"]["hard"] == {"storage": limit}
    changes = [event["data"] for event in api.events("project.updated") if event["data"]["project"] == name]
    assert [change["changed"] for change in changes] == [["storage_limit"]] * 2


def test_a_robot_of_the_system_may_set_what_it_was_given(api: Api) -> None:
    name = api.project()
    reader = api.robot(None, system=(("quota", "list"), ("quota", "read")))
    assert api.get("/quotas", reader).status_code == 200
    path, body = f"/quotas/{number_of(api, name)}", {"hard": {"storage": 5}}
    assert api.send("PUT", path, reader, body).status_code == 403
    assert stored(api, name) == -1
    writer = api.robot(None, system=(("quota", "update"),))
    assert api.send("PUT", path, writer, body).status_code == 200
    assert stored(api, name) == 5


def test_a_limit_is_refused_by_the_name_that_it_was_given_by(api: Api) -> None:
    answer = api.send("PUT", f"/quotas/{number_of(api, api.project())}", ADMIN, {"hard": {"storage": 0}})
    assert sentence(answer) == "hard.storage must be a number of bytes above 0, or -1 for no limit"


@pytest.mark.parametrize("body", ["null", '"x"', "5", "[]"])
def test_a_body_that_is_no_object_is_told_so_without_the_names_of_our_classes(api: Api, body: str) -> None:
    answer = api.send("PUT", f"/quotas/{number_of(api, api.project())}", ADMIN, body)
    assert (answer.status_code, sentence(answer)) == (400, "the body must be a JSON object")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"hard": {}}, 400),
        ({"hard": {"storage": 0}}, 400),
        ({"hard": {"storage": -2}}, 400),
        ({"hard": {"storage": "1GB"}}, 400),
        ({"hard": {"storage": 2**63}}, 400),
        ({"hard": {"storage": 1, "count": 1}}, 400),
        ("{", 400),
    ],
)
def test_a_limit_that_is_none_changes_nothing(api: Api, body: object, status: int) -> None:
    name = api.project()
    answer = api.send("PUT", f"/quotas/{number_of(api, name)}", ADMIN, body)
    assert answer.status_code == status
    assert code(answer) == "BAD_REQUEST"
    assert sentence(answer)
    assert stored(api, name) == -1


@pytest.mark.parametrize("number", ["999999", "2147483648"])
def test_a_quota_of_no_project_is_not_found(api: Api, number: str) -> None:
    assert api.get(f"/quotas/{number}").status_code == 404
    assert api.send("PUT", f"/quotas/{number}", ADMIN, {"hard": {"storage": 1}}).status_code == 404


def test_quotas_are_listed_sorted_and_referred_to(api: Api) -> None:
    names = [api.project() for _ in range(3)]
    for place, name in enumerate(names):
        api.send("PUT", f"/quotas/{number_of(api, name)}", ADMIN, {"hard": {"storage": 10**15 + place}})
    largest = api.get("/quotas?sort=-hard.storage&page_size=3").json
    assert [quota["ref"]["name"] for quota in largest] == names[::-1]
    number = number_of(api, names[0])
    answer = api.get(f"/quotas?reference=project&reference_id={number}")
    assert [quota["id"] for quota in answer.json] == [number]
    assert answer.headers["x-total-count"] == "1"


def test_quotas_are_found_by_their_projects_names(api: Api) -> None:
    one, two = api.project(), api.project()
    assert [each["ref"]["name"] for each in api.get(f"/quotas?q=name={one}").json] == [one]
    answer = api.get(f"/quotas?q=name=~{two.upper()}&page_size=1")
    assert [each["ref"]["name"] for each in answer.json] == [two]
    assert answer.headers["x-total-count"] == "1"
    assert api.get("/quotas?q=name=~%25").json == []
    number = number_of(api, one)
    assert [each["id"] for each in api.get(f"/quotas?q=name={one}&reference=project&reference_id={number}").json] == [
        number
    ]
    assert api.get(f"/quotas?q=name={two}&reference=project&reference_id={number}").json == []
    names = [each["ref"]["name"] for each in api.get("/quotas?sort=-name&page_size=100").json]
    assert names.index(two) < names.index(one)
    assert api.get("/quotas?q=name").status_code == 400
    assert api.get("/quotas?q=secret=x").status_code == 400


@pytest.mark.parametrize("query", ["reference=user", "reference_id=x", "reference_id=-1", "page_size=101"])
def test_a_wrong_parameter_is_told(api: Api, query: str) -> None:
    assert api.get(f"/quotas?{query}").status_code == 422


def test_a_deleted_project_has_no_quota(api: Api) -> None:
    name = api.project()
    number = number_of(api, name)
    assert api.send("DELETE", f"/projects/{name}").status_code == 200
    assert api.get(f"/quotas/{number}").status_code == 404
