"""Rules that make tags immutable, in the API: made, changed, deleted, and shown on tags."""

import pytest

from tests.integration.core.people import ADMIN, Api, code
from tests.integration.core.rows import artifact_of


def rule(pattern: str = "v*", *, disabled: bool = False, repositories: str = "**") -> dict[str, object]:
    return {
        "disabled": disabled,
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": pattern}],
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": repositories}]
        },
    }


def rules(api: Api, project: str) -> list[dict[str, object]]:
    return list(api.get(f"/projects/{project}/immutabletagrules").json)


def test_a_rule_is_made_changed_and_deleted(api: Api) -> None:
    name = api.project()
    number = api.made(f"/projects/{name}/immutabletagrules", rule())
    (made,) = rules(api, name)
    assert (made["id"], made["disabled"], made["template"]) == (number, False, "immutable_template")
    path = f"/projects/{name}/immutabletagrules/{number}"
    assert api.send("PUT", path, ADMIN, rule("w*", disabled=True)).status_code == 200
    (changed,) = rules(api, name)
    assert changed["disabled"] is True
    assert changed["tag_selectors"][0]["pattern"] == "w*"  # type: ignore[index]  # JSON
    assert api.send("DELETE", path).status_code == 200
    assert rules(api, name) == []
    told = [event["data"]["changed"] for event in api.events("project.updated") if event["data"]["project"] == name]
    assert told == [["immutable_tag_rules"]] * 3


@pytest.mark.parametrize("disabled", [True, False])
def test_a_rule_is_switched_by_disabled_alone(api: Api, *, disabled: bool) -> None:
    name = api.project()
    number = api.made(f"/projects/{name}/immutabletagrules", rule(disabled=not disabled))
    path = f"/projects/{name}/immutabletagrules/{number}"
    (made,) = rules(api, name)
    assert api.send("PUT", path, ADMIN, {"disabled": disabled}).status_code == 200
    assert rules(api, name) == [made | {"disabled": disabled}]
    other_way = {"disabled": not disabled}
    for unfit in ({}, other_way | {"tag_selectors": []}, other_way | {"action": "retain"}):
        assert api.send("PUT", path, ADMIN, unfit).status_code == 400
    assert rules(api, name) == [made | {"disabled": disabled}]


def test_the_same_rule_is_made_once(api: Api) -> None:
    name = api.project()
    api.made(f"/projects/{name}/immutabletagrules", rule())
    number = api.made(f"/projects/{name}/immutabletagrules", rule("w*"))
    answers = [
        api.send("POST", f"/projects/{name}/immutabletagrules", ADMIN, rule()),
        api.send("PUT", f"/projects/{name}/immutabletagrules/{number}", ADMIN, rule()),
    ]
    assert [(answer.status_code, code(answer)) for answer in answers] == [(409, "CONFLICT")] * 2
    assert [each["tag_selectors"][0]["pattern"] for each in rules(api, name)] == ["v*", "w*"]  # type: ignore[index]  # JSON


def test_a_trial_tells_what_a_rule_would_hold_and_makes_none(api: Api) -> None:
    name = api.project()
    artifact_of(api, name, "app", "v1", "v2", "latest")
    artifact_of(api, name, "app/test", "v3")
    artifact_of(api, api.project(), "app", "v4")
    path = f"/projects/{name}/immutabletagrules"

    def held(body: object) -> tuple[int, list[tuple[str, str]]]:
        answer = api.send("POST", f"{path}/trial", ADMIN, body)
        assert answer.status_code == 200
        return answer.json["total"], [(each["repository"], each["tag"]) for each in answer.json["tags"]]

    assert held(rule()) == (3, [(f"{name}/app", "v1"), (f"{name}/app", "v2"), (f"{name}/app/test", "v3")])
    assert held(rule(repositories="*", disabled=True)) == (2, [(f"{name}/app", "v1"), (f"{name}/app", "v2")])
    assert held(rule("w*")) == (0, [])
    many = [f"w{number:03}" for number in range(120)]
    artifact_of(api, name, "many", *many)
    assert held(rule("w*")) == (120, [(f"{name}/many", tag) for tag in many[:100]])
    for unfit in ({}, rule(""), rule("[")):
        assert api.send("POST", f"{path}/trial", ADMIN, unfit).status_code == 400
    assert rules(api, name) == []


def test_a_rule_of_another_project_is_not_found(api: Api) -> None:
    mine, other = api.project(), api.project()
    number = api.made(f"/projects/{other}/immutabletagrules", rule())
    maintainer = api.member(mine, "maintainer")
    for method, body in (("PUT", rule("w*")), ("DELETE", None)):
        answer = api.send(method, f"/projects/{mine}/immutabletagrules/{number}", maintainer, body)
        assert answer.status_code == 404
    assert [each["id"] for each in rules(api, other)] == [number]


SELECTOR = {"kind": "doublestar", "decoration": "matches", "pattern": "**"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        rule() | {"tag_selectors": []},
        rule() | {"scope_selectors": {}},
        rule() | {"scope_selectors": {"project": [SELECTOR]}},
        rule() | {"tag_selectors": [SELECTOR | {"kind": "regex"}]},
        rule() | {"tag_selectors": [SELECTOR | {"decoration": "repoMatches"}]},
        rule() | {"tag_selectors": [SELECTOR | {"pattern": ""}]},
        rule() | {"tag_selectors": [SELECTOR | {"pattern": "x" * 256}]},
        rule() | {"tag_selectors": [SELECTOR | {"pattern": "{a,b}" * 20}]},
        rule() | {"tag_selectors": [SELECTOR] * 11},
        rule() | {"action": "retain"},
        rule() | {"tag_selectors": "v*"},
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_not_kept(api: Api, body: dict[str, object]) -> None:
    name = api.project()
    assert api.send("POST", f"/projects/{name}/immutabletagrules", ADMIN, body).status_code == 400
    assert rules(api, name) == []


def test_tags_show_whether_they_are_immutable_where_that_is_asked(api: Api) -> None:
    name = api.project()
    digest = artifact_of(api, name, "app", "v1", "latest")
    api.made(f"/projects/{name}/immutabletagrules", rule(repositories="app"))
    artifacts = f"/projects/{name}/repositories/app/artifacts"
    for path in (artifacts, f"/projects/{name}/artifacts"):
        (artifact,) = api.get(f"{path}?with_immutable_status=true").json
        assert {tag["name"]: tag["immutable"] for tag in artifact["tags"]} == {"v1": True, "latest": False}
        assert "immutable" not in api.get(path).json[0]["tags"][0]
    tags = api.get(f"{artifacts}/{digest}/tags?with_immutable_status=true").json
    assert {tag["name"]: tag["immutable"] for tag in tags} == {"v1": True, "latest": False}


@pytest.mark.parametrize("what", ["artifact", "tag", "repository"])
def test_what_an_immutable_tag_names_cannot_be_deleted(api: Api, what: str) -> None:
    name = api.project()
    digest = artifact_of(api, name, "app", "v1")
    api.made(f"/projects/{name}/immutabletagrules", rule())
    repository = f"/projects/{name}/repositories/app"
    path = {
        "artifact": f"{repository}/artifacts/{digest}",
        "tag": f"{repository}/artifacts/{digest}/tags/v1",
        "repository": repository,
    }[what]
    answer = api.send("DELETE", path)
    assert (answer.status_code, code(answer)) == (412, "PRECONDITION")
    assert [tag["name"] for tag in api.get(f"{repository}/artifacts/{digest}/tags").json] == ["v1"]
    with api.database.superuser() as connection:
        row = connection.execute("SELECT count(*) FROM events.expected WHERE repository = %s", (f"{name}/app",))
        assert row.fetchone() == (0,)


def test_a_deleted_project_leaves_no_rule(api: Api) -> None:
    name = api.project()
    api.made(f"/projects/{name}/immutabletagrules", rule())
    assert api.send("DELETE", f"/projects/{name}").status_code == 200
    with api.database.superuser() as connection:
        left = connection.execute(
            "SELECT count(*) FROM core.immutable_rules r JOIN core.projects p ON p.id = r.project_id WHERE p.name = %s",
            (name,),
        )
        assert left.fetchone() == (0,)


def test_what_goes_with_a_repository_is_told_and_whether_immutable_tags_keep_it(api: Api) -> None:
    name = api.project()
    artifact_of(api, name, "app", "v1", "v2")
    artifact_of(api, name, "app")
    artifact_of(api, name, "other", "v1")
    path = f"/projects/{name}/repositories/app/_deletable"
    counted = {"artifact_count": 2, "tag_count": 2}
    assert api.get(path).json == counted | {"deletable": True, "immutable_tag_count": 0, "immutable_tags": []}
    api.made(f"/projects/{name}/immutabletagrules", rule("v1", repositories="other"))
    assert api.get(path).json["deletable"] is True
    api.made(f"/projects/{name}/immutabletagrules", rule("v1", repositories="app"))
    assert api.get(path).json == counted | {
        "deletable": False, "immutable_tag_count": 1, "immutable_tags": ["v1"], "message": "immutable tags: 1",
    }  # fmt: skip
    assert api.get(f"/projects/{name}/repositories/absent/_deletable").status_code == 404
