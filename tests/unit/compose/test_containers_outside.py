"""Containers with a database, a broker or a bucket outside: who has a way there, and what they are told of it."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest
import yaml

from compose.docker import migrate
from compose.docker.scripts import SERVERS, lay_scripts
from compose.docker.site import container_site
from compose.local.layout import Layout
from compose.local.parts import PARTS, SERVICES, parts
from shared.errors import ConfigurationError, Unavailable
from shared.settings import announce, load_settings
from tests.unit.compose.test_containers import FILE, ONCE, OPERATED, SERVICE, members, mounts

if TYPE_CHECKING:
    from pathlib import Path

    from compose.local.site import Site


def test_with_a_bucket_the_registry_and_who_compares_reach_its_storage_and_nothing_else_changes() -> None:
    bucket = yaml.safe_load(FILE.with_name("compose.s3.yaml").read_text())
    reaching = {name: {"networks": ["storage"]} for name in ("registry", OPERATED)}
    assert bucket == {"services": reaching, "networks": {"storage": {}}}
    settings = {f"BREAKWATER_S3_{name}" for name in ("BUCKET", "REGION", "ENDPOINT", "PREFIX")}
    for part in (*SERVICES, *ONCE, OPERATED):
        assert settings <= SERVICE[part]["environment"].keys(), part


def test_with_a_database_outside_all_that_ask_one_have_a_way_there_and_none_of_its_own_runs() -> None:
    outside = yaml.safe_load(FILE.with_name("compose.database.yaml").read_text())
    assert outside["networks"] == {"database": {}}
    assert outside["services"].pop("postgres") == {
        "entrypoint": ["sleep", "infinity"], "init": True, "healthcheck": {"test": ["CMD", "true"]},
    }
    asking = {name for name in SERVICE if "/var/lib/breakwater/database" in mounts(name)} - {"postgres", "prepare"}
    reaching = {name for name in asking if "outside" in SERVICE[name].get("networks", ())}
    without = {name for name in asking if SERVICE[name].get("network_mode") == "none"}
    assert outside["services"] == {name: {"network_mode": "bridge"} for name in without} | {
        name: {"networks": ["database"]} for name in asking - reaching - without
    }
    settings = {f"BREAKWATER_DATABASE_{name}" for name in ("HOST", "PORT", "NAME", "OWNER")}
    for part in (*SERVICES, *ONCE, OPERATED):
        assert settings <= SERVICE[part]["environment"].keys(), part


def test_with_a_broker_outside_all_that_ask_one_have_a_way_there_and_none_of_its_own_runs() -> None:
    outside = yaml.safe_load(FILE.with_name("compose.broker.yaml").read_text())
    assert outside["networks"] == {"amqp": {}}
    assert outside["services"].pop("rabbitmq") == {
        "entrypoint": ["sleep", "infinity"], "init": True, "healthcheck": {"test": ["CMD", "true"]},
    }
    # who brings the database up to date asks once whether this instance is known there
    assert outside["services"].pop("migrate") == {"network_mode": "bridge"}
    asking = members("broker") - {"rabbitmq"}
    assert outside["services"] == {name: {"networks": ["amqp"]} for name in asking - members("outside")}
    settings = {f"BREAKWATER_AMQP_{name}" for name in ("HOST", "VHOST", "USERS")}
    for part in (*SERVICES, *ONCE, OPERATED):
        assert settings <= SERVICE[part]["environment"].keys(), part


def test_containers_of_an_instance_with_a_database_outside_find_it_by_the_settings(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.settings["BREAKWATER_DATABASE_HOST"] == "/var/lib/breakwater/database"
    monkeypatch.setenv("BREAKWATER_DATABASE_HOST", "db.example")
    monkeypatch.setenv("BREAKWATER_DATABASE_PORT", "6432")
    monkeypatch.setenv("BREAKWATER_DATABASE_OWNER", "company")
    outside = container_site(database_ca=FILE)
    assert {name: value for name, value in outside.settings.items() if "_DATABASE_" in name} == {
        "BREAKWATER_DATABASE_HOST": "db.example", "BREAKWATER_DATABASE_PORT": "6432",
        "BREAKWATER_DATABASE_NAME": "breakwater",
        "BREAKWATER_DATABASE_AUTHORITIES": "/var/lib/breakwater/conf/database-ca.crt",
    }
    assert "postgres" not in [part.name for part in parts(outside)]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("setting", "server"), [("DATABASE_HOST", "postgres"), ("AMQP_HOST", "rabbitmq")])
def test_script_of_a_server_goes_when_it_is_outside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str, server: str
) -> None:
    def laid() -> set[str]:
        here = dataclasses.replace(container_site(), layout=Layout(tmp_path))
        here.layout.conf.mkdir(exist_ok=True)
        lay_scripts(here)
        return {path.stem for path in here.layout.conf.iterdir()}

    assert laid() == {*SERVERS}
    monkeypatch.setenv(f"BREAKWATER_{setting}", "outside.example")
    assert laid() == {*SERVERS} - {server}


def test_containers_of_an_instance_with_a_broker_outside_find_it_by_the_settings(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (site.settings["BREAKWATER_AMQP_HOST"], "BREAKWATER_AMQP_NODES" in site.settings) == ("rabbitmq", False)
    monkeypatch.setenv("BREAKWATER_AMQP_HOST", "one,two:5673")
    monkeypatch.setenv("BREAKWATER_AMQP_VHOST", "images")
    monkeypatch.setenv("BREAKWATER_AMQP_USERS", "ours-")
    outside = container_site(amqp_ca=FILE)
    names = ("host", "port", "nodes", "vhost", "users", "authorities")
    given = {f"amqp_{name}": outside.settings[f"BREAKWATER_AMQP_{name.upper()}"] for name in names}
    settings = load_settings(home="/nowhere", run="/nowhere", part="relay", **given)
    assert settings.brokers == (("one", 5671), ("two", 5673))
    assert (settings.amqp_vhost, settings.amqp_user) == ("images", "ours-relay")
    assert str(settings.amqp_authorities) == "/var/lib/breakwater/conf/broker-ca.crt"
    assert {*PARTS} - {part.name for part in parts(outside)} == {"rabbitmq"}


def test_verbs_do_not_take_names_for_a_broker_outside_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose passes on the settings of a broker outside, with their defaults, whether there is one or not."""
    for name in [name for name in os.environ if name.startswith("BREAKWATER_")]:
        monkeypatch.delenv(name)
    for name in ("AMQP_HOST", "AMQP_VHOST", "AMQP_USERS"):
        written = SERVICE[OPERATED]["environment"][f"BREAKWATER_{name}"]
        monkeypatch.setenv(f"BREAKWATER_{name}", written.partition(":-")[2].removesuffix("}"))
    assert load_settings(home="/nowhere", run="/nowhere", part="operator").amqp_user == "breakwater-operator"
    with monkeypatch.context() as announced:
        announced.setattr(os, "environ", dict(os.environ))
        announce(container_site().settings, all_of_them=True)
        assert load_settings(part="operator").amqp_user == "operator"


def test_who_migrates_waits_in_a_pod_until_the_broker_was_told_and_ends_elsewhere(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Elsewhere compose would wait for it, and say nothing."""
    refusals = [ConfigurationError("not told"), ConfigurationError("not told"), Unavailable("away")]

    def settle(_: Site) -> None:
        if refusals:
            raise refusals.pop(0)

    monkeypatch.setattr(migrate, "settle_broker", settle)
    monkeypatch.setattr(migrate, "ASKED_AGAIN_SECONDS", 0)
    with pytest.raises(ConfigurationError):
        migrate.await_broker(site)
    assert len(refusals) == 2
    monkeypatch.setenv("BREAKWATER_POD", "true")
    migrate.await_broker(container_site())
    assert refusals == []
    assert capsys.readouterr().out == "not told\naway\n"
