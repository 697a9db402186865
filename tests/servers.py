"""Real servers for tests: PostgreSQL, RabbitMQ and the registry, on free ports or sockets, stopped again.

Each is a context manager that yields what a client needs. Nothing here uses a default port.
"""

import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle
from pathlib import Path

import psycopg

from shared.migrations.run import upgrade
from shared.settings import Settings, load_settings

PARTS = ("token", "core", "events", "intake", "relay", "audit", "metadata", "webhook", "replication", "owner")
RABBITMQCTL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
_ROOM = 4 * 2**30


def free_port() -> int:
    """A loopback port that nobody listens on at this moment, and that no other worker of the run is given."""
    return next(port for port in _ports() if _is_free(port))


@cache
def _ports() -> Iterator[int]:
    """This worker's share, in disorder; below those that the system gives to connections and to who asks for any."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = range(16_000 + worker, 25_600, workers)
    return cycle(random.SystemRandom().sample(share, len(share)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for(ready: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll until `ready()`; fail with a sentence when the time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} within {seconds} s")
        time.sleep(0.05)


def stand_still(*processes: int) -> None:
    """SIGSTOP, and wait until each thread of theirs stands: it is only told to, and goes on for a moment."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    wait_for(lambda: all(map(_stands_still, processes)), seconds=10, what="they stand still")


def _stands_still(process: int) -> bool:
    states = {
        thread.joinpath("stat").read_text().rpartition(")")[2].split()[0]
        for thread in Path(f"/proc/{process}/task").iterdir()
    }
    return states <= {"T", "Z"}  # who had ended, and waits for a parent that stands still


def stop(process: "subprocess.Popen[bytes]", *, seconds: float = 20) -> None:
    """SIGTERM, then SIGKILL, to the process group that the test itself started."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(seconds)


def start(
    command: Sequence[str | Path], *, log: Path, environment: dict[str, str] | None = None, cwd: Path | str = "/"
) -> "subprocess.Popen[bytes]":
    """Start a server in a process group of its own; what it says goes to `log`."""
    with log.open("ab") as file:
        return subprocess.Popen(
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, cwd=cwd, start_new_session=True
        )


@contextmanager
def short_folder(*, parent: Path | None = None) -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets and that unprivileged users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="bw-", dir=parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def memory() -> Path | None:
    """Where files lie in memory, if there is room: to make a database of hundreds of files takes a tenth there."""
    place = Path("/dev/shm")  # noqa: S108 - what is made in it has a name that nobody guesses
    return place if place.is_dir() and shutil.disk_usage(place).free >= _ROOM else None


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running PostgreSQL without fsync, reached through its socket."""

    home: Path
    run: Path
    port: int
    passwords: dict[str, str] = field(repr=False)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A superuser's connection in autocommit mode."""
        return psycopg.connect(
            host=str(self.run), port=self.port, dbname=database, user="postgres", autocommit=True, connect_timeout=5
        )

    def settings(self, part: str, *, database: str, **overrides: object) -> Settings:
        """The settings of a part against one database."""
        values = {
            "home": self.home,
            "run": self.run,
            "part": part,
            "database_port": self.port,
            "database_name": database,
        }
        return load_settings(**(values | overrides))

    def new_database(self, template: str = "template0") -> str:
        """Create a database, from a template if one is named; returns its name.

        Its files are copied: to write them to the log too is twice the work.
        """
        name = f"t{secrets.token_hex(6)}"
        with self.connect() as connection:
            connection.execute(
                f"CREATE DATABASE {name} OWNER breakwater_owner TEMPLATE {template} STRATEGY file_copy".encode()
            )
        return name

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    def migrated(self) -> str:
        """A database at the newest revision: a template for the others."""
        name = self.new_database()
        upgrade(self.settings("owner", database=name))
        return name


def postgres_binaries() -> Path:
    """The folder of the newest installed PostgreSQL's programs."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL with the roles of an instance and no data."""
    with short_folder(parent=memory()) as home:
        run, data = home / "run", home / "data"
        for folder in (run, data):
            folder.mkdir()
        as_user: list[str] = []
        if os.geteuid() == 0:
            as_user = ["runuser", "-u", "postgres", "--"]
            shutil.chown(run, "postgres", "postgres")
            shutil.chown(data, "postgres", "postgres")
        binaries = postgres_binaries()
        subprocess.run(
            [
                *as_user,
                binaries / "initdb",
                "-A",
                "trust",
                "--no-sync",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                data,
            ],
            check=True,
            capture_output=True,
            cwd="/",
        )
        port = free_port()
        command = [
            *as_user, binaries / "postgres", "-D", data, "-p", str(port), "-k", run, "-c", "listen_addresses=",
            "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=128MB",
            "-c", "max_wal_size=128MB",
        ]  # fmt: skip
        process = start(command, log=home / "log")
        server = Postgres(home=home, run=run, port=port, passwords={part: secrets.token_urlsafe(18) for part in PARTS})
        (home / "instance-id").write_text("4be0643f-1d98-573b-97cd-ca98a65347dd\n")
        try:
            wait_for(lambda: _answers(server), seconds=30, what="PostgreSQL answers")
            with server.connect() as connection:
                for part, password in server.passwords.items():
                    connection.execute(f"CREATE ROLE breakwater_{part} LOGIN PASSWORD '{password}'".encode())
                    file = home / "secrets" / part / "database-password"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(password)
            yield server
        finally:
            stop(process)


def _answers(server: Postgres) -> bool:
    try:
        server.connect().close()
    except psycopg.OperationalError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Rabbit:
    """A running RabbitMQ; `environment` is what its control programs need."""

    home: Path
    port: int
    user: str
    password: str = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def url(self, vhost: str = "%2F") -> str:
        return f"amqp://{self.user}:{self.password}@127.0.0.1:{self.port}/{vhost}"

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl; returns what it prints."""
        done = subprocess.run(
            [RABBITMQCTL, *arguments],
            env=self.environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout


@contextmanager
def rabbitmq(definitions: Path | None = None, *, more: Sequence[str] = ()) -> Iterator[Rabbit]:
    """A RabbitMQ of its own; with definitions loaded at start where a file is given, else user `test`.

    `more` are lines of its configuration.
    """
    with short_folder() as home:
        port, dist, epmd = free_port(), free_port(), free_port()
        user, password = "test", secrets.token_urlsafe(12)
        config = [
            f"listeners.tcp.default = 127.0.0.1:{port}",
            "log.console = true",
            "log.file = false",
            "vm_memory_high_watermark.absolute = 1GB",
            "disk_free_limit.absolute = 50MB",
            *more,
        ]
        if definitions is None:
            config += [f"default_user = {user}", f"default_pass = {password}"]
        else:
            config.append(f"load_definitions = {definitions}")
        for name, text in {
            "rabbitmq.conf": "\n".join(config) + "\n",
            "advanced.config": "[{kernel, [{inet_dist_use_interface, {127,0,0,1}}]}].\n",
            "enabled_plugins": "[].\n",
            "env.conf": "",
        }.items():
            (home / name).write_text(text)
        environment = {
            "HOME": str(home),
            "PATH": f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"{home.name}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(home / "rabbitmq.conf.d" / "*.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "env.conf"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd),
        }
        process = start(["/usr/lib/rabbitmq/bin/rabbitmq-server"], log=home / "out", environment=environment, cwd=home)
        broker = Rabbit(home=home, port=port, user=user, password=password, environment=environment, process=process)
        try:
            wait_for(lambda: _listens(port), seconds=90, what="RabbitMQ answers")
            yield broker
        finally:
            stop(process, seconds=30)
            subprocess.run(["epmd", "-port", str(epmd), "-kill"], capture_output=True, check=False)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
        probe.sendall(b"AMQP\x00\x00\x09\x01")
        try:
            return bool(probe.recv(1))
        except OSError:
            return False


@contextmanager
def registry(
    *, notifications: str | None = None, notification_token: str = "", token: dict[str, str] | None = None
) -> Iterator[Path]:
    """The distribution registry on a unix socket; yields the socket's path.

    `notifications` is a URL to post to; `token` the auth.token section (realm, service, issuer, rootcertbundle).
    """
    with short_folder() as home:
        socket_path = home / "registry.sock"
        config = [
            "version: 0.1",
            "log: {level: warn}",
            f"storage: {{filesystem: {{rootdirectory: {home}/data}}, delete: {{enabled: true}}}}",
            f"http: {{addr: {socket_path}, net: unix, secret: {secrets.token_hex(16)}}}",
        ]
        if token:
            inner = ", ".join(f"{key}: {value!r}" for key, value in token.items())
            config.append(f"auth: {{token: {{{inner}}}}}")
        if notifications:
            bearer = json.dumps(f"Bearer {notification_token}")
            config.append(
                f"notifications: {{endpoints: [{{name: intake, url: '{notifications}', timeout: 2s,"
                f" threshold: 5, backoff: 1s, headers: {{Authorization: [{bearer}]}},"
                " ignoredmediatypes: [application/octet-stream]}]}"
            )
        (home / "config.yml").write_text("\n".join(config) + "\n")
        process = start(["docker-registry", "serve", home / "config.yml"], log=home / "log", cwd=home)
        try:
            wait_for(lambda: _accepts(socket_path), seconds=20, what="the registry answers")
            yield socket_path
        finally:
            stop(process)


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
