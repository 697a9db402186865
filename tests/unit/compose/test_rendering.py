"""What the templates become, from one description of an instance."""

from __future__ import annotations

import configparser
import hashlib
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from compose.conf import views
from compose.conf.render import render
from compose.local.accounts import Account, Accounts
from compose.local.bucket import bucket_of, keep_keys
from compose.local.configuration import configure
from compose.local.credentials import prepare_secrets, secret_owners
from compose.local.parts import INFRASTRUCTURE, PARTS, SERVICES, STOP_ORDER, parts
from shared.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from compose.local.site import Site

MINE = Accounts(separate=False, ids={})


@pytest.fixture
def configured(make_site: Callable[..., Site]) -> Callable[..., Site]:
    """A site whose configuration has been written."""

    def make(**options: Any) -> Site:  # noqa: ANN401
        site = make_site(**options)
        for folder in (site.layout.conf, site.layout.secrets):
            folder.mkdir(exist_ok=True)
        keep_keys(site.layout, bucket_of(site.layout, site.options))
        prepare_secrets(site.layout, MINE, admin_password=None)
        configure(site, MINE)
        return site

    return make


def text(site: Site, name: str) -> str:
    layout = site.layout
    places = [layout.conf / name, layout.registry_conf / name, layout.broker_conf / name]
    (found,) = [place for place in places if place.exists()]
    return found.read_text()


def supervised(site: Site) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(text(site, "supervisord.conf"))
    return parser


@pytest.mark.parametrize(("version", "algorithms"), [(2, None), (3, ["ES256"])])
def test_registry_of_either_generation_gets_its_form(
    configured: Callable[..., Site], version: int, algorithms: list[str] | None
) -> None:
    site = configured(registry_version=version)
    registry = yaml.safe_load(text(site, "registry.yml"))
    token = registry["auth"]["token"]
    assert token.get("signingalgorithms") == algorithms
    assert (token["service"], token["issuer"]) == ("breakwater-registry", "breakwater-token")
    assert token["rootcertbundle"] == f"{site.layout.secrets}/registry/bundle.pem"
    assert registry["http"]["net"] == "unix"
    assert registry["http"]["addr"] == f"{site.layout.run}/registry-writable.sock"
    assert "debug" not in registry["http"]
    assert registry["storage"]["delete"] == {"enabled": True}
    (endpoint,) = registry["notifications"]["endpoints"]
    secret = (site.layout.secrets / "intake" / "notification-token").read_text().strip()
    assert endpoint["headers"] == {"Authorization": [f"Bearer {secret}"]}
    assert endpoint["ignoredmediatypes"] == ["application/octet-stream"]
    assert endpoint["url"] == "http://127.0.0.1:40004/service/notifications"


def test_registry_at_a_public_url_names_it_in_its_challenge(configured: Callable[..., Site]) -> None:
    registry = yaml.safe_load(text(configured(url="https://registry.example/"), "registry.yml"))
    assert registry["auth"]["token"]["realm"] == "https://registry.example/auth/token"


def test_registry_that_stands_in_differs_in_taking_nothing(configured: Callable[..., Site]) -> None:
    site = configured()
    registry, stand_in = (yaml.safe_load(text(site, name)) for name in ("registry.yml", "registry-readonly.yml"))
    assert stand_in["storage"]["maintenance"]["readonly"] == {"enabled": True}
    assert stand_in["http"]["addr"] == f"{site.layout.run}/registry-readonly.sock"
    assert registry["http"]["draintimeout"] == "60s"
    for each in (registry, stand_in):
        del each["storage"]["maintenance"], each["http"]["addr"], each["http"]["draintimeout"]
    assert registry == stand_in


def test_registry_that_is_not_alone_on_its_storage_remembers_no_blob(configured: Callable[..., Site]) -> None:
    """Garbage may have been collected beside it, where nobody could reach it."""
    site = configured()
    alone = yaml.safe_load(text(site, "registry.yml"))
    configure(replace(site, pods=2), MINE)
    several = yaml.safe_load(text(site, "registry.yml"))
    assert alone["storage"].pop("cache") == {"blobdescriptor": "inmemory"}
    assert several == alone


def test_parent_of_the_registry_knows_only_a_fingerprint_of_its_credential(configured: Callable[..., Site]) -> None:
    site = configured()
    credential = (site.layout.secrets / "metadata" / "registryctl-credential").read_text().strip()
    plan = json.loads(text(site, "registryctl.json"))
    assert plan["fingerprint"] == hashlib.sha256(credential.encode()).hexdigest()
    assert credential not in text(site, "registryctl.json")


def test_registry_keeps_quiet_about_its_secret(configured: Callable[..., Site]) -> None:
    """At "info" it logs the headers of its notifications when it starts."""
    assert yaml.safe_load(text(configured(), "registry.yml"))["log"]["level"] == "warn"


def test_what_all_may_read_holds_no_secret_and_what_holds_one_has_its_one_reader(
    configured: Callable[..., Site],
) -> None:
    site = configured()
    layout = site.layout
    secrets = {path.read_text().strip() for path in layout.secrets.rglob("*-*") if path.suffix not in {".json", ".yml"}}
    digests = {user["password_hash"] for user in json.loads(text(site, "rabbitmq-definitions.json"))["users"]}
    assert len(secrets) > len(digests) > 1
    assert "http-secret" in {path.name for path in layout.secrets.rglob("*")}
    files = [path for path in layout.home.rglob("*") if path.is_file()]
    told = {path for path in files if any(secret in path.read_text() for secret in secrets | digests)}
    assert {path for path in told if not path.is_relative_to(layout.secrets)} <= {layout.conf / "supervisord.conf"}
    names = ("registry.yml", "registry-readonly.yml", "registryctl.json", "rabbitmq-definitions.json")
    owners = {each.path.name: (each.account, each.mode) for each in secret_owners(layout)}
    assert {owners[name] for name in names} == {(Account.DATA, 0o600)}
    for path in told:
        assert not path.stat().st_mode & 0o007, path


def test_secrets_that_an_earlier_version_laid_beside_the_rest_are_taken_away(configured: Callable[..., Site]) -> None:
    site = configured()
    old = [site.layout.conf / name for name in ("registry.yml", "registryctl.json", "rabbitmq-definitions.json")]
    for path in old:
        path.write_text("secret")
    configure(site, MINE)
    assert not [path for path in old if path.exists()]


def test_database_takes_passwords_alone_and_listens_on_its_socket_alone(configured: Callable[..., Site]) -> None:
    site = configured()
    rules = [line for line in text(site, "pg_hba.conf").splitlines() if line and not line.startswith("#")]
    assert rules == ["local all all scram-sha-256"]
    assert "listen_addresses = ''\n" in text(site, "postgresql.conf")


@pytest.mark.parametrize(("workers", "connections"), [(2, 200), (8, 280), (16, 480)])
def test_database_has_room_for_the_pools_of_all_processes(
    configured: Callable[..., Site], workers: int, connections: int
) -> None:
    site = configured(workers=workers)
    assert f"max_connections = {connections}\n" in text(site, "postgresql.conf")
    programs = supervised(site)
    for name in ("token", "core"):
        assert f" -w {workers} " in programs[f"program:{name}"]["command"]


def test_broker_listens_on_loopback_with_its_definitions(configured: Callable[..., Site]) -> None:
    site = configured()
    assert "listeners.tcp.default = 127.0.0.1:40001\n" in text(site, "rabbitmq.conf")
    assert "{127,0,0,1}" in text(site, "rabbitmq-advanced.config")
    users = [user["name"] for user in json.loads(text(site, "rabbitmq-definitions.json"))["users"]]
    assert "guest" not in users
    assert "relay" in users


def test_second_rendering_changes_nothing_though_passwords_are_salted(configured: Callable[..., Site]) -> None:
    site = configured()
    first = {file.name: file.read_text() for file in site.layout.conf.iterdir()}
    configured()
    assert {file.name: file.read_text() for file in site.layout.conf.iterdir()} == first


def test_fingerprints_tell_which_parts_a_change_touches(configured: Callable[..., Site], make_site: Any) -> None:  # noqa: ANN401
    before = configure(configured(), MINE)
    after = configure(make_site(url="https://registry.example"), MINE)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"supervisor", "proxy", "registry"}


def test_new_lock_of_the_portal_s_files_restarts_the_part_that_serves_them(make_site: Callable[..., Site]) -> None:
    assert [part.name for part in parts(make_site()) if "package-lock.json" in part.code] == ["core"]


def test_supervisor_runs_every_part_and_starts_none_by_itself(configured: Callable[..., Site]) -> None:
    parser = supervised(configured())
    programs = {name.removeprefix("program:") for name in parser.sections() if name.startswith("program:")}
    assert programs == {*PARTS} == {*INFRASTRUCTURE, *SERVICES, "proxy"}
    for name in programs:
        section = parser[f"program:{name}"]
        assert (section["autostart"], section["autorestart"]) == ("false", "true")
        assert int(section["stopwaitsecs"]) <= 60
        assert "user" not in section
    assert parser["unix_http_server"]["chmod"] == "0700"


def test_parts_run_as_separate_users_where_root_starts_them(make_site: Callable[..., Site]) -> None:
    accounts = {part.name: part.account for part in parts(make_site())}
    assert [name for name, account in accounts.items() if account is Account.TOKEN] == ["token"]
    assert {name for name, account in accounts.items() if account is Account.DATA} == {*INFRASTRUCTURE}
    assert Account.OPERATOR not in accounts.values()


def test_every_part_is_stopped_the_broker_after_its_clients(make_site: Callable[..., Site]) -> None:
    order = [part for together in STOP_ORDER for part in together]
    assert sorted(order) == sorted(part.name for part in parts(make_site()))
    assert order.index("proxy") < order.index("registry") < order.index("intake") < order.index("postgres")
    assert order.index("audit") < order.index("rabbitmq")
    assert order[-1] == "log"


def test_environment_of_a_part_is_what_its_settings_read(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(url="https://registry.example", outbound_allow="10.0.0.0/8", token_lifetime_seconds=120)
    part = next(part for part in parts(site) if part.name == "token")
    for name, value in part.environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.part == "token"
    assert (settings.home, settings.run) == (site.layout.home, site.layout.run)
    assert (settings.amqp_port, settings.intake_port) == (40001, 40004)
    assert str(settings.url).rstrip("/") == "https://registry.example"
    assert settings.token_lifetime_seconds == 120
    assert settings.assets == site.assets == Path("/assets")  # beside /venv
    assert [str(network) for network in settings.outbound_allow] == ["10.0.0.0/8"]


def test_administrator_s_password_reaches_no_part(configured: Callable[..., Site]) -> None:
    site = configured(admin_password="Secret12345")
    assert "Secret12345" not in "".join(file.read_text() for file in site.layout.conf.iterdir())


def test_command_with_odd_characters_survives_the_supervisor_s_reading(configured: Callable[..., Site]) -> None:
    site = configured()
    for part in parts(site):
        written = supervised(site)[f"program:{part.name}"]["command"]
        assert tuple(shlex.split(written.replace("%%", "%"))) == part.command


def test_one_name_of_a_part_leads_to_one_log_file(tmp_path: Path) -> None:
    rotate = tmp_path / "rotate.sh"
    view = views.log(folder=tmp_path, state=tmp_path, rotate=rotate, parts=("core", "log"), spools={}, socket=tmp_path)
    rules = re.findall(r'programname == "(\w+)" then :omfile:\$(\w+);line', render("rsyslog.conf", view))
    assert rules == [("core", "core"), ("rsyslogd", "log")]
