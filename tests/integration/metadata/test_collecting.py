"""Collections of garbage as jobs: asked for, due, carried out against the real registry, stopped, lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.api.commands import collection
from services.api.commands.collecting import carry_out_collection, storage_to_itself
from services.api.commands.schedule import set_schedule
from services.api.domain.collection import Collection, parse_wish
from services.api.domain.retention import Status, Trigger
from services.api.domain.schedule import ScheduleKind
from services.api.errors import CollectionRunning, NoSuchCollection
from services.api.queries.collection import get_collection
from shared.cron import Cron
from shared.errors import BadRequest
from shared.events import Actor, ActorKind
from shared.registry.client import RegistryClient
from tests.clients.images import Image, Index, make_image, make_index, make_referrer
from tests.integration.collecting_rig import Parent, registry_parent
from tests.integration.metadata.conftest import INSTANCE, Catalogue
from tests.integration.registry_rig import Pusher, Tokens

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from tests.integration.conftest import Database

HOUSE = "library/house"
ALICE = Actor(kind=ActorKind.USER, name="alice")


@pytest.fixture
def parent(tokens: Tokens) -> Iterator[Parent]:
    with registry_parent(tokens) as parent:
        yield parent


@pytest.fixture
def house(database: Database, sessions: sessionmaker[Session], parent: Parent, tokens: Tokens) -> House:
    client = RegistryClient(parent.socket, tokens.system())
    return House(
        Catalogue(database=database, sessions=sessions, client=client),
        parent,
        Pusher(tokens=tokens, socket=parent.socket),
    )


class House:
    """A registry under its parent, its catalogue, and whoever pushes and collects."""

    def __init__(self, catalogue: Catalogue, parent: Parent, pusher: Pusher) -> None:
        self.catalogue, self.parent, self.pusher = catalogue, parent, pusher
        self.now = datetime.now(UTC)

    def ask(self, trigger: Trigger = Trigger.MANUAL, **parameters: object) -> int:
        with self.catalogue.sessions.begin() as session:
            return collection.request_collection(
                session, parse_wish(parameters), trigger=trigger, actor=ALICE, request_id="request-1", now=self.now
            )

    def carry_out(self, *, pool: UUID | None = None, **options: Any) -> Status | None:  # noqa: ANN401 - as they are named
        return carry_out_collection(
            self.catalogue.sessions,
            self.catalogue.client,
            self.parent.collector(),
            pool_id=pool or uuid4(),
            instance_id=UUID(INSTANCE),
            clock=lambda: self.now,
            **options,
        )

    def shown(self, number: int) -> Collection:
        with self.catalogue.sessions() as session:
            return get_collection(session, number)

    def stop(self, number: int) -> bool:
        with self.catalogue.sessions.begin() as session:
            return collection.stop_collection(session, number, now=self.now)

    def push(self, reference: str, made: Image | Index, repository: str = HOUSE) -> None:
        self.pusher.push(repository, reference, made)
        self.catalogue.observe(repository, reference)

    def told(self) -> list[tuple[str, str]]:
        """The kinds of events, and who they are by."""
        return [
            (event["type"].split(".")[2], event["actor"]) for event in self.catalogue.events("garbage_collection.")
        ]

    def is_there(self, digest: str, repository: str = HOUSE) -> bool:
        return self.pusher.get_manifest(repository, digest).status == 200


@pytest.mark.parametrize("dry_run", [False, True])
def test_with_several_registries_nothing_is_collected_and_the_log_says_why(house: House, *, dry_run: bool) -> None:
    """Whoever asked for it: by the API before there were several, by a verb, by a schedule."""
    image = make_image("gone")
    house.push("v1", image)
    house.pusher.delete(HOUSE, image.digest)
    number = house.ask(dry_run=dry_run, delete_untagged=True)
    assert house.carry_out(registries=2) is Status.ERROR
    shown = house.shown(number)
    assert (shown.status, shown.blobs, shown.freed) == (Status.ERROR, 0, 0)
    assert "failed: garbage is collected where one registry runs alone: bring the instance to one pod" in shown.log
    assert house.ask()
    assert house.carry_out(registries=1) is Status.SUCCESS
    assert not house.is_there(image.digest)


def test_a_collection_frees_what_was_deleted_and_tells_of_it(house: House) -> None:
    image = make_image("gone")
    house.push("v1", image)
    house.push("kept", make_image("kept"))
    house.pusher.delete(HOUSE, image.digest)
    number = house.ask()
    assert (house.shown(number).status, house.shown(number).log) == (Status.PENDING, "")
    assert house.carry_out() is Status.SUCCESS
    shown = house.shown(number)
    assert (shown.status, shown.blobs, shown.freed, shown.artifacts) == (Status.SUCCESS, 3, image.size, 0)
    assert f"blob {image.digest}" in shown.log
    assert shown.finished_at == house.now
    assert house.told() == [("started", "alice"), ("finished", "alice")]
    (event,) = (each["data"] for each in house.catalogue.events("garbage_collection.finished"))
    assert (event["state"], event["freed"], event["blobs"], event["dry_run"]) == ("succeeded", image.size, 3, False)
    assert house.carry_out() is None


def test_a_dry_run_names_what_would_go_and_takes_nothing(house: House) -> None:
    image, untagged = make_image("gone"), make_image("untagged")
    house.push("v1", image)
    house.push(untagged.digest, untagged)
    house.pusher.delete(HOUSE, image.digest)
    house.now += timedelta(hours=3)
    number = house.ask(dry_run=True, delete_untagged=True)
    assert house.carry_out() is Status.SUCCESS
    shown = house.shown(number)
    assert (shown.blobs, shown.freed, shown.artifacts) == (3, image.size, 1)
    assert f"{HOUSE}@{untagged.digest} would be deleted" in shown.log
    assert house.is_there(untagged.digest)
    assert house.parent.collect(dry_run=True).blobs == 3


def test_untagged_artifacts_go_only_where_nothing_keeps_them(house: House) -> None:
    tagged, untagged, young = make_image("tagged"), make_image("untagged"), make_image("young")
    index, signature, orphan = make_index("many"), make_referrer(tagged.manifest), make_image("orphan")
    lost = make_referrer(orphan.manifest)
    for reference, made in (
        ("v1", tagged), (untagged.digest, untagged), ("many", index), (signature.digest, signature), (lost.digest, lost)
    ):  # fmt: skip
        house.push(reference, made)
    house.now += timedelta(hours=3)
    house.push(young.digest, young)
    house.catalogue.rows(
        "UPDATE core.artifacts SET pushed_at = %s WHERE digest = %s RETURNING id", house.now, young.digest
    )
    number = house.ask(delete_untagged=True)
    assert house.carry_out() is Status.SUCCESS
    assert house.shown(number).artifacts == 2
    for kept in (tagged, young, signature, *index.images):
        assert house.is_there(kept.digest)
    assert house.is_there("many")
    assert not house.is_there(untagged.digest)
    assert not house.is_there(lost.digest)
    assert house.catalogue.digests(HOUSE) == {
        tagged.digest, young.digest, signature.digest, index.digest, *(image.digest for image in index.images)
    }  # fmt: skip
    assert {event["data"]["digest"] for event in house.catalogue.events("artifact.deleted")} == {
        untagged.digest, lost.digest
    }  # fmt: skip


@pytest.mark.parametrize("state", ["open", "settled"])
def test_where_somebody_pushes_no_untagged_artifact_is_deleted(house: House, state: str) -> None:
    untagged = make_image("untagged")
    house.push(untagged.digest, untagged)
    house.now += timedelta(hours=3)
    expected = house.catalogue.expect("put", HOUSE, "v1", make_image("new").digest)
    house.catalogue.rows(
        "UPDATE events.expected SET state = %s, settled_at = %s WHERE id = %s RETURNING id", state, house.now, expected
    )
    number = house.ask(delete_untagged=True)
    assert house.carry_out() is Status.SUCCESS
    assert house.shown(number).artifacts == 0
    assert house.is_there(untagged.digest)


def test_one_waits_or_runs_and_another_is_refused(house: House) -> None:
    number = house.ask()
    with pytest.raises(CollectionRunning):
        house.ask(dry_run=True)
    house.carry_out()
    assert house.ask() == number + 2  # a number is spent on what was refused


def test_whoever_copies_the_storage_is_waited_for(house: House) -> None:
    number = house.ask()
    with house.catalogue.sessions() as session:
        bind = session.get_bind().engine
    with storage_to_itself(bind) as held:
        assert held
        assert house.carry_out() is None
    assert house.shown(number).status is Status.PENDING
    assert house.carry_out() is Status.SUCCESS


def test_what_nobody_has_begun_is_withdrawn_and_what_has_ended_stays(house: House) -> None:
    number = house.ask()
    assert [house.stop(number) for _ in range(2)] == [True, False]
    assert (house.shown(number).status, house.told()) == (Status.STOPPED, [])
    assert house.carry_out() is None
    with pytest.raises(NoSuchCollection):
        house.stop(number + 1)


def test_what_runs_is_broken_off_when_somebody_asks(house: House) -> None:
    images = [make_image(f"untagged/{number}") for number in range(2)]
    for image in images:
        house.push(image.digest, image)
    house.now += timedelta(hours=3)
    number = house.ask(delete_untagged=True)

    def asked() -> bool:
        """In the first pause of its work somebody stops it."""
        assert house.stop(number)
        house.now += timedelta(seconds=3)
        return False

    assert house.carry_out(is_stopping=asked) is Status.STOPPED
    assert (house.shown(number).status, house.shown(number).artifacts) == (Status.STOPPED, 1)
    assert [house.is_there(image.digest) for image in images].count(True) == 1
    assert not house.parent.flag.exists()
    (event,) = (each["data"] for each in house.catalogue.events("garbage_collection.finished"))
    assert event["state"] == "stopped"


def test_a_service_that_is_to_end_breaks_its_collection_off(house: House) -> None:
    number = house.ask()
    assert house.carry_out(is_stopping=lambda: True) in {Status.STOPPED, Status.SUCCESS}
    assert house.shown(number).finished_at is not None


def test_a_collection_whose_carrier_was_killed_ends_as_an_error_and_the_next_one_runs(house: House) -> None:
    number = house.ask()
    with house.catalogue.sessions.begin() as session:
        assert collection.begin(session, pool_id=uuid4(), instance_id=UUID(INSTANCE), now=house.now) is not None
    assert house.carry_out() is None
    assert house.shown(number).status is Status.RUNNING
    house.now += timedelta(seconds=31)
    assert house.carry_out() is None
    assert (house.shown(number).status, house.shown(number).log) == (Status.ERROR, f"{collection.LOST}\n")
    house.ask()
    assert house.carry_out() is Status.SUCCESS
    assert [kind for kind, _ in house.told()] == ["started", "finished", "started", "finished"]


def test_a_stale_carrier_does_not_end_what_was_taken_for_lost(house: House) -> None:
    number, pool = house.ask(), uuid4()
    with house.catalogue.sessions.begin() as session:
        collection.begin(session, pool_id=pool, instance_id=UUID(INSTANCE), now=house.now)
    house.now += timedelta(seconds=31)
    house.carry_out()
    with house.catalogue.sessions.begin() as session:
        collection.end(
            session, number, Status.SUCCESS, pool_id=pool, log="", instance_id=UUID(INSTANCE), now=house.now
        )  # fmt: skip
    assert house.shown(number).status is Status.ERROR


def test_without_the_registrys_parent_a_collection_fails_and_says_so(house: House) -> None:
    assert house.parent.process is not None
    house.parent.process.terminate()
    house.parent.process.wait(20)
    number = house.ask()
    assert house.carry_out() is Status.ERROR
    assert "the registry's parent, which collects garbage, does not answer" in house.shown(number).log


def test_a_schedule_asks_once_when_it_is_due(house: House) -> None:
    with house.catalogue.sessions.begin() as session:
        assert not collection.request_due(session, now=house.now)
    with house.catalogue.database.superuser() as connection:
        connection.execute("GRANT INSERT, UPDATE ON core.schedules TO breakwater_metadata")
    with house.catalogue.sessions.begin() as session:
        set_schedule(
            session, ScheduleKind.GARBAGE_COLLECTION, 0, Cron.parse("0 0 2 * * *"), now=house.now,
            parameters={"dry_run": True},
        )  # fmt: skip
    house.now += timedelta(days=1)
    for expected in (True, False):
        with house.catalogue.sessions.begin() as session:
            assert collection.request_due(session, now=house.now) is expected
    house.now += timedelta(days=1)
    with house.catalogue.sessions.begin() as session:
        assert collection.request_due(session, now=house.now), "one that waits still is not added to"
    rows = house.catalogue.rows("SELECT trigger, dry_run, delete_untagged, actor FROM core.collections")
    assert rows == [("SCHEDULE", True, False, "system:metadata")]


def test_only_the_last_hundred_are_remembered(house: House) -> None:
    house.catalogue.rows(
        "INSERT INTO core.collections (trigger, delete_untagged, dry_run, parameters, actor, actor_kind, request_id,"
        " status, finished_at) SELECT 'MANUAL', false, true, '{}', 'alice', 'user', '', 'Success', now()"
        " FROM generate_series(1, 120) RETURNING id"
    )
    house.ask()
    assert house.catalogue.rows("SELECT count(*) FROM core.collections") == [(collection.KEPT,)]


def test_two_services_carry_one_collection_out_once(house: House) -> None:
    house.ask()
    ended: list[Status | None] = []
    threads = [threading.Thread(target=lambda: ended.append(house.carry_out())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, ended)) == ["None", "Success"]


@pytest.mark.parametrize(
    "parameters",
    [{"dry_run": "yes"}, {"delete_untagged": 1}, {"workers": 0}, {"workers": 11}, {"workers": True}, {"workers": "2"}],
)
def test_parameters_that_are_none_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        parse_wish(parameters)
