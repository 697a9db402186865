"""The seam between a name with a password and whoever can tell whether they belong together.

Denial is a value, breakdown is an exception: an authenticator that cannot ask its source raises Unavailable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.auth.passwords import LONGEST_PASSWORD, verify_password
from shared.auth.principals import SYSTEM_PREFIX, Principal
from shared.secrets import Secret


class Reason(StrEnum):
    """Why a credential was refused: for the log alone, the caller always hears the same sentence."""

    MALFORMED = "malformed"
    """A name or password that no account can have; an empty one among them."""
    UNKNOWN = "unknown"
    """No account has this name."""
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a word of the log
    """The account exists, the password is another."""
    DISABLED = "disabled"
    """The account is disabled."""
    EXPIRED = "expired"
    """The robot account's time is over."""
    GUESSING = "guessing"
    """Too many wrong passwords of this account from this address: nothing was compared."""


class Method(StrEnum):
    """What established an identity; the words stand in the event of a login."""

    DATABASE = "database"
    """A password of the users table."""
    LDAP = "ldap"
    """A bind to the directory."""
    ROBOT = "robot"
    """A robot account's secret."""
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a word of the event
    """A refresh token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """A name and a password as somebody sent them."""

    name: str
    password: Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """Where a credential came from."""

    address: str = ""
    user_agent: str | None = None
    request_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The credential is right."""

    principal: Principal
    method: Method = Method.DATABASE


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """The account is this authenticator's, and the credential is not right."""

    reason: Reason
    retry_after: float = 0
    """Seconds until another attempt is compared at all; 0 unless the reason is guessing."""


@dataclass(frozen=True, slots=True)
class NotMine:
    """The account is not this authenticator's: the next one is asked."""


Verdict = Accepted | Rejected | NotMine


class Authenticator(Protocol):
    """One source of accounts."""

    def authenticate(self, credential: Credential, now: datetime) -> Verdict:
        """Judge a credential. Raises Unavailable where the source does not answer."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Asks one authenticator after another until one says the account is its own."""

    authenticators: Sequence[Authenticator]

    def authenticate(self, credential: Credential, now: datetime) -> Accepted | Rejected:
        """Judge a credential; an account that nobody knows costs the time of a wrong password.

        Raises Unavailable where the source that has to be asked does not answer.
        """
        password = credential.password.reveal()
        if is_malformed(credential.name, password):
            return Rejected(reason=Reason.MALFORMED)
        for authenticator in self.authenticators:
            verdict = authenticator.authenticate(credential, now)
            if not isinstance(verdict, NotMine):
                return verdict
        verify_password(None, password)
        return Rejected(reason=Reason.UNKNOWN)


def is_malformed(name: str, password: str) -> bool:
    """Whether no account can have this name or password: refused before anything is asked or compared."""
    return (
        not name
        or not password
        or len(name) > 255  # noqa: PLR2004 - the longest name of an account
        or len(password) > LONGEST_PASSWORD
        or "\0" in name
        or "\0" in password
        or name.startswith(SYSTEM_PREFIX)
    )
