"""Garbage collections in the API: asked for, scheduled, stopped and shown; the metadata service carries them out."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from falcon.testing import TestClient

from gateway.core.app import build
from shared.auth.login import build_login
from shared.db import engine
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, Api, sentence

SCHEDULE = "/system/gc/schedule"
PARAMETERS = {"delete_untagged": True, "dry_run": False, "workers": 2}


def body(kind: str, cron: str = "", **parameters: object) -> dict[str, object]:
    return {"schedule": {"type": kind, "cron": cron}, "parameters": PARAMETERS | parameters}


def rows(api: Api, query: str) -> list[tuple[Any, ...]]:
    with api.database.superuser() as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture(autouse=True)
def _nothing_left(api: Api) -> Iterator[None]:
    yield
    rows(api, "DELETE FROM core.collections RETURNING id")
    rows(api, "DELETE FROM core.schedules WHERE kind = 'garbage_collection' RETURNING id")


def test_a_collection_by_hand_waits_for_the_metadata_service(api: Api) -> None:
    number = api.made(SCHEDULE, body("Manual"))
    shown = api.get(f"/system/gc/{number}").json
    assert (shown["job_name"], shown["job_kind"], shown["job_status"]) == ("GARBAGE_COLLECTION", "MANUAL", "Pending")
    assert json.loads(shown["job_parameters"]) == PARAMETERS
    assert api.get("/system/gc").json == [shown]
    assert api.get(f"/system/gc/{number}/log").text == ""
    assert api.get(SCHEDULE).json == {}
    assert rows(api, "SELECT delete_untagged, dry_run, actor FROM core.collections") == [(True, False, "admin")]


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_second_one_is_refused_while_the_first_is_open(api: Api, method: str) -> None:
    api.made(SCHEDULE, body("Manual"))
    refused = api.send(method, SCHEDULE, ADMIN, body("Manual"))
    assert refused.status_code == 409
    assert "waits or runs already" in sentence(refused)
    assert len(rows(api, "SELECT id FROM core.collections")) == 1


def test_a_schedule_is_made_replaced_and_ended(api: Api) -> None:
    assert api.send("POST", SCHEDULE, ADMIN, body("Hourly", "0 0 * * * *")).status_code == 201
    shown = api.get(SCHEDULE).json
    assert (shown["schedule"]["type"], shown["schedule"]["cron"]) == ("Hourly", "0 0 * * * *")
    assert shown["schedule"]["next_scheduled_time"].endswith(":00:00.000Z")
    assert api.send("PUT", SCHEDULE, ADMIN, body("Custom", "0 30 2 * * *", dry_run=True)).status_code == 200
    shown = api.get(SCHEDULE).json
    assert (shown["job_kind"], json.loads(shown["job_parameters"])["dry_run"]) == ("0 30 2 * * *", True)
    assert [each["vendor_type"] for each in api.get("/schedules").json] == ["GARBAGE_COLLECTION"]
    assert api.send("PUT", SCHEDULE, ADMIN, {"schedule": {"type": "None"}}).status_code == 200
    assert api.get(SCHEDULE).json == {}
    assert rows(api, "SELECT id FROM core.collections") == []


def test_what_waits_is_withdrawn_and_what_runs_is_asked_to_stop(api: Api) -> None:
    number = api.made(SCHEDULE, body("Manual"))
    for _ in range(2):
        assert api.send("PUT", f"/system/gc/{number}").status_code == 200
    assert api.get(f"/system/gc/{number}").json["job_status"] == "Stopped"
    number = api.made(SCHEDULE, body("Manual"))
    rows(api, "UPDATE core.collections SET status = 'Running' WHERE finished_at IS NULL RETURNING id")
    assert api.send("PUT", f"/system/gc/{number}").status_code == 200
    assert api.get(f"/system/gc/{number}").json["job_status"] == "Running"
    assert rows(api, "SELECT stopping FROM core.collections ORDER BY id") == [(False,), (True,)]


def test_what_was_freed_stands_among_the_parameters(api: Api) -> None:
    number = api.made(SCHEDULE, body("Manual"))
    rows(
        api,
        "UPDATE core.collections SET status = 'Success', finished_at = now(), log = 'done', freed = 5, blobs = 3,"
        " artifacts = 1 RETURNING id",
    )
    shown = json.loads(api.get(f"/system/gc/{number}").json["job_parameters"])
    assert shown == PARAMETERS | {"freed_space": 5, "purged_blobs": 3, "purged_manifests": 1}
    assert api.get(f"/system/gc/{number}/log").text == "done"


def test_how_far_a_running_one_is_stands_among_the_parameters(api: Api) -> None:
    number = api.made(SCHEDULE, body("Manual"))
    rows(api, "UPDATE core.collections SET status = 'Running', progress = '12 of 40 blobs' RETURNING id")
    shown = json.loads(api.get(f"/system/gc/{number}").json["job_parameters"])
    assert shown == PARAMETERS | {"progress": "12 of 40 blobs"}


@pytest.mark.parametrize(
    "wrong",
    [
        body("Sometimes"), body("Custom", "every night"), body("Hourly"), body("Manual", dry_run="yes"),
        body("Manual", delete_untagged=1), body("Manual", workers=0), body("Custom", "0 0 0 31 2 *"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_and_leaves_nothing(api: Api, wrong: dict[str, object]) -> None:
    for method in ("POST", "PUT"):
        assert api.send(method, SCHEDULE, ADMIN, wrong).status_code == 400
    assert rows(api, "SELECT id FROM core.collections") == []
    assert api.get(SCHEDULE).json == {}


def test_a_robot_does_what_it_was_given_to_do(api: Api) -> None:
    reader = api.robot(None, system=(("garbage-collection", "read"), ("garbage-collection", "list")))
    maker = api.robot(None, system=(("garbage-collection", "create"), ("garbage-collection", "stop")))
    assert api.send("POST", SCHEDULE, reader, body("Manual")).status_code == 403
    assert api.send("POST", SCHEDULE, maker, body("Manual")).status_code == 201
    number = api.get("/system/gc", reader).json[0]["id"]
    assert api.get(f"/system/gc/{number}/log", reader).status_code == 200
    assert api.get("/system/gc", maker).status_code == 403
    assert api.send("PUT", f"/system/gc/{number}", reader).status_code == 403
    assert api.send("PUT", f"/system/gc/{number}", maker).status_code == 200


@pytest.mark.parametrize("path", ["/system/gc/999999", "/system/gc/999999/log"])
def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    assert api.get(path).status_code == 404


@pytest.fixture
def api_of_several(core_database: Database) -> Iterator[Api]:
    """One of two pods."""
    settings = core_database.settings("core", pods=2)
    bind = engine(settings, pool_size=2)
    login = build_login(settings, bind)
    yield Api(TestClient(build(settings, bind, login)), core_database)
    login.ldap.close()
    bind.dispose()


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_with_several_pods_none_is_asked_for_and_a_schedule_can_be_ended_alone(
    api: Api, api_of_several: Api, method: str
) -> None:
    several = api_of_several
    assert api.send("POST", SCHEDULE, ADMIN, body("Hourly", "0 0 * * * *")).status_code == 201
    for asked in (body("Manual"), body("Manual", dry_run=True), body("Custom", "0 30 2 * * *")):
        refused = several.send(method, SCHEDULE, ADMIN, asked)
        assert refused.status_code == 409
        assert "collected where one registry runs alone: bring the instance to one pod first" in sentence(refused)
    assert rows(api, "SELECT id FROM core.collections") == []
    assert api.get(SCHEDULE).json["schedule"]["type"] == "Hourly"
    assert several.send("PUT", SCHEDULE, ADMIN, {"schedule": {"type": "None"}}).status_code == 200
    assert api.get(SCHEDULE).json == {}
