"""The alert rules, the dashboard and the page of metrics: they speak of what is told, and lead to what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateway.core.metrics.docs import PAGE, families, with_tables
from gateway.core.metrics.parts import TELLING
from shared.messaging.topology import CONSUMERS
from tests.clients.promtool import MINUTES, OBSERVABILITY, RULES, assert_fires, promtool

CHECKOUT: Final = Path(__file__).parents[3]
NAME: Final = re.compile(r"\bbreakwater_[a-z_]+")
DECLARED: Final = {name for told in families().values() for family in told for name in family.sample_names}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    text = (OBSERVABILITY / "dashboard.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def queries() -> Iterator[str]:
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def test_the_page_of_metrics_is_that_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page), "run `python -m gateway.core.metrics.docs`"
    with pytest.raises(ValueError, match="lacks the line"):
        with_tables("no place")


def test_every_metric_is_declared_once_and_says_what_it_means() -> None:
    told = [family for component in families().values() for family in component]
    assert len({family.full_name for family in told}) == len(told)
    assert all(family.meaning.endswith(".") for family in told)


def test_every_metric_is_on_the_dashboard_or_in_an_alert_but_for_those_named_here() -> None:
    used = set(NAME.findall(" ".join([*queries(), *(alert["expr"] for alert in alerts())])))
    told = [family for component in families().values() for family in component]
    unused = {family.full_name for family in told if not used & set(family.sample_names)}
    assert unused == {
        # for whoever wants to know more than whether something is wrong
        "breakwater_event_sequence", "breakwater_event_sequence_handled", "breakwater_proxy_accepted_connections_total",
        "breakwater_proxy_dropped_connections_total", "breakwater_replication_lag_seconds",
        "breakwater_replication_tasks", "breakwater_replication_executions",
        "breakwater_replication_artifacts_copied_total", "breakwater_replication_ended_tasks_total",
    }


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_speaks_of_what_is_told_and_leads_to_what_is_to_be_done(alert: dict[str, Any]) -> None:
    names = set(NAME.findall(alert["expr"]))
    assert names <= DECLARED
    assert names or alert["expr"] == 'up{job="breakwater"} == 0'
    assert alert["labels"]["severity"] in {"critical", "warning"}
    notes = alert["annotations"]
    assert len(notes["summary"]) > 10
    assert len(notes["action"]) > 10
    file, _, anchor = notes["runbook"].partition("#")
    page = (CHECKOUT / file).read_text(encoding="utf-8")
    section = page.partition(f"\n### {alert['alert']}\n")[2].partition("\n### ")[0]
    assert anchor == alert["alert"].lower()
    assert len(section.strip().split("\n\n")) == 2, "what it means, and what to do"
    assert "`" in section or "As for" in section


def test_every_section_of_troubleshooting_is_of_an_alert() -> None:
    page = (CHECKOUT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (.+)$", page, re.MULTILINE) == [alert["alert"] for alert in alerts()]


def test_the_dashboard_asks_for_what_is_told() -> None:
    asked = list(queries())
    assert len(asked) > 30
    for query in asked:
        names = NAME.findall(query)
        assert set(names) <= DECLARED, query
        assert query.count('instance=~"$instance"') == len(names), query


def test_the_dashboard_can_be_laid_out() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        squares = {
            (place["x"] + right, place["y"] + down) for right in range(place["w"]) for down in range(place["h"])
        }
        assert not squares & taken, panel["title"]
        taken |= squares
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels if panel["type"] != "row")


def test_the_scrape_asks_where_metrics_are() -> None:
    config = yaml.safe_load((OBSERVABILITY / "prometheus.yaml").read_text(encoding="utf-8"))
    (scrape,) = config["scrape_configs"]
    assert "metrics_path" not in scrape  # Prometheus's own default is ours
    assert scrape["job_name"] == "breakwater"  # as the alert on `up` has it
    assert [(OBSERVABILITY / name).is_file() for name in config["rule_files"]] == [True]


# by Prometheus itself


def test_prometheus_reads_the_rules_and_the_scrape(tmp_path: Path) -> None:
    for name in ("rules.yaml", "prometheus.yaml"):
        tmp_path.joinpath(name).write_text((OBSERVABILITY / name).read_text(encoding="utf-8"))
    tmp_path.joinpath("breakwater-robot").write_text("secret")
    done = promtool("check", "config", tmp_path / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def steady(value: float) -> str:
    return f"{value}+0x{MINUTES}"


def growing(by: float) -> str:
    return f"0+{by}x{MINUTES}"


HTTP = 'breakwater_http_requests_total{part="core",area="api",method="GET",status="%s"}'
TRANSFERS = 'breakwater_transfers_total{part="proxy",kind="blob",method="GET",status="%s"}'
SLOW = 'breakwater_http_request_seconds_bucket{part="core",area="api",le="%s"}'
TOKENS = 'breakwater_tokens_total{part="token",grant="%s",outcome="%s"}'
FIRING: Final[dict[str, tuple[dict[str, str], set[str]]]] = {
    "all is well": (
        {
            'up{job="breakwater"}': steady(1),
            **{f'breakwater_up{{part="{part}"}}': steady(1) for part in TELLING},
            **{f'breakwater_queue_consumers{{queue="{each.queue}"}}': steady(1) for each in CONSUMERS},
            **{f'breakwater_consumer_lag_seconds{{queue="{each.queue}"}}': steady(20) for each in CONSUMERS},
            "breakwater_disk_free_bytes": steady(50), "breakwater_disk_bytes": steady(100),
            HTTP % 200: growing(600), HTTP % 500: growing(1), HTTP % 404: growing(600),
            TRANSFERS % 200: growing(600), TRANSFERS % 503: growing(1), TRANSFERS % 401: growing(600),
            SLOW % "0.5": growing(599), SLOW % "2.5": growing(600), SLOW % "+Inf": growing(600),
            TOKENS % ("password", "issued"): growing(60), TOKENS % ("password", "unauthorized"): growing(20),
            TOKENS % ("nothing", "unauthorized"): growing(600),
            'breakwater_interruptions_total{part="audit",work="consume"}': f"0x10 8x{MINUTES - 10}",
            "breakwater_outbox_oldest_seconds": "0 0 90 0 0 300 0 0 0 0x70",
        },
        set(),
    ),
    "nothing answers": ({'up{job="breakwater"}': steady(0)}, {"BreakwaterAway"}),
    "a part is down": ({'breakwater_up{part="relay"}': f"1x70 0x{MINUTES - 70}"}, {"BreakwaterPartDown"}),
    "work breaks off": (
        {'breakwater_interruptions_total{part="audit",work="consume"}': growing(12)}, {"BreakwaterPartInterrupted"}
    ),
    "a component is not read": (
        {'breakwater_component_readable{component="events"}': steady(0)}, {"BreakwaterMetricsUnreadable"}
    ),
    "one in twenty requests fails": (
        {HTTP % 200: growing(95), HTTP % 503: growing(5)}, {"BreakwaterServerErrors"}
    ),
    "one in twenty blobs is not given": (
        {TRANSFERS % 200: growing(95), TRANSFERS % 502: growing(5)}, {"BreakwaterTransfersFail"}
    ),
    "every request takes five seconds": (
        {SLOW % "0.5": steady(0), SLOW % "2.5": steady(0), SLOW % "10.0": growing(60), SLOW % "+Inf": growing(60)},
        {"BreakwaterSlow"},
    ),
    "somebody guesses": (
        {TOKENS % ("password", "issued"): growing(5), TOKENS % ("password", "unauthorized"): growing(50)},
        {"BreakwaterTokensRefused"},
    ),
    "one person mistypes": (
        {TOKENS % ("password", "issued"): growing(0), TOKENS % ("password", "unauthorized"): growing(1)}, set()
    ),
    "a disk fills up": (
        {"breakwater_disk_free_bytes": steady(9), "breakwater_disk_bytes": steady(100)},
        {"BreakwaterDiskFillingUp"},
    ),
    "pushes are refused": ({'breakwater_pushes_refused{why="disk"}': steady(1)}, {"BreakwaterPushesRefused"}),
    "a collection lasts": ({'breakwater_pushes_refused{why="collecting"}': steady(1)}, {"BreakwaterCollectionLasts"}),
    "a collection takes its ten minutes": (
        {'breakwater_pushes_refused{why="collecting"}': f"0x60 1x10 0x{MINUTES - 70}"}, set()
    ),
    "a collection failed": ({"breakwater_gc_succeeded": steady(0)}, {"BreakwaterCollectionFailed"}),
    "the record was never verified again": (
        {'breakwater_audit_verified_timestamp_seconds{scope="recent"}': steady(-3 * 3600)},
        {"BreakwaterAuditUnverified"},
    ),
    "the whole was verified long ago, the newest just now": (
        {
            'breakwater_audit_verified_timestamp_seconds{scope="all"}': steady(-9 * 3600),
            'breakwater_audit_verified_timestamp_seconds{scope="recent"}': steady(0),
        },
        set(),
    ),
    "a policy is behind": (
        {'breakwater_replication_oldest_unsynced_seconds{policy="p"}': steady(4000)}, {"BreakwaterReplicationBehind"}
    ),
    "a registry is away": (
        {'breakwater_replication_registry_healthy{registry="r"}': steady(0)}, {"BreakwaterReplicationTargetAway"}
    ),
    "nobody copies": ({"breakwater_replication_workers": steady(0)}, {"BreakwaterReplicationWithoutWorkers"}),
    "an alert ends with its reason": ({'breakwater_up{part="relay"}': f"0x60 1x{MINUTES - 60}"}, set()),
}


@pytest.mark.parametrize(("series", "expected"), FIRING.values(), ids=FIRING)
def test_alerts_fire_for_their_reason_and_for_nothing_else(series: dict[str, str], expected: set[str]) -> None:
    assert_fires(series, expected)
