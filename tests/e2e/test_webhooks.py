"""A webhook from the push to its receiver, which verifies it as the documentation says."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.clients.images import make_image, write_layout
from tests.clients.polling import eventually
from tests.clients.receiver import receiving
from tests.documented import documented

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.system import Person, System

SECRET: Final = "what both sides know"


@pytest.fixture(scope="module")
def is_genuine() -> Callable[..., bool]:
    """The receiver's check, out of the page."""
    code = documented("docs/webhooks.md", "def is_genuine").text
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the page is ours
    check: Callable[..., bool] = names["is_genuine"]
    return check


def test_a_push_reaches_its_receiver_who_can_tell_that_it_is_genuine(
    system: System, project: str, person: Callable[..., Person], tmp_path: Path, is_genuine: Callable[..., bool],
) -> None:
    administrator, developer = person(project, "projectAdmin"), person(project, "developer")
    api = system.rest(administrator)
    policies = f"/projects/{project}/webhook/policies"
    with receiving() as receiver:
        api.must("POST", policies, json={
            "name": "hook", "enabled": True, "event_types": ["PUSH_ARTIFACT"],
            "targets": [{"type": "http", "address": f"{receiver.url}/in", "secret": SECRET, "auth_header": "Bearer x"}],
        })
        (policy,) = api.get(policies)
        skopeo = system.skopeo(tmp_path / "auth.json")
        assert skopeo.login(developer.name, developer.password).ok
        image = make_image(project)
        layout = write_layout(tmp_path / "image", {"v1": image})
        assert (done := skopeo.push(layout, "v1", f"{project}/app:v1")).ok, done.said
        executions = f"{policies}/{policy['id']}/executions"
        (execution,) = eventually(
            lambda: [each for each in api.get(executions) if each["status"] == "Success"], within=20, what="a delivery",
        )
        (got,) = receiver.received

    sent = json.loads(got.body)
    assert (sent["type"], sent["operator"]) == ("PUSH_ARTIFACT", developer.name)
    assert sent["event_data"]["resources"] == [
        {"digest": image.digest, "tag": "v1", "resource_url": f"{system.host}/{project}/app:v1"},
    ]
    assert got.headers["Authorization"] == "Bearer x"
    assert is_genuine(SECRET, got.headers, got.body)
    assert not is_genuine("another secret", got.headers, got.body)
    assert not is_genuine(SECRET, got.headers, got.body + b" ")
    assert not is_genuine(SECRET, got.headers | {"X-Breakwater-Delivery": "another"}, got.body)
    assert not is_genuine(SECRET, got.headers, got.body, now=lambda: time.time() + 600)

    (task,) = api.get(f"{executions}/{execution['id']}/tasks")
    log = api.must("GET", f"{executions}/{execution['id']}/tasks/{task['id']}/log").text
    assert "Authorization: ***" in log
    assert "200 OK" in log
    told = eventually(
        lambda: [row for row in system.admin.audit(project) if row["resource_type"] == "webhook_policy"], within=10,
        what="the policy in the record",
    )
    assert [(row["operation"], row["username"]) for row in told] == [("create", administrator.name)]


def test_a_trial_and_a_redelivery_reach_the_receiver(system: System, project: str) -> None:
    policies = f"/projects/{project}/webhook/policies"
    with receiving() as receiver:
        system.admin.must("POST", policies, json={
            "name": "hook", "enabled": True, "event_types": ["PULL_ARTIFACT"],
            "targets": [{"type": "http", "address": receiver.url}],
        })
        (policy,) = system.admin.get(policies)
        (execution,) = system.admin.must("POST", f"{policies}/{policy['id']}/test").json()["execution_ids"]
        eventually(lambda: len(receiver.received) == 1, within=20, what="the trial")
        system.admin.must("POST", f"{policies}/{policy['id']}/executions/{execution}/redelivery")
        eventually(lambda: len(receiver.received) == 2, within=20, what="the redelivery")
        first, second = receiver.received
    assert first.headers["X-Breakwater-Delivery"] == second.headers["X-Breakwater-Delivery"]
    assert first.body == second.body
