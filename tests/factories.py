"""Valid rows of the system's metadata, made by SQL: a test names only what it cares about."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from itertools import count
from typing import Any

import psycopg

from shared.auth.passwords import hash_password
from shared.auth.roles import Role

PASSWORD = "Correct1horse"
_numbers = count(1)


@cache
def hashed(password: str) -> str:
    """A password's hash, made once a run."""
    return hash_password(password)


def _insert(connection: psycopg.Connection[Any], query: str, values: Sequence[object]) -> int:
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return int(row[0])


def user(
    connection: psycopg.Connection[Any],
    name: str | None = None,
    *,
    password: str | None = PASSWORD,
    admin: bool = False,
    disabled: bool = False,
    source: str = "database",
) -> int:
    """An account; returns its number."""
    return _insert(
        connection,
        "INSERT INTO core.users (username, password_hash, sysadmin, disabled, source) VALUES (%s, %s, %s, %s, %s)"
        " RETURNING id",
        (name or f"user{next(_numbers)}", hashed(password) if password else None, admin, disabled, source),
    )


def project(
    connection: psycopg.Connection[Any],
    name: str | None = None,
    *,
    public: bool = False,
    members: Mapping[int, Role] | None = None,
) -> int:
    """A project of the first administrator, with members by their number; returns its own."""
    project_id = _insert(
        connection,
        "INSERT INTO core.projects (name, owner_id, public) VALUES (%s, 1, %s) RETURNING id",
        (name or f"project{next(_numbers)}", public),
    )
    for user_id, role in (members or {}).items():
        member(connection, project_id, user_id, role)
    return project_id


def member(connection: psycopg.Connection[Any], project_id: int, user_id: int, role: Role) -> int:
    """A membership; returns its number."""
    return _insert(
        connection,
        "INSERT INTO core.members (project_id, user_id, role_id) VALUES (%s, %s, %s) RETURNING id",
        (project_id, user_id, int(role)),
    )


def artifact(connection: psycopg.Connection[Any], project_id: int, repository: str) -> int:
    """One of a new repository, as the catalogue keeps it."""
    repository_id = _insert(
        connection, "INSERT INTO core.repositories (project_id, name) VALUES (%s, %s) RETURNING id",
        (project_id, repository),
    )
    return _insert(
        connection,
        "INSERT INTO core.artifacts (project_id, repository_id, digest, type, media_type, manifest_media_type)"
        " VALUES (%s, %s, %s, 'IMAGE', '', '') RETURNING id",
        (project_id, repository_id, f"sha256:{'0' * 64}"),
    )


def group(connection: psycopg.Connection[Any], name: str, dn: str) -> int:
    """A group of the directory that is known here; returns its number."""
    return _insert(
        connection, "INSERT INTO core.user_groups (name, ldap_dn) VALUES (%s, %s) RETURNING id", (name, dn)
    )


def group_member(connection: psycopg.Connection[Any], project_id: int, group_id: int, role: Role) -> int:
    """A membership of a group; returns its number."""
    return _insert(
        connection,
        "INSERT INTO core.members (project_id, group_id, role_id) VALUES (%s, %s, %s) RETURNING id",
        (project_id, group_id, int(role)),
    )


def robot(
    connection: psycopg.Connection[Any],
    name: str,
    access: Mapping[str, Iterable[tuple[str, str]]],
    *,
    project_id: int | None = None,
    secret: str = PASSWORD,
    disabled: bool = False,
    expires_at: datetime | None = None,
) -> int:
    """A robot account with its rights in each namespace; the name is the stored one, without prefix."""
    permissions = [
        {
            "kind": "system" if namespace == "/" else "project",
            "namespace": namespace,
            "access": [{"resource": resource, "action": action} for resource, action in pairs],
        }
        for namespace, pairs in access.items()
    ]
    return _insert(
        connection,
        "INSERT INTO core.robots (name, project_id, permissions, secret_hash, disabled, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (name, project_id, json.dumps(permissions), hashed(secret), disabled, expires_at),
    )


def configure(connection: psycopg.Connection[Any], **values: object) -> None:
    """Set keys of the configuration."""
    for key, value in values.items():
        connection.execute(
            "INSERT INTO core.configuration (key, value) VALUES (%s, %s)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, json.dumps(value)),
        )


@contextmanager
def read_only(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """An administrator has stopped all changes."""
    configure(connection, read_only=True)
    try:
        yield
    finally:
        configure(connection, read_only=False)
