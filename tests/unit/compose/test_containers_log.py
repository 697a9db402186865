"""Where the lines of each container go: to the log, which is there first, by a socket that the engine finds."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from compose.docker.scripts import SERVERS, start_script
from compose.local.accounts import known_accounts
from compose.local.configuration import configure
from compose.local.credentials import prepare_secrets
from compose.local.folders import make_folders
from compose.local.layout import Layout
from compose.local.parts import PARTS, parts
from tests.unit.compose.test_containers import FILE, OPERATED, SERVICE, mounts
from tests.unit.compose.test_scale import SCALED

if TYPE_CHECKING:
    from pathlib import Path

    from compose.local.site import Site

def test_the_log_s_socket_is_mounted_by_the_log_and_who_makes_its_folder_alone() -> None:
    assert {name for name in SERVICE if ("lines", "rw") in mounts(name).values()} == {"log", "prepare"}


def test_the_engine_finds_a_file_at_the_log_s_place_before_anything_runs() -> None:
    """It asks for one when a container is created: compose v2 creates all of them before it starts the first."""
    place = mounts("prepare").keys() & mounts("log").keys() - {"/var/lib/breakwater/conf", "/var/lib/breakwater/log"}
    assert place == {"/var/lib/breakwater/lines"}
    assert "touch /var/lib/breakwater/lines/log.sock" in FILE.with_name("Dockerfile").read_text()
    for part in {*PARTS} - {"log"}:
        address = SERVICE[part]["logging"]["options"]["syslog-address"]
        assert address.endswith("/volumes/${COMPOSE_PROJECT_NAME:-breakwater}_lines/_data/log.sock")


@pytest.mark.parametrize("part", sorted({*PARTS, "migrate"} - {"log"}))
def test_what_a_part_says_goes_to_the_log_which_is_started_first(part: str) -> None:
    logging = SERVICE[part]["logging"]
    assert logging["driver"] == "syslog"
    assert logging["options"]["syslog-address"].startswith("unixgram://")
    assert logging["options"]["mode"] == "non-blocking"
    assert SERVICE[part]["depends_on"]["log"] == {"condition": "service_healthy"}


def test_those_alone_say_it_elsewhere_that_run_before_the_log_or_at_a_terminal() -> None:
    elsewhere = {name for name, service in SERVICE.items() if service["logging"]["driver"] != "syslog"}
    assert elsewhere == {"prepare", "log", OPERATED}


def test_the_log_has_a_file_for_every_container_whose_lines_it_is_sent(site: Site, tmp_path: Path) -> None:
    here = dataclasses.replace(site, layout=Layout(tmp_path))
    users = known_accounts()
    make_folders(here.layout, users)
    prepare_secrets(here.layout, users, admin_password=None)
    configure(here, users)
    text = (here.layout.conf / "rsyslog.conf").read_text()
    services = (*SERVICE.items(), *SCALED.items())
    sent = {name for name, service in services if service.get("logging", {}).get("driver") == "syslog"}
    assert {"migrate", "cluster"} < sent
    for name in sent - {"rabbitmq-2", "rabbitmq-3"}:
        assert f'if $programname == "{name}" then' in text, name


def test_log_alone_removes_the_socket_that_the_one_before_it_has_left(site: Site) -> None:
    socket = "/var/lib/breakwater/lines/log.sock"
    removing = {
        part.name: f"rm -f {socket}" in start_script(site, part).splitlines()
        for part in parts(site)
        if part.name in SERVERS
    }
    assert removing == {name: name == "log" for name in SERVERS}
