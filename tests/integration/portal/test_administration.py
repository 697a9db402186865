"""Labels, quotas, the configuration, purges of the record, health and about, in the portal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from urllib.parse import quote

import pytest
from falcon.testing import TestClient

from gateway.core.app import build
from shared.auth.login import build_login
from shared.db import engine
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, NOBODY, Api
from tests.integration.portal.browsing import HOSTILE, Browser, Reading

GIBIBYTE = 1024**3
SETTINGS = "/admin/settings"
PURGE = "/admin/audit-purge"
GARBAGE = "/admin/garbage"
_numbers = count(1)


@pytest.fixture
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


@pytest.fixture
def _as_before(api: Api) -> Iterator[None]:
    """The configuration as it was."""
    before = {key: item["value"] for key, item in api.get("/configurations").json.items() if item.get("editable")}
    yield
    assert api.send("PUT", "/configurations", ADMIN, before).status_code == 200


def chosen(page: Reading) -> dict[str, str]:
    """What a form would send as it is: fields, boxes that are ticked, and choices."""
    options = iter(page.elements)
    found, name = dict(page.values()), ""
    for tag, attributes in options:
        if tag == "select":
            name = attributes.get("name", "")
        elif tag == "option" and (name not in found or "selected" in attributes):
            found[name] = attributes["value"]
    return found


def configured(api: Api, key: str) -> object:
    return api.get("/configurations").json[key]["value"]


def test_a_label_is_made_changed_and_deleted(api: Api, admin: Browser) -> None:
    name = f"label{next(_numbers)}"
    fields = {"name": name, "description": HOSTILE, "color": "#1c6b3c"}
    answer = admin.post("/admin/labels/new", fields)
    assert f"Label {name} is made." in Reading(answer.text).text
    assert HOSTILE in Reading(answer.text).text
    assert "<script>alert" not in answer.text
    (label,) = api.get(f"/labels?scope=g&name={name}").json
    path = f"/admin/labels/{label['id']}"
    assert admin.read(f"{path}/edit").values() | fields == admin.read(f"{path}/edit").values()
    admin.post(f"{path}/edit", fields | {"name": HOSTILE})
    assert api.get(f"/labels/{label['id']}").json["name"] == HOSTILE
    shown = admin.get("/admin/labels").text
    assert "<script>alert" not in shown
    assert "taken off every artifact" in admin.read(f"{path}/delete").text
    admin.post(f"{path}/delete", {})
    assert api.get(f"/labels/{label['id']}").status_code == 404


def test_a_label_that_cannot_be_is_shown_again(admin: Browser) -> None:
    answer = admin.post("/admin/labels/new", {"name": "x" * 200, "description": HOSTILE, "color": "#000000"})
    values = Reading(answer.text).values()
    assert answer.status_code == 400
    assert (values["name"], values["description"], values["color"]) == ("x" * 200, HOSTILE, "#000000")
    assert "<h1" not in admin.get("/admin/labels", part="list").text
    assert "No label matches" in admin.read("/admin/labels?q=nothing-like-this").text


def test_quotas_are_searched_by_project(api: Api, admin: Browser) -> None:
    one, two = api.project(), api.project()
    found = admin.read(f"/admin/quotas?q={one}&sort=name")
    assert one in found.text
    assert two not in found.text
    assert found.values()["q"] == one
    shown = admin.get("/admin/quotas", part="list").text
    assert "<h1" not in shown
    missed = admin.get(f"/admin/quotas?q={quote(HOSTILE)}").text
    assert "No project matches" in Reading(missed).text
    assert "<script>alert" not in missed


def test_quotas_are_sorted_by_use_and_limits_are_changed(api: Api, admin: Browser) -> None:
    small, large = api.project(), api.project()
    with api.database.superuser() as connection:
        connection.execute(
            "UPDATE core.projects SET storage_limit = 1000, storage_used = 990 WHERE name = %s", (small,)
        )
        connection.execute("UPDATE core.projects SET storage_used = 999999999 WHERE name = %s", (large,))
    shown = admin.read("/admin/quotas").text
    assert shown.index(large) < shown.index(small)
    assert "nearly full 99 %" in shown
    assert "<h1" not in admin.get("/admin/quotas?sort=used.storage", part="list").text
    path = f"/admin/quotas/{api.get(f'/projects/{small}').json['project_id']}/edit"
    admin.post(path, {"limit": "1.5"})
    assert api.get(f"/projects/{small}/summary").json["quota"]["hard"]["storage"] == 1.5 * GIBIBYTE
    assert admin.read(path).values()["limit"] == "1.5"
    admin.post(path, {"limit": ""})
    assert api.get(f"/projects/{small}/summary").json["quota"]["hard"]["storage"] == -1
    for typed in (HOSTILE, "0", "nan", "1e300"):
        answer = admin.post(path, {"limit": typed})
        assert answer.status_code == 400, typed
        assert Reading(answer.text).values()["limit"] == typed
    assert api.get(f"/projects/{small}/summary").json["quota"]["hard"]["storage"] == -1


@pytest.mark.usefixtures("_as_before")
def test_the_configuration_is_saved_as_it_is_shown(api: Api, admin: Browser) -> None:
    page = admin.read(SETTINGS)
    before = api.get("/configurations").json
    assert "The configuration is saved." in Reading(admin.post(SETTINGS, chosen(page)).text).text
    assert api.get("/configurations").json == before
    changed = chosen(page) | {
        "project_creation_restriction": "adminonly", "storage_per_project": "2.5", "session_timeout": "120",
        "robot_name_prefix": "bot$", "robot_token_duration": "7",
    }  # fmt: skip
    del changed["notification_enable"]
    admin.post(SETTINGS, changed)
    keys = (
        "project_creation_restriction", "storage_per_project", "session_timeout", "robot_name_prefix",
        "robot_token_duration", "notification_enable", "quota_per_project_enable",
    )  # fmt: skip
    values = [configured(api, key) for key in keys]
    assert values == ["adminonly", int(2.5 * GIBIBYTE), 120, "bot$", 7, False, True]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"robot_name_prefix": HOSTILE}, "robot_name_prefix must be a short word"),
        ({"session_timeout": "0"}, "session_timeout must be from 1"),
        ({"storage_per_project": "lots"}, "is not a number of GiB"),
    ],
)
def test_what_cannot_be_configured_changes_nothing_and_is_shown_again(
    api: Api, admin: Browser, fields: dict[str, str], said: str
) -> None:
    before = api.get("/configurations").json
    answer = admin.post(SETTINGS, chosen(admin.read(SETTINGS)) | {"banner": HOSTILE} | fields)
    page = Reading(answer.text)
    assert answer.status_code == 400
    assert said in page.text
    assert page.values() | fields | {"banner": HOSTILE} == page.values()
    assert "<script>alert" not in answer.text
    assert api.get("/configurations").json == before


@pytest.mark.usefixtures("_as_before")
def test_read_only_mode_is_begun_told_of_and_ended(api: Api, admin: Browser) -> None:
    fields = chosen(admin.read(SETTINGS))
    assert "nobody can push" not in admin.read(SETTINGS).text
    admin.post(SETTINGS, fields | {"read_only": "on"})
    assert "nobody can push" in admin.read(SETTINGS).text
    answer = admin.post("/admin/labels/new", {"name": "stopped", "color": "#000000"})
    assert answer.status_code == 403
    assert "read-only mode" in Reading(answer.text).text
    admin.post(SETTINGS, fields)
    assert configured(api, "read_only") is False


@pytest.mark.usefixtures("_as_before")
def test_a_banner_is_shown_to_everybody_and_harmless(api: Api, admin: Browser) -> None:
    fields = chosen(admin.read(SETTINGS))
    admin.post(SETTINGS, fields | {"banner": HOSTILE, "banner_kind": "danger"})
    stored = json.loads(str(configured(api, "banner_message")))
    assert (stored["message"], stored["type"]) == (HOSTILE, "danger")
    for browser in (Browser(api), Browser(api).sign_in(api.user()), admin):
        answer = browser.get("/about")
        assert HOSTILE in Reading(answer.text).text
        assert '<div class="banner danger"' in answer.text
        assert "<script>alert" not in answer.text
    assert chosen(admin.read(SETTINGS))["banner_kind"] == "danger"
    admin.post(SETTINGS, fields | {"banner": ""})
    assert configured(api, "banner_message") == ""
    assert "banner danger" not in admin.get("/about").text


def test_a_purge_is_tried_asked_about_scheduled_and_stopped(api: Api, admin: Browser) -> None:
    assert "No purge yet" in admin.read(PURGE).text
    wish = {"keep": "3", "unit": "days", "kinds": ["create_artifact", "pull_artifact"], "when": "None", "cron": ""}
    admin.post(PURGE, wish | {"do": "trial"})
    (trial,) = api.get("/system/purgeaudit").json
    assert json.loads(trial["job_parameters"]) == {
        "audit_retention_hour": 72, "dry_run": True, "include_event_types": "create_artifact,pull_artifact",
    }  # fmt: skip
    asked = Reading(admin.post(PURGE, wish | {"do": "ask"}).text)
    assert "Records older than 3 days are deleted for good." in asked.text
    assert len(api.get("/system/purgeaudit").json) == 1
    admin.post(PURGE, wish | {"do": "now"})
    number = api.get("/system/purgeaudit").json[0]["id"]
    shown = admin.get(PURGE, part="list").text
    assert 'hx-trigger="every 3s"' in shown
    assert "<h1" not in shown
    admin.post(f"{PURGE}/{number}/stop", {})
    assert api.get(f"/system/purgeaudit/{number}").json["job_status"] == "Stopped"
    assert "Purge job is stopped" in admin.read(f"{PURGE}/{number}/log").text
    admin.post(f"{PURGE}/{trial['id']}/stop", {})
    assert "every 3s" not in admin.get(PURGE).text

    saved = admin.post(PURGE, wish | {"do": "save", "when": "Custom", "cron": "0 30 2 * * *"})
    assert "The schedule is saved." in Reading(saved.text).text
    assert api.get("/system/purgeaudit/schedule").json["schedule"]["cron"] == "0 30 2 * * *"
    form = chosen(admin.read(PURGE))
    assert (form["when"], form["keep"], form["unit"], form["cron"]) == ("Custom", "3", "days", "0 30 2 * * *")
    admin.post(PURGE, wish | {"do": "save", "when": "Daily"})
    assert api.get("/system/purgeaudit/schedule").json["schedule"]["type"] == "Daily"
    admin.post(PURGE, wish | {"do": "save", "when": "None"})
    assert api.get("/system/purgeaudit/schedule").json == {}


def test_garbage_is_collected_for_a_trial_asked_about_scheduled_and_stopped(api: Api, admin: Browser) -> None:
    assert "No collection yet" in admin.read(GARBAGE).text
    wish = {"untagged": "yes", "when": "None", "cron": ""}
    asked = Reading(admin.post(GARBAGE, wish | {"do": "ask"}).text)
    assert "Artifacts without a tag that nothing else needs are deleted first." in asked.text
    assert "pushes and deletions are refused" in asked.text
    assert asked.values()["untagged"] == "yes"
    assert api.get("/system/gc").json == []
    admin.post(GARBAGE, wish | {"do": "trial"})
    (trial,) = api.get("/system/gc").json
    assert json.loads(trial["job_parameters"]) == {"delete_untagged": True, "dry_run": True, "workers": 1}
    second = admin.post(GARBAGE, {"do": "now"})
    assert second.status_code == 409
    assert len(api.get("/system/gc").json) == 1
    shown = admin.get(GARBAGE, part="list").text
    assert 'hx-trigger="every 3s"' in shown
    assert "<h1" not in shown
    told = Reading(admin.post(f"{GARBAGE}/{trial['id']}/stop", {}).text)
    assert "The collection is withdrawn." in told.text
    assert api.get(f"/system/gc/{trial['id']}").json["job_status"] == "Stopped"
    assert "withdrawn before it began" in admin.read(f"{GARBAGE}/{trial['id']}/log").text
    assert "every 3s" not in admin.get(GARBAGE).text
    admin.post(GARBAGE, {"do": "now"})
    (begun, _) = api.get("/system/gc").json
    assert json.loads(begun["job_parameters"]) == {"delete_untagged": False, "dry_run": False, "workers": 1}
    with api.database.superuser() as connection:
        connection.execute(
            "UPDATE core.collections SET status = 'Running', progress = '12 of 40 blobs' WHERE id = %s", (begun["id"],)
        )
    assert "Running 12 of 40 blobs" in " ".join(admin.read(GARBAGE).text.split())
    assert "12 of 40 blobs" in admin.read(f"{GARBAGE}/{begun['id']}/log").text
    told = Reading(admin.post(f"{GARBAGE}/{begun['id']}/stop", {}).text)
    assert "The collection is asked to end, which takes some seconds." in told.text
    with api.database.superuser() as connection:
        connection.execute(
            "UPDATE core.collections SET status = 'Success', freed = 3 * 1048576, blobs = 7, finished_at = now()"
            " WHERE id = %s", (begun["id"],),
        )  # fmt: skip
    shown = admin.read(GARBAGE).text
    assert "3.0 MiB" in shown
    assert "Success" in shown

    saved = admin.post(GARBAGE, wish | {"do": "save", "when": "Custom", "cron": "0 30 2 * * *"})
    assert "The schedule is saved." in Reading(saved.text).text
    page = admin.read(GARBAGE)
    form = chosen(page)
    assert (form["when"], form["cron"], form["untagged"]) == ("Custom", "0 30 2 * * *", "yes")
    assert "Next time:" in page.text
    assert admin.post(GARBAGE, wish | {"do": "save", "when": "Custom", "cron": HOSTILE}).status_code == 400
    assert api.get("/system/gc/schedule").json["schedule"]["cron"] == "0 30 2 * * *"
    admin.post(GARBAGE, wish | {"do": "save", "when": "None"})
    assert api.get("/system/gc/schedule").json == {}


def test_a_purge_of_no_number_is_not_even_asked_about(admin: Browser) -> None:
    assert admin.post(PURGE, {"do": "ask", "keep": "many", "unit": "days"}).status_code == 400


def test_a_schedule_that_cannot_be_is_told_and_shown_again(api: Api, admin: Browser) -> None:
    fields = {"do": "save", "when": "Custom", "cron": HOSTILE, "keep": "5", "unit": "hours", "kinds": "create_tag"}
    answer = admin.post(PURGE, fields)
    assert answer.status_code == 400
    assert chosen(Reading(answer.text)) | {"cron": HOSTILE, "keep": "5"} == chosen(Reading(answer.text))
    assert "<script>alert" not in answer.text
    assert api.get("/system/purgeaudit/schedule").json == {}
    assert admin.post(PURGE, fields | {"keep": "many"}).status_code == 400


def test_health_tells_what_a_part_that_is_not_well_means_and_asks_again_by_itself(admin: Browser) -> None:
    part = admin.get("/admin/health", part="list").text
    page = Reading(part)
    assert "<h1" not in part
    assert 'hx-trigger="every 5s"' in part
    assert "PostgreSQL well" in page.text
    assert "Registry not well" in page.text
    assert "Pushes and pulls fail." in page.text
    assert "Relay not well Numbers events and gives them to the broker. it has never told of itself." in page.text
    assert "Disk of the registry" in page.text
    assert "free" in page.text
    assert "Nobody works on jobs" in page.text


def test_health_shows_no_disk_where_images_lie_in_a_bucket(core_database: Database) -> None:
    settings = core_database.settings("core", s3_bucket="images")
    bind = engine(settings, pool_size=2)
    login = build_login(settings, bind)
    page = Browser(Api(TestClient(build(settings, bind, login)), core_database)).sign_in(ADMIN).read("/admin/health")
    login.ldap.close()
    bind.dispose()
    assert "PostgreSQL well" in page.text
    assert "Jobs that wait" in page.text
    assert "Disk of the registry" not in page.text


def test_health_shows_who_works_on_what(api: Api, admin: Browser) -> None:
    with api.database.superuser() as connection:
        connection.execute(
            """
            INSERT INTO core.pools (id, host, pid, concurrency, started_at, heartbeat_at)
            VALUES (gen_random_uuid(), %s, 4711, 3, now(), now())
            """,
            (HOSTILE,),
        )
    answer = admin.get("/admin/health")
    assert f"{HOSTILE} process 4711 3 just now" in Reading(answer.text).text
    assert "nothing now" in Reading(answer.text).text
    assert "<script>alert" not in answer.text


def test_about_tells_strangers_no_versions(api: Api, admin: Browser) -> None:
    version = api.get("/systeminfo").json["harbor_version"]
    assert version in admin.read("/about").text
    stranger = Browser(api).read("/about")
    assert version not in stranger.text
    assert "Sign in to see its version." in stranger.text
    assert "/api/docs" in stranger.links()
    assert "/trust" in stranger.links()


def test_without_a_certificate_of_its_own_making_the_page_on_trust_says_what_else_there_is(api: Api) -> None:
    assert api.get("/systeminfo/getcert", NOBODY).status_code == 404
    stranger = Browser(api)
    assert "You came here without TLS" in stranger.read("/trust").text
    given = Reading(stranger.get("/trust", **{"X-Forwarded-Proto": "https"}).text)
    assert "names an authority that the machines of most companies trust already" in given.text
    assert "/api/v2.0/systeminfo/getcert" not in given.links()
