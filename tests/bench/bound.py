"""The bounds that figures are held against: bare loops that do the least any program must do, a process a core."""

from __future__ import annotations

import multiprocessing
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

SELECT_USER = "SELECT id, username, sysadmin, disabled, credential_version FROM directory.users WHERE username_key = %s"


@dataclass(frozen=True, kw_only=True)
class TokenBound:
    """What the bare loops of all cores reached together, and what each half costs in one process."""

    per_second: float
    select_us: float
    sign_us: float


def _claims() -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": "bound", "sub": "bench", "aud": "bound", "exp": now + 300, "nbf": now, "iat": now,
        "jti": uuid.uuid4().hex,
        "access": [{"type": "repository", "name": "library/bench", "actions": ["pull", "push"]}],
    }


def _loop(conninfo: Mapping[str, str | int], username: str, seconds: float, pipe: Connection) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    done = selecting = 0.0
    with psycopg.connect(**conninfo, autocommit=True) as connection:  # type: ignore[arg-type]  # one mapping, many types
        for _ in range(10):
            connection.execute(SELECT_USER, (username,), prepare=True).fetchone()
        until = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < until:
            connection.execute(SELECT_USER, (username,), prepare=True).fetchone()
            selecting += time.perf_counter() - begun
            jwt.encode(_claims(), key, algorithm="ES256")
            done += 1
    pipe.send((done, selecting))
    pipe.close()


def token_bound(conninfo: Mapping[str, str | int], username: str, *, processes: int, seconds: float) -> TokenBound:
    """One SELECT by index and one ES256 signature, over and over, on every core at once."""
    context = multiprocessing.get_context("spawn")
    pipes, running = [], []
    for _ in range(processes):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_loop, args=(dict(conninfo), username, seconds, theirs), daemon=True)
        process.start()
        pipes.append(ours)
        running.append(process)
    done = selecting = 0.0
    for pipe, process in zip(pipes, running, strict=True):
        if not pipe.poll(seconds + 30):
            raise TimeoutError("the bare loop did not end in time")
        loops, spent = pipe.recv()
        done += loops
        selecting += spent
        process.join(10)
    each = processes * seconds / done
    return TokenBound(
        per_second=done / seconds, select_us=selecting / done * 1e6, sign_us=(each - selecting / done) * 1e6,
    )


def insert_bound(conninfo: Mapping[str, str | int], *, seconds: float) -> float:
    """Transactions a second of one connection that inserts one row and commits, as any intake must."""
    with psycopg.connect(**conninfo, autocommit=True) as connection:  # type: ignore[arg-type]  # one mapping, many types
        connection.execute("CREATE TABLE events.bound (id uuid PRIMARY KEY, body jsonb)")  # a logged one: commits sync
        try:
            body = '{"a": "' + "x" * 700 + '"}'
            done, until = 0, time.perf_counter() + seconds
            while time.perf_counter() < until:
                connection.execute("INSERT INTO events.bound VALUES (%s, %s)", (uuid.uuid4(), body), prepare=True)
                done += 1
        finally:
            connection.execute("DROP TABLE events.bound")
    return done / seconds
