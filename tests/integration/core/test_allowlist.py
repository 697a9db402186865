"""The system's allowlist of vulnerabilities through the API."""

from typing import Any

import pytest

from tests.integration.core.people import ADMIN, Api

PATH = "/system/CVEAllowlist"


def stored(api: Api) -> tuple[Any, ...]:
    with api.database.superuser() as connection:
        row = connection.execute("SELECT cves, expires_at FROM core.cve_allowlist").fetchone()
    assert row
    return tuple(row)


@pytest.fixture(autouse=True)
def _one_item(api: Api) -> None:
    api.send("PUT", PATH, ADMIN, {"items": [{"cve_id": "CVE-2019-10164"}], "expires_at": 1_893_456_000})


def test_the_list_is_replaced_as_a_whole_and_shown_to_whoever_has_signed_in(api: Api) -> None:
    reader, before = api.user(), len(api.events("configuration.updated"))
    shown = api.get(PATH, reader).json
    assert (shown["items"], shown["expires_at"]) == ([{"cve_id": "CVE-2019-10164"}], 1_893_456_000)
    body = {"id": 7, "project_id": 7, "items": [{"cve_id": "CVE-2"}, {"cve_id": " CVE-1 "}], "expires_at": None}
    assert api.send("PUT", PATH, ADMIN, body).status_code == 200
    assert stored(api) == (["CVE-2", "CVE-1"], None)
    shown = api.get(PATH, reader).json
    assert [each["cve_id"] for each in shown["items"]] == ["CVE-2", "CVE-1"]
    assert (shown["id"], shown["project_id"]) == (1, 0)
    assert "expires_at" not in shown
    assert [each["data"]["changed"] for each in api.events("configuration.updated")[before:]] == [["cve_allowlist"]]


def test_the_same_list_again_is_no_event(api: Api) -> None:
    before = len(api.events("configuration.updated"))
    body = {"items": [{"cve_id": "CVE-2019-10164"}], "expires_at": 1_893_456_000}
    assert api.send("PUT", PATH, ADMIN, body).status_code == 200
    assert len(api.events("configuration.updated")) == before


@pytest.mark.parametrize(
    "body",
    [
        {"items": [{"cve_id": ""}]},
        {"items": [{}]},
        {"items": [{"cve_id": "CVE-1"}, {"cve_id": "CVE-1"}]},
        {"items": "CVE-1"},
        {"items": [{"cve_id": 1}]},
        {"items": [], "expires_at": -1},
        {"items": [], "expires_at": 2**70},
        {"items": [], "expires_at": "soon"},
        [],
    ],
    ids=str,
)
def test_a_list_that_does_not_fit_changes_nothing(api: Api, body: object) -> None:
    assert api.send("PUT", PATH, ADMIN, body).status_code == 400
    assert stored(api) == (["CVE-2019-10164"], 1_893_456_000)


def test_only_administrators_change_it(api: Api) -> None:
    robot = api.robot(None, system=(("label", "update"), ("scanner", "update")))
    for caller in (api.user(), robot):
        assert api.send("PUT", PATH, caller, {"items": []}).status_code == 403
    assert stored(api) == (["CVE-2019-10164"], 1_893_456_000)
