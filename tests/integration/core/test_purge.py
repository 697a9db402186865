"""Purges of the audit record in the API: asked for, scheduled, withdrawn and shown; the audit service does them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.core.people import ADMIN, Api

SCHEDULE = "/system/purgeaudit/schedule"
PARAMETERS = {"audit_retention_hour": 168, "include_event_types": "create_artifact,pull_artifact", "dry_run": True}


def body(kind: str, cron: str = "", **parameters: object) -> dict[str, object]:
    return {"schedule": {"type": kind, "cron": cron}, "parameters": PARAMETERS | parameters}


def rows(api: Api, query: str) -> list[tuple[Any, ...]]:
    with api.database.superuser() as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture(autouse=True)
def _nothing_left(api: Api) -> Iterator[None]:
    yield
    rows(api, "DELETE FROM core.audit_purges RETURNING id")
    rows(api, "DELETE FROM core.schedules WHERE kind = 'audit_purge' RETURNING id")


def test_a_purge_by_hand_waits_for_the_audit_service(api: Api) -> None:
    number = api.made(SCHEDULE, body("Manual"))
    shown = api.get(f"/system/purgeaudit/{number}").json
    assert (shown["job_name"], shown["job_kind"], shown["job_status"]) == ("PURGE_AUDIT_LOG", "MANUAL", "Pending")
    assert api.get("/system/purgeaudit").json == [shown]
    assert api.get(f"/system/purgeaudit/{number}/log").text == ""
    assert api.get(SCHEDULE).json == {}
    assert rows(api, "SELECT hours, kinds, dry_run, actor FROM core.audit_purges") == [
        (168, ["create_artifact", "pull_artifact"], True, "admin")
    ]


def test_a_schedule_is_made_replaced_and_ended(api: Api) -> None:
    assert api.send("POST", SCHEDULE, ADMIN, body("Hourly", "0 0 * * * *")).status_code == 201
    shown = api.get(SCHEDULE).json
    assert (shown["schedule"]["type"], shown["schedule"]["cron"]) == ("Hourly", "0 0 * * * *")
    assert shown["schedule"]["next_scheduled_time"].endswith(":00:00.000Z")
    changed = body("Custom", "0 30 2 * * *", audit_retention_hour=24)
    assert api.send("PUT", SCHEDULE, ADMIN, changed).status_code == 200
    shown = api.get(SCHEDULE).json
    assert shown["job_kind"] == "0 30 2 * * *"
    assert '"audit_retention_hour": 24' in shown["job_parameters"]
    assert [each["vendor_type"] for each in api.get("/schedules").json] == ["PURGE_AUDIT_LOG"]
    assert api.send("PUT", SCHEDULE, ADMIN, {"schedule": {"type": "None"}}).status_code == 200
    assert api.get(SCHEDULE).json == {}
    assert rows(api, "SELECT id FROM core.audit_purges") == []


def test_what_nobody_has_begun_is_withdrawn_and_what_has_ended_stays(api: Api) -> None:
    number = api.made(SCHEDULE, body("Manual"))
    for _ in range(2):
        assert api.send("PUT", f"/system/purgeaudit/{number}").status_code == 200
    assert api.get(f"/system/purgeaudit/{number}").json["job_status"] == "Stopped"
    done = api.made(SCHEDULE, body("Manual"))
    rows(api, "UPDATE core.audit_purges SET status = 'Success' WHERE status = 'Pending' RETURNING id")
    assert api.send("PUT", f"/system/purgeaudit/{done}").status_code == 200
    assert api.get(f"/system/purgeaudit/{done}").json["job_status"] == "Success"


@pytest.mark.parametrize("rest", ["", "/log"])
def test_a_purge_that_is_not_there_is_not_found(api: Api, rest: str) -> None:
    assert api.get(f"/system/purgeaudit/999{rest}").status_code == 404
    assert api.get(f"/system/purgeaudit/x{rest}").status_code == 422
    assert api.send("PUT", "/system/purgeaudit/999").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        body("Manual") | {"parameters": {}},
        body("Never"),
        body("Daily"),
        body("Daily", "0 0 * * *"),
        body("Manual", audit_retention_hour=0),
        body("Manual", audit_retention_hour=-1),
        body("Manual", audit_retention_hour=10**9),
        body("Manual", audit_retention_hour="168"),
        body("Manual", audit_retention_hour=True),
        body("Manual", include_event_types=["create_artifact"]),
        body("Manual", include_event_types="create artifact"),
        body("Manual", include_event_types="nope"),
        body("Manual", include_event_types="pull_artifact,nope"),
        body("Manual", include_event_types="x'; DROP TABLE audit.records"),
        body("Manual", dry_run="yes"),
        {"schedule": "Manual", "parameters": PARAMETERS},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_purge_that_cannot_be_is_refused_and_not_kept(api: Api, method: str, wrong: dict[str, object]) -> None:
    assert api.send(method, SCHEDULE, ADMIN, wrong).status_code == 400
    assert rows(api, "SELECT id FROM core.audit_purges") == []
    assert api.get(SCHEDULE).json == {}


def test_a_robot_does_what_it_was_given(api: Api) -> None:
    reader = api.robot(None, system=(("purge-audit", "list"), ("purge-audit", "read")))
    number = api.made(SCHEDULE, body("Manual"))
    assert api.get("/system/purgeaudit", reader).status_code == 200
    assert api.get(f"/system/purgeaudit/{number}/log", reader).status_code == 200
    assert api.send("POST", SCHEDULE, reader, body("Manual")).status_code == 403
    assert api.send("PUT", f"/system/purgeaudit/{number}", reader).status_code == 403
    assert rows(api, "SELECT status FROM core.audit_purges") == [("Pending",)]
