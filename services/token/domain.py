"""Scopes, what is granted of them, and the claims of a token: pure rules.

Specifications: distribution's token scope grammar and token authentication specification.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Final
from uuid import UUID

from services.token.errors import MalformedScope, TooManyScopes, UnfitName
from shared.names import InvalidName, RepositoryName
from shared.secrets import Secret

MOST_SCOPES: Final = 100
"""Scopes of one request; docker sends one, and one more for each mount."""
LONGEST_CLIENT_ID: Final = 255
"""The name of whatever keeps a refresh token."""

_TYPE: Final = re.compile(r"([a-z0-9]+)(?:\(([a-z0-9]+)\))?")
_ACTION: Final = re.compile(r"[a-z]+|\*")
_LONGEST_NAME: Final = 512
_WRITING: Final = frozenset({"push", "delete"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What a client asks for: actions on one resource."""

    type: str
    name: str
    actions: tuple[str, ...]

    @property
    def is_repository(self) -> bool:
        """Whether it speaks of a repository, of whatever class."""
        return self.type == "repository" or self.type.startswith("repository(")

    @property
    def is_catalog(self) -> bool:
        """Whether it speaks of the list of all repositories."""
        return self.type == "registry" and self.name == "catalog"

    @property
    def project(self) -> str | None:
        """The project of a repository scope; None where the name is no repository's."""
        return _project_of(self.name) if self.is_repository else None

    def granted(self, allowed: frozenset[str]) -> "Access":
        """What is left of it where only some actions are allowed; `*` asks for all of them."""
        if "*" in self.actions and "*" not in allowed:
            actions = tuple(sorted(allowed))
        else:
            actions = tuple(action for action in self.actions if action in allowed)
        return Access(type=self.type, name=self.name, actions=actions)


@lru_cache(2048)
def _project_of(repository: str) -> str | None:
    try:
        return RepositoryName.parse(repository).project
    except InvalidName:
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """An entry of a token's claim `access`; no actions are a denial that the client can read."""

    type: str
    name: str
    actions: tuple[str, ...]

    def claim(self) -> Mapping[str, object]:
        """The entry as the registry reads it."""
        kind, _, rest = self.type.partition("(")
        if rest:
            return {"type": kind, "class": rest[:-1], "name": self.name, "actions": self.actions}
        return {"type": kind, "name": self.name, "actions": self.actions}

    @property
    def writes(self) -> bool:
        """Whether it lets anything be changed."""
        return not _WRITING.isdisjoint(self.actions)

    @property
    def reading(self) -> "Access":
        """What is left of it where nothing may be changed."""
        return replace(self, actions=tuple(action for action in self.actions if action not in _WRITING))

    @property
    def scope(self) -> str:
        """The entry in the form in which it was asked for."""
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


def parse_scopes(texts: Iterable[str]) -> tuple[Scope, ...]:
    """Read scopes in every form clients send: one a parameter, or several with spaces between them.

    The same resource asked twice is one scope. Raises MalformedScope and TooManyScopes.
    """
    asked: dict[tuple[str, str], dict[str, None]] = {}
    count = 0
    for text in texts:
        for word in text.split():
            count += 1
            if count > MOST_SCOPES:
                raise TooManyScopes(f"more than {MOST_SCOPES} scopes in one request")
            type_, name, actions = _split(word)
            asked.setdefault((type_, name), {}).update(dict.fromkeys(actions))
    return tuple(Scope(type=type_, name=name, actions=tuple(actions)) for (type_, name), actions in asked.items())


def _split(text: str) -> tuple[str, str, tuple[str, ...]]:
    """Type before the first colon, actions behind the last: the name between may hold a host with its port."""
    type_, _, rest = text.partition(":")
    name, colon, listed = rest.rpartition(":")
    actions = tuple(action for action in listed.split(",") if action)
    if (
        not colon
        or not name
        or len(name) > _LONGEST_NAME
        or not _TYPE.fullmatch(type_)
        or not all(_ACTION.fullmatch(action) for action in actions)
    ):
        raise MalformedScope(f"{text[:80]!r} is not a scope of the form type:name:actions")
    return type_, name, actions


def projects_of(scopes: Iterable[Scope]) -> list[str]:
    """The projects whose rights decide over some scopes, each once."""
    return list(dict.fromkeys(name for scope in scopes if (name := scope.project)))


def grant(
    scopes: Iterable[Scope], allowed_in: Callable[[str], frozenset[str]], *, catalog: bool
) -> tuple[Access, ...]:
    """Narrow each scope to what is allowed in its project; never an error, an unknown type grants nothing."""
    granted = []
    for scope in scopes:
        if scope.is_catalog:
            allowed = frozenset("*") if catalog else frozenset[str]()
        else:
            project = scope.project
            allowed = allowed_in(project) if project else frozenset()
        granted.append(scope.granted(allowed))
    return tuple(granted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a token says."""

    subject: str
    access: tuple[Access, ...]
    issued_at: datetime
    lifetime: timedelta

    def payload(self, *, issuer: str, audience: str) -> dict[str, object]:
        """The claims as JSON values: `aud` is one string and the times are integers, as registry 2.8 wants them."""
        issued = int(self.issued_at.timestamp())
        return {
            "iss": issuer,
            "sub": self.subject,
            "aud": audience,
            "exp": issued + int(self.lifetime.total_seconds()),
            "nbf": issued,
            "iat": issued,
            "jti": secrets.token_hex(16),
            "access": [entry.claim() for entry in self.access],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class RefreshToken:
    """What is known of a refresh token; its text is known to nobody but the client."""

    id: UUID
    client_id: str
    address: str
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime


def check_client_id(name: str) -> str:
    """The name that somebody gives a refresh token, trimmed. Raises UnfitName."""
    trimmed = name.strip()
    if not 1 <= len(trimmed) <= LONGEST_CLIENT_ID or not trimmed.isprintable():
        raise UnfitName(f"the name of a refresh token must have 1 to {LONGEST_CLIENT_ID} printable characters")
    return trimmed


def new_refresh_token() -> Secret:
    """A refresh token's text: 256 random bits behind a prefix by which secret scanners know it."""
    return Secret(f"bwrt_{secrets.token_urlsafe(32)}")


def digest_of(token: Secret) -> bytes:
    """How a refresh token is stored: it is random, so one SHA-256 tells nothing about it."""
    return sha256(token.reveal().encode(errors="surrogatepass")).digest()
