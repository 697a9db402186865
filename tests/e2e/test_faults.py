"""The promises under faults (DESIGN §5), each broken on purpose on an instance of this module's own.

The order matters once: the lost push is made first and looked at last, so that its two minutes pass beside the
other tests.
"""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import amqp
import pytest
import requests
from msgspec.structs import replace

from tests.clients.images import Image, make_image, write_layout
from tests.clients.polling import eventually, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import Departure
    from tests.e2e.system import System

pytestmark = pytest.mark.fault

EVENTS: Final = 500
PARTS: Final = (
    "postgres", "rabbitmq", "registry", "proxy", "token", "core", "events", "intake", "relay", "audit", "metadata",
    "webhook",
)


@dataclass(frozen=True, kw_only=True)
class LostPush:
    """A push whose notification died with the registry."""

    project: str
    image: Image
    pushed_at: float


@pytest.fixture(scope="module")
def lost_push(fragile: System, departed: Departure) -> LostPush:  # noqa: ARG001 - a minute that passes meanwhile
    """The intake is down, so that the registry holds the notification in its memory; then the registry is killed."""
    project = fragile.new_project()
    image = make_image(f"lost/{project}")
    fragile.instance.stop_part("intake")
    try:
        answer = fragile.registry().push(f"{project}/app", "v1", image)
        assert answer.status_code == requests.codes.created, answer.text
        pushed_at = time.time()
        fragile.instance.kill_part("registry", signal.SIGKILL)
    finally:
        fragile.start_part("intake")
    eventually(lambda: has_tags(fragile, f"{project}/app"), within=20, what="the registry is back")
    return LostPush(project=project, image=image, pushed_at=pushed_at)


def has_tags(system: System, repository: str) -> bool:
    """Whether the registry answers, and with a tag."""
    registry = system.registry()
    try:
        return bool(registry.tags(repository))
    except (requests.RequestException, AssertionError):
        return False
    finally:
        registry.close()


def pulls(system: System, project: str) -> int:
    return sum(
        (row["operation"], row["resource_type"]) == ("pull", "artifact") for row in system.admin.audit(project)
    )


def done_of(sent: list[Future[int]], wanted: int) -> bool:
    return sum(each.done() for each in sent) >= wanted


def record_is_whole(system: System) -> None:
    done = system.breakwater("audit", "verify")
    assert done.ok, done.said


def test_a_push_whose_notification_is_lost_is_not_held_up(lost_push: LostPush, fragile: System) -> None:
    assert fragile.registry().pull(f"{lost_push.project}/app", "v1").ok


def test_with_the_broker_down_a_push_and_a_pull_succeed_and_every_event_comes_once_it_is_back(
    fragile: System, lost_push: LostPush, tmp_path: Path,  # noqa: ARG001 - its two minutes begin
) -> None:
    project = fragile.new_project()
    image = make_image(f"broker/{project}", layers=2)
    layout = write_layout(tmp_path / "image", {"v1": image})
    fragile.instance.stop_part("rabbitmq")
    try:
        skopeo = fragile.skopeo(tmp_path / "auth.json")
        assert (done := skopeo.login(fragile.admin_name, fragile.admin_password)).ok, done.said
        with fragile.stream(fragile.admin, project=project) as stream:
            assert (done := skopeo.push(layout, "v1", f"{project}/app:v1")).ok, done.said
            assert (done := skopeo.pull(f"{project}/app:v1", tmp_path / "pulled")).ok, done.said
            stream.wait_for(lambda event: event["type"] == "breakwater.artifact.pulled.v1", what="the pull, streamed")
        assert fragile.admin.get(f"/projects/{project}")["name"] == project
        # the services are alive, and one that is asked says what it waits for
        assert "alive, waits for the broker" in fragile.breakwater("status").out
    finally:
        fragile.start_part("rabbitmq")
    settled(
        lambda: sorted(
            row["operation"] for row in fragile.admin.audit(project) if row["resource_type"] == "artifact"
        ),
        ["create", "pull"], within=60, what="one audit row for the push, one for the pull", every=0.5,
    )
    (artifact,) = eventually(lambda: fragile.admin.artifacts(f"{project}/app"), within=20, what="the artifact")
    assert artifact["digest"] == image.digest
    eventually(
        lambda: "waits for" not in fragile.breakwater("status").out, within=20, what="nobody waits any more", every=0.5
    )
    record_is_whole(fragile)


def test_services_killed_in_the_middle_of_500_events_lose_none_and_count_none_twice(fragile: System) -> None:
    project = fragile.new_project()
    image = make_image(f"killed/{project}")
    assert fragile.registry().push(f"{project}/app", "v1", image).ok
    numbers = itertools.count()
    local = threading.local()

    def pull(_: int) -> int:
        if not hasattr(local, "registry"):
            local.registry = fragile.registry()
        next(numbers)
        return int(local.registry.get_manifest(f"{project}/app", "v1").status_code)

    victims = itertools.cycle(("relay", "audit", "metadata", "intake"))
    with ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(pull, number) for number in range(EVENTS)]
        for share in range(1, 8):
            eventually(
                partial(done_of, sent, EVENTS * share // 8), within=60, what="the pulls go on", every=0.01,
            )
            fragile.instance.kill_part(next(victims), signal.SIGKILL)
        assert Counter(each.result() for each in sent) == {requests.codes.ok: EVENTS}
    settled(lambda: pulls(fragile, project), EVENTS, within=90, what="one audit row for each pull", every=0.5)
    settled(
        lambda: fragile.admin.get(f"/projects/{project}/repositories/app")["pull_count"], EVENTS, within=30,
        what="each pull is counted once", every=0.5,
    )
    logged = fragile.events_of(project, "artifact.pulled")
    assert len({event["id"] for event in logged}) == len(logged) == EVENTS
    record_is_whole(fragile)


def test_a_poison_message_is_put_aside_with_its_reason_and_the_queue_goes_on(fragile: System) -> None:
    project = fragile.new_project()
    settings = replace(fragile.settings, part="relay")
    with amqp.Connection(
        host=f"{settings.amqp_host}:{settings.amqp_port}", userid="relay",
        password=settings.secret("amqp-password").reveal(), confirm_publish=True, connect_timeout=5,
    ) as connection:
        for body in (b"\xff\xfe poison", b'{"specversion": "1.0", "type": "poison"}'):
            connection.channel().basic_publish_confirm(
                amqp.Message(body, content_type="application/json", delivery_mode=2),
                "breakwater.events", f"artifact.pushed.{project}",
            )
    image = make_image(f"poison/{project}")
    assert fragile.registry().push(f"{project}/app", "v1", image).ok
    eventually(
        lambda: [row for row in fragile.admin.audit(project) if row["resource_type"] == "artifact"], within=15,
        what="the push behind the poison is recorded",
    )
    eventually(lambda: fragile.admin.artifacts(f"{project}/app"), within=15, what="and catalogued")

    def dead_letters() -> bool:
        done = fragile.breakwater("events", "dead-letters")
        assert done.ok, done.said
        return "audit" in done.out and "metadata" in done.out

    eventually(dead_letters, within=30, what="the dead letters of audit and metadata are listed", every=0.5)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request of the hammer came to; `response` is None where the connection broke."""

    kind: str
    begun: float
    response: requests.Response | None
    error: str = ""

    @property
    def good(self) -> bool:
        return self.response is not None and self.response.ok


class Hammer:
    """Asks for tokens, lists, and pushes, over and over; remembers every answer."""

    def __init__(self, system: System, project: str) -> None:
        self.system = system
        self.project = project
        self.answers: list[Answer] = []
        self.pushed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._tokens, self._lists, self._pushes)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _until_stopped(self) -> Iterator[int]:
        for number in itertools.count():
            if self._stop.wait(0.02):
                return
            yield number

    def _tokens(self) -> None:
        registry = self.system.registry()
        challenge = registry.challenge()
        credentials = (self.system.admin_name, self.system.admin_password)
        asked = {"service": challenge["service"], "scope": f"repository:{self.project}/app:pull"}
        for _ in self._until_stopped():
            self._keep("token", lambda: requests.get(challenge["realm"], params=asked, auth=credentials, timeout=20))

    def _lists(self) -> None:
        for _ in self._until_stopped():
            self._keep("api", lambda: self.system.admin.send("GET", f"/projects/{self.project}"))

    def _pushes(self) -> None:
        """Manifests alone, with a token asked for once: what PostgreSQL sees is the gate's work."""
        registry = self.system.registry()
        repository = f"{self.project}/app"
        for number in self._until_stopped():
            image = make_image(f"hammer/{self.project}", annotations={"number": str(number)})
            if number == 0:
                assert registry.push(repository, "v0", image).ok
                self.pushed.append(image.digest)
                continue
            answer = self._keep(
                "push",
                partial(registry.put_manifest, repository, f"v{number}", image.manifest),
            )
            if answer is not None and answer.status_code == requests.codes.created:
                self.pushed.append(image.digest)

    def _keep(self, kind: str, ask: Callable[[], requests.Response]) -> requests.Response | None:
        begun = time.monotonic()
        try:
            response = ask()
        except requests.RequestException as error:
            self.answers.append(Answer(kind=kind, begun=begun, response=None, error=repr(error)))
            return None
        self.answers.append(Answer(kind=kind, begun=begun, response=response))
        return response

    def served_since(self, moment: float) -> bool:
        """Whether requests of every kind that began after the moment were answered well."""
        kinds = {answer.kind for answer in list(self.answers) if answer.good and answer.begun >= moment}
        return len(kinds) == len(self._threads)

    def refused(self) -> list[Answer]:
        return [answer for answer in list(self.answers) if not answer.good]


@pytest.mark.parametrize("how", ["restarted", "killed"])
def test_postgresql_gone_under_load_gives_503s_and_then_recovery_with_no_restart(fragile: System, how: str) -> None:
    project = fragile.new_project()
    others = {part: fragile.instance.pids(part)[0] for part in PARTS if part != "postgres"}
    with Hammer(fragile, project) as hammer:
        eventually(lambda: hammer.served_since(0), within=20, what="the load runs")
        if how == "restarted":
            fragile.instance.stop_part("postgres")
            eventually(hammer.refused, within=20, what="a refusal while PostgreSQL is away")
            fragile.start_part("postgres")
        else:
            fragile.instance.kill_part("postgres", signal.SIGKILL)
        back = time.monotonic()
        eventually(lambda: hammer.served_since(back), within=30, what="everything is served again")
    for answer in hammer.refused():
        response = answer.response
        assert response is not None, f"{answer.kind}: {answer.error}"
        assert response.status_code == requests.codes.service_unavailable, f"{answer.kind}: {response.text}"
        assert response.headers.get("Retry-After"), f"{answer.kind}: {response.headers}"
        assert response.json()["errors"][0]["code"], f"{answer.kind}: {response.text}"
    assert {part: fragile.instance.pids(part)[0] for part in others} == others
    settled(
        lambda: {
            event["data"]["digest"] for event in fragile.events_of(project, "artifact.pushed")
        } >= set(hammer.pushed),
        True, within=30, what="every push that succeeded is emitted", every=0.5,
    )
    logged = fragile.events_of(project, "artifact.pushed")
    assert len({event["id"] for event in logged}) == len(logged)


def test_a_row_of_the_record_changed_in_sql_is_found_and_named(fragile: System) -> None:
    record_is_whole(fragile)
    ((sequence, actor),) = fragile.rows("SELECT sequence, actor FROM audit.records ORDER BY sequence OFFSET 3 LIMIT 1")
    fragile.rows("UPDATE audit.records SET actor = 'nobody' WHERE sequence = %s RETURNING 1", (sequence,))
    try:
        done = fragile.breakwater("audit", "verify")
        assert not done.ok
        assert str(sequence) in done.said
    finally:
        fragile.rows("UPDATE audit.records SET actor = %s WHERE sequence = %s RETURNING 1", (actor, sequence))
    record_is_whole(fragile)


def test_a_push_whose_notification_died_with_the_registry_is_emitted_within_two_minutes_once(
    fragile: System, lost_push: LostPush,
) -> None:
    (row,) = eventually(
        lambda: [row for row in fragile.admin.audit(lost_push.project) if row["resource_type"] == "artifact"
                 and row["operation"] == "create"],
        within=max(5.0, lost_push.pushed_at + 125 - time.time()), what="the audit row of the lost push", every=0.5,
    )
    assert row["resource"] == f"{lost_push.project}/app:v1"
    ((recorded_at,),) = fragile.rows(
        "SELECT extract(epoch FROM recorded_at)::float FROM events.log WHERE project = %s AND type LIKE %s",
        (lost_push.project, "%artifact.pushed%"),
    )
    assert recorded_at - lost_push.pushed_at < 120
    (event,) = fragile.events_of(lost_push.project, "artifact.pushed")
    assert event["data"]["origin"] == "reconciler"
    assert event["data"]["digest"] == lost_push.image.digest
    (artifact,) = eventually(
        lambda: fragile.admin.artifacts(f"{lost_push.project}/app"), within=20, what="the artifact in the API",
    )
    assert [tag["name"] for tag in artifact["tags"]] == ["v1"]
