"""Where tokens are handed out: who asks, what he gets, and what is written down of it.

The short query that all wait for runs on the event loop itself, once for all requests that came together; whatever may
take longer goes to threads.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from gateway.token.request import TokenRequest
from gateway.token.standings import Standings
from gateway.token.threads import Threads
from services.token.commands import (
    RENEW_AFTER,
    Issued,
    Issuer,
    authorise,
    authorise_system,
    issue_refresh_token,
    lacks_room,
    renew_refresh_token,
)
from services.token.database import HotConnection
from services.token.domain import Scope, projects_of
from services.token.errors import LoginRequired, NotAllowed, QuotaUsedUp, WrongCredentials
from services.token.queries import (
    Redeemable,
    Standing,
    anonymous_standing,
    find_refresh_token,
    is_ours,
    user_standing,
)
from shared import logging
from shared.auth.authenticate import Accepted, Client, Credential, Method, Reason, Rejected
from shared.auth.errors import TooManyGuesses
from shared.auth.login import Login
from shared.auth.memory import Remembered
from shared.auth.principals import Principal
from shared.db import unavailable_when_down
from shared.directory import Source
from shared.errors import Unavailable
from shared.secrets import Secret

_TELLING_SECONDS: Final = 0.25
"""A login's answer waits so long for its event to be written down, and no longer."""
_TRIES: Final = 6
Asking = Callable[[], Client]
"""Tells where a request came from: most are answered before that matters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HandedOut:
    """A token, and the refresh token that goes with it."""

    issued: Issued
    refresh_token: Secret | None = None


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Everything the token endpoint of one process needs."""

    hot: HotConnection
    standings: Standings
    login: Login
    issuer: Issuer
    near: Threads
    """Judges accounts that the database knows."""
    far: Threads
    """Judges everybody else: a directory may have to be asked, and may be silent."""
    writing: Threads
    """Writes down logins and refresh tokens, whatever the others wait for."""
    sessions: sessionmaker[Session]

    def for_anybody(self, asked: TokenRequest, now: datetime) -> HandedOut:
        """A token without a login: for scopes alone, and for what is public. Raises LoginRequired, Unavailable."""
        if not asked.scopes:
            raise LoginRequired
        projects = projects_of(asked.scopes)
        standing = self.hot.ask(lambda source: anonymous_standing(source, projects))
        return HandedOut(issued=self._issue(standing, asked.scopes, now))

    async def for_password(
        self, asked: TokenRequest, credential: Credential, client: Asking, now: datetime
    ) -> HandedOut:
        """A token for a name and a password. Raises WrongCredentials, TooManyGuesses, Unavailable."""
        account, standing = await self._admit(credential, client, projects_of(asked.scopes), now)
        issued = self._issue(standing, asked.scopes, now)
        refresh = None
        # Of an account that lives in a directory we would not notice the end: its clients keep sending the password.
        if asked.offline and account.method is Method.DATABASE:
            user = standing.principal
            refresh = await self.writing.run(self._new_refresh_token, user, asked.client_id, client(), now)
        if not asked.scopes:
            await self._tell(Accepted(principal=standing.principal, method=account.method), client())
        return HandedOut(issued=issued, refresh_token=refresh)

    async def for_request(
        self, scopes: tuple[Scope, ...], credential: Credential, client: Asking, now: datetime
    ) -> Issued:
        """A token for one request whose sender may do all that it needs; it counts as no login.

        Raises WrongCredentials, NotAllowed, QuotaUsedUp, TooManyGuesses, Unavailable.
        """
        _, standing = await self._admit(credential, client, projects_of(scopes), now)
        for asked, granted in zip(scopes, authorise(standing, scopes), strict=True):
            denied = [action for action in asked.actions if action not in granted.actions]
            if denied == ["push"] and lacks_room(standing, asked):
                raise QuotaUsedUp
            if denied:
                raise NotAllowed(f"unauthorized to access repository: {asked.name}, action: {denied[-1]}")
        return self._issue(standing, scopes, now)

    async def for_refresh_token(
        self, asked: TokenRequest, token: Secret, client: Asking, now: datetime
    ) -> HandedOut:
        """A token for a refresh token. Raises WrongCredentials, Unavailable."""
        projects = projects_of(asked.scopes)

        def redeem(source: Source) -> tuple[Redeemable, Standing] | None:
            found = find_refresh_token(source, token, now)
            if found is None:
                return None
            standing = user_standing(source, found.user_id, found.credential_version, projects)
            return (found, standing) if standing else None

        redeemed = self.hot.ask(redeem)
        if redeemed is None:
            raise WrongCredentials
        found, standing = redeemed
        issued = self._issue(standing, asked.scopes, now)
        if found.used_at is None or now - found.used_at > RENEW_AFTER:
            self.writing.start(self._renew, found.id, now)
        if not asked.scopes:
            await self._tell(Accepted(principal=standing.principal, method=Method.REFRESH_TOKEN), client())
        return HandedOut(issued=issued, refresh_token=token if asked.offline else None)

    def for_system(self, service: str, scopes: tuple[Scope, ...], now: datetime) -> HandedOut:
        """A token for one of the system's own services, whose credential has been checked."""
        issued = self.issuer.issue(Principal.system(service).name, authorise_system(scopes), now)
        return HandedOut(issued=issued)

    async def _admit(
        self, credential: Credential, client: Asking, projects: list[str], now: datetime
    ) -> tuple[Remembered, Standing]:
        """Who this is and what he may do now: by memory and one query, or else by judging the credential."""
        memory = self.login.memory
        key = memory.key(credential)
        account = memory.recall(key, now)
        standing = await self._standing(account, projects)
        if account is None or standing is None:
            lane = self.near if self.hot.ask(lambda source: is_ours(source, credential.name)) else self.far
            sender = client()
            verdict, first = await lane.together(
                (key, sender.address), self.login.verify, credential, sender, now
            )
            if isinstance(verdict, Rejected):
                if not first:
                    self.login.record.refused(credential.name, sender, now)
                raise _refusal(verdict)
            account = memory.recall(key, now)
            standing = await self._standing(account, projects)
        if account is None or standing is None:
            raise WrongCredentials
        return account, standing

    async def _standing(self, account: Remembered | None, projects: list[str]) -> Standing | None:
        return None if account is None else await self.standings.of(account, projects)

    def _issue(self, standing: Standing, scopes: tuple[Scope, ...], now: datetime) -> Issued:
        """Sign what somebody gets; while the system is read-only that is nothing that writes, whoever it is."""
        granted = authorise(standing, scopes)
        if standing.read_only and any(entry.writes for entry in granted):
            granted = tuple(entry.reading for entry in granted)
        return self.issuer.issue(standing.principal.name, granted, now)

    def _new_refresh_token(self, user: Principal, client_id: str, client: Client, now: datetime) -> Secret:
        with unavailable_when_down(), self.sessions.begin() as session:
            return issue_refresh_token(session, user, client_id=client_id, address=client.address, now=now).text

    def _renew(self, token_id: UUID, now: datetime) -> None:
        try:
            with unavailable_when_down(), self.sessions.begin() as session:
                renew_refresh_token(session, token_id, now=now)
        except Unavailable:
            # it is tried again at the next use, which for a month is soon enough
            logging.get().warning("refresh_token.not_renewed", token_id=str(token_id))

    async def _tell(self, accepted: Accepted, client: Client) -> None:
        """Write a login down; past the time it may take, the answer goes out while the writing goes on."""
        telling = self.writing.start(_tell_surely, self.login, accepted, client)
        await asyncio.wait({telling}, timeout=_TELLING_SECONDS)


def _tell_surely(login: Login, accepted: Accepted, client: Client) -> None:
    """Try for half a minute; a login that cannot be written down even then is told to the log in full."""
    for attempt in range(_TRIES):
        try:
            login.record.logged_in(accepted, client)
        except Unavailable:
            time.sleep(min(0.5 * 2**attempt, 8) * random.uniform(0.5, 1))
        else:
            return
    logging.get().error(
        "login.not_recorded",
        account=accepted.principal.name,
        method=accepted.method.value,
        address=client.address,
        request_id=client.request_id,
    )


def _refusal(verdict: Rejected) -> WrongCredentials | TooManyGuesses:
    if verdict.reason is Reason.GUESSING:
        return TooManyGuesses(retry_after=verdict.retry_after)
    return WrongCredentials()


def utc_now() -> datetime:
    """The time of a request."""
    return datetime.now(UTC)
