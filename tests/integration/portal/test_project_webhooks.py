"""The webhooks of a project in the portal: secrets stay hidden and stay, deliveries are told and sent again."""

from typing import Any

import pytest

from tests.integration.core.people import Api
from tests.integration.core.rows import delivery_of
from tests.integration.core.test_webhooks import ADDRESS, body, opened, rows, target
from tests.integration.portal.browsing import HOSTILE
from tests.integration.portal.filling import person


def _policies(api: Api, project: str) -> list[dict[str, Any]]:
    return list(api.get(f"/projects/{project}/webhook/policies").json)


def _policy(api: Api, project: str, *targets: dict[str, Any], **changes: object) -> int:
    return api.made(f"/projects/{project}/webhook/policies", body(*targets, **changes))


def _secrets(api: Api, policy: int) -> list[tuple[str, ...]]:
    found = rows(
        api, "SELECT auth_header, signing_secret FROM webhook.targets WHERE policy_id = %s ORDER BY position", policy
    )
    return [tuple("" if each is None else opened(api, each) for each in row) for row in found]


@pytest.mark.parametrize(
    ("role", "may"),
    [("projectAdmin", "act"), ("maintainer", "see"), ("developer", ""), ("guest", ""), ("limitedGuest", "")],
)
def test_a_role_sees_and_is_offered_what_it_may(api: Api, role: str, may: str) -> None:
    project = api.project()
    path, number = f"/projects/{project}/webhooks", _policy(api, project)
    delivery, _ = delivery_of(api, number, "error")
    member = person(api, api.member(project, role))
    assert member.open(path).status == (200 if may else 403)
    assert ADDRESS in member.open(path).words or not may
    assert member.open(f"{path}/{number}").status == (200 if may else 403)
    forms = [f"{path}/{number}/{verb}" for verb in ("edit", "test", "redelivery", "switch", "delete")]
    assert [member.open(f"{path}/{number}").offers(form) for form in forms] == [may == "act"] * 5
    again = f"{path}/{number}/deliveries/{delivery}/redelivery"
    assert member.open(again.removesuffix("/redelivery")).offers(again) is (may == "act")
    assert [member.open(each).status for each in (f"{path}/new", forms[0], forms[-1])] == [
        200 if may == "act" else 403
    ] * 3
    assert [member.post(form).status for form in (again, *forms[1:])] == [303 if may == "act" else 403] * 5
    assert len(_policies(api, project)) == (0 if may == "act" else 1)


def test_a_webhook_is_made_edited_switched_and_deleted_and_its_secrets_stay(api: Api) -> None:
    project = api.project()
    admin, path = person(api, api.member(project, "projectAdmin")), f"/projects/{project}/webhooks"
    assert "No webhooks" in admin.open(path).words
    fields = {
        "name": HOSTILE, "description": HOSTILE, "event": ["PUSH_ARTIFACT", "TAG_RETENTION"], "address-0": ADDRESS,
        "format-0": "http:CloudEvents", "auth-0": "Bearer topsecret", "secret-0": "signs", "skip-0": "on",
    }  # fmt: skip
    made = admin.fill(f"{path}/new", fields)
    (policy,) = _policies(api, project)
    at = f"{path}/{policy['id']}"
    assert (made.status, made.went_to) == (303, at)
    assert (policy["name"], policy["event_types"], policy["enabled"]) == (HOSTILE, fields["event"], True)
    assert policy["targets"][0]["payload_format"] == "CloudEvents"
    assert _secrets(api, policy["id"]) == [("Bearer topsecret", "signs")]
    pages = [admin.open(each).html for each in (path, at, f"{at}/edit", f"{at}/delete")]
    assert not any("<script>alert" in page or "topsecret" in page for page in pages)
    edited = admin.fill(f"{at}/edit", {"name": "plain", "skip-0": [], "format-0": "http:Default", "secret-0": ""})
    assert edited.status == 303
    assert _secrets(api, policy["id"]) == [("Bearer topsecret", "")]
    assert "is told of nothing" in admin.post(f"{at}/switch").notice
    (policy,) = _policies(api, project)
    assert (policy["name"], policy["enabled"], policy["targets"][0]["skip_cert_verify"]) == ("plain", False, False)
    assert _secrets(api, policy["id"]) == [("Bearer topsecret", "")]
    assert admin.post(f"{at}/switch").status == 303
    assert _policies(api, project)[0]["enabled"] is True
    assert f"Nothing is told to {ADDRESS} any more" in admin.open(f"{at}/delete").words
    assert admin.fill(f"{at}/delete").notice == "Webhook plain is deleted."
    assert _policies(api, project) == []


def test_all_targets_of_a_webhook_survive_an_edit(api: Api) -> None:
    project = api.project()
    number = _policy(api, project, target(auth_header="one"), {"type": "slack", "address": ADDRESS + "&b=2"})
    admin, path = person(api), f"/projects/{project}/webhooks/{number}/edit"
    assert admin.fill(path, {"description": "two of them"}).status == 303
    (policy,) = _policies(api, project)
    assert [(each["type"], each["address"]) for each in policy["targets"]] == [
        ("http", ADDRESS), ("slack", ADDRESS + "&b=2")
    ]  # fmt: skip
    assert _secrets(api, number) == [("one", ""), ("", "")]
    assert admin.fill(path, {"address-1": ""}).status == 303
    assert len(_policies(api, project)[0]["targets"]) == 1


def test_targets_are_added_and_taken_out_in_the_form_and_keep_their_own_secrets(api: Api) -> None:
    project, two = api.project(), ADDRESS + "&b=2"
    admin, path = person(api), f"/projects/{project}/webhooks"
    first = {"name": "hook", "event": "PUSH_ARTIFACT", "targets": "1", "address-0": ADDRESS, "secret-0": "one",
             "format-0": "http:CloudEvents", "skip-0": "on"}  # fmt: skip
    more = admin.post(f"{path}/new", {**first, "target": "add"})
    fields = dict(more.form(f"{path}/new").fields)
    assert (more.status, fields["targets"], _policies(api, project)) == (200, "2", [])
    assert (fields["address-0"], fields["format-0"], fields["skip-0"]) == (ADDRESS, "http:CloudEvents", "on")
    assert (fields["address-1"], fields["format-1"], "skip-1" in fields) == ("", "http:Default", False)
    made = admin.post(f"{path}/new", {**fields, "address-1": two, "secret-1": "two", "format-1": "slack:"})
    assert made.status == 303
    (policy,) = _policies(api, project)
    assert [(each["type"], each["address"]) for each in policy["targets"]] == [("http", ADDRESS), ("slack", two)]
    edit = f"{path}/{policy['id']}/edit"
    stored = dict(admin.open(edit).form(edit).fields)
    less = dict(admin.post(edit, {**stored, "target": "remove-0"}).form(edit).fields)
    assert (less["targets"], less["address-0"], less["format-0"], "address-1" in less) == ("1", two, "slack:", False)
    assert len(_policies(api, project)[0]["targets"]) == 2
    assert admin.post(edit, less).status == 303
    assert [each["address"] for each in _policies(api, project)[0]["targets"]] == [two]
    assert _secrets(api, policy["id"]) == [("", "two")]


@pytest.mark.parametrize("asked", ["remove-0", "remove-7", "remove-x", "remove-", "burn"])
def test_the_last_target_stays_and_nonsense_takes_none_out(api: Api, asked: str) -> None:
    project = api.project()
    edit = f"/projects/{project}/webhooks/{_policy(api, project)}/edit"
    admin = person(api)
    fields = dict(admin.open(edit).form(edit).fields)
    assert admin.post(edit, {**fields, "target": asked}).status == 303
    assert len(_policies(api, project)[0]["targets"]) == 1


def test_ten_targets_are_the_most(api: Api) -> None:
    project = api.project()
    admin, path = person(api), f"/projects/{project}/webhooks/new"
    page = admin.post(path, {"name": "hook", "targets": "9", "target": "add"})
    assert dict(page.form(path).fields)["targets"] == "10"
    assert "Add a target" not in page.words


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""}, {"address-0": "ftp://here"}, {"address-0": "http://127.0.0.1/"}, {"event": []},
        {"format-0": "smtp:"},
    ],
    ids=str,
)  # fmt: skip
def test_a_refused_webhook_keeps_what_was_typed(api: Api, changed: dict[str, str]) -> None:
    project = api.project()
    path = f"/projects/{project}/webhooks/new"
    refused = person(api).fill(path, {"name": "hook", "address-0": ADDRESS, "description": HOSTILE, **changed})
    assert (refused.status, 'role="alert"' in refused.html) == (400, True)
    fields = dict(refused.form(path).fields)
    assert fields["address-0"] == changed.get("address-0", ADDRESS)
    assert fields["description"] == HOSTILE
    assert "<script>alert" not in refused.html
    assert _policies(api, project) == []


def test_a_test_is_sent_and_followed(api: Api) -> None:
    project = api.project()
    at = f"/projects/{project}/webhooks/{_policy(api, project)}"
    admin = person(api)
    assert "Nothing was delivered yet" in admin.open(at).words
    assert admin.post(f"{at}/test").went_to == at
    page = admin.open(at, part="list")
    assert 'hx-trigger="every 2s"' in page.html
    delivery = next(link for link in page.links if "/deliveries/" in link)
    shown = admin.open(delivery)
    assert ("Waiting" in shown.words, "Not tried yet" in shown.words) == (True, True)


def test_what_has_failed_is_told_and_sent_again(api: Api) -> None:
    project = api.project()
    policy = _policy(api, project)
    (failed, attempt), (well, _) = delivery_of(api, policy, "error", request=HOSTILE), delivery_of(api, policy)
    admin, at = person(api), f"/projects/{project}/webhooks/{policy}"
    only = admin.open(f"{at}?status=Error", part="list")
    assert (f"Delivery {failed}" in only.words, f"Delivery {well}" in only.words) == (True, False)
    shown = admin.open(f"{at}/deliveries/{failed}")
    log = f"{at}/deliveries/{failed}/attempts/{attempt}"
    assert (shown.offers(log), '{"type":"PUSH_ARTIFACT"}' in shown.words) == (True, True)
    text = admin.open(log)
    assert ("200 OK" in text.words, "<script>alert" in text.html) == (True, False)
    assert admin.post(f"{at}/redelivery").notice == "1 delivery goes out again."
    states = "SELECT id, state FROM webhook.deliveries WHERE policy_id = %s ORDER BY id"
    assert rows(api, states, policy) == [(failed, "pending"), (well, "success")]
    assert admin.post(f"{at}/deliveries/{well}/redelivery").status == 303
    assert rows(api, states, policy) == [(failed, "pending"), (well, "pending")]


def test_the_webhook_of_another_project_is_not_found_here(api: Api) -> None:
    project, other = api.project(), api.project()
    policy, own = _policy(api, other), _policy(api, project)
    delivery, attempt = delivery_of(api, policy, "error")
    admin, at = person(api), f"/projects/{project}/webhooks"
    paths = [f"{at}/{policy}", f"{at}/{policy}/edit", f"{at}/{own}/deliveries/{delivery}"]
    assert [admin.open(path).status for path in (*paths, f"{paths[-1]}/attempts/{attempt}")] == [404] * 4
    assert admin.post(f"{paths[-1]}/redelivery").status == 404
    assert admin.post(f"{at}/{policy}/delete").status == 404
    assert len(_policies(api, other)) == 1
