"""An instance with a broker outside: what its parts are told, and what the broker is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from compose.local.accounts import Account, Accounts
from compose.local.broker import keep_authorities
from compose.local.configuration import configure
from compose.local.credentials import prepare_secrets
from compose.local.site import PARTS
from shared.errors import ConfigurationError
from shared.messaging.topology import USERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from compose.local.site import Site

MINE = Accounts(separate=False, ids=dict.fromkeys(Account, (0, 0)))


def configured(site: Site) -> Site:
    for folder in (site.layout.conf, site.layout.secrets):
        folder.mkdir(exist_ok=True)
    keep_authorities(site)
    prepare_secrets(site.layout, MINE, admin_password=None)
    configure(site, MINE)
    return site


def told(site: Site) -> dict[str, str]:
    return {name.partition("_AMQP_")[2]: value for name, value in site.settings.items() if "_AMQP_" in name}


def test_parts_are_told_of_its_nodes_and_it_is_none_of_them(make_site: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("authorities")
    site = configured(make_site(amqp_host="one,two:5673", amqp_vhost="images", amqp_ca=tmp_path / "ca.pem"))
    assert {*PARTS} - {*site.parts} == {"rabbitmq"}
    assert told(site) == {
        "NODES": "one,two:5673", "VHOST": "images", "USERS": "breakwater-", "PORT": "40001",
        "AUTHORITIES": f"{tmp_path}/conf/broker-ca.crt",
    }  # fmt: skip
    assert (tmp_path / "conf" / "broker-ca.crt").read_text() == "authorities"
    assert (tmp_path / "conf" / "broker-ca.crt").stat().st_mode & 0o777 == 0o644
    assert told(configured(make_site())) == {"PORT": "40001"}
    assert not (tmp_path / "conf" / "broker-ca.crt").exists()


def test_authorities_that_are_not_there_are_told_of(make_site: Callable[..., Site], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        configured(make_site(amqp_host="one", amqp_ca=tmp_path / "none"))
    assert refusal.value.sentence == f"BREAKWATER_AMQP_CA is not valid: there is no file {tmp_path}/none"


def test_definitions_are_of_its_virtual_host_and_its_users(make_site: Callable[..., Site], tmp_path: Path) -> None:
    configured(make_site())
    own = json.loads((tmp_path / "secrets" / "rabbitmq" / "rabbitmq-definitions.json").read_text())
    configured(make_site(amqp_host="one", amqp_vhost="images", amqp_users="one-"))
    outside = json.loads((tmp_path / "secrets" / "rabbitmq" / "rabbitmq-definitions.json").read_text())
    assert {user["name"] for user in outside["users"]} == {f"one-{user}" for user in USERS}
    assert {user["name"] for user in own["users"]} == {*USERS}
    rights = {(each["user"], each["write"], each["read"]) for each in outside["permissions"]}
    assert rights == {(f"one-{each['user']}", each["write"], each["read"]) for each in own["permissions"]}
    for kind in ("permissions", "exchanges", "queues", "bindings"):
        assert {each["vhost"] for each in outside[kind]} == {"images"}
        assert len(outside[kind]) == len(own[kind])
    assert outside["vhosts"] == [{"name": "images"}]
