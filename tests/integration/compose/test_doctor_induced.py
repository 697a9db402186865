"""Faults that are a matter of numbers and times, each made in earnest: what the doctor says, and what it says to do."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import amqp
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from compose.local.doctor import broker, certificates, flow, home
from compose.local.doctor import database as database_checks
from compose.local.doctor.patient import Patient
from compose.local.options import CHECKOUT
from compose.local.supervision import Child, State
from shared.messaging.topology import AUDIT
from tests.clients.polling import eventually
from tests.integration.compose.patients import never_started
from tests.servers import short_folder, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compose.local.doctor.finding import Finding
    from tests.integration.broker import Broker
    from tests.integration.conftest import Database

DAY: Final = timedelta(days=1)
MIB: Final = 2**20
FAKETIME: Final = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
ELSEWHEN: Final = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from compose.local.doctor import database
from shared.settings import load_settings
from tests.integration.compose.patients import Elsewhere, never_started

home, run, port, name = sys.argv[1:]
at = lambda part: load_settings(home=home, run=run, part=part, database_port=int(port), database_name=name)
for each in database.clock(Elsewhere(site=never_started(Path(home)), now=datetime.now(UTC), at=at)):
    print(f"{each.severity}: {each.what} -> {each.remedy}")
"""


def told(findings: Iterable[Finding]) -> list[str]:
    """Each with what is to be done about it."""
    return [f"{each.severity}: {each.what} -> {each.remedy}" for each in findings]


def begins(findings: Iterable[Finding], *beginnings: tuple[str, str]) -> None:
    """These are found and nothing else: how what is wrong begins, and how what is to be done."""
    found = list(findings)
    assert len(found) == len(beginnings), told(found)
    for each, (what, remedy) in zip(found, beginnings, strict=True):
        assert f"{each.severity}: {each.what}".startswith(what), told(found)
        assert each.remedy.startswith(remedy), told(found)


# the clock


def by_a_clock_that_is(off: str, database: Database) -> list[str]:
    """What is said where this machine's clock is not the database's."""
    server = database.server
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHEN, server.home, server.run, str(server.port), database.name],
        cwd=CHECKOUT, env=os.environ | {
            "LD_PRELOAD": str(FAKETIME), "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(CHECKOUT),
        }, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
def test_clocks_that_are_apart_are_told_by_how_far(database: Database) -> None:
    ntp = "keep both by NTP"
    (found,) = by_a_clock_that_is("+90s", database)
    assert found.startswith("broken: the database's clock and this machine's are 9")
    assert f"s apart: tokens are refused -> {ntp}" in found
    with database.superuser() as connection:
        connection.execute("UPDATE audit.head SET recorded_at = now()")
    slight, ahead = by_a_clock_that_is("-20s", database)
    assert slight.startswith("warning: the database's clock and this machine's are ")
    assert f"s apart -> {ntp}" in slight
    assert ahead.startswith("warning: the newest record is of ")
    assert "a clock was set back -> keep the clock by NTP" in ahead
    assert by_a_clock_that_is("+0s", database) == []


# the disk


@contextlib.contextmanager
def small_disk(*, size: int, inodes: int) -> Iterator[Path]:
    """A file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a file system")
    with short_folder() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes}", "tmpfs", folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode != 0:
            pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)


def test_disk_is_told_when_it_is_nearly_full_and_when_its_inodes_are(rabbit: Broker) -> None:
    """A broker on it goes by it too."""
    with small_disk(size=16 * MIB, inodes=200) as folder:
        site = never_started(folder, disk_reserve_percent=10, disk_reserve_bytes=0)
        patient = Patient(site=site, now=datetime.now(UTC))
        assert told(home.space(patient)) == []
        (folder / "images").write_bytes(bytes(13 * MIB + MIB // 2))
        begins(home.space(patient), ("warning: 2 MiB are free on the disk of ", "free some space"))
        (folder / "more").write_bytes(bytes(MIB + MIB // 2))
        begins(home.space(patient), ("broken: 1 MiB are free on the disk of ", "free some space"))
        (folder / "more").unlink()
        (folder / "images").unlink()
        for number in range(190):
            (folder / f"small-{number}").touch()
        begins(home.space(patient), ("broken: 9 of 200 inodes are free on the disk of ", "remove small files there"))
        patient.layout.broker.mkdir(parents=True)
        of_the_broker = Patient(site=site, now=patient.now)
        object.__setattr__(of_the_broker, "settings", rabbit.settings)
        rabbit.rabbit.control("set_disk_free_limit", "9999GB")
        try:
            eventually(lambda: told(broker.alarms(of_the_broker)), within=15, what="an alarm")
            begins(
                broker.alarms(of_the_broker),
                ("broken: the broker has an alarm and blocks who publishes: it is short of disk", "free disk"),
            )
        finally:
            rabbit.rabbit.control("set_disk_free_limit", "50MB")
        eventually(lambda: not told(broker.alarms(of_the_broker)), within=15, what="the alarm's end")


# connections


def test_connections_are_told_when_few_are_left_and_when_none_is(database: Database, stored: Patient) -> None:
    info = database.settings("core").conninfo()
    look = "look in pg_stat_activity for who holds them"
    with contextlib.ExitStack() as opened, database.superuser() as watching:
        def used() -> float:
            """The share of those that there are for everybody."""
            row = watching.execute(
                "SELECT count(*) / (current_setting('max_connections')::float"
                " - current_setting('superuser_reserved_connections')::float)"
                " FROM pg_stat_activity WHERE backend_type = 'client backend'"
            ).fetchone()
            assert row is not None
            return float(row[0])

        while used() < 0.7:
            opened.enter_context(psycopg.connect(**info))  # type: ignore[arg-type]  # psycopg types its keywords one by one
        assert told(database_checks.connections(stored)) == []
        while used() < 0.83:  # of those that are counted some are just ending
            opened.enter_context(psycopg.connect(**info))  # type: ignore[arg-type]  # as above
        begins(database_checks.connections(stored), ("warning: 1", look))
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                opened.enter_context(psycopg.connect(**info))  # type: ignore[arg-type]  # as above
        begins(database_checks.answers(stored), ("broken: the database has no connection left", look))
    wait_for(lambda: told(database_checks.connections(stored)) == [], seconds=10, what="they are free again")


# certificates


def issue(begins_at: datetime, days: float) -> tuple[bytes, bytes]:
    """A certificate for r.example with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "r.example")])
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(begins_at).not_valid_after(begins_at + days * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("r.example")]), critical=False)
    )  # fmt: skip
    return (
        built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


@pytest.mark.parametrize(
    ("begun", "days", "expected"),
    [
        (-1, 365, []),
        (-40, 39.9, [("broken: clients refuse the TLS certificate: it ended on ", "./breakwater up renews")]),
        (1, 90, [("broken: clients refuse the TLS certificate: it begins on ", "look whether this machine's clock")]),
        (-80, 90, [("warning: the TLS certificate ends on ", "./breakwater up renews")]),
    ],
    ids=["good", "ended", "not-begun", "ends-soon"],
)
@pytest.mark.parametrize("given", [True, False], ids=["given", "made"])
def test_certificate_is_told_by_its_time(
    tmp_path: Path, begun: float, days: float, expected: list[tuple[str, str]], *, given: bool
) -> None:
    now = datetime.now(UTC)
    certificate, key = issue(now + begun * DAY, days)
    files = {"tls_cert": tmp_path / "given.crt", "tls_key": tmp_path / "given.key"}
    for file, content in zip(files.values(), (certificate, key), strict=True):
        file.write_bytes(content)
    site = never_started(tmp_path, **(files if given else {"tls_names": "r.example"}))
    served = site.layout.public_certificate
    served.parent.mkdir(parents=True, exist_ok=True)
    served.write_bytes(certificate)
    begins(certificates.tls(Patient(site=site, now=now)), *expected)


# queues


def test_queue_that_grows_is_told_apart_from_one_without_a_consumer(rabbit: Broker, queued: Patient) -> None:
    with rabbit.tester() as publishing:
        channel = publishing.channel()
        for _ in range(broker.LONG + 100):
            channel.basic_publish(amqp.Message(b"{}"), routing_key=AUDIT.queue)
        wait_for(lambda: rabbit.depth(AUDIT.queue) > broker.LONG, seconds=20, what="they wait")
    with rabbit.tester() as others:
        channel = others.channel()
        channel.basic_qos(0, 1, a_global=False)  # whoever takes one and never comes to the next
        for consumer in broker.CONSUMERS:
            if consumer != AUDIT:
                channel.basic_consume(consumer.queue)
        looking = "./breakwater logs --part audit tells"
        begins(broker.queues(queued), ("broken: queue audit has no consumer; 1,100 messages wait", f"{looking} why"))
        channel.basic_consume(AUDIT.queue, callback=lambda _message: None)
        begins(
            broker.queues(queued),
            ("warning: queue audit does not become shorter: 1,099 messages wait", f"{looking} what takes so long"),
        )
    rabbit.purge()


# events and the record


def test_events_that_wait_in_the_outbox_are_told_by_the_oldest(stored: Patient, database: Database) -> None:
    with database.superuser() as connection:
        connection.execute(
            "INSERT INTO events.outbox (event_id, type, routing_key, body, created_at)"
            " SELECT gen_random_uuid(), 't', 'a.b', '{}', now() - interval '3 hours' FROM generate_series(1, 1200)"
        )
    begins(
        flow.outbox(stored),
        ("broken: 1,200 events are not numbered; the oldest waits for 3 h", "./breakwater logs --part relay"),
    )


def test_record_that_nobody_verifies_is_told(stored: Patient, database: Database) -> None:
    started = time.time() - 3 * 3600
    audit = Child(part="audit", state=State.RUNNING, pid=1, started=started, description="")
    running = replace(stored, now=datetime.now(UTC), children={"audit": audit})
    verify = "./breakwater audit verify; ./breakwater logs --part audit"
    begins(flow.record(running), ("warning: the record was never verified", verify))
    with database.superuser() as connection:
        connection.execute("UPDATE audit.checks SET verified_at = now() - interval '5 hours 30 minutes', links = 0")
    begins(flow.record(running), ("warning: the record was not verified for 5 h", verify))
