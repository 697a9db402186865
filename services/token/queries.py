"""What the token endpoint asks the database: the present state of an account, and its refresh tokens.

What every token waits for is asked on a plain connection, in one query by index; lists go through a Session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import Row, Text, cast, select
from sqlalchemy.orm import Session

from services.token.domain import RefreshToken, digest_of
from services.token.tables import refresh_tokens
from shared import directory
from shared.auth.memory import Remembered
from shared.auth.principals import Principal, PrincipalKind
from shared.directory import Asked, ProjectRights, Source
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering
from shared.secrets import Secret

_BY_HASH: Final = """
    SELECT id, user_id, credential_version, used_at FROM token.refresh_tokens
    WHERE token_hash = %s AND revoked_at IS NULL AND expires_at > %s
"""

FIELDS: Final[Fields] = {
    "id": Field(cast(refresh_tokens.c.id, Text)),
    "client_id": Field(refresh_tokens.c.client_id),
    "address": Field(refresh_tokens.c.address),
    "creation_time": Field(refresh_tokens.c.created_at, Kind.TIME),
    "last_used_time": Field(refresh_tokens.c.used_at, Kind.TIME),
    "expiration_time": Field(refresh_tokens.c.expires_at, Kind.TIME),
}
# the API may read these columns and no other
_SHOWN: Final = tuple(refresh_tokens.c[name] for name in RefreshToken.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Who somebody is at this moment, and what the asked projects are to him."""

    principal: Principal
    rights: dict[str, ProjectRights]
    read_only: bool
    """Whether nothing may be changed: always so for nobody in particular."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redeemable:
    """A refresh token that is neither revoked nor over; its account still has to be looked at."""

    id: UUID
    user_id: int
    credential_version: int
    used_at: datetime | None

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> Self:
        """The record of a row."""
        return cls(id=row[0], user_id=row[1], credential_version=row[2], used_at=row[3])


def anonymous_standing(source: Source, projects: list[str]) -> Standing:
    """Nobody in particular."""
    principal = Principal.anonymous()
    rights = directory.project_rights(source, principal, projects)
    return Standing(principal=principal, rights=rights, read_only=True)


def standings_of(source: Source, asked: Sequence[tuple[Remembered, list[str]]], now: datetime) -> list[Standing | None]:
    """Accounts as they are now, in the order in which they were asked for, each with its rights in some projects.

    None where one may not act, or its credential is another than it was. By one query for all users, and one for all
    robots.
    """
    standings: list[Standing | None] = [None] * len(asked)
    users = [place for place, (account, _) in enumerate(asked) if account.kind is PrincipalKind.USER]
    robots = [place for place, (account, _) in enumerate(asked) if account.kind is PrincipalKind.ROBOT]
    if users:
        versions = [asked[place][0].credential_version for place in users]
        found = _user_standings(source, [(asked[place][0].id, asked[place][1]) for place in users], versions)
        for place, standing in zip(users, found, strict=True):
            standings[place] = standing
    if robots:
        remembered = [asked[place][0] for place in robots]
        found = _robot_standings(source, [(asked[place][0].id, asked[place][1]) for place in robots], remembered, now)
        for place, standing in zip(robots, found, strict=True):
            standings[place] = standing
    return standings


def user_standing(source: Source, user_id: int, version: int, projects: list[str]) -> Standing | None:
    """A user as he is now; None where the account is gone, disabled, or has another credential by now."""
    return _user_standings(source, [(user_id, projects)], [version])[0]


def _user_standings(source: Source, asked: Sequence[Asked], versions: Sequence[int]) -> list[Standing | None]:
    return [
        Standing(principal=found.account.principal, rights=found.rights, read_only=found.read_only)
        if found and not found.account.disabled and found.account.credential_version == version
        else None
        for found, version in zip(directory.users_with_rights(source, asked), versions, strict=True)
    ]


def _robot_standings(
    source: Source, asked: Sequence[Asked], remembered: Sequence[Remembered], now: datetime
) -> list[Standing | None]:
    return [
        Standing(
            principal=found.account.principal(account.name.removesuffix(found.account.name)),
            rights=found.rights,
            read_only=found.read_only,
        )
        if found and found.account.is_active(now) and found.account.credential_version == account.credential_version
        else None
        for found, account in zip(directory.robots_with_rights(source, asked), remembered, strict=True)
    ]


def is_ours(source: Source, name: str) -> bool:
    """Whether the database alone can judge this account's credential, by its name and without looking at it closely."""
    if "$" in name:
        return True
    user = directory.find_user(source, name.replace("\0", ""))
    return user is not None and user.source == "database"


def find_refresh_token(source: Source, token: Secret, now: datetime) -> Redeemable | None:
    """The refresh token with this text, if it is good."""
    row = source.execute(_BY_HASH, (digest_of(token), now)).fetchone()
    return Redeemable.from_row(row) if row else None


def list_refresh_tokens(session: Session, user_id: int, listing: Listing, *, now: datetime) -> Page[RefreshToken]:
    """A user's refresh tokens that are still good, newest first unless asked otherwise."""
    chosen = (
        select(*_SHOWN)
        .where(
            refresh_tokens.c.user_id == user_id,
            refresh_tokens.c.revoked_at.is_(None),
            refresh_tokens.c.expires_at > now,
            *conditions(listing.terms, FIELDS),
        )
        .order_by(*ordering(listing.order, FIELDS, (refresh_tokens.c.created_at.desc(), refresh_tokens.c.id.desc())))
    )
    return fetch(session, chosen, listing, _read)


def _read(row: Row[Any]) -> RefreshToken:
    return RefreshToken(
        id=row.id,
        client_id=row.client_id,
        address=row.address,
        created_at=row.created_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
    )
