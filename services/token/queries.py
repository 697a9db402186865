"""What the token endpoint asks the database: the present state of an account, and its refresh tokens.

What every token waits for is asked on a plain connection, in one query by index; lists go through a Session.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import Row, Text, cast, select
from sqlalchemy.orm import Session

from services.token.domain import RefreshToken, digest_of
from services.token.tables import refresh_tokens
from shared import directory
from shared.auth.authenticate import Method
from shared.auth.memory import Remembered
from shared.auth.principals import Principal, PrincipalKind
from shared.directory import ProjectRights, Source
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
    return Standing(principal=principal, rights=directory.project_rights(source, principal, projects))


def standing_of(source: Source, account: Remembered, projects: list[str], now: datetime) -> Standing | None:
    """The account as it is now; None where it may not act, or its credential is another than it was."""
    if account.kind is PrincipalKind.ROBOT:
        return _robot_standing(source, account, projects, now)
    is_local = account.method is Method.DATABASE
    return user_standing(source, account.id, account.credential_version, projects, is_local=is_local)


def user_standing(
    source: Source, user_id: int, version: int, projects: list[str], *, is_local: bool = False
) -> Standing | None:
    """A user as he is now; None where the account is gone, disabled, or has another credential by now."""
    found = directory.user_with_rights(source, user_id, projects, is_local=is_local)
    if found is None:
        return None
    user, rights = found
    if user.disabled or user.credential_version != version:
        return None
    return Standing(principal=user.principal, rights=rights)


def _robot_standing(
    source: Source, account: Remembered, projects: list[str], now: datetime
) -> Standing | None:
    found = directory.robot_with_rights(source, account.id, projects)
    if found is None:
        return None
    robot, rights = found
    if not robot.is_active(now) or robot.credential_version != account.credential_version:
        return None
    return Standing(principal=robot.principal(account.name.removesuffix(robot.name)), rights=rights)


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
