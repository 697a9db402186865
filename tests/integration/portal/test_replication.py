"""The portal's pages about replication: policies, executions with their tasks, other registries."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from gateway.core.bodies.replication import ReplicationPolicyBody
from gateway.portal.forms import Form
from gateway.portal.pages.replication.policy_form import body_of
from tests.integration.core.people import ADMIN, Api
from tests.integration.core.rows import execution_of, line_of, policy_of, registry_of
from tests.integration.portal.browsing import HOSTILE, Browser

NUMBERS = count(1)


@pytest.fixture(scope="module")
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


@pytest.fixture(scope="module")
def registry(api: Api) -> int:
    return registry_of(api)


@pytest.fixture
def policy(api: Api, registry: int) -> int:
    return policy_of(api, registry)


@pytest.fixture(scope="module", params=["user", "stranger"])
def not_allowed(api: Api, request: pytest.FixtureRequest) -> Iterator[Browser]:
    browser = Browser(api)
    return browser.sign_in(api.user()) if request.param == "user" else browser


def shown(api: Api, policy: int) -> dict[str, Any]:
    return dict(api.get(f"/replication/policies/{policy}").json)


def fields(registry: int, **changed: str) -> dict[str, str]:
    return {"name": f"copies {next(NUMBERS)}", "registry": str(registry), "direction": "push", "trigger": "manual",
            "count": "-1", "enabled": "on"} | changed  # fmt: skip


@pytest.mark.parametrize(
    "path",
    ["/replication", "/replication/policies/{policy}", "/replication/registries", "/replication/registries/{registry}",
     "/replication/policies/{policy}/edit", "/replication/policies/{policy}/run"],
)  # fmt: skip
def test_only_administrators_see_it(not_allowed: Browser, registry: int, policy: int, path: str) -> None:
    answer = not_allowed.get(path.format(policy=policy, registry=registry))
    assert answer.status_code == (403 if not_allowed.cookies.get("sid") else 303)


def test_policies_are_listed_with_their_last_outcome_and_how_they_begin(api: Api, admin: Browser, policy: int) -> None:
    execution, _ = execution_of(api, policy, "failed", "failed")
    name = shown(api, policy)["name"]
    found = admin.read(f"/replication?q={name}")
    assert name in found.text
    assert "Failed" in found.text
    assert f"/replication/executions/{execution}" in found.links()


def test_the_list_alone_is_what_htmx_gets(admin: Browser) -> None:
    answer = admin.get("/replication", part="list")
    assert answer.text.lstrip().startswith("<section")
    assert "<html" not in answer.text


def test_a_policy_is_made_by_the_form(api: Api, admin: Browser, registry: int) -> None:
    wanted = fields(
        registry, description=HOSTILE, name_filter="library/**", tag_filter="v*", tag_decoration="excludes",
        copy_labels="on", copy_retention="on",
        label_filter="prod\nsigned", label_decoration="matches", resource_filter="image", namespace="copies", count="1",
        trigger="scheduled", cron="0 30 2 * * *", speed="2048", override="on", deletion="on", concurrency="4",
    )  # fmt: skip
    answer = admin.post("/replication/policies-new", wanted, follow=False)
    assert answer.status_code == 303
    made = shown(api, int(answer.headers["location"].rpartition("/")[2]))
    assert made["filters"] == [
        {"type": "name", "value": "library/**"},
        {"type": "tag", "value": "v*", "decoration": "excludes"},
        {"type": "label", "value": ["prod", "signed"], "decoration": "matches"},
        {"type": "resource", "value": "image"},
    ]
    assert made["trigger"] == {"type": "scheduled", "trigger_settings": {"cron": "0 30 2 * * *"}}
    kept = ("dest_namespace", "dest_namespace_replace_count", "speed", "override", "replicate_deletion", "concurrency",
            "copy_labels", "copy_retention")
    assert [made[name] for name in kept] == ["copies", 1, 2048, True, True, 4, True, True]
    assert (made["dest_registry"]["id"], made["enabled"], made["description"]) == (registry, True, HOSTILE)
    page = admin.get(answer.headers["location"]).text
    assert "<script>alert" not in page
    assert "Every day at 02:30 UTC" in page


def test_a_refused_policy_keeps_what_was_typed(admin: Browser, registry: int) -> None:
    wanted = fields(registry, name=HOSTILE, trigger="scheduled", cron="at noon", tag_filter=HOSTILE)
    answer = admin.post("/replication/policies-new", wanted)
    assert answer.status_code == 400
    assert "A cron expression has 6 fields" in answer.text
    assert "<script>alert" not in answer.text
    refused = admin.post("/replication/policies-new", wanted, **{"HX-Request": "true", "HX-Target": "sheet"})
    assert "<html" not in refused.text
    assert "at noon" in refused.text


def test_editing_keeps_the_filters_that_the_form_has_no_fields_for(api: Api, admin: Browser, registry: int) -> None:
    filters = [{"type": "tag", "value": "v*", "decoration": "matches"},
               {"type": "tag", "value": "v9*", "decoration": "excludes"}]  # fmt: skip
    number = policy_of(api, registry, filters=filters, single_active_replication=True)
    form = admin.read(f"/replication/policies/{number}/edit")
    assert "tags other than v9*" in form.text
    assert form.values()["tag_filter"] == "v*"
    assert "single_active" in form.values()
    name = shown(api, number)["name"]
    admin.post(f"/replication/policies/{number}/edit", fields(registry, name=name, tag_filter="w*"))
    after = shown(api, number)
    assert [each["value"] for each in after["filters"]] == ["w*", "v9*"]
    assert after["single_active_replication"] is False


def test_the_form_speaks_of_every_field_that_a_policy_has() -> None:
    assert set(body_of(Form(), ())) == set(ReplicationPolicyBody.model_fields) - {"deletion"}  # Harbor's older name


@pytest.mark.parametrize(
    ("count_", "arrives"),
    [("-1", "copies/web"), ("0", "copies/team/services/shop/web"), ("2", "copies/shop/web"), ("no", "copies/web")],
)
def test_the_example_tells_where_an_image_goes(admin: Browser, count_: str, arrives: str) -> None:
    answer = admin.get(f"/replication/example?namespace=copies&count={count_}", part="example")
    assert f"<code>{arrives}</code>" in answer.text
    assert "<html" not in answer.text


def test_a_policy_is_disabled_and_enabled_again(api: Api, admin: Browser, policy: int) -> None:
    address = f"/replication/policies/{policy}"
    for enabled in (False, True):
        admin.post(f"{address}/switch", {"enabled": str(enabled).lower()})
        assert shown(api, policy)["enabled"] is enabled
        assert (f"{address}/run" in admin.read(address).links()) is enabled


@pytest.mark.parametrize("verb", ["run", "dry-run"])
def test_a_run_begins_and_its_progress_is_looked_at_each_second(
    api: Api, admin: Browser, policy: int, verb: str
) -> None:
    answer = admin.post(f"/replication/policies/{policy}/{verb}", {}, follow=False)
    address = answer.headers["location"]
    assert api.get(address).json["dry_run"] is (verb == "dry-run")
    page = admin.get(address).text
    assert 'hx-trigger="every 1s"' in page
    assert "Preparing" in page
    admin.post(f"{address}/stop", {})
    assert api.get(address).json["status"] == "Stopped"
    assert "every 1s" not in admin.get(address, part="list").text
    assert f"{address}/stop" not in admin.read(address).links()


def test_what_cannot_begin_is_said(admin: Browser, policy: int) -> None:
    admin.post(f"/replication/policies/{policy}/switch", {"enabled": "false"})
    answer = admin.post(f"/replication/policies/{policy}/run", {})
    assert answer.status_code == 412
    assert "enable it first" in answer.text


def test_tasks_are_filtered_by_state_and_show_their_log(api: Api, admin: Browser, policy: int) -> None:
    execution, [done, failed] = execution_of(api, policy, "failed", "succeeded", "failed")
    line_of(api, failed, HOSTILE)
    address = f"/replication/executions/{execution}"
    links = admin.read(f"{address}?status=Failed").links()
    assert f"{address}/tasks/{failed}/log" in links
    assert f"{address}/tasks/{done}/log" not in links
    log = admin.get(f"{address}/tasks/{failed}/log", part="sheet").text
    assert "&lt;script&gt;" in log
    assert "<script>alert" not in log


def test_deleting_a_policy_says_what_stays_and_is_refused_while_it_runs(api: Api, admin: Browser, policy: int) -> None:
    address = f"/replication/policies/{policy}"
    running = api.made("/replication/executions", {"policy_id": policy})
    assert "stays at the target" in admin.read(f"{address}/delete").text
    refused = admin.post(f"{address}/delete", {})
    assert refused.status_code == 412
    assert "stop it first" in refused.text
    admin.post(f"/replication/executions/{running}/stop", {})
    assert admin.post(f"{address}/delete", {}, follow=False).status_code == 303
    assert admin.get(address).status_code == 404


def test_a_registry_is_set_up_and_its_password_is_kept_when_left_empty(api: Api, admin: Browser) -> None:
    name = f"branch {next(NUMBERS)}"
    wanted = {"name": name, "type": "harbor", "url": "https://branch.example.test", "access_key": "robot",
              "access_secret": "hunter2hunter2", "description": HOSTILE, "concurrency": "8"}  # fmt: skip
    assert admin.post("/replication/registries-new", wanted, follow=False).status_code == 303
    [made] = api.get(f"/registries?q=name={name}").json
    assert (made["credential"]["access_secret"], made["concurrency"]) == ("*****", 8)
    address = f"/replication/registries/{made['id']}"
    page = admin.get(address).text
    assert "hunter2" not in page
    assert "<script>alert" not in page
    assert "left empty it stays" in page
    admin.post(address, wanted | {"access_secret": "", "description": "of the branch"})
    after = api.get(f"/registries/{made['id']}").json
    assert (after["description"], after["credential"]["access_secret"]) == ("of the branch", "*****")
    admin.post(address, wanted | {"access_secret": "", "no_access_secret": "on"})
    assert "access_secret" not in api.get(f"/registries/{made['id']}").json["credential"]


def test_a_refused_registry_keeps_what_was_typed_but_the_password(admin: Browser) -> None:
    wanted = {"name": HOSTILE, "type": "quay", "url": "ftp://nowhere", "access_secret": "hunter2hunter2"}
    answer = admin.post("/replication/registries-new", wanted)
    assert answer.status_code == 400
    assert "must be an http or https URL" in answer.text
    assert "ftp://nowhere" in answer.text
    assert "hunter2" not in answer.text
    assert "<script>alert" not in answer.text


def test_a_connection_is_tested_before_anything_is_stored(api: Api, admin: Browser) -> None:
    before = api.get("/registries").headers["X-Total-Count"]
    wanted = {"name": "x", "type": "docker-registry", "url": "https://127.0.0.1:1"}
    answer = admin.post("/replication/registries-test", wanted, **{"HX-Request": "true", "HX-Target": "tested"})
    assert answer.status_code == 400
    assert answer.text.lstrip().startswith('<div id="tested">')
    assert 'role="alert"' in answer.text
    assert api.get("/registries").headers["X-Total-Count"] == before


def test_a_registry_in_use_names_the_policies_that_stand_in_the_way(api: Api, admin: Browser, policy: int) -> None:
    entry = shown(api, policy)
    address = f"/replication/registries/{entry['dest_registry']['id']}/delete"
    page = admin.read(address)
    assert entry["name"] in page.text
    assert address not in page.links()
    assert admin.post(address, {}).status_code == 412
    free = api.made("/registries", {"name": f"free {next(NUMBERS)}", "type": "quay", "url": "https://quay.example.test"})
    assert admin.post(f"/replication/registries/{free}/delete", {}, follow=False).status_code == 303
    assert api.get(f"/registries/{free}").status_code == 404


def test_forms_of_other_sites_are_refused(admin: Browser, policy: int, api: Api) -> None:
    answer = admin.post(f"/replication/policies/{policy}/delete", {}, Origin="https://evil.example.test")
    assert answer.status_code == 403
    assert shown(api, policy)["id"] == policy
