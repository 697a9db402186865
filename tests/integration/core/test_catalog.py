"""_catalog: everybody sees what is his to see, in order and in pages."""

import json
import re
from typing import Any

import pytest
from falcon.testing import Result

from shared.auth.guard import PER_ACCOUNT
from tests.integration.core.people import ADMIN, NOBODY, Api, Caller, code
from tests.integration.core.rows import artifact_of
from tests.integration.core.test_statements import statements

CATALOG = "/v2/_catalog"


def catalog(api: Api, caller: Caller, query: str = "", **more: Any) -> Result:  # noqa: ANN401 - falcon's own keywords
    headers = {**caller.headers, "X-Forwarded-For": more.pop("address", "192.0.2.1"), **more.pop("headers", {})}
    return api.client.simulate_get(CATALOG, query_string=query, headers=headers, **more)


def names(answer: Result) -> list[str]:
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json["repositories"]
    return found


@pytest.fixture(scope="module")
def place(api: Api) -> dict[str, str]:
    """A project of each kind, with repositories that sort in an order of their own."""
    projects = {"private": api.project(), "public": api.project(public=True), "other": api.project()}
    for project in projects.values():
        for rest in ("b", "a-b", "a/b", "a.b", "a_b"):
            artifact_of(api, project, rest, "v1")
        with api.database.superuser() as connection:
            connection.execute(
                "INSERT INTO core.repositories (project_id, name) SELECT id, name || '/empty' FROM core.projects"
                " WHERE name = %s",
                (project,),
            )
    return projects


def of(*projects: str) -> list[str]:
    return sorted(f"{project}/{rest}" for project in projects for rest in ("a-b", "a.b", "a/b", "a_b", "b"))


@pytest.mark.parametrize("role", ["projectAdmin", "maintainer", "developer", "guest", "limitedGuest"])
def test_a_member_sees_his_projects_and_the_public_ones(api: Api, place: dict[str, str], role: str) -> None:
    assert names(catalog(api, api.member(place["private"], role))) == of(place["private"], place["public"])


def test_a_stranger_sees_what_is_public_and_an_administrator_everything(api: Api, place: dict[str, str]) -> None:
    assert names(catalog(api, api.user())) == of(place["public"])
    assert names(catalog(api, ADMIN)) == of(*place.values())


def test_a_robot_sees_where_it_may_pull_and_one_of_the_system_what_it_was_given(
    api: Api, place: dict[str, str]
) -> None:
    puller = api.robot(place["private"], ("repository", "pull"))
    assert names(catalog(api, puller)) == of(place["private"], place["public"])
    other = api.robot(place["private"], ("label", "list"))
    assert names(catalog(api, other)) == of(place["public"])
    reader = api.robot(None, system=(("catalog", "read"),))
    assert names(catalog(api, reader)) == of(*place.values())


def test_a_member_who_is_removed_and_a_project_that_is_deleted_are_gone_at_once(
    api: Api, place: dict[str, str]
) -> None:
    member = api.member(place["private"], "guest")
    assert of(place["private"])[0] in names(catalog(api, member))
    with api.database.superuser() as connection:
        connection.execute(
            "DELETE FROM core.members m USING core.users u WHERE u.id = m.user_id AND u.username = %s", (member.name,)
        )
    assert names(catalog(api, member)) == of(place["public"])


@pytest.mark.parametrize("n", [1, 2, 4, 5, 10, 11, 5000])
def test_links_lead_through_all_of_it(api: Api, place: dict[str, str], n: int) -> None:
    member = api.member(place["private"], "guest")
    found: list[str] = []
    query = f"n={n}"
    while True:
        answer = catalog(api, member, query)
        assert len(names(answer)) <= n
        found += names(answer)
        link = answer.headers.get("link")
        if link is None:
            break
        followed = re.fullmatch(r'</v2/_catalog\?([^>]*)>; rel="next"', link)
        assert followed
        query = followed[1]
    assert found == of(place["private"], place["public"])


def test_a_list_begins_behind_any_name(api: Api, place: dict[str, str]) -> None:
    everything = of(*place.values())
    assert names(catalog(api, ADMIN, f"last={everything[3].replace('/', '%2F')}")) == everything[4:]
    assert names(catalog(api, ADMIN, "last=zzz")) == []
    assert names(catalog(api, ADMIN, f"last={everything[3]}%20no-such-name&n=2")) == everything[4:6]
    assert names(catalog(api, ADMIN, "n=0")) == []


@pytest.mark.parametrize(
    "query", ["n=-1", "n=x", "n=1.5", "n=", "n=99999999999", "n=1%3Bselect", "last=a%00b", "n=%D9%A3"]
)
def test_a_bad_page_is_a_400_in_the_registry_s_shape(api: Api, query: str) -> None:
    answer = catalog(api, ADMIN, query)
    assert answer.status_code == 400
    assert code(answer) in {"PAGINATION_NUMBER_INVALID", "UNSUPPORTED"}
    assert "link" not in answer.headers


@pytest.mark.parametrize("last", ["' OR 1=1 --", "x'; DROP TABLE core.repositories; --", "\\", "%"])
def test_a_name_is_a_value_whatever_it_holds(api: Api, place: dict[str, str], last: str) -> None:
    answer = api.client.simulate_get(CATALOG, params={"last": last}, headers=ADMIN.headers)
    assert set(names(answer)) <= set(of(*place.values()))
    assert names(catalog(api, ADMIN)) == of(*place.values())


@pytest.mark.parametrize(
    "caller", [NOBODY, Caller(name="admin", password="wrong"), Caller(name="no-such-name")], ids=["none", "wrong", "?"]
)
def test_who_is_nobody_gets_a_challenge_and_no_name(api: Api, place: dict[str, str], caller: Caller) -> None:
    answer = catalog(api, caller, address="192.0.2.200")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="Breakwater"'
    assert code(answer) == "UNAUTHORIZED"
    assert place["public"] not in answer.text


def test_a_guesser_waits_and_the_right_password_does_not(api: Api) -> None:
    person = api.user()
    names(catalog(api, person, address="203.0.113.7"))
    guesses = [Caller(name=person.name, password=f"guess {number}") for number in range(PER_ACCOUNT + 2)]
    *answers, waiting = [catalog(api, guess, address="203.0.113.7") for guess in guesses]
    assert [answer.status_code for answer in answers] == [401] * PER_ACCOUNT + [429]
    assert int(waiting.headers["retry-after"]) > 0
    assert json.loads(waiting.text)["errors"][0]["code"] == "TOOMANYREQUESTS"
    names(catalog(api, person, address="203.0.113.7"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_is_only_read(api: Api, method: str) -> None:
    answer = api.client.simulate_request(method, CATALOG, headers=ADMIN.headers)
    assert answer.status_code == 405


def test_a_page_costs_the_same_however_long_it_is(api: Api, place: dict[str, str]) -> None:
    member = api.member(place["private"], "guest")
    counts = []
    for n in (1, 100):
        catalog(api, member, f"n={n}")
        with statements() as seen:
            assert names(catalog(api, member, f"n={n}"))
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 3
