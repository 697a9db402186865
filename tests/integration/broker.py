"""A RabbitMQ with the real topology, and the processes that use it, for integration tests."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amqp

from shared.messaging.topology import USERS, definitions
from shared.secrets import Secret
from shared.settings import Settings
from tests.bench.cpu import descendants
from tests.servers import Postgres, Rabbit, rabbitmq, stand_still, stop, wait_for

CHECKOUT = Path(__file__).parents[2]
TESTER = "tester"
MOST_PREFETCHED = 1_000
SHORTEST_MS = 1_000
SHORTENED_MS = 200
"""In place of the longer retry delays: nobody waits ten minutes for a test. The shortest is as it really is."""


@dataclass(frozen=True)
class Broker:
    """RabbitMQ with the catalogued topology, and one more user who may do everything."""

    rabbit: Rabbit
    home: Path
    password: str

    @property
    def port(self) -> int:
        return self.rabbit.port

    def settings(self, part: str) -> Settings:
        return Settings(home=self.home, run=self.home, part=part, amqp_port=self.port)

    @contextmanager
    def tester(self) -> Iterator[Any]:
        connection = amqp.Connection(f"127.0.0.1:{self.port}", TESTER, self.password, login_method="PLAIN")
        connection.connect()
        try:
            yield connection
        finally:
            connection.close()

    def depth(self, queue: str) -> int:
        """Messages that wait in a queue."""
        with self.tester() as connection:
            return int(connection.channel().queue_declare(queue, passive=True).message_count)

    def purge(self) -> None:
        with self.tester() as connection:
            channel = connection.channel()
            for queue in definitions({user: Secret("-") for user in USERS})["queues"]:
                if queue["arguments"]["x-queue-type"] == "quorum":
                    channel.queue_purge(queue["name"])

    def restore(self) -> None:
        """Have all that is catalogued again, as at the start."""
        self.rabbit.control("import_definitions", str(self.home / "definitions.json"))

    def take(self, queue: str) -> Any:  # noqa: ANN401 - py-amqp has no types
        """The next message of a queue, taken off; None where there is none."""
        return next(iter(self.take_all(queue, most=1)), None)

    def take_all(self, queue: str, *, most: int = 100_000) -> list[Any]:
        """Its messages in their order, taken off: as a consumer, for whom alone some queues are."""
        with self.tester() as connection:
            channel = connection.channel()
            wanted = min(most, channel.queue_declare(queue, passive=True).message_count)
            found: list[Any] = []
            if wanted:
                channel.basic_qos(0, min(wanted, MOST_PREFETCHED), a_global=False)
                consumer = channel.basic_consume(queue, callback=found.append)
            while len(found) < wanted:
                seen = len(found)
                connection.drain_events(timeout=10)
                if len(found) > seen and len(found) < wanted:
                    channel.basic_ack(found[-1].delivery_info["delivery_tag"], multiple=True)
            if wanted:
                # first: else the next one is on its way here, and for a moment nobody else finds it in the queue
                channel.basic_cancel(consumer)
                channel.basic_ack(found[wanted - 1].delivery_info["delivery_tag"], multiple=True)
            return found[:wanted]


@contextmanager
def broker(server: Postgres) -> Iterator[Broker]:
    """RabbitMQ with definitions loaded, its users' passwords among the server's secrets."""
    passwords = {user: Secret(secrets.token_urlsafe(12)) for user in USERS}
    for user, password in passwords.items():
        file = server.home / "secrets" / user / "amqp-password"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(password.reveal())
    content = definitions(passwords)
    for queue in content["queues"]:
        if queue["arguments"].get("x-message-ttl", 0) > SHORTEST_MS:
            queue["arguments"]["x-message-ttl"] = SHORTENED_MS
    tester = Secret(secrets.token_urlsafe(12))
    extra = definitions(dict.fromkeys(USERS, tester))["users"][0] | {"name": TESTER}
    content["users"].append(extra)
    content["permissions"].append({"user": TESTER, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"})
    file = server.home / "definitions.json"
    file.write_text(json.dumps(content))
    file.chmod(0o644)
    with rabbitmq(file) as rabbit:
        yield Broker(rabbit, server.home, tester.reveal())


class Process:
    """A part as it really runs: a process of its own under the runner."""

    def __init__(self, service: str, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "shared.messaging.runner", service],
                cwd=CHECKOUT, env=os.environ | environment, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """As kill -9 does."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def terminate(self, seconds: float = 30) -> int:
        """SIGTERM; returns the exit code."""
        self._process.terminate()
        return self._process.wait(seconds)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def pause(self) -> None:
        stand_still(*descendants(self._process.pid))

    def go_on(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log lines of an event."""
        lines = []
        for line in self.log.read_text().splitlines():
            try:
                fields = json.loads(line)
            except ValueError:
                continue
            if isinstance(fields, dict) and fields.get("event") == event:
                lines.append(fields)
        return lines

    def has_logged(self, event: str, *, seconds: float = 20, times: int = 1) -> None:
        wait_for(lambda: len(self.lines(event)) >= times, seconds=seconds, what=f"{self.log.name} logs {event}")

    def close(self) -> None:
        stop(self._process)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """What a process is told by its environment."""
    return {
        "BREAKWATER_HOME": str(settings.home),
        "BREAKWATER_RUN": str(settings.run),
        "BREAKWATER_PART": settings.part,
        "BREAKWATER_DATABASE_PORT": str(settings.database_port),
        "BREAKWATER_DATABASE_NAME": settings.database_name,
        "BREAKWATER_AMQP_PORT": str(settings.amqp_port),
        "BREAKWATER_INTAKE_PORT": str(settings.intake_port),
        "PYTHONPATH": str(CHECKOUT),
    } | more


@contextmanager
def running(service: str, settings: Settings, log: Path, **more: str) -> Iterator[Process]:
    """A part in a process of its own."""
    process = Process(service, environment(settings, **more), log)
    try:
        yield process
    finally:
        process.close()


def eventually(read: Callable[[], object], expected: object, *, seconds: float = 20) -> None:
    """Poll until `read()` gives what is expected."""
    deadline = time.monotonic() + seconds
    while (found := read()) != expected:
        assert time.monotonic() < deadline, f"{found!r} is not {expected!r} after {seconds} s"
        time.sleep(0.05)


