"""Use cases of the token endpoint: issue a token, and issue, renew and revoke refresh tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from services.token.domain import Access, Claims, Scope, check_client_id, digest_of, grant, new_refresh_token
from services.token.queries import Standing
from services.token.signing import CurrentSigner
from services.token.tables import refresh_tokens
from shared import directory
from shared.auth.principals import Principal, PrincipalKind
from shared.auth.roles import registry_actions
from shared.events import EventContext, emit
from shared.events.definitions.refresh_token import RefreshTokenCreated, RefreshTokenRevoked
from shared.secrets import Secret

REFRESH_IDLE: Final = timedelta(days=30)
"""A refresh token ends so long after its last use."""
RENEW_AFTER: Final = timedelta(days=1)
"""Its last use is written down at most so often."""
_MOST_PER_USER: Final = 500


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A token on its way to the client."""

    token: str
    access: tuple[Access, ...]
    issued_at: datetime
    lifetime: timedelta


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """Signs tokens for one registry."""

    signer: CurrentSigner
    issuer: str
    audience: str
    lifetime: timedelta

    def issue(self, subject: str, access: tuple[Access, ...], now: datetime) -> Issued:
        """A token of a subject for what was granted. Raises SigningKeysUnusable."""
        claims = Claims(subject=subject, access=access, issued_at=now, lifetime=self.lifetime)
        token = self.signer.get().sign(claims.payload(issuer=self.issuer, audience=self.audience))
        return Issued(token=token, access=access, issued_at=now, lifetime=self.lifetime)


def authorise(standing: Standing, scopes: tuple[Scope, ...]) -> tuple[Access, ...]:
    """What of some scopes somebody gets: narrowed to his rights, never refused as a whole.

    Nobody may push to a project that is full; what is in it can be pulled and deleted.
    """

    def allowed_in(project: str) -> frozenset[str]:
        actions = _rightful(standing, project)
        return actions - {"push"} if standing.rights[project].full else actions

    return grant(scopes, allowed_in, catalog=_may_list_all(standing.principal))


def lacks_room(standing: Standing, scope: Scope) -> bool:
    """Whether somebody may push there and cannot, because the project is full."""
    project = scope.project
    return project is not None and standing.rights[project].full and "push" in _rightful(standing, project)


def authorise_system(scopes: tuple[Scope, ...]) -> tuple[Access, ...]:
    """What one of the system's own services gets: what it asks for, of repositories and the catalog alone."""
    return grant(scopes, lambda _project: frozenset({"pull", "push", "delete"}), catalog=True)


def _rightful(standing: Standing, project: str) -> frozenset[str]:
    """What somebody's rights in a project let him do in the registry, room or no room."""
    return registry_actions(directory.effective_permissions(standing.principal, standing.rights[project]))


def _may_list_all(principal: Principal) -> bool:
    """The catalog names private repositories too: it is the administrator's, or a robot's that was given it."""
    if principal.kind is PrincipalKind.ROBOT:
        return any(
            robot.namespace == "/" and ("catalog", "read") in robot.permissions for robot in principal.robot_grants
        )
    return principal.is_admin


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRefreshToken:
    """A refresh token on its way to its owner: the one time that its text is known here."""

    id: UUID
    text: Secret
    expires_at: datetime


def create_refresh_token(
    session: Session, user: Principal, *, client_id: str, address: str, now: datetime, context: EventContext
) -> NewRefreshToken:
    """A refresh token that its owner asks for by a name of its own. Raises UnfitName."""
    name = check_client_id(client_id)
    made = issue_refresh_token(session, user, client_id=name, address=address, now=now)
    event = RefreshTokenCreated(username=user.name, token_id=str(made.id), client_id=name)
    emit(session, event, context=context)
    return made


def issue_refresh_token(
    session: Session, user: Principal, *, client_id: str, address: str, now: datetime
) -> NewRefreshToken:
    """A refresh token that lasts until it is revoked, not used for long, or the account's credential changes.

    Those longest unused give way where a user has very many.
    """
    mine = refresh_tokens.c.user_id == user.id
    session.execute(
        delete(refresh_tokens).where(
            mine, or_(refresh_tokens.c.expires_at <= now, refresh_tokens.c.revoked_at <= now - REFRESH_IDLE)
        )
    )
    newest = (
        select(refresh_tokens.c.id)
        .where(mine)
        .order_by(func.coalesce(refresh_tokens.c.used_at, refresh_tokens.c.created_at).desc())
        .limit(_MOST_PER_USER - 1)
    )
    session.execute(delete(refresh_tokens).where(mine, refresh_tokens.c.id.not_in(newest)))
    text, expires_at = new_refresh_token(), now + REFRESH_IDLE
    made = (
        insert(refresh_tokens)
        .values(
            token_hash=digest_of(text),
            user_id=user.id,
            credential_version=user.credential_version,
            client_id=client_id,
            address=address,
            created_at=now,
            expires_at=expires_at,
        )
        .returning(refresh_tokens.c.id)
    )
    return NewRefreshToken(id=session.execute(made).scalar_one(), text=text, expires_at=expires_at)


def renew_refresh_token(session: Session, token_id: UUID, *, now: datetime) -> None:
    """Write down that a refresh token was used: its end moves on, unless it has come meanwhile."""
    session.execute(
        update(refresh_tokens)
        .where(
            refresh_tokens.c.id == token_id, refresh_tokens.c.revoked_at.is_(None), refresh_tokens.c.expires_at > now
        )
        .values(used_at=now, expires_at=now + REFRESH_IDLE)
    )


def revoke_refresh_tokens(
    session: Session, user_id: int, username: str, *, token_id: UUID | None, now: datetime, context: EventContext
) -> int:
    """Revoke one refresh token of a user, or all of them; returns how many were good until now."""
    chosen = update(refresh_tokens).where(refresh_tokens.c.user_id == user_id, refresh_tokens.c.revoked_at.is_(None))
    if token_id is not None:
        chosen = chosen.where(refresh_tokens.c.id == token_id)
    revoked = len(session.execute(chosen.values(revoked_at=now).returning(refresh_tokens.c.id)).all())
    if revoked:
        event = RefreshTokenRevoked(username=username, token_id=str(token_id) if token_id else None)
        emit(session, event, context=context)
    return revoked
