"""The form of the compose files: who is there, who is reachable, who reads what. tests/containers runs them."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from compose.docker import health
from compose.docker import part as part_module
from compose.docker.handing import NEEDS, READ_KEYS
from compose.docker.scripts import SERVERS, start_script
from compose.docker.site import PORTS, container_site
from compose.local.layout import Layout
from compose.local.options import CHECKOUT, MEMORY_OF_A_DOWNLOAD
from compose.local.parts import PARTS, SERVICES, parts, rabbitmq_environment
from compose.local.site import LOOPBACK

if TYPE_CHECKING:
    from compose.local.site import Site

FILE = CHECKOUT / "compose" / "docker" / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICE: dict[str, dict[str, Any]] = COMPOSE["services"]
OFFLINE: dict[str, Any] = yaml.safe_load(FILE.with_name("compose.offline.yaml").read_text())
ONCE = {"prepare", "migrate"}
OPERATED = "operate"
SECRETS = "/var/lib/breakwater/secrets"


def mounts(name: str) -> dict[str, tuple[str, str]]:
    """Where a container's volumes lie: the volume and its mode, by path."""
    found = {}
    for entry in SERVICE[name]["volumes"]:
        volume, path, *mode = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", entry).split(":")
        found[path] = (volume, mode[0] if mode else "rw")
    return found


def test_every_part_is_there_and_runs_as_that_part() -> None:
    assert {*SERVICE} == {*PARTS} | ONCE | {OPERATED}
    for part in SERVICES:
        assert SERVICE[part]["command"] == ["compose.docker.part", part]
        assert SERVICE[part]["image"] == "breakwater"
    assert SERVICE["registry"]["image"] == "breakwater-registry"
    for part in SERVERS:
        assert SERVICE[part]["entrypoint"] == ["/bin/sh", f"/var/lib/breakwater/conf/{part}.sh"]


def test_the_proxy_alone_publishes_a_port_and_on_loopback_by_default() -> None:
    assert [name for name, service in SERVICE.items() if "ports" in service] == ["proxy"]
    assert SERVICE["proxy"]["ports"] == ["${BREAKWATER_BIND:-127.0.0.1}:${BREAKWATER_PORT:-8080}:8080"]


def test_the_second_port_is_published_by_its_own_file_alone() -> None:
    redirect = yaml.safe_load(FILE.with_name("compose.redirect.yaml").read_text())
    assert redirect == {
        "services": {
            "prepare": {"environment": {"BREAKWATER_REDIRECT_PORT": 8081}},
            "proxy": {"ports": ["${BREAKWATER_BIND:-127.0.0.1}:${BREAKWATER_REDIRECT_PORT:-80}:8081"]},
        }
    }
    assert "BREAKWATER_REDIRECT_PORT" not in FILE.read_text()


def test_nobody_shares_the_host_s_network() -> None:
    assert not [name for name, service in SERVICE.items() if service.get("network_mode") == "host"]
    assert [name for name, made in COMPOSE["networks"].items() if made == {"internal": True}] == [
        "broker", "notifications"
    ]


def test_with_traces_every_part_that_may_have_a_network_reaches_their_collector_and_nothing_else_changes() -> None:
    traces = yaml.safe_load(FILE.with_name("compose.traces.yaml").read_text())
    without = {part for part in SERVICES if SERVICE[part].get("network_mode") == "none"}
    assert traces["services"] == {part: {"networks": ["traces"]} for part in {*SERVICES} - without} | {
        part: {"environment": {"BREAKWATER_TRACES_ENDPOINT": ""}} for part in without
    }
    assert traces["networks"] == {"traces": {}}
    assert set(traces) == {"services", "networks"}
    for part in SERVICES:
        assert {"BREAKWATER_TRACES_ENDPOINT", "BREAKWATER_TRACES_RATIO"} <= SERVICE[part]["environment"].keys()


def members(network: str) -> set[str]:
    return {name for name, service in SERVICE.items() if network in service.get("networks", ())}


def test_networks_join_those_alone_that_need_each_other() -> None:
    assert members("door") == {"proxy"}
    assert members("notifications") == {"registry", "intake"}
    assert members("broker") == {"rabbitmq", "core", "relay", "audit", "metadata", "webhook", "replication", OPERATED}
    assert members("collector") == {"log"}
    assert members("outside") == {"token", "core", "webhook", "replication"}
    for part in ("postgres", "events"):
        assert SERVICE[part]["network_mode"] == "none"


def test_database_s_socket_is_mounted_by_those_alone_that_ask_it() -> None:
    mounting = {name for name in SERVICE if "/var/lib/breakwater/database" in mounts(name)}
    assert mounting == {"postgres", *ONCE, OPERATED, *SERVICES}


def test_no_secret_stands_in_the_file() -> None:
    variables = {
        f"{name}.{key}": str(value)
        for name, service in SERVICE.items()
        for key, value in service.get("environment", {}).items()
    }
    secret = {key: value for key, value in variables.items() if re.search("PASSWORD|SECRET|TOKEN$|KEY", key)}
    given = (
        "BREAKWATER_ADMIN_PASSWORD", "BREAKWATER_DATABASE_OWNER_PASSWORD", "BREAKWATER_S3_ACCESS_KEY",
        "BREAKWATER_S3_SECRET_KEY",
    )  # fmt: skip
    assert secret == {f"prepare.{name}": f"${{{name}:-}}" for name in given}


def test_all_secrets_are_mounted_where_they_are_made_and_used_as_a_whole_alone() -> None:
    holding = {name for name in SERVICE if any(volume == "secrets" for volume, _ in mounts(name).values())}
    assert holding == {*ONCE, OPERATED}


def test_operate_is_started_by_name_alone_and_has_the_rights_of_who_prepares() -> None:
    operate, prepare = SERVICE[OPERATED], SERVICE["prepare"]
    assert [name for name, service in SERVICE.items() if "profiles" in service] == [OPERATED]
    assert not {"restart", "depends_on", "command", "ports"} & operate.keys()
    same = ("image", "user", "cap_drop", "cap_add", "security_opt", "read_only", "tmpfs")
    assert {key: operate[key] for key in same} == {key: prepare[key] for key in same}
    assert operate["networks"] == ["broker"]
    # what it answers may be a secret
    assert operate["logging"] == {"driver": "none"}
    assert operate["environment"] == SERVICE["migrate"]["environment"]


def test_operate_writes_to_what_it_changes_alone() -> None:
    writing = {volume for volume, mode in mounts(OPERATED).values() if mode == "rw"}
    assert writing == {
        "run", "database", "conf", "secrets", "registry", "restored", *(f"for-{part}" for part in READ_KEYS)
    }
    for path, (volume, _) in mounts(OPERATED).items():
        assert mounts("prepare")[path] == (volume, "rw")


def test_whoever_is_given_keys_or_their_certificates_is_given_them_when_they_change() -> None:
    assert {*READ_KEYS} == {
        part for part, names in NEEDS.items() if any(name in {"token", "registry/bundle.pem"} for name in names)
    }
    # at no moment does a key sign whose certificate is not known
    assert READ_KEYS[-1] == "token"


def test_what_a_restore_lays_is_seen_by_those_alone_that_go_on_with_it() -> None:
    path = "/var/lib/breakwater/restored"
    assert {name: mounts(name)[path] for name in SERVICE if path in mounts(name)} == dict.fromkeys(
        (*ONCE, OPERATED), ("restored", "rw")
    )

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
    data = dict.fromkeys(("log", "postgres", "rabbitmq", "registry"), "999:999")
    assert service["user"] == (data | {"token": "10001:10001"}).get(part, "10000:10000")
    assert mounts(part)["/var/lib/breakwater/conf"] == ("conf", "ro")
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICE)
def test_container_has_a_limit_of_memory_and_of_processes(name: str) -> None:
    assert SERVICE[name]["mem_limit"]
    assert SERVICE[name]["pids_limit"]


def test_no_folder_of_the_machine_is_mounted_but_those_that_are_given() -> None:
    assert not [name for name in SERVICE if any(volume.startswith(("/", ".")) for volume, _ in mounts(name).values())]


@pytest.mark.parametrize("part", PARTS)
def test_part_is_watched_and_started_after_what_it_stands_on(part: str) -> None:
    service = SERVICE[part]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    if part in SERVICES:
        assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICE["log"]["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}


@pytest.mark.parametrize("part", SERVICES)
def test_part_in_python_is_asked_for_its_health_by_its_name(part: str, tmp_path: Path) -> None:
    assert SERVICE[part]["healthcheck"]["test"] == ["CMD", "python", "-m", "compose.docker.health", part]
    assert [health.is_well(part, alive=alive, run=tmp_path) for alive in (False, True)] == [False, False]
    assert PORTS.intake == health.INTAKE_PORT


def test_every_volume_is_declared_and_used() -> None:
    used = {volume for name in SERVICE for volume, _ in mounts(name).values()}
    assert {volume for volume in used if not volume.startswith("/")} == {*COMPOSE["volumes"]}


def test_broker_is_given_the_place_of_every_file_that_it_would_seek_elsewhere(site: Site) -> None:
    """On a machine that has a broker of its own, and in an image with a configuration, those are not this one's."""
    environment = rabbitmq_environment(site)
    for name in ("ADVANCED_CONFIG_FILE", "CONF_ENV_FILE", "CONFIG_FILE", "CONFIG_FILES", "ENABLED_PLUGINS_FILE"):
        assert Path(environment[f"RABBITMQ_{name}"]).is_relative_to(site.layout.conf), name
    for name in ("LOG_BASE", "MNESIA_BASE", "PID_FILE"):
        assert Path(environment[f"RABBITMQ_{name}"]).is_relative_to(site.layout.broker), name


def test_broker_and_intake_have_names_on_networks_and_are_on_loopback_in_a_pod(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (site.broker, site.intake) == ("rabbitmq", "intake")
    assert (site.broker_address, site.intake_address) == ("0.0.0.0", "0.0.0.0")  # noqa: S104 - it is what is tested
    monkeypatch.setenv("BREAKWATER_POD", "true")
    pod = container_site()
    assert {pod.broker, pod.intake, pod.broker_address, pod.intake_address} == {LOOPBACK}


def test_note_of_the_process_before_does_not_speak_for_the_next_one(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both have the number 1, and what a pod mounts outlives a restart of a container."""
    here = dataclasses.replace(site, layout=Layout(tmp_path))
    here.layout.run.mkdir(parents=True, exist_ok=True)
    note = here.layout.run / "relay.ready"
    note.write_text(str(health.FIRST_PROCESS))
    other = note.with_name("metadata.ready")
    other.touch()
    assert health.is_well("relay", run=here.layout.run) is True
    became: list[str] = []
    monkeypatch.setattr(part_module, "container_site", lambda: here)
    monkeypatch.setattr(part_module.os, "execve", lambda path, *_: became.append(str(path)))
    monkeypatch.setattr(part_module.os, "umask", lambda _: 0)
    monkeypatch.chdir(tmp_path)
    try:
        part_module.become("relay")
        assert became
        assert health.is_well("relay", run=here.layout.run) is False
        assert other.exists()
    finally:
        other.unlink()
        here.layout.run.rmdir()


@pytest.mark.parametrize("part", SERVERS)
def test_server_is_started_by_a_script_that_every_shell_reads(site: Site, tmp_path: Path, part: str) -> None:
    (described,) = [each for each in parts(site) if each.name == part]
    script = tmp_path / "start.sh"
    script.write_text(start_script(site, described))
    assert subprocess.run(["sh", "-n", script], capture_output=True, check=False).stderr == b""
    last = script.read_text().splitlines()[-1]
    assert tuple(shlex.split(last)) == ("exec", *described.command)


@pytest.mark.parametrize("part", SERVERS)
def test_server_tells_whether_it_was_started_with_another_configuration(site: Site, tmp_path: Path, part: str) -> None:
    here = dataclasses.replace(site, layout=Layout(tmp_path))
    described = next(each for each in parts(here) if each.name == part)
    harmless = dataclasses.replace(described, name="any", command=("true",), environment={})
    here.layout.conf.mkdir()
    here.layout.work.mkdir()
    for path in described.conf:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as it was\n")
    script = here.layout.conf / f"{part}.sh"
    script.write_text(start_script(here, harmless))

    def run(*words: str) -> int:
        return subprocess.run(["sh", script, *words], check=False, timeout=30).returncode

    assert run("changed") == 0
    for changed in (None, *described.conf, script):
        if changed:
            with changed.open("a") as file:
                file.write("# changed\n")
            assert run("changed") == 0, changed
        assert run() == 0
        assert run("changed") == 1, changed


def test_database_is_made_beside_its_place_and_moved_there_when_it_is_whole(site: Site) -> None:
    (postgres,) = [each for each in parts(site) if each.name == "postgres"]
    lines = [line.strip() for line in start_script(site, postgres).splitlines()]
    made = next(index for index, line in enumerate(lines) if "initdb" in line)
    assert "-D /var/lib/breakwater/postgres/data.new" in lines[made]
    assert lines[made + 1] == "mv /var/lib/breakwater/postgres/data.new /var/lib/breakwater/postgres/data"


def test_images_are_named_without_a_host() -> None:
    """Those of others by their official names, and in the offline form none that it does not build."""
    named = {service["image"] for service in SERVICE.values()}
    assert not [image for image in named if "/" in image]
    built = OFFLINE["services"]
    for name, service in (SERVICE | {"migrate": SERVICE["prepare"]}).items():
        image = built.get(name, {}).get("image", service["image"])
        assert image.startswith("breakwater"), name
    for dockerfile in ("Dockerfile", "servers.Dockerfile"):
        text = FILE.with_name(dockerfile).read_text()
        bases = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
        stages = {stage for _, stage in bases}
        pulled = {"registry:2.8.3"} if dockerfile == "Dockerfile" else set()
        assert {base for base, _ in bases} - stages == {"${BASE}"} | pulled
        assert "ARG BASE=debian:12-slim\n" in text


def test_offline_form_builds_nothing_that_stands_below_what_is_pulled() -> None:
    """The older builder makes every stage that stands above a target."""
    above, pulled, below = FILE.with_name("Dockerfile").read_text().partition("FROM registry:2.8.3 AS official\n")
    assert pulled
    assert " AS registry\n" in below
    for name in ("prepare", "log", "registry"):
        target = (SERVICE[name]["build"] | OFFLINE["services"][name]["build"])["target"]
        assert f" AS {target}\n" in above, name


def test_settings_of_a_site_with_whatever_password_they_hold_come_into_no_image() -> None:
    lines = CHECKOUT.joinpath(".dockerignore").read_text().splitlines()
    assert lines.index("compose/docker/.env") > lines.index("!compose")


def test_layers_that_may_be_sent_at_once_have_room_in_the_registry_s_memory(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SERVICE["prepare"]["environment"]["BREAKWATER_DOWNLOADS"] == "${BREAKWATER_DOWNLOADS:-0}"
    assert site.layers_at_once == 256
    (registry,) = [each for each in parts(site) if each.name == "registry"]
    bytes_at_most = site.layers_at_once * MEMORY_OF_A_DOWNLOAD
    assert registry.environment["GOMEMLIMIT"] == f"{bytes_at_most}B"
    limit = SERVICE["registry"]["mem_limit"].partition(":-")[2].removesuffix("}")
    assert limit.endswith("g")
    # a quarter is for the parent, and for the registry that stands in while garbage is collected
    assert bytes_at_most <= int(limit[:-1]) * 2**30 * 3 / 4
    monkeypatch.setenv("BREAKWATER_DOWNLOADS", "300")
    assert container_site().layers_at_once == 300
