"""A project's own allowlist of vulnerabilities through the API, and when the system's holds instead."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.core.people import ADMIN, NOBODY, Api, sentence

EXPIRY = 1_893_456_000
GIVEN = {"items": [{"cve_id": "CVE-2019-10164"}, {"cve_id": " CVE-2020-1 "}], "expires_at": EXPIRY}
KEPT = (["CVE-2019-10164", "CVE-2020-1"], EXPIRY)
SYSTEM = "/system/CVEAllowlist"


def stored(api: Api, project: str) -> tuple[Any, ...] | None:
    """What the database has, of the project that had the name last."""
    with api.database.superuser() as connection:
        return connection.execute(
            """
            SELECT l.cves, l.expires_at FROM core.project_allowlists l JOIN core.projects p ON p.id = l.project_id
            WHERE p.name = %s ORDER BY p.id DESC LIMIT 1
            """,
            (project,),
        ).fetchone()


def changes(api: Api, project: str) -> list[list[str]]:
    return [each["data"]["changed"] for each in api.events("project.updated") if each["subject"] == project]


def cves(api: Api, project: str) -> list[str]:
    return [each["cve_id"] for each in api.get(f"/projects/{project}").json["cve_allowlist"]["items"]]


@pytest.fixture
def listed(api: Api) -> str:
    """A project with a list of its own."""
    project = api.project()
    assert api.send("PUT", f"/projects/{project}", ADMIN, {"cve_allowlist": GIVEN}).status_code == 200
    return project


def test_a_project_without_a_list_tolerates_nothing(api: Api) -> None:
    project = api.project()
    shown = api.get(f"/projects/{project}").json
    assert shown["cve_allowlist"] == {
        "id": shown["project_id"],
        "project_id": shown["project_id"],
        "items": [],
        "creation_time": shown["creation_time"],
        "update_time": shown["creation_time"],
    }
    assert stored(api, project) is None


def test_a_project_is_made_with_its_list(api: Api) -> None:
    api.made("/projects", {"project_name": "made-with-a-list", "cve_allowlist": {"id": 7, "project_id": 7} | GIVEN})
    shown = api.get("/projects/made-with-a-list").json
    allowlist = shown["cve_allowlist"]
    assert (allowlist["id"], allowlist["project_id"]) == (shown["project_id"], shown["project_id"])
    assert [each["cve_id"] for each in allowlist["items"]] == KEPT[0]
    assert allowlist["expires_at"] == EXPIRY
    assert allowlist["creation_time"] == allowlist["update_time"] == shown["creation_time"]
    assert stored(api, "made-with-a-list") == KEPT
    assert changes(api, "made-with-a-list") == []


def test_a_list_is_replaced_as_a_whole_and_stays_where_nothing_is_said_of_it(api: Api, listed: str) -> None:
    administrator = api.member(listed, "projectAdmin")
    path = f"/projects/{listed}"
    before = api.get(path, administrator).json["cve_allowlist"]
    assert api.send("PUT", path, administrator, {"metadata": {"severity": "low"}}).status_code == 200
    assert api.get(path, administrator).json["cve_allowlist"] == before
    body = {"metadata": {"auto_scan": "true"}, "cve_allowlist": {"items": [{"cve_id": "CVE-1"}]}}
    assert api.send("PUT", path, administrator, body).status_code == 200
    shown = api.get(path, administrator).json
    assert shown["metadata"] == {"public": "false", "severity": "low", "auto_scan": "true"}
    assert shown["cve_allowlist"]["items"] == [{"cve_id": "CVE-1"}]
    assert "expires_at" not in shown["cve_allowlist"]
    assert shown["cve_allowlist"]["creation_time"] == before["creation_time"]
    assert shown["cve_allowlist"]["update_time"] > before["update_time"]
    assert stored(api, listed) == (["CVE-1"], None)
    assert changes(api, listed) == [["cve_allowlist"], ["severity"], ["auto_scan", "cve_allowlist"]]
    assert api.send("PUT", path, administrator, {"cve_allowlist": {}}).status_code == 200
    assert stored(api, listed) == ([], None)


def test_the_same_list_again_is_no_event(api: Api, listed: str) -> None:
    for body in ({"cve_allowlist": GIVEN}, {"cve_allowlist": None}, api.get(f"/projects/{listed}").json):
        assert api.send("PUT", f"/projects/{listed}", ADMIN, body).status_code == 200
    assert changes(api, listed) == [["cve_allowlist"]]
    never = api.project()
    assert api.send("PUT", f"/projects/{never}", ADMIN, {"cve_allowlist": {"items": []}}).status_code == 200
    assert changes(api, never) == []


@pytest.mark.parametrize(
    "allowlist",
    [
        {"items": [{"cve_id": ""}]},
        {"items": [{}]},
        {"items": [{"cve_id": "CVE-1"}, {"cve_id": "CVE-1"}]},
        {"items": [{"cve_id": "C" * 65}]},
        {"items": [{"cve_id": "CVE\n1"}]},
        {"items": "CVE-1"},
        {"items": [{"cve_id": 1}]},
        {"items": [{"cve_id": f"CVE-{number}"} for number in range(10_001)]},
        {"items": [], "expires_at": -1},
        {"items": [], "expires_at": 2**70},
        {"items": [], "expires_at": "soon"},
        [],
        "CVE-1",
    ],
    ids=lambda allowlist: str(allowlist)[:60],
)
def test_a_list_that_does_not_fit_changes_nothing(api: Api, listed: str, allowlist: object) -> None:
    body = {"metadata": {"severity": "low"}, "cve_allowlist": allowlist}
    answer = api.send("PUT", f"/projects/{listed}", ADMIN, body)
    assert answer.status_code == 400
    assert len(answer.json["errors"]) == 1
    assert sentence(answer)
    assert stored(api, listed) == KEPT
    assert "severity" not in api.get(f"/projects/{listed}").json["metadata"]
    body = {"project_name": "unfit", "cve_allowlist": allowlist}
    assert api.send("POST", "/projects", ADMIN, body).status_code == 400
    assert api.get("/projects/unfit").status_code == 404


@pytest.mark.parametrize(("reuse", "is_the_systems"), [(None, False), ("false", False), ("true", True)])
def test_the_systems_list_holds_where_the_metadata_say_so(
    api: Api, listed: str, reuse: str | None, *, is_the_systems: bool
) -> None:
    api.send("PUT", SYSTEM, ADMIN, {"items": [{"cve_id": "CVE-OF-THE-SYSTEM"}]})
    if reuse is not None:
        metadata = {"reuse_sys_cve_allowlist": reuse}
        assert api.send("PUT", f"/projects/{listed}", ADMIN, {"metadata": metadata}).status_code == 200
    shown = api.get(f"/projects/{listed}").json
    assert cves(api, listed) == (["CVE-OF-THE-SYSTEM"] if is_the_systems else KEPT[0])
    assert ("expires_at" in shown["cve_allowlist"]) is not is_the_systems
    assert shown["cve_allowlist"]["project_id"] == shown["project_id"]
    assert shown["metadata"].get("reuse_sys_cve_allowlist") == reuse
    assert stored(api, listed) == KEPT


def test_a_projects_own_list_is_kept_while_the_systems_holds(api: Api, listed: str) -> None:
    api.send("PUT", SYSTEM, ADMIN, {"items": [{"cve_id": "CVE-OF-THE-SYSTEM"}]})
    body = {"metadata": {"reuse_sys_cve_allowlist": "true"}, "cve_allowlist": {"items": [{"cve_id": "CVE-OWN"}]}}
    assert api.send("PUT", f"/projects/{listed}", ADMIN, body).status_code == 200
    assert cves(api, listed) == ["CVE-OF-THE-SYSTEM"]
    body = {"reuse_sys_cve_allowlist": "false"}
    entry = f"/projects/{listed}/metadatas/reuse_sys_cve_allowlist"
    assert api.send("PUT", entry, ADMIN, body).status_code == 200
    assert cves(api, listed) == ["CVE-OWN"]


def test_only_those_who_may_change_the_project_change_its_list(api: Api, listed: str) -> None:
    callers = [(api.member(listed, role), 403) for role in ("maintainer", "developer", "guest", "limitedGuest")]
    for caller, status in [*callers, (api.user(), 403), (NOBODY, 401)]:
        answer = api.send("PUT", f"/projects/{listed}", caller, {"cve_allowlist": {"items": []}})
        assert answer.status_code == status
    assert stored(api, listed) == KEPT


def test_strangers_and_lists_are_shown_no_allowlist(api: Api) -> None:
    project = api.project(public=True)
    api.send("PUT", f"/projects/{project}", ADMIN, {"cve_allowlist": GIVEN})
    assert cves(api, project) == KEPT[0]
    assert "cve_allowlist" in api.get(f"/projects/{project}", api.user()).json
    assert "cve_allowlist" not in api.get(f"/projects/{project}", NOBODY).json
    [in_list] = api.get(f"/projects?q=name={project}").json
    assert "cve_allowlist" not in in_list


def test_a_list_goes_with_its_project(api: Api, listed: str) -> None:
    assert api.send("DELETE", f"/projects/{listed}").status_code == 200
    assert stored(api, listed) is None
    assert api.send("PUT", f"/projects/{listed}", ADMIN, {"cve_allowlist": GIVEN}).status_code == 404


def test_of_many_lists_at_once_the_last_one_stays_whole(api: Api) -> None:
    project = api.project()

    def put(number: int) -> int:
        items = [{"cve_id": f"CVE-{number}-{each}"} for each in range(3)]
        body = {"cve_allowlist": {"items": items, "expires_at": number}}
        return api.send("PUT", f"/projects/{project}", ADMIN, body).status_code

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(put, range(1, 9))) == [200] * 8
    kept = stored(api, project)
    assert kept
    assert kept[0] == [f"CVE-{kept[1]}-{each}" for each in range(3)]
    assert changes(api, project) == [["cve_allowlist"]] * 8
