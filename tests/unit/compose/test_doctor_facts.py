"""What the doctor makes of the facts it is given: each fault is told with what to do, and what is well is not told."""

from __future__ import annotations

import socket
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from compose.local.certificate import make_certificate
from compose.local.doctor import broker, certificates, collectors, database, flow, front, home, inner, parts
from compose.local.doctor.examination import CHECKS
from compose.local.options import CHECKOUT, Options
from services.api.domain.disk import Reserve
from services.audit.queries.checks import Check as Verification
from shared.messaging.depths import QueueDepth
from shared.migrations import run
from shared.settings import TOKEN_ISSUER, TOKEN_SERVICE
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from compose.local.doctor.finding import Finding
    from compose.local.doctor.patient import Ask

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTES = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Severity and sentence of each; every one says what to do."""
    found = list(findings)
    assert all(each.remedy for each in found)
    return [(each.severity.value, each.what) for each in found]


def depth(queue: str = "audit", *, waiting: int = 0, consumers: int = 1, dead: int = 0) -> QueueDepth:
    return QueueDepth(queue=queue, waiting=waiting, consumers=consumers, retrying=0, dead=dead)


def verification(**given: object) -> Verification:
    values = {
        "scope": "recent", "asked_at": None, "verified_at": NOW, "first_link": 1, "links": 9, "broken": None,
    } | given  # fmt: skip
    return Verification(**values)  # type: ignore[arg-type]


def one(found: list[tuple[str, str]], severity: str, *words: str) -> None:
    assert len(found) == 1, found
    assert found[0][0] == severity
    assert all(word in found[0][1] for word in words), found[0][1]


@pytest.mark.parametrize(
    ("off", "severity"),
    [(0, None), (1, None), (-1, None), (10, "warning"), (-10, "warning"), (90, "broken"), (-90, "broken")],
)
def test_skew_of_the_database_clock_is_told_by_its_size(off: int, severity: str | None) -> None:
    found = told(database.judge_clock(NOW + off * SECOND, before=NOW, after=NOW + SECOND / 10))
    if severity is None:
        assert found == []
    else:
        one(found, severity, "s apart")


def test_time_that_asking_takes_is_no_skew() -> None:
    assert told(database.judge_clock(NOW + 30 * SECOND, before=NOW, after=NOW + 60 * SECOND)) == []


def test_record_of_the_future_tells_that_a_clock_was_set_back() -> None:
    assert told(database.judge_newest(NOW, now=NOW)) == []
    one(told(database.judge_newest(NOW + MINUTES, now=NOW)), "warning", "a clock was set back")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('FATAL:  password authentication failed for user "breakwater_core"', "does not accept the password of core"),
        ("FATAL:  sorry, too many clients already", "no connection left"),
        ("FATAL:  remaining connection slots are reserved", "no connection left"),
        ("FATAL:  the database system is starting up", "starting or stopping"),
        ("connection refused: password=hunter2", "does not let core in"),
    ],
)
def test_refusal_of_the_database_is_told_by_its_cause_and_not_quoted(said: str, words: str) -> None:
    found = told(database.judge_refusal("core", said))
    one(found, "broken", words)
    assert "hunter2" not in found[0][1]


@pytest.mark.parametrize(("used", "is_told"), [(0, False), (157, False), (158, True), (197, True)])
def test_few_connections_left_are_warned_of(used: int, *, is_told: bool) -> None:
    assert bool(told(database.judge_connections(used, 197))) is is_told


@pytest.mark.parametrize(
    ("revision", "words"), [("none", "pending"), ("0001", "pending"), ("9999", "newer than this code")]
)
def test_database_of_another_revision_is_broken(revision: str, words: str) -> None:
    one(told(database.judge_revision(revision)), "broken", words)


def test_database_of_the_newest_revision_is_well() -> None:
    assert told(database.judge_revision(run.newest())) == []


@pytest.mark.parametrize(
    ("oldest", "words"), [(None, None), (NOW - 30 * SECOND, None), (NOW - 5 * MINUTES, "waits for 5 min")]
)
def test_age_of_the_oldest_event_decides_not_how_many_wait(oldest: datetime | None, words: str | None) -> None:
    for found in (told(flow.judge_outbox(1_000, oldest, NOW)), told(flow.judge_unpublished(1_000, oldest, NOW))):
        if words is None:
            assert found == []
        else:
            one(found, "broken", words, "1,000")


@pytest.mark.parametrize(
    ("given", "running_for", "severity", "words"),
    [
        ({}, 90_000, None, ""),
        ({"verified_at": NOW - timedelta(hours=5)}, 90_000, "warning", "not verified for 5 h"),
        ({"verified_at": None}, 90_000, "warning", "never verified"),
        ({"verified_at": None}, 60, None, ""),
        ({"scope": "all", "verified_at": None}, 90_000, None, ""),
        ({"broken": "link 17: the hash differs"}, 60, "broken", "link 17: the hash differs"),
    ],
)
def test_record_that_does_not_hold_or_was_not_looked_at_is_told(
    given: dict[str, object], running_for: float, severity: str | None, words: str
) -> None:
    found = told(flow.judge_record([verification(**given)], NOW, running_for=running_for))
    if severity is None:
        assert found == []
    else:
        one(found, severity, words)


def test_queue_without_a_consumer_is_broken_and_dead_letters_are_warned_of() -> None:
    assert told(broker.judge_queues([depth(waiting=5_000)])) == []
    one(told(broker.judge_queues([depth(consumers=0, waiting=7)])), "broken", "audit has no consumer", "7 messages")
    one(told(broker.judge_queues([depth(dead=3)])), "warning", "3 dead letters of audit")


@pytest.mark.parametrize(
    ("before", "after", "is_told"), [(5_000, 5_000, True), (5_000, 6_000, True), (5_000, 4_999, False), (5, 9, False)]
)
def test_long_queue_that_does_not_become_shorter_is_warned_of(before: int, after: int, *, is_told: bool) -> None:
    assert bool(told(broker.judge_growth([depth(waiting=before)], [depth(waiting=after)]))) is is_told


CHALLENGE = f'Bearer realm="https://r.example/auth/token",service="{TOKEN_SERVICE}"'


@pytest.mark.parametrize(
    ("status", "challenge", "words"),
    [
        (401, CHALLENGE.replace("r.example", "127.0.0.1:8080"), "wrong realm"),
        (401, CHALLENGE.replace("https", "http"), "wrong realm"),
        (401, CHALLENGE.replace(TOKEN_SERVICE, "harbor-registry"), "tokens of the service harbor-registry"),
        (401, "", "tells no client where tokens are"),
        (503, "", "/v2/ answers 503"),
    ],
)
def test_wrong_challenge_is_broken(status: int, challenge: str, words: str) -> None:
    one(told(front.judge_challenge(status, challenge, "https://r.example")), "broken", words)


def test_challenge_with_the_public_address_is_well() -> None:
    assert told(front.judge_challenge(401, CHALLENGE, "https://r.example")) == []


@pytest.mark.parametrize(
    ("issuer", "issued", "severity", "words"),
    [
        (TOKEN_ISSUER, 0, None, ""),
        (TOKEN_ISSUER, 10, "warning", "s off"),
        (TOKEN_ISSUER, -120, "broken", "they are refused"),
        (TOKEN_ISSUER, 120, "broken", "they are refused"),
        ("somebody", 0, "broken", "issued by somebody"),
    ],
)
def test_token_of_another_time_or_issuer_is_told(issuer: str, issued: int, severity: str | None, words: str) -> None:
    claims = {"iss": issuer, "iat": NOW.timestamp() + issued}
    found = told(front.judge_claims(claims, before=NOW, after=NOW + SECOND))
    if severity is None:
        assert found == []
    else:
        one(found, severity, words)


def test_text_that_is_no_token_has_no_signer() -> None:
    assert front.signer("<html>") is None


@pytest.mark.parametrize(
    ("status", "words"),
    [(None, "cannot be reached"), (401, "different tokens"), (503, "cannot write"), (418, "with 418")],
)
def test_intake_that_takes_no_notification_is_broken(status: int | None, words: str) -> None:
    one(told(inner.judge_intake("http://127.0.0.1:1/x", status)), "broken", words)


def test_intake_that_answers_is_well() -> None:
    assert told(inner.judge_intake("http://127.0.0.1:1/x", 200)) == []


def line(part: str, minutes: int) -> str:
    at = (NOW - minutes * MINUTES).replace(tzinfo=None)
    return f"{at:%Y-%m-%d %H:%M:%S},123 WARN exited: {part} (exit status 1; not expected)"


def test_ends_of_a_part_are_counted_within_the_time() -> None:
    lines = [line("core", 30), line("core", 5), line("core", 1), line("audit", 1), "a line of another kind", ""]
    since = (NOW - 10 * MINUTES).replace(tzinfo=None)
    assert parts.ends(lines, since=since) == Counter({"core": 2, "audit": 1})


GIB = 2**30


@pytest.mark.parametrize(
    ("free", "free_inodes", "expected"),
    [
        (50 * GIB, 500, []),
        (9 * GIB, 500, ["warning"]),
        (4 * GIB, 500, ["broken"]),
        (50 * GIB, 49, ["broken"]),
        (4 * GIB, 0, ["broken", "broken"]),
    ],
)
def test_disk_is_judged_by_the_reserve_and_by_its_inodes(
    tmp_path: Path, free: int, free_inodes: int, expected: list[str]
) -> None:
    disk = home.Disk(total=100 * GIB, free=free, inodes=1_000, free_inodes=free_inodes)
    found = told(home.judge_disk(disk, tmp_path, Reserve(percent=5, bytes=GIB)))
    assert [severity for severity, _what in found] == expected


def test_disk_that_counts_no_inodes_is_well(tmp_path: Path) -> None:
    disk = home.Disk(total=100 * GIB, free=50 * GIB, inodes=0, free_inodes=0)
    assert told(home.judge_disk(disk, tmp_path, Reserve(percent=5, bytes=GIB))) == []


def test_collector_that_is_not_reached_is_told_with_its_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for scheme in ("tcp", "http", "https"):
            assert collectors.unreachable(f"{scheme}://127.0.0.1:{port}") is None
    for scheme in ("tcp", "http", "https"):
        assert collectors.unreachable(f"{scheme}://127.0.0.1:{port}") == "connection refused"
    assert collectors.unreachable("udp://127.0.0.1:514") is None
    assert collectors.unreachable("udp://nowhere.invalid:514") is not None


@pytest.mark.parametrize(
    ("ask", "setting"), [(collectors.lines, "log_forward"), (collectors.traces, "traces_endpoint")]
)
def test_collectors_are_asked_about_where_there_are_any(ask: Ask, setting: str) -> None:
    there = f"{'tcp' if setting == 'log_forward' else 'http'}://127.0.0.1:{free_port()}"
    for options, expected in ((Options(), []), (Options(**{setting: there}), [("warning", there)])):  # type: ignore[arg-type]  # pydantic reads it
        found = told(ask(SimpleNamespace(options=options)))  # type: ignore[arg-type]  # it is asked for nothing else
        assert [(severity, there) for severity, what in found if there in what] == expected


def test_served_certificate_is_judged_by_its_chain(tmp_path: Path) -> None:
    chain, _ = make_certificate(tmp_path, ("registry.test",), NOW)
    served, authority = x509.load_pem_x509_certificates(chain.read_bytes())
    assert told(certificates.judge_chain([served, authority])) == []
    one(told(certificates.judge_chain([served])), "warning", "without that of its issuer, CN=Breakwater authority")


def test_troubleshooting_page_lists_every_check_as_it_is() -> None:
    page = (CHECKOUT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    assert rows == [f"| `{check.name}` | {check.looks_for} | {check.remedy} |" for check in CHECKS]
    assert len({check.name for check in CHECKS}) == len(CHECKS)
