"""Sessions of people at the portal: begun by a login, ended by idleness, age, log-out, or a change of the account.

The cookie's value is 256 random bits, of which the hash alone is stored. The token against cross-site requests is
derived from it: whoever cannot read the cookie cannot know the one, and whoever reads the other cannot find the cookie.
"""

import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.auth.authenticate import Client, Method
from shared.auth.principals import Principal
from shared.directory import configuration, find_user_by_id, plain

LONGEST: Final = timedelta(hours=12)
"""However busy a session is, its password is asked for again after this."""
LONGEST_OF_DIRECTORY: Final = timedelta(hours=1)
"""A directory does not tell us that an account was closed there."""
TIMEOUT_KEY: Final = "session_timeout"
TIMEOUT_MINUTES: Final = 60
"""Without a request, where nothing else is configured."""
SEEN_EVERY: Final = timedelta(minutes=1)
"""A session's use is written down at most so often."""
MOST_OF_USER: Final = 50
_SWEPT: Final = 200
_LONGEST_COOKIE: Final = 128
_MOST_TEXT: Final = 255

_BEGIN: Final = text(
    """
    INSERT INTO gateway.sessions
        (token_hash, user_id, credential_version, address, user_agent, created_at, seen_at, expires_at)
    VALUES (:token_hash, :user_id, :credential_version, :address, :user_agent, :now, :now, :expires_at)
    """
)
_FIND: Final = text(
    "SELECT user_id, credential_version, seen_at FROM gateway.sessions"
    " WHERE token_hash = :token_hash AND expires_at > :now AND seen_at > :idle_since"
)
_SEEN: Final = text("UPDATE gateway.sessions SET seen_at = :now WHERE token_hash = :token_hash AND seen_at < :now")
_END: Final = text("DELETE FROM gateway.sessions WHERE token_hash = :token_hash")
_SWEEP: Final = text(
    """
    DELETE FROM gateway.sessions WHERE token_hash IN (
        SELECT token_hash FROM gateway.sessions WHERE expires_at <= :now
        ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    """
)
# those longest unused give way where somebody has very many
_MAKE_ROOM: Final = text(
    """
    DELETE FROM gateway.sessions WHERE token_hash IN (
        SELECT token_hash FROM gateway.sessions WHERE user_id = :user_id ORDER BY seen_at DESC OFFSET :kept)
    """
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A session that is good now."""

    principal: Principal
    csrf_token: str


def begin(database: Session, principal: Principal, method: Method, client: Client, now: datetime) -> str:
    """Begin a session of a person who has just proved to be the one; returns the cookie's value. The caller commits."""
    cookie = secrets.token_urlsafe(32)
    longest = LONGEST_OF_DIRECTORY if method is Method.LDAP else LONGEST
    database.execute(_SWEEP, {"now": now, "limit": _SWEPT})
    database.execute(_MAKE_ROOM, {"user_id": principal.id, "kept": MOST_OF_USER - 1})
    database.execute(
        _BEGIN,
        {
            "token_hash": fingerprint(cookie),
            "user_id": principal.id,
            "credential_version": principal.credential_version,
            "address": client.address[:_MOST_TEXT],
            "user_agent": (client.user_agent or "").replace("\0", "")[:_MOST_TEXT],
            "now": now,
            "expires_at": now + longest,
        },
    )
    return cookie


def find(database: Session, cookie: str, now: datetime, *, renew: bool) -> Found | None:
    """The session of a cookie, and its account as it is now; None where one of them is no longer good.

    `renew` says whether this use keeps it from becoming idle.
    """
    if len(cookie) > _LONGEST_COOKIE:
        return None
    token_hash = fingerprint(cookie)
    idle = idle_time(configuration(plain(database), [TIMEOUT_KEY]).get(TIMEOUT_KEY))
    row = database.execute(_FIND, {"token_hash": token_hash, "now": now, "idle_since": now - idle}).one_or_none()
    user = find_user_by_id(plain(database), row.user_id) if row else None
    if row is None or user is None or user.disabled or user.credential_version != row.credential_version:
        return None
    if renew and now - row.seen_at >= min(SEEN_EVERY, idle / 2):
        database.execute(_SEEN, {"token_hash": token_hash, "now": now})
    return Found(principal=user.principal, csrf_token=csrf_token(cookie))


def idle_time(configured: object) -> timedelta:
    """How long a session lasts without a request, from what is configured, or None."""
    return timedelta(minutes=configured if type(configured) is int else TIMEOUT_MINUTES)


def end(database: Session, cookie: str) -> None:
    """End a session, if there is one. The caller commits."""
    database.execute(_END, {"token_hash": fingerprint(cookie)})


def csrf_token(cookie: str) -> str:
    """What a request that changes something has to send beside the cookie."""
    key = cookie.encode(errors="surrogatepass")
    return urlsafe_b64encode(hmac.digest(key, b"breakwater csrf", "sha256")).rstrip(b"=").decode()


def fingerprint(cookie: str) -> bytes:
    """What is stored of a cookie."""
    return sha256(cookie.encode(errors="surrogatepass")).digest()
