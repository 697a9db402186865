"""Webhook policies through the API: made, changed, kept secret, tried out, and what is shown of their deliveries."""

from __future__ import annotations

from typing import Any, LiteralString

import pytest

from gateway.core.unbuilt import UNBUILT
from shared.secrets import Sealer, Secret
from tests.integration.core.people import ADMIN, Api, code, sentence
from tests.integration.core.rows import delivery_of

ADDRESS = "https://hooks.example.test/in?team=a"


def target(**changes: object) -> dict[str, Any]:
    return {"type": "http", "address": ADDRESS} | changes


def body(*targets: dict[str, Any], **changes: object) -> dict[str, Any]:
    return {
        "name": "hook", "enabled": True, "event_types": ["PUSH_ARTIFACT", "DELETE_ARTIFACT"],
        "targets": list(targets) or [target()],
    } | changes  # fmt: skip


def rows(api: Api, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    with api.database.superuser() as connection:
        return connection.execute(query, values).fetchall()


def counts(api: Api) -> list[tuple[Any, ...]]:
    """All that a refused request could have written."""
    return rows(
        api,
        """
        SELECT (SELECT jsonb_agg(p ORDER BY id) FROM webhook.policies p),
               (SELECT jsonb_agg(t ORDER BY id) FROM webhook.targets t),
               (SELECT jsonb_agg(d ORDER BY id) FROM webhook.deliveries d),
               (SELECT count(*) FROM events.outbox WHERE type LIKE 'breakwater.webhook%%')
        """,
    )


@pytest.fixture
def hooks(api: Api) -> str:
    """The path of the policies of a new project."""
    return f"/projects/{api.project()}/webhook/policies"


def opened(api: Api, sealed: str) -> str:
    key = (api.database.server.home / "secrets" / "config-key").read_text().strip()
    return Sealer([Secret(key)]).open(sealed).reveal()


def test_a_policy_is_made_shown_and_told(api: Api, hooks: str) -> None:
    wanted = body(target(skip_cert_verify=True, payload_format="CloudEvents"), {"type": "slack", "address": ADDRESS})
    number = api.made(hooks, wanted | {"description": "tells", "id": 7, "project_id": 1, "creator": "somebody"})
    shown = api.get(f"{hooks}/{number}").json
    project_id = api.get(hooks.removesuffix("/webhook/policies")).json["project_id"]
    assert {name: shown[name] for name in shown if not name.endswith("_time")} == {
        "id": number, "name": "hook", "description": "tells", "project_id": project_id, "creator": "admin",
        "enabled": True, "event_types": ["PUSH_ARTIFACT", "DELETE_ARTIFACT"],
        "targets": [
            {"type": "http", "address": ADDRESS, "skip_cert_verify": True, "payload_format": "CloudEvents"},
            {"type": "slack", "address": ADDRESS, "skip_cert_verify": False},
        ],
    }  # fmt: skip
    assert api.get(hooks).json == [shown]
    told = api.events("webhook_policy.created")[-1]
    assert told["subject"] == f"{hooks.split('/')[2]}/hook"
    assert told["data"]["policy_id"] == number


def test_what_is_not_named_has_harbors_defaults(api: Api, hooks: str) -> None:
    number = api.made(hooks, {"name": "bare", "event_types": ["PULL_ARTIFACT"], "targets": [target()]})
    shown = api.get(f"{hooks}/{number}").json
    assert shown["enabled"] is False
    assert shown["targets"][0]["payload_format"] == "Default"


UNFIT = {
    "no name": (body(name=" "), "name"),
    "a long name": (body(name="n" * 256), "name"),
    "no event": (body(event_types=[]), "event type"),
    "an unknown event": (body(event_types=["PUSH_ARTIFACT", "CREATE_MISCHIEF"]), "CREATE_MISCHIEF"),
    "no target": (body(targets=[]), "targets"),
    "many targets": (body(targets=[target()] * 11), "targets"),
    "an unknown type": (body(target(type="teams")), "teams"),
    "an unknown format": (body(target(payload_format="XML")), "XML"),
    "a format for slack": (body(target(type="slack", payload_format="Default")), "slack"),
    "no address": (body(target(address="")), "address"),
    "a relative address": (body(target(address="/in")), "address"),
    "another scheme": (body(target(address="ftp://example.test/")), "address"),
    "a host in other letters": (body(target(address="http://\uff11\uff12\uff17.0.0.1/")), "must be written in ASCII"),
    "a file": (body(target(address="file:///etc/passwd")), "address"),
    "a password in the address": (body(target(address="https://u:p@example.test/")), "address"),
    "a line break in the address": (body(target(address="https://example.test/\r\nX: y")), "address"),
    "a port out of range": (body(target(address="https://example.test:70000/")), "address"),
    "loopback": (body(target(address="http://127.0.0.1:8080/")), "127.0.0.1"),
    "loopback in IPv6": (body(target(address="http://[::1]/")), "::1"),
    "a mapped address": (body(target(address="http://[::ffff:127.0.0.1]/")), "::ffff"),
    "a cloud's metadata": (body(target(address="http://169.254.169.254/latest/")), "169.254.169.254"),
    "a private address": (body(target(address="https://10.1.2.3/")), "10.1.2.3"),
    "two headers in one": (body(target(auth_header="Bearer x\r\nX-Evil: 1")), "auth_header"),
    "a header that is no ASCII": (body(target(auth_header="Bearer ü")), "auth_header"),
    "a mask for a new secret": (body(target(auth_header="*****")), "auth_header"),
    "a long secret": (body(target(secret="s" * 1025)), "secret"),
    "a number for a name": (body(name=5), "name"),
    "a text for a flag": (body(enabled="yes"), "enabled"),
    "an object for the targets": (body(targets={"type": "http"}), "targets"),
}


@pytest.mark.parametrize(("wrong", "named"), UNFIT.values(), ids=UNFIT.keys())
def test_an_unfit_policy_is_refused_in_a_sentence_and_nothing_is_written(
    api: Api, hooks: str, wrong: dict[str, Any], named: str
) -> None:
    number = api.made(hooks, body(name="stays"))
    before = counts(api)
    for method, path in (("POST", hooks), ("PUT", f"{hooks}/{number}")):
        answer = api.send(method, path, ADMIN, wrong)
        assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")
        assert named in sentence(answer)
    assert counts(api) == before


def test_a_name_is_given_once_a_project(api: Api, hooks: str) -> None:
    api.made(hooks, body())
    other = api.made(hooks, body(name="other"))
    before = counts(api)
    assert api.send("POST", hooks, ADMIN, body()).status_code == 409
    assert api.send("PUT", f"{hooks}/{other}", ADMIN, body()).status_code == 409
    assert counts(api) == before
    api.made(f"/projects/{api.project()}/webhook/policies", body())


def test_secrets_are_sealed_and_never_shown(api: Api, hooks: str) -> None:
    number = api.made(hooks, body(target(auth_header="Bearer canary-auth", secret="canary-signing")))
    shown = api.get(f"{hooks}/{number}")
    assert shown.json["targets"][0] | {"auth_header": "*****", "secret": "*****"} == shown.json["targets"][0]
    assert "canary" not in shown.text + api.get(hooks).text
    assert "canary" not in str(counts(api)) + str(api.events("webhook_policy.created"))
    [(auth_header, secret)] = rows(
        api, "SELECT auth_header, signing_secret FROM webhook.targets WHERE policy_id = %s", number
    )
    assert (opened(api, auth_header), opened(api, secret)) == ("Bearer canary-auth", "canary-signing")


def test_a_policy_is_changed_and_its_masked_secrets_stay(api: Api, hooks: str) -> None:
    number = api.made(hooks, body(target(auth_header="Bearer one", secret="two")))
    shown = api.get(f"{hooks}/{number}").json
    sealed = rows(api, "SELECT auth_header, signing_secret FROM webhook.targets WHERE policy_id = %s", number)
    shown["targets"][0]["address"] = "https://hooks.example.test/elsewhere"
    assert api.send("PUT", f"{hooks}/{number}", ADMIN, shown | {"enabled": False}).status_code == 200
    now = api.get(f"{hooks}/{number}").json
    assert (now["enabled"], now["targets"][0]["address"]) == (False, "https://hooks.example.test/elsewhere")
    stored = "SELECT auth_header, signing_secret FROM webhook.targets WHERE policy_id = %s"
    assert rows(api, stored, number) == sealed
    assert api.events("webhook_policy.updated")[-1]["data"]["changed"] == ["enabled", "targets"]
    # a client that knows no secret leaves it as it is; an empty one takes it away
    plain = target(address="https://hooks.example.test/elsewhere")
    api.send("PUT", f"{hooks}/{number}", ADMIN, body(plain))
    assert [row[0] is None for row in rows(api, stored, number)] == [True]
    assert api.get(f"{hooks}/{number}").json["targets"][0]["secret"] == "*****"
    api.send("PUT", f"{hooks}/{number}", ADMIN, body(plain | {"secret": ""}))
    assert rows(api, stored, number) == [(None, None)]


@pytest.mark.parametrize(
    "changes",
    [{"address": "https://evil.example.test/in"}, {"address": "http://hooks.example.test/in"},
     {"address": "https://hooks.example.test:8443/in"}, {"skip_cert_verify": True}],
    ids=str,
)  # fmt: skip
def test_a_stored_header_is_not_sent_to_another_target(api: Api, hooks: str, changes: dict[str, Any]) -> None:
    number = api.made(hooks, body(target(auth_header="Bearer one")))
    before = counts(api)
    kept = body(target(auth_header="*****") | changes)
    answer = api.send("PUT", f"{hooks}/{number}", ADMIN, kept)
    assert answer.status_code == 400
    assert "give it in full" in sentence(answer)
    assert counts(api) == before


def test_a_change_that_changes_nothing_is_not_told(api: Api, hooks: str) -> None:
    number = api.made(hooks, body(target(auth_header="Bearer one", secret="two")))
    before = counts(api)
    same = body(target(auth_header="Bearer one", secret="two"))
    assert api.send("PUT", f"{hooks}/{number}", ADMIN, same).status_code == 200
    assert counts(api) == before


def test_targets_are_added_and_dropped_and_the_others_stay(api: Api, hooks: str) -> None:
    number = api.made(hooks, body(target(), target(address="https://two.example.test/")))
    delivery_of(api, number)
    ids = [row[0] for row in rows(api, "SELECT id FROM webhook.targets WHERE policy_id = %s ORDER BY position", number)]
    api.send("PUT", f"{hooks}/{number}", ADMIN, body(target()))
    left = rows(api, "SELECT id FROM webhook.targets WHERE policy_id = %s", number)
    assert [row[0] for row in left] == ids[:1]
    assert len(api.get(f"{hooks}/{number}/executions").json) == 1
    api.send("PUT", f"{hooks}/{number}", ADMIN, body(target(), target(type="slack")))
    assert [each["type"] for each in api.get(f"{hooks}/{number}").json["targets"]] == ["http", "slack"]
    api.send("PUT", f"{hooks}/{number}", ADMIN, body(target(type="slack"), target()))
    assert [each["type"] for each in api.get(f"{hooks}/{number}").json["targets"]] == ["slack", "http"]
    assert len(api.get(f"{hooks}/{number}/executions").json) == 1
    assert api.events("webhook_policy.updated")[-1]["data"]["changed"] == ["targets"]


def test_a_target_that_goes_leaves_the_others_their_own_secrets(api: Api, hooks: str) -> None:
    two = target(address="https://two.example.test/")
    number = api.made(hooks, body(target(secret="one"), two | {"auth_header": "Bearer two", "secret": "two"}))
    masked = {"auth_header": "*****", "secret": "*****"}
    assert api.send("PUT", f"{hooks}/{number}", ADMIN, body(two | masked)).status_code == 200
    stored = "SELECT address, auth_header, signing_secret FROM webhook.targets WHERE policy_id = %s ORDER BY position"
    [(address, auth_header, secret)] = rows(api, stored, number)
    assert (address, opened(api, auth_header), opened(api, secret)) == (two["address"], "Bearer two", "two")
    three = target(address="https://three.example.test/", secret="three")
    assert api.send("PUT", f"{hooks}/{number}", ADMIN, body(three, two | masked)).status_code == 200
    assert [opened(api, row[2]) for row in rows(api, stored, number)] == ["three", "two"]


def test_a_deleted_policy_is_gone_with_its_deliveries(api: Api, hooks: str) -> None:
    number = api.made(hooks, body())
    delivery_of(api, number, "pending")
    assert api.send("DELETE", f"{hooks}/{number}").status_code == 200
    assert api.get(f"{hooks}/{number}").status_code == 404
    assert rows(api, "SELECT count(*) FROM webhook.deliveries WHERE policy_id = %s", number) == [(0,)]
    assert api.send("DELETE", f"{hooks}/{number}").status_code == 404
    assert api.send("PUT", f"{hooks}/{number}", ADMIN, body()).status_code == 404
    assert api.events("webhook_policy.deleted")[-1]["data"]["policy_id"] == number


def test_a_policy_of_another_project_is_not_reached_and_unchanged(api: Api, hooks: str) -> None:
    """The caller administers a project of his own, and names it in the path."""
    number = api.made(hooks, body())
    delivery, task = delivery_of(api, number, "error")
    own = api.project()
    administrator = api.member(own, "projectAdmin")
    mine = f"/projects/{own}/webhook/policies"
    another = api.made(mine, body(), administrator)
    before = counts(api)
    for method, path, sent in (
        ("GET", f"{mine}/{number}", None),
        ("PUT", f"{mine}/{number}", body(name="stolen")),
        ("DELETE", f"{mine}/{number}", None),
        ("POST", f"{mine}/{number}/test", None),
        ("POST", f"{mine}/{number}/redelivery", None),
        ("GET", f"{mine}/{number}/executions", None),
        ("POST", f"{mine}/{another}/executions/{delivery}/redelivery", None),
        ("GET", f"{mine}/{another}/executions/{delivery}/tasks", None),
        ("GET", f"{mine}/{another}/executions/{delivery}/tasks/{task}/log", None),
    ):
        assert api.send(method, path, administrator, sent).status_code == 404, (method, path)
    assert api.get(f"/projects/{own}/webhook/jobs?policy_id={number}", administrator).status_code == 400
    own_delivery, _ = delivery_of(api, another)
    assert api.get(f"{mine}/{another}/executions/{own_delivery}/tasks/{task}/log", administrator).status_code == 404
    rows_now = counts(api)
    assert (rows_now[0][:2], rows_now[0][3]) == (before[0][:2], before[0][3])


def test_policies_are_listed_newest_first_with_filters(api: Api, hooks: str) -> None:
    for name in ("a", "b", "c"):
        api.made(hooks, body(name=name, enabled=name == "b"))
    assert [each["name"] for each in api.get(hooks).json] == ["c", "b", "a"]
    assert [each["name"] for each in api.get(f"{hooks}?sort=name").json] == ["a", "b", "c"]
    assert [each["name"] for each in api.get(f"{hooks}?q=enabled=true").json] == ["b"]
    page = api.get(f"{hooks}?page_size=1&page=2&sort=name")
    assert ([each["name"] for each in page.json], page.headers["x-total-count"]) == (["b"], "3")
    assert 'rel="next"' in page.headers["link"]
    assert api.get(f"{hooks}?q=auth_header=~a").json != []
    assert api.get(f"{hooks}?q=secret=~a").status_code == 400


@pytest.mark.parametrize("number", ["x", "0", "-1", "99999999999999999999", "1' OR '1'='1"])
def test_a_number_that_is_none_is_refused(api: Api, hooks: str, number: str) -> None:
    for tail in ("", "/executions", "/executions/1/tasks"):
        assert api.get(f"{hooks}/{number}{tail}").status_code in {404, 422}


def test_executions_tasks_and_logs_are_the_deliveries(api: Api, hooks: str) -> None:
    number = api.made(hooks, body())
    delivery, task = delivery_of(api, number)
    failed, _ = delivery_of(api, number, "error")
    waiting, _ = delivery_of(api, number, "pending")
    listed = api.get(f"{hooks}/{number}/executions").json
    assert [(each["id"], each["status"]) for each in listed] == [
        (waiting, "Running"), (failed, "Error"), (delivery, "Success"),
    ]  # fmt: skip
    assert listed[2]["extra_attrs"] == {"event_type": "PUSH_ARTIFACT", "payload": '{"type":"PUSH_ARTIFACT"}'}
    assert (listed[2]["vendor_type"], listed[2]["vendor_id"], listed[2]["trigger"]) == ("WEBHOOK", number, "EVENT")
    assert listed[2]["metrics"] == {"task_count": 1, "success_task_count": 1, "error_task_count": 0}
    assert listed[0]["end_time"] == "0001-01-01T00:00:00.000Z"
    failures = api.get(f"{hooks}/{number}/executions?q=status=Error")
    assert [each["id"] for each in failures.json] == [failed]
    tasks = api.get(f"{hooks}/{number}/executions/{delivery}/tasks").json
    assert [(each["id"], each["execution_id"], each["status"], each["run_count"]) for each in tasks] == [
        (task, delivery, "Success", 1)
    ]
    log = api.get(f"{hooks}/{number}/executions/{delivery}/tasks/{task}/log")
    assert log.headers["content-type"].startswith("text/plain")
    assert log.headers["x-content-type-options"] == "nosniff"
    assert '{"type":"PUSH_ARTIFACT"}' in log.text
    jobs = f"{hooks.removesuffix('/policies')}/jobs?policy_id={number}"
    assert [each["id"] for each in api.get(f"{jobs}&status=Success&status=Error").json] == [failed, delivery]
    assert api.get(jobs).json[0]["notify_type"] == "http"
    assert api.get(jobs.partition("?")[0]).status_code == 422
    assert api.get(f"{jobs}&status=%00").status_code == 400


def test_the_last_trigger_is_told_by_type_of_event(api: Api, hooks: str) -> None:
    number = api.made(hooks, body())
    delivery_of(api, number)
    last = api.get(f"{hooks.removesuffix('/policies')}/lasttrigger").json
    assert [(each["event_type"], "last_trigger_time" in each) for each in last] == [
        ("DELETE_ARTIFACT", False), ("PUSH_ARTIFACT", True),
    ]  # fmt: skip


def test_supported_events_are_told_as_harbor_tells_them(api: Api, hooks: str) -> None:
    told = api.get(f"{hooks.removesuffix('/policies')}/events").json
    assert set(told["event_type"]) == {
        "DELETE_ARTIFACT", "PULL_ARTIFACT", "PUSH_ARTIFACT", "QUOTA_EXCEED", "QUOTA_WARNING", "REPLICATION",
        "SCANNING_COMPLETED", "SCANNING_FAILED", "SCANNING_STOPPED", "TAG_RETENTION",
    }  # fmt: skip
    assert told["notify_type"] == ["http", "slack"]
    assert told["payload_formats"] == [{"notify_type": "http", "formats": ["Default", "CloudEvents"]}]
    assert api.made(hooks, body(event_types=told["event_type"]))


def test_a_trial_sends_each_target_an_example(api: Api, hooks: str) -> None:
    number = api.made(hooks, body(target(), target(type="slack")))
    rest = "UPDATE webhook.targets SET open_until = now() + interval '1 hour' WHERE policy_id = %s RETURNING id"
    rows(api, rest, number)
    answer = api.send("POST", f"{hooks}/{number}/test")
    assert answer.status_code == 202
    made = api.get(f"{hooks}/{number}/executions?sort=id").json
    assert [each["id"] for each in made] == answer.json["execution_ids"]
    assert [(each["status"], each["trigger"], each["vendor_type"]) for each in made] == [
        ("Pending", "MANUAL", "WEBHOOK"), ("Pending", "MANUAL", "SLACK"),
    ]  # fmt: skip
    assert '"operator":"admin"' in made[0]["extra_attrs"]["payload"]
    assert rows(api, "SELECT open_until FROM webhook.targets WHERE policy_id = %s", number) == [(None,), (None,)]


def test_what_was_given_up_is_sent_again_one_or_all(api: Api, hooks: str) -> None:
    number = api.made(hooks, body())
    done, _ = delivery_of(api, number)
    failed = [delivery_of(api, number, "error")[0] for _ in range(3)]
    other = api.made(hooks, body(name="other"))
    theirs, _ = delivery_of(api, other, "error")

    def states() -> dict[int, str]:
        stored = "SELECT id, state FROM webhook.deliveries WHERE policy_id IN (%s, %s) AND finished_at IS NULL"
        return dict(rows(api, stored, number, other))

    assert api.send("POST", f"{hooks}/{number}/executions/{done}/redelivery").status_code == 202
    assert states() == {done: "pending"}
    answer = api.send("POST", f"{hooks}/{number}/redelivery")
    assert (answer.status_code, answer.json) == (202, {"redelivered": 3})
    assert states() == dict.fromkeys([done, *failed], "pending")
    assert theirs not in states()
    assert api.send("POST", f"{hooks}/{number}/executions/999999/redelivery").status_code == 404


def test_nothing_is_sent_for_a_policy_that_is_disabled(api: Api, hooks: str) -> None:
    number = api.made(hooks, body(enabled=False))
    failed, _ = delivery_of(api, number, "error")
    before = counts(api)
    for tail in ("/test", "/redelivery", f"/executions/{failed}/redelivery"):
        answer = api.send("POST", f"{hooks}/{number}{tail}")
        assert (answer.status_code, code(answer)) == (412, "PRECONDITION")
    assert counts(api) == before


def test_the_global_switch_is_an_item_of_the_configuration(api: Api) -> None:
    assert api.get("/configurations").json["notification_enable"] == {"value": True, "editable": True}
    assert api.send("PUT", "/configurations", ADMIN, {"notification_enable": False}).status_code == 200
    try:
        assert rows(api, "SELECT enabled FROM directory.notification") == [(False,)]
        assert api.get("/systeminfo").json["notification_enable"] is False
    finally:
        api.send("PUT", "/configurations", ADMIN, {"notification_enable": True})
    assert rows(api, "SELECT enabled FROM directory.notification") == [(True,)]


def test_the_tag_is_built() -> None:
    assert not [path for path in UNBUILT if "/webhook" in path]
