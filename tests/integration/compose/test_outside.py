"""A PostgreSQL outside, prepared by an owner who is no superuser; and what of it is refused, in a sentence each."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from compose.local.accounts import known_accounts
from compose.local.credentials import DATABASE_PARTS, prepare_secrets
from compose.local.database import (
    answers,
    owner_settings,
    prepare_database,
    program_environment,
    settle_broker,
    storage_kept,
)
from compose.local.layout import Layout
from compose.local.network import PORTS
from compose.local.options import Options
from compose.local.outside import PASSWORD, keep_owner, refuse_unusable_database
from compose.local.site import PARTS, Site, existing_site
from shared.errors import BreakwaterError, ConfigurationError, Unavailable
from shared.migrations.run import newest
from shared.settings import load_settings
from tests.outside import OWNER, OWNER_PASSWORD, Outside, outside_postgres
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROLES = "breakwater_" + ", breakwater_".join(DATABASE_PARTS)


@pytest.fixture(scope="module")
def server() -> Iterator[Outside]:
    with outside_postgres() as started:
        yield started


@pytest.fixture
def make(server: Outside, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """An instance that is described and prepared as `up` does, in a home of its own; its roles are gone at the end."""
    made: list[str] = []

    def make(home: str = "home", *, name: str = "images", **options: Any) -> Site:  # noqa: ANN401
        made.append(name)
        folder = tmp_path / home
        folder.mkdir(exist_ok=True)
        for each in ("conf", "secrets"):
            (folder / each).mkdir(exist_ok=True)
        (folder / PORTS).write_text(json.dumps({"amqp": 1, "distribution": 2, "epmd": 3, "intake": 4}))
        values = {
            "database_host": server.host, "database_port": server.port, "database_name": name,
            "database_owner": OWNER, "database_owner_password": OWNER_PASSWORD, "database_ca": server.ca,
        } | options  # fmt: skip
        site = existing_site(Options(home=folder, **values))
        prepare_secrets(site.layout, known_accounts(), admin_password=None)
        keep_owner(site)
        return site

    yield make
    for name in {*made}:
        server.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    if server.run("SELECT 1 FROM pg_roles WHERE rolname = 'breakwater_owner'"):
        server.run(f"DROP ROLE {ROLES}")


def refused(do: Callable[[], object]) -> str:
    with pytest.raises(BreakwaterError) as refusal:
        do()
    return refusal.value.sentence


def test_an_owner_who_is_no_superuser_makes_all_that_is_needed(make: Callable[..., Site], server: Outside) -> None:
    site = make()
    refuse_unusable_database(site.layout, site.options)
    assert prepare_database(site) == newest()
    assert prepare_database(site) == newest()
    assert answers(site)
    with storage_kept(site):
        pass
    names = {name.removeprefix("BREAKWATER_").lower(): value for name, value in site.settings.items()}
    for part in DATABASE_PARTS:
        settings = load_settings(**names, part=part)
        with psycopg.connect(**settings.conninfo()) as connection:  # type: ignore[arg-type]
            assert connection.pgconn.ssl_in_use
            assert connection.execute("SELECT current_user").fetchone() == (f"breakwater_{part}",)
            # a machine that is lost says nothing, and its locks would be held for hours
            probes = ("idle", "interval", "count")
            found = [connection.execute(f"SHOW tcp_keepalives_{each}").fetchone() for each in probes]
            assert found == [("10",), ("5",), ("3",)]
            assert connection.execute("SHOW tcp_user_timeout").fetchone() == ("25000",)
    assert not server.run("SELECT rolname FROM pg_roles WHERE rolsuper AND rolname <> 'postgres'")


def test_two_may_prepare_it_at_once(make: Callable[..., Site]) -> None:
    """As two pods do whose nodes come back together."""
    site = make()
    prepare_database(site)
    with ThreadPoolExecutor(4) as pods:
        assert {*pods.map(prepare_database, [site] * 4)} == {newest()}


def test_strangers_are_kept_out_of_the_database(make: Callable[..., Site], server: Outside) -> None:
    site = make()
    prepare_database(site)
    server.run("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(
                host=server.host, port=server.port, dbname="images", user="stranger", password="stranger",
            ).close()  # fmt: skip
    finally:
        server.run("DROP ROLE stranger")


def test_a_database_that_is_there_is_used_where_its_owner_may_make_none(
    make: Callable[..., Site], server: Outside
) -> None:
    server.run(f"ALTER ROLE {OWNER} NOCREATEDB")
    try:
        site = make()
        assert refused(lambda: prepare_database(site)) == (
            f"there is no database images at localhost, and {OWNER} may not make it: CREATE DATABASE images"
            f" OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
        )
        # what it says is good as it stands
        server.run(refused(lambda: prepare_database(site)).partition("may not make it: ")[2])
        assert prepare_database(site) == newest()
    finally:
        server.run(f"ALTER ROLE {OWNER} CREATEDB")


@pytest.mark.parametrize(
    ("made_by", "sentence"),
    [
        (
            f"CREATE DATABASE images OWNER {OWNER} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
            (
                "the database images is in LATIN1 and sorts by C: make it with CREATE DATABASE images TEMPLATE"
                " template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
            ),
        ),
        (
            "CREATE DATABASE images TEMPLATE template0",
            f"the database images is not {OWNER}'s: ALTER DATABASE images OWNER TO {OWNER}",
        ),
    ],
)
def test_a_database_that_will_not_do_is_refused(
    make: Callable[..., Site], server: Outside, made_by: str, sentence: str
) -> None:
    server.run(made_by)
    site = make()
    assert refused(lambda: prepare_database(site)) == sentence
    assert not server.run("SELECT 1 FROM pg_roles WHERE rolname LIKE 'breakwater%'")


def test_an_owner_who_may_make_no_roles_is_refused(make: Callable[..., Site], server: Outside) -> None:
    server.run(f"ALTER ROLE {OWNER} NOCREATEROLE")
    try:
        site = make()
        assert refused(lambda: prepare_database(site)) == (
            f"{OWNER} may not make roles: ALTER ROLE {OWNER} CREATEROLE"
        )
    finally:
        server.run(f"ALTER ROLE {OWNER} CREATEROLE")


def test_roles_of_another_instance_are_left_as_they_are(make: Callable[..., Site]) -> None:
    first, second = make("first"), make("second", name="others")
    prepare_database(first)
    assert refused(lambda: prepare_database(second)) == (
        "the roles breakwater_… at localhost are another instance's: use a server of its own, or drop them where that"
        " instance is gone"
    )
    assert answers(first)
    with psycopg.connect(**owner_settings(first).conninfo()):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"database_owner_password": "another"},
            "the database at localhost:{port} does not accept BREAKWATER_DATABASE_OWNER and its password",
        ),
        ({"database_port": "free"}, "the database at localhost:{port} does not answer"),
        (
            {"database_ca": "another"},
            "the database at localhost:{port} does not prove its name by a certificate of BREAKWATER_DATABASE_CA",
        ),
        (
            {"database_host": "127.0.0.1"},
            "the database at 127.0.0.1:{port} does not prove its name by a certificate of BREAKWATER_DATABASE_CA",
        ),
        ({"database_ca": Path("/none/ca.crt")}, "BREAKWATER_DATABASE_CA is not valid: there is no file /none/ca.crt"),
    ],
)
def test_a_server_that_cannot_be_used_is_told_before_anything_is_touched(
    server: Outside, tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    if options.get("database_ca") == "another":
        with outside_postgres() as other:
            (tmp_path / "other.crt").write_bytes(other.ca.read_bytes())
        options = options | {"database_ca": tmp_path / "other.crt"}
    if options.get("database_port") == "free":
        options = options | {"database_port": free_port()}
    values = {
        "database_host": server.host, "database_port": server.port, "database_name": "postgres",
        "database_owner": OWNER, "database_owner_password": OWNER_PASSWORD, "database_ca": server.ca,
    } | options  # fmt: skip
    found = Options(home=tmp_path, **values)
    with pytest.raises((Unavailable, ConfigurationError)) as refusal:
        refuse_unusable_database(Layout(tmp_path), found)
    assert refusal.value.sentence == sentence.format(port=found.database_port)
    assert OWNER_PASSWORD not in refusal.value.sentence


def test_the_password_is_given_once_and_kept_as_a_secret(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make()
    file = site.layout.secrets / "owner" / PASSWORD
    assert (file.read_text(), file.stat().st_mode & 0o777) == (f"{OWNER_PASSWORD}\n", 0o600)
    again = make(database_owner_password=None)
    assert prepare_database(again) == newest()
    holding = {path for path in tmp_path.rglob("*") if path.is_file() and OWNER_PASSWORD.encode() in path.read_bytes()}
    assert holding == {file}
    assert not [value for value in site.settings.values() if OWNER_PASSWORD in value]
    assert OWNER_PASSWORD not in str(program_environment(site).values())


def test_a_host_without_an_owner_or_a_password_is_refused(tmp_path: Path) -> None:
    options = Options(home=tmp_path, database_host="db.example")
    assert refused(lambda: refuse_unusable_database(Layout(tmp_path), options)) == (
        "BREAKWATER_DATABASE_HOST needs BREAKWATER_DATABASE_OWNER: who owns that database"
    )
    options = Options(home=tmp_path, database_host="db.example", database_owner=OWNER)
    assert refused(lambda: refuse_unusable_database(Layout(tmp_path), options)) == (
        "BREAKWATER_DATABASE_HOST needs BREAKWATER_DATABASE_OWNER_PASSWORD: it was never given"
    )


def test_what_an_instance_knows_is_left_behind_in_neither_place(make: Callable[..., Site], tmp_path: Path) -> None:
    site = make()
    back = site.options.model_copy(update={"database_host": ""})
    assert "is one outside: take a backup" in refused(lambda: refuse_unusable_database(site.layout, back))
    site.layout.database.mkdir(parents=True)
    (site.layout.database / "PG_VERSION").write_text("15")
    assert refused(lambda: refuse_unusable_database(site.layout, site.options)) == (
        f"this instance has a database of its own in {tmp_path}/home/postgres/data: take a backup, and restore it into"
        " a new home with BREAKWATER_DATABASE_HOST"
    )
    refuse_unusable_database(site.layout, back)


def test_a_database_outside_is_no_part_of_the_instance(make: Callable[..., Site]) -> None:
    site = make()
    assert {*PARTS} - {*site.parts} == {"postgres"}
    assert site.settings["BREAKWATER_DATABASE_AUTHORITIES"] == f"{site.layout.conf}/database-ca.crt"
    assert site.layout.conf.joinpath("database-ca.crt").stat().st_mode & 0o777 == 0o644
    assert "BREAKWATER_DATABASE_AUTHORITIES" not in make(database_ca=None).settings
    assert not site.layout.conf.joinpath("database-ca.crt").exists()


def test_a_broker_outside_that_cannot_be_used_yet_is_not_the_one_that_counts(make: Callable[..., Site]) -> None:
    """Who is started anew asks again, until it answers; and then the events are published again."""
    alone = make()
    prepare_database(alone)
    asked = f"127.0.0.1:{free_port()}"
    elsewhere = make(amqp_host=asked)
    for _ in range(2):
        assert refused(lambda: settle_broker(elsewhere)) == f"the broker at {asked} does not answer"
        with psycopg.connect(**owner_settings(alone).conninfo()) as connection:  # type: ignore[arg-type]
            assert connection.execute("SELECT broker FROM events.relay").fetchone() == ("",)


def test_events_are_published_again_once_to_another_broker(make: Callable[..., Site]) -> None:
    """From one node to a cluster in containers, and back: what waits in the queues of the one before is not there."""
    alone = make()
    prepare_database(alone)
    cluster = replace(alone, brokers=("rabbitmq", "rabbitmq-2", "rabbitmq-3"))

    def published(site: Site) -> int:
        settle_broker(site)
        with psycopg.connect(**owner_settings(site).conninfo()) as connection:  # type: ignore[arg-type]
            (through,) = connection.execute("SELECT published_through FROM events.relay").fetchone() or (None,)
            connection.execute("UPDATE events.relay SET published_through = 7")
        assert through is not None
        return int(through)

    assert published(alone) == 0
    assert published(alone) == 7
    assert published(cluster) == 0
    assert published(cluster) == 7
    assert published(alone) == 0
