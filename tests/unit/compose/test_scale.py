"""The form of compose.scale.yaml: two of each part in Python, three equal nodes of the broker, and nothing else."""

from __future__ import annotations

import dataclasses
import importlib
import os
import subprocess
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from compose.conf import views
from compose.conf.render import render
from compose.docker import cluster, health
from compose.docker.places import note_place, noted_place, take_place
from compose.docker.site import container_site
from compose.local import asking
from compose.local.accounts import known_accounts
from compose.local.configuration import configure
from compose.local.credentials import prepare_secrets
from compose.local.folders import make_folders
from compose.local.layout import DEFINITIONS, USERS, Layout
from compose.local.options import CHECKOUT
from compose.local.parts import SERVICES, parts
from shared.errors import ConfigurationError, Conflict
from shared.messaging.topology import WITHOUT_QUEUES
from shared.settings import load_settings
from tests.unit.compose import composed
from tests.unit.compose.composed import FORMS, needs_compose
from tests.unit.compose.test_containers import COMPOSE, FILE, ONCE, OPERATED, SERVICE

if TYPE_CHECKING:
    from pathlib import Path

    from compose.local.site import Site
    from tests.documented import Block

SCALE: dict[str, Any] = yaml.safe_load(FILE.with_name("compose.scale.yaml").read_text())
SCALED: dict[str, dict[str, Any]] = SCALE["services"]
OFFLINE: dict[str, Any] = yaml.safe_load(FILE.with_name("compose.scale.offline.yaml").read_text())
NODES = ("rabbitmq", "rabbitmq-2", "rabbitmq-3")
SETTINGS = {"BREAKWATER_REPLICAS": "2", "BREAKWATER_BROKERS": " ".join(NODES)}
CLUSTER = "cluster"


def test_two_of_each_part_in_python_and_of_nothing_else() -> None:
    assert {name for name, service in SCALED.items() if "deploy" in service} == {*SERVICES}
    for part in SERVICES:
        assert SCALED[part] == {"deploy": {"replicas": 2}, "environment": SETTINGS}
    assert {*SCALED} == {*SERVICES, *ONCE, OPERATED, *NODES[1:], CLUSTER}


def test_whoever_prepares_knows_of_them_too() -> None:
    assert SCALED["migrate"] == SCALED[OPERATED] == {"environment": SETTINGS}
    volumes = [f"{node}:/var/lib/breakwater/{node}" for node in NODES[1:]]
    assert SCALED["prepare"] == {"environment": SETTINGS, "volumes": volumes}
    assert "rabbitmq:/var/lib/breakwater/rabbitmq" in SERVICE["prepare"]["volumes"]
    assert SCALE["volumes"] == {node: {} for node in NODES[1:]}


@pytest.mark.parametrize("node", NODES[1:])
def test_nodes_are_as_the_one_that_is_alone(node: str) -> None:
    first = {**SERVICE["rabbitmq"], "healthcheck": {**SERVICE["rabbitmq"]["healthcheck"]}}
    logging = {**first["logging"], "options": {**first["logging"]["options"], "tag": "rabbitmq"}}
    assert SCALED[node] == first | {
        "entrypoint": ["/bin/sh", f"/var/lib/breakwater/conf/{node}.sh"],
        "volumes": ["conf:/var/lib/breakwater/conf:ro", f"{node}:/var/lib/breakwater/rabbitmq", first["volumes"][-1]],
        "logging": logging,
    }


def test_queues_are_made_once_when_all_nodes_are_there_by_who_has_no_rights() -> None:
    node, made = SCALED[NODES[1]], SCALED[CLUSTER]
    assert made["depends_on"] == {node: {"condition": "service_healthy"} for node in NODES}
    assert made["restart"] == "no"
    same = ("image", "user", "group_add", "read_only", "cap_drop", "security_opt", "pids_limit", "mem_limit")
    assert made["networks"] == node["networks"]
    assert {name: made[name] for name in same} == {name: node[name] for name in same}
    assert {volume.rpartition(":")[2] for volume in made["volumes"]} == {"ro"}


def test_offline_every_image_is_one_that_is_built() -> None:
    assert {*OFFLINE} == {"services"}
    for name in (*NODES[1:], CLUSTER):
        assert OFFLINE["services"].pop(name) == {"image": "breakwater-rabbitmq"}
    assert OFFLINE["services"] == {}
    assert "ports" not in {key for service in SCALED.values() for key in service}
    assert COMPOSE["networks"]["broker"] == {"internal": True}


@needs_compose
@pytest.mark.parametrize(("form", "more"), [*zip(FORMS, composed.SCALED, strict=True)], ids=["official", "offline"])
def test_documented_commands_start_all_of_them(tmp_path: Path, form: Block, more: Block) -> None:
    """Compose reads the files in the order of the page; nothing is started."""
    read = composed.read(tmp_path, form, more)["services"]
    assert {*read} == {*SERVICE, *SCALED}
    assert {name for name, service in read.items() if service.get("deploy") == {"replicas": 2}} == {*SERVICES}
    assert len({read[node]["image"] for node in (*NODES, CLUSTER)}) == 1
    for part in SERVICES:
        assert SETTINGS.items() <= read[part]["environment"].items()
        assert SERVICE[part]["environment"].keys() < read[part]["environment"].keys()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    for name in [name for name in os.environ if name.startswith("BREAKWATER_")]:
        monkeypatch.delenv(name)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    return dataclasses.replace(container_site(), layout=Layout(tmp_path / "home"))


def environment_of(site: Site, part: str) -> dict[str, object]:
    (found,) = [each for each in parts(site) if each.name == part]
    return {name.removeprefix("BREAKWATER_").lower(): value for name, value in found.environment.items()}


def test_each_has_a_socket_and_a_note_of_its_own_and_finds_those_of_all(site: Site) -> None:
    run, second = site.layout.run, dataclasses.replace(site, replica=2)
    bound = {
        part.command[part.command.index("--bind") + 1]
        for each in (site, second) for part in parts(each) if "--bind" in part.command
    }
    assert bound == {f"unix:{run}/{name}.sock" for each in ("token", "core", "stream") for name in (each, f"{each}-2")}
    names = environment_of(second, "metadata")
    settings = load_settings(**{name: names[name] for name in ("home", "run", "part", "replica", "replicas")})
    assert settings.ready_note == run / "metadata-2.ready"
    assert settings.token_mounts == (run / "token.sock", run / "token-2.sock")
    assert settings.core_mounts == (run / "core.sock", run / "core-2.sock")
    assert settings.stream_mounts == (run / "stream.sock", run / "stream-2.sock")


def test_parts_know_every_node_of_the_broker(site: Site) -> None:
    settings = load_settings(home="/nowhere", run="/nowhere", amqp_nodes=environment_of(site, "relay")["amqp_nodes"])
    assert settings.brokers == tuple((node, 5672) for node in NODES)


def test_a_broker_outside_and_a_cluster_of_one_s_own_are_refused_together(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.brokers
    monkeypatch.setenv("BREAKWATER_AMQP_HOST", "mq.example.com")
    with pytest.raises(ConfigurationError, match=r"compose\.scale\.yaml brings one of three nodes"):
        container_site()


def test_database_has_connections_for_all_of_them() -> None:
    def connections(replicas: int) -> object:
        folder = CHECKOUT
        return views.database(socket_folder=folder, hba_file=folder, port=5432, processes=8, replicas=replicas)[
            "connections"
        ]

    assert connections(1) == 280
    assert connections(2) == 560


def test_nodes_find_each_other_share_a_cookie_and_make_no_queue_before_all_are_there(site: Site) -> None:
    users, layout = known_accounts(), site.layout
    make_folders(layout, users)
    layout.home.joinpath("lines").mkdir()
    prepare_secrets(layout, users, admin_password=None)
    configure(site, users)
    cluster.prepare(site, users)
    conf = (layout.conf / "rabbitmq.conf").read_text()
    for number, node in enumerate(NODES, start=1):
        assert f"cluster_formation.classic_config.nodes.{number} = breakwater@{node}\n" in conf
        script = (layout.conf / f"{node}.sh").read_text()
        assert f'export RABBITMQ_NODENAME="breakwater@{node}"\n' in script
        assert "EPMD_ADDRESS" not in script
    assert "cluster_partition_handling = pause_minority\n" in conf
    assert f"load_definitions = {layout.broker_conf / USERS}\n" in conf
    assert {*yaml.safe_load((layout.broker_conf / USERS).read_text())} == {*WITHOUT_QUEUES}
    cookies = [cluster.node_home(site, node) / ".erlang.cookie" for node in NODES]
    assert len({cookie.read_text() for cookie in cookies}) == 1
    assert {cookie.stat().st_mode & 0o777 for cookie in cookies} == {0o400}
    again = cookies[0].read_text()
    cluster.prepare(site, users)
    assert cookies[0].read_text() == again
    made = (layout.conf / "rabbitmq-cluster.sh").read_text()
    assert "await_online_nodes 3 " in made
    assert f"import_definitions {layout.broker_conf / DEFINITIONS}\n" in made
    for script in ("rabbitmq-cluster.sh", *(f"{node}.sh" for node in NODES)):
        assert subprocess.run(["sh", "-n", layout.conf / script], capture_output=True, check=False).stderr == b""


def test_one_that_is_alone_is_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("BREAKWATER_")]:
        monkeypatch.delenv(name)
    alone = dataclasses.replace(container_site(), layout=Layout(tmp_path))
    assert not {"BREAKWATER_REPLICAS", "BREAKWATER_REPLICA", "BREAKWATER_AMQP_NODES"} & alone.settings.keys()
    cluster.prepare(alone, known_accounts())
    assert [*tmp_path.iterdir()] == []
    assert "cluster" not in render("rabbitmq.conf", views.broker(listen="x", definitions=tmp_path))


@pytest.fixture
def gunicorn(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What gunicorn reads; the one library that it shuts out is there again afterwards."""
    monkeypatch.setitem(sys.modules, "rich", importlib.import_module("rich"))
    return importlib.import_module("compose.conf.gunicorn")



@pytest.mark.parametrize(("replicas", "workers", "before"), [("1", 1, False), ("2", 1, True), ("1", 2, True)])
def test_code_is_loaded_before_there_is_a_socket_where_somebody_else_serves_meanwhile(
    monkeypatch: pytest.MonkeyPatch, gunicorn: ModuleType, replicas: str, workers: int, *, before: bool
) -> None:
    """gunicorn calls this before it listens: who connects from then on would wait until the code is loaded."""
    for name, value in {"HOME": "/nowhere", "RUN": "/nowhere", "REPLICAS": replicas}.items():
        monkeypatch.setenv(f"BREAKWATER_{name}", value)
    loaded: list[str] = []
    monkeypatch.setattr(gunicorn, "import_module", loaded.append)
    monkeypatch.setattr(gunicorn.gc, "freeze", lambda: None)
    app = SimpleNamespace(app_uri="gateway.core.app:application()")
    gunicorn.on_starting(SimpleNamespace(cfg=SimpleNamespace(workers=workers), app=app))
    assert ("gateway.core.app" in loaded) is before


HOLDER = """
import os, sys
from pathlib import Path
from compose.docker.places import take_place
number = take_place(Path(sys.argv[1]), "core", 2)
os.execv("/bin/sh", ["sh", "-c", f"echo {number}; read line"])
"""


def holder(run: Path) -> subprocess.Popen[str]:
    """A process that takes a place, becomes another program, and holds it until it is told to end."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, run], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def place_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def test_each_takes_a_place_that_no_other_holds_and_a_killed_one_leaves_it(tmp_path: Path) -> None:
    first, second = holder(tmp_path), holder(tmp_path)
    third = None
    try:
        places = {place_of(first): first, place_of(second): second}
        assert {*places} == {1, 2}
        with pytest.raises(Conflict, match="2 containers of the part core run already"):
            take_place(tmp_path, "core", 2)
        places[2].kill()
        places[2].wait(10)
        third = holder(tmp_path)
        assert place_of(third) == 2
    finally:
        for process in (first, second, third):
            if process:
                process.kill()
                process.communicate(timeout=10)


def test_health_is_asked_of_the_very_one(tmp_path: Path) -> None:
    assert noted_place(tmp_path) == 1
    note_place(tmp_path, 2)
    assert noted_place(tmp_path) == 2
    (tmp_path / "relay.ready").write_text(str(health.FIRST_PROCESS))
    assert health.is_well("relay", run=tmp_path, work=tmp_path) is False
    (tmp_path / "relay-2.ready").write_text(str(health.FIRST_PROCESS))
    assert health.is_well("relay", run=tmp_path, work=tmp_path) is True


def test_a_part_that_has_left_no_note_for_a_minute_is_not_well(tmp_path: Path) -> None:
    note = tmp_path / "relay.ready"
    note.write_text(str(health.FIRST_PROCESS))
    for age, well in ((50, True), (asking.SILENT_SECONDS + 1, False), (0, True)):
        seen = time.time() - age
        os.utime(note, (seen, seen))
        assert health.is_well("relay", run=tmp_path, work=tmp_path) is well, age
