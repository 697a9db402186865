"""The form of compose/docker/compose.yaml: who is there, who is reachable, who reads what."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from compose.docker.prepare import NEEDS
from compose.local.options import CHECKOUT
from compose.local.parts import PARTS, SERVICES

FILE = CHECKOUT / "compose" / "docker" / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICE: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"prepare", "migrate"}
SECRETS = "/var/lib/breakwater/secrets"


def mounts(name: str) -> dict[str, tuple[str, str]]:
    """Where a container's volumes lie: the volume and its mode, by path."""
    found = {}
    for entry in SERVICE[name]["volumes"]:
        volume, path, *mode = entry.split(":")
        found[path] = (volume, mode[0] if mode else "rw")
    return found


def test_every_part_is_there_and_runs_as_that_part() -> None:
    assert {*SERVICE} == {*PARTS} | ONCE
    for part in PARTS:
        assert SERVICE[part]["command"] == ["compose.docker.part", part]


def test_the_proxy_alone_publishes_a_port_and_on_loopback_by_default() -> None:
    assert [name for name, service in SERVICE.items() if "ports" in service] == ["proxy"]
    assert SERVICE["proxy"]["ports"] == ["${BREAKWATER_BIND:-127.0.0.1}:${BREAKWATER_PORT:-8080}:8080"]


def test_nobody_shares_the_host_s_network() -> None:
    assert not [name for name, service in SERVICE.items() if service.get("network_mode") == "host"]
    assert COMPOSE["networks"]["back"] == {"internal": True}


def test_no_secret_stands_in_the_file() -> None:
    variables = {
        f"{name}.{key}": str(value)
        for name, service in SERVICE.items()
        for key, value in service.get("environment", {}).items()
    }
    secret = {key: value for key, value in variables.items() if re.search("PASSWORD|SECRET|TOKEN$|KEY", key)}
    assert secret == {"prepare.BREAKWATER_ADMIN_PASSWORD": "${BREAKWATER_ADMIN_PASSWORD:-}"}


def test_all_secrets_are_mounted_where_they_are_made_and_used_as_a_whole_alone() -> None:
    assert {name for name in SERVICE if any(volume == "secrets" for volume, _ in mounts(name).values())} == ONCE


@pytest.mark.parametrize("part", PARTS)
def test_part_mounts_its_own_secrets_alone(part: str) -> None:
    own = {volume for volume, _ in mounts(part).values() if volume.startswith("for-")}
    assert own == ({f"for-{part}"} if part in NEEDS else set())
    if part in NEEDS:
        mode = "rw" if part == "audit" else "ro"
        assert mounts(part)[SECRETS] == (f"for-{part}", mode)
        assert mounts("prepare")[f"/handed-out/{part}"] == (f"for-{part}", "rw")


def test_signing_key_goes_to_the_token_mount_alone() -> None:
    assert [part for part, names in NEEDS.items() if "token" in names] == ["token"]


@pytest.mark.parametrize("part", SERVICES)
def test_python_part_is_handed_its_own_folder(part: str) -> None:
    assert part in NEEDS[part]


@pytest.mark.parametrize("part", PARTS)
def test_part_has_no_rights_and_writes_to_its_volumes_alone(part: str) -> None:
    service = SERVICE[part]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["user"] == {
        "token": "breakwater-token", "log": "breakwater-data", "postgres": "breakwater-data",
        "rabbitmq": "breakwater-data", "registry": "breakwater-data",
    }.get(part, "breakwater")  # fmt: skip
    assert mounts(part)["/var/lib/breakwater/conf"] == ("conf", "ro")
    assert "privileged" not in service
    assert not [volume for volume, _ in mounts(part).values() if volume.startswith(("/", "."))]


@pytest.mark.parametrize("part", PARTS)
def test_part_is_watched_and_started_after_what_it_stands_on(part: str) -> None:
    service = SERVICE[part]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    first = "migrate" if part in SERVICES else "prepare"
    if part != "proxy":
        assert service["depends_on"] == {first: {"condition": "service_completed_successfully"}}


def test_registry_reaches_the_intake_and_nobody_else() -> None:
    assert SERVICE["registry"]["network_mode"] == "service:intake"


def test_every_volume_is_declared_and_used() -> None:
    used = {volume for name in SERVICE for volume, _ in mounts(name).values()}
    assert used == {*COMPOSE["volumes"]}


def test_images_name_no_registry_s_host() -> None:
    dockerfile = FILE.with_name("Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert bases == ["debian:12-slim"]
    assert {service["image"] for service in SERVICE.values()} == {"breakwater"}
