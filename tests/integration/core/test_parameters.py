"""What the API's description declares of parameters and refusals, tried at every operation that is built."""

import re

import pytest
from falcon.testing import Result

from gateway.core.openapi.operations import OPERATIONS
from tests.integration.core.people import ADMIN, NOBODY, Api, code
from tests.integration.core.rows import artifact_of, label_of
from tests.integration.core.swagger import DESCRIPTION, Description

pytestmark = pytest.mark.skipif(not DESCRIPTION.exists(), reason=f"the API's description is not at {DESCRIPTION}")

ABSENT = "999999999"
WRONG = {"integer": ("x", "1.5"), "boolean": ("perhaps",)}
RIGHT = {"integer": "1", "boolean": "true"}
NEEDED = {
    "/search": "q=a", "/users/search": "username=a", "/labels": "scope=g", "/projects": "project_name=library",
    "/usergroups/search": "groupname=a",
}  # fmt: skip
"""Without which nothing is answered."""
DECLARED = Description() if DESCRIPTION.exists() else None
OPERATIONS_THERE = sorted(set(OPERATIONS) & DECLARED.operations()) if DECLARED else []
WITH_BODY = [key for key in OPERATIONS_THERE if DECLARED and DECLARED.takes_body(*key)]
ONE_ARTIFACT = "/projects/{project}/repositories/{repository}/artifacts/{reference}"
WITHOUT_EFFECT = {("GET", ONE_ARTIFACT, "page"), ("GET", ONE_ARTIFACT, "page_size")}
"""Declared where there is no list to page through: passed over."""
PUBLIC = {
    ("GET", "/ping"), ("GET", "/health"), ("GET", "/systeminfo"), ("GET", "/systeminfo/getcert"), ("GET", "/search"),
    ("GET", "/projects"), ("GET", "/repositories"),
}  # fmt: skip
"""What strangers ask too, and are shown what is public."""
ABSENT_NAMES = (
    "robot_id", "member_id", "immutable_rule_id", "webhook_policy_id", "execution_id", "task_id", "group_id",
    "purge_id", "gc_id", "id", "eid", "tid",
)  # fmt: skip
JOBS = "/projects/{project}/webhook/jobs"  # of a policy, and none is there
NOT_DECLARED = {("DELETE", "/projects/{project}"), ("GET", "/robots"), ("HEAD", "/projects")}
"""Where the description forgets that strangers are told 401."""


def _names(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


def _is_there(path: str) -> bool:
    return path != JOBS and not set(ABSENT_NAMES) & set(_names(path))


def _typed() -> list[tuple[str, str, str, str]]:
    """Every query parameter that is a number or a flag: method, path, name, type."""
    return [
        (method, path, each["name"], each["type"])
        for method, path in OPERATIONS_THERE
        for each in (DECLARED.parameters(method, path) if DECLARED and _is_there(path) else ())
        if each["type"] in WRONG and (method, path, each["name"]) not in WITHOUT_EFFECT
    ]


@pytest.fixture
def described() -> Description:
    assert DECLARED
    return DECLARED


@pytest.fixture(scope="module")
def names(api: Api) -> dict[str, str]:
    """What paths name: all of it is there but what `ABSENT_NAMES` number."""
    project = api.project()
    digest = artifact_of(api, project, "app", "first")
    number = str(api.get(f"/projects/{project}").json["project_id"])
    return dict.fromkeys(ABSENT_NAMES, ABSENT) | {
        "project": project, "repository": "app", "reference": digest, "tag": "first", "addition": "build_history",
        "meta_name": "public", "quota_id": number, "label_id": str(label_of(api)), "user_id": "1",
        "job_type": "all", "pool_id": "all", "job_id": "retention-1",
    }  # fmt: skip


def _ask(api: Api, method: str, path: str, names: dict[str, str], query: str) -> Result:
    needed = NEEDED.get(path, "") if query.partition("=")[0] not in NEEDED.get(path, "") else ""
    return api.send(method, path.format(**names), ADMIN, query_string="&".join(filter(None, [needed, query])))


@pytest.mark.parametrize(("method", "path", "name", "kind"), _typed())
def test_a_parameter_of_a_wrong_type_is_422_and_one_of_the_right_type_is_taken(
    api: Api, names: dict[str, str], method: str, path: str, name: str, kind: str
) -> None:
    for wrong in WRONG[kind]:
        answer = _ask(api, method, path, names, f"{name}={wrong}")
        assert (answer.status_code, code(answer)) == (422, "UNPROCESSABLE_ENTITY"), f"{name}={wrong}"
    assert _ask(api, method, path, names, f"{name}={RIGHT[kind]}").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [key for key in OPERATIONS_THERE if OPERATIONS[key].is_list and _is_there(key[1])]
)
def test_a_page_ends_where_it_is_declared_to_end(api: Api, names: dict[str, str], method: str, path: str) -> None:
    for query, status in {"page=0": 422, "page_size=101": 422, "page_size=100": 200, "page_size=0": 200}.items():
        assert _ask(api, method, path, names, query).status_code == status, query


@pytest.mark.parametrize(
    ("method", "path"),
    [key for key in OPERATIONS_THERE if DECLARED and any(each.get("required") for each in DECLARED.parameters(*key))],
)
def test_what_is_required_is_asked_for(api: Api, names: dict[str, str], method: str, path: str) -> None:
    assert api.send(method, path.format(**names), ADMIN).status_code == 422


@pytest.mark.parametrize(("method", "path"), [key for key in OPERATIONS_THERE if key not in PUBLIC])
def test_a_stranger_is_told_that_he_has_to_sign_in(
    api: Api, described: Description, names: dict[str, str], method: str, path: str
) -> None:
    body = {} if described.takes_body(method, path) else None
    answer = api.send(method, path.format(**names), NOBODY, body, query_string=NEEDED.get(path, ""))
    assert answer.status_code == 401
    assert described.declares(method, path, 401) or (method, path) in NOT_DECLARED
    if method != "HEAD":
        _check_refusal(answer, "UNAUTHORIZED")


@pytest.mark.parametrize(("method", "path"), [key for key in OPERATIONS_THERE if "{project}" in key[1]])
def test_a_missing_project_is_404_for_an_administrator(
    api: Api, described: Description, names: dict[str, str], method: str, path: str
) -> None:
    body = {} if described.takes_body(method, path) else None
    query = f"from={names['project']}/app:first" if path.endswith("/artifacts") else ""
    answer = api.send(method, path.format(**names | {"project": "missing"}), ADMIN, body, query_string=query)
    assert answer.status_code == 404
    _check_refusal(answer, "NOT_FOUND")


@pytest.mark.parametrize("body", ['{"half": ', "[]"])
@pytest.mark.parametrize(("method", "path"), [key for key in WITH_BODY if _is_there(key[1])])
def test_a_body_that_is_no_object_is_400(
    api: Api, names: dict[str, str], method: str, path: str, body: str
) -> None:
    answer = api.send(method, path.format(**names), ADMIN, body)
    assert answer.status_code == 400
    _check_refusal(answer, "BAD_REQUEST")


def _check_refusal(answer: Result, expected: str) -> None:
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    [error] = answer.json["errors"]
    assert error["code"] == expected
    assert error["message"]
    assert set(error) == {"code", "message"}
