"""One push is one trace, from the proxy's request id to the replica; and an instance without a collector has none."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests

from compose.local.parts import SERVICES
from shared.tracing.context import TraceContext
from tests.clients.collector import Collector, Spanned, collector
from tests.clients.images import make_image, write_layout
from tests.clients.polling import eventually
from tests.documented import documented, run_commands
from tests.e2e.conftest import REACHABLE, fresh_system
from tests.e2e.replicating import RUNS, Replicating, digest_of, push, push_to, replicating

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.system import System

LOADED: Final = "google/_upb"
"""A library in C that OTLP is written with, as a process that has loaded it shows it among its mappings."""
REPLICATION: Final = "breakwater.replication."
PUSHES: Final = 10
STOPS_WITHIN: Final = 8.0
"""Seconds: two for the collector, and what a part takes anyway."""

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def traces() -> Iterator[Collector]:
    with collector() as started:
        yield started


@pytest.fixture(scope="module")
def traced(traces: Collector) -> Iterator[System]:
    """An instance of this module's own: the others are not traced."""
    command = documented("docs/traces.md", "./breakwater up").fitted({"http://collector.example.com:4318": traces.url})
    yield from fresh_system(
        {"BREAKWATER_OUTBOUND_ALLOW": REACHABLE}, start=lambda instance: run_commands(command, instance.environment),
    )


@pytest.fixture
def there(traced: System) -> Iterator[Replicating]:
    with replicating(traced) as replication:
        yield replication


def logged(system: System, path: str, method: str) -> dict[str, Any]:
    """The proxy's line of a request that was answered."""

    def line() -> dict[str, Any] | None:
        said = system.breakwater("logs", "--part", "proxy", "--since", "10m", "--raw").out.splitlines()
        found = [each for text in said if (each := json.loads(text)).get("uri") == path and each["method"] == method]
        return next((each for each in found if each["status"] < 300), None)

    return eventually(line, within=20, what=f"the proxy's line of {method} {path}", every=0.5)


def one(spans: list[Spanned], part: str, name: str) -> Spanned:
    found = [span for span in spans if (span.part, span.name) == (part, name)]
    assert len(found) == 1, (part, name, spans)
    return found[0]


def whole(traces: Collector, trace: str, *wanted: tuple[str, str]) -> list[Spanned]:
    """The spans of a trace once these are among them, by part and name: each process sends its own when it will."""
    eventually(
        lambda: {*wanted} <= {(span.part, span.name) for span in traces.of(trace)}, within=20, what="the whole trace",
    )
    return traces.of(trace)


def carries(pid: int) -> bool:
    return LOADED in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")


def test_one_trace_leads_from_the_request_id_of_a_push_to_its_replica(
    traced: System, system: System, there: Replicating, traces: Collector, tmp_path: Path,
) -> None:
    project = traced.new_project()
    policy = there.policy(project, to=there.instance(system), event=True)
    image = make_image(project)
    layout = write_layout(tmp_path / "layout", {"v1": image})
    skopeo = traced.skopeo(tmp_path / "auth.json")
    assert (done := skopeo.login(traced.admin_name, traced.admin_password)).ok, done.said
    assert (done := skopeo.push(layout, "v1", f"{project}/app:v1")).ok, done.said
    client = system.registry()
    eventually(lambda: digest_of(client, f"{project}/app", "v1") == image.digest, within=20, what="the replica")
    client.close()

    trace = logged(traced, f"/v2/{project}/app/manifests/v1", "PUT")["request_id"]
    assert re.fullmatch("[0-9a-f]{32}", trace)
    spans = whole(
        traces, trace, ("core", "PUT /v2/{name}/manifests/{reference}"), ("intake", "create event"),
        ("relay", "publish breakwater.events"), ("replication", "replicate copy"),
        *((part, f"process {part}") for part in ("audit", "metadata", "webhook", "replication")),
    )  # fmt: skip
    assert len({span.id for span in spans}) == len(spans)

    gate = one(spans, "core", "PUT /v2/{name}/manifests/{reference}")
    assert (gate.kind, gate.parent, gate.attributes["breakwater.request_id"]) == ("server", "", trace)
    assert gate.attributes["http.response.status_code"] == requests.codes.created
    stored = next(
        span for span in spans if span.part == "core" and span.name == "PUT" and span.parent == gate.id
    )
    assert (stored.kind, stored.attributes["server.address"]) == ("client", "registry.sock")
    made = one(spans, "intake", "create event")
    assert (made.kind, made.parent) == ("producer", gate.id)
    assert made.attributes["cloudevents.event_type"] == "breakwater.artifact.pushed.v1"
    published = one(spans, "relay", "publish breakwater.events")
    assert (published.kind, published.parent) == ("producer", made.id)
    consumers = {part: one(spans, part, f"process {part}") for part in ("audit", "metadata", "webhook", "replication")}
    for handled in consumers.values():
        assert (handled.kind, handled.parent, handled.failed) == ("consumer", published.id, False)
    task = one(spans, "replication", "replicate copy")
    assert task.parent == consumers["replication"].id
    assert task.attributes[f"{REPLICATION}policy"] == there.name_of(policy)
    assert (task.attributes[f"{REPLICATION}outcome"], task.failed) == ("succeeded", False)
    sent = [span for span in spans if span.parent == task.id and span.kind == "client"]
    (put,) = [span for span in sent if span.name == "PUT" and span.attributes.get("url.full", "").endswith("/v1")]
    assert put.attributes["url.full"] == f"{system.url}/v2/{project}/app/manifests/v1"
    assert put.attributes["http.response.status_code"] == requests.codes.created

    # the other instance traces nothing, and keeps what it was told with the event that came of it
    (event,) = system.events_of(project, "artifact.pushed")
    assert event["traceparent"] == TraceContext(trace, put.id, sampled=True).traceparent
    (event,) = traced.events_of(project, "artifact.pushed")
    assert event["traceparent"] == TraceContext(trace, made.id, sampled=True).traceparent


def test_a_client_s_own_trace_goes_on_here_whether_or_not_he_wants_it_kept(traced: System, traces: Collector) -> None:
    client = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=False)
    answer = requests.get(
        f"{traced.url}/api/v2.0/projects", headers={"traceparent": client.traceparent, "tracestate": "a=b"}, timeout=10,
    )
    eventually(lambda: traces.of(client.trace_id), within=10, what="the span")
    (span,) = traces.of(client.trace_id)
    assert (span.name, span.parent) == ("GET /api/v2.0/projects", client.span_id)
    assert span.attributes["breakwater.request_id"] == answer.headers["X-Request-Id"]


def test_a_task_that_is_taken_over_by_another_process_belongs_to_the_same_trace(
    traced: System, system: System, there: Replicating, traces: Collector,
) -> None:
    project = traced.new_project()
    # slow enough to be killed in the middle of it
    there.policy(project, to=there.instance(system), event=True, speed=512)
    client, target = traced.registry(), system.registry()
    image = make_image(project, layer_size=2_000_000)
    push(client, f"{project}/app", "v1", image)
    under_way = "SELECT count(*) FROM replication.tasks WHERE bytes_sent > 0 AND source LIKE %s AND ended_at IS NULL"
    eventually(lambda: traced.rows(under_way, (f"{project}/%",)) == [(1,)], within=20, what="a blob is under way")
    traced.instance.kill_part("replication")
    eventually(lambda: digest_of(target, f"{project}/app", "v1") == image.digest, within=60, what="the replica")
    trace = logged(traced, f"/v2/{project}/app/manifests/v1", "PUT")["request_id"]
    found = eventually(
        lambda: [span for span in traces.of(trace) if span.name == "replicate copy" and not span.failed],
        within=20, what="the task's span",
    )
    # what the killed process did last it may not have told: the task itself knows whom it belongs to
    kept = traced.rows("SELECT traceparent FROM replication.tasks WHERE traceparent LIKE %s", (f"%{trace}%",))
    assert {span.parent for span in found} <= {traceparent.split("-")[2] for (traceparent,) in kept}
    client.close()
    target.close()


def test_a_run_that_somebody_begins_belongs_to_his_request(
    traced: System, system: System, there: Replicating, traces: Collector,
) -> None:
    project = traced.new_project()
    policy = there.policy(project, to=there.instance(system))
    push_to(traced, f"{project}/app", "v1", make_image(project))
    answer = traced.admin.must("POST", RUNS, json={"policy_id": policy})
    trace = answer.headers["X-Request-Id"]
    spans = whole(traces, trace, ("core", f"POST /api/v2.0{RUNS}"), ("replication", "replicate copy"))
    asked = one(spans, "core", f"POST /api/v2.0{RUNS}")
    task = one(spans, "replication", "replicate copy")
    assert task.parent == asked.id
    assert task.attributes[f"{REPLICATION}policy"] == there.name_of(policy)


def test_a_run_that_begins_by_itself_begins_a_trace(
    traced: System, system: System, there: Replicating, traces: Collector,
) -> None:
    project = traced.new_project()
    yearly = {"type": "scheduled", "trigger_settings": {"cron": "0 0 0 1 1 *"}}
    policy = there.policy(project, to=there.instance(system), trigger=yearly)
    push_to(traced, f"{project}/app", "v1", make_image(project))
    traced.rows("UPDATE replication.policies SET next_at = now() WHERE id = %s RETURNING id", (policy,))

    def task() -> Spanned | None:
        name = there.name_of(policy)
        found = [span for span in traces.named("replicate copy") if span.attributes[f"{REPLICATION}policy"] == name]
        return found[0] if found else None

    copied = eventually(task, within=30, what="the task's span")
    begun = one(traces.of(copied.trace), "replication", "start replication")
    assert (begun.parent, copied.parent) == ("", begun.id)
    assert begun.attributes[f"{REPLICATION}trigger"] == "scheduled"


def test_no_span_holds_a_secret(traced: System, traces: Collector) -> None:
    """Every way in has been used by now: names and passwords, tokens, the credentials of another registry."""
    assert traced.login(traced.admin_name, traced.admin_password) == requests.codes.ok
    eventually(lambda: traces.named("GET /auth/token") or traces.named("GET /service/token"), within=10, what="a token")
    told = json.dumps([span.attributes for span in traces.spans])
    assert traced.admin_password not in told
    assert "Bearer" not in told
    assert "eyJ" not in told
    assert "?" not in "".join(str(span.attributes.get("url.full", "")) for span in traces.spans)


def test_without_a_collector_no_process_has_loaded_what_traces_take(traced: System, system: System) -> None:
    for part in SERVICES:
        assert any(carries(pid) for pid in traced.instance.pids(part)), part
        assert not any(carries(pid) for pid in system.instance.pids(part)), part


def test_a_collector_that_hangs_holds_nothing_up(traced: System, traces: Collector) -> None:
    """The last of the module: what it is sent from now on it never answers."""
    traces.hangs = True
    before = traces.requests
    client, project = traced.registry(), traced.new_project()
    begun = time.monotonic()
    for number in range(PUSHES):
        push(client, f"{project}/app", f"v{number}", make_image(f"{project}/{number}"))
    client.close()
    assert time.monotonic() - begun < PUSHES
    eventually(lambda: traces.requests > before, within=20, what="something is sent")
    eventually(
        lambda: len(traced.admin.audit(project)) >= PUSHES, within=10, what="all pushes are in the record",
    )
    for part in ("audit", "core"):
        begun = time.monotonic()
        traced.instance.stop_part(part)
        assert time.monotonic() - begun < STOPS_WITHIN, part
        traced.start_part(part)
