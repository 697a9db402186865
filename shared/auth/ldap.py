"""Users of a directory (LDAP, Active Directory): looked up with the search account, then bound with their password.

Referrals are not followed, an empty password never reaches the server (it would be an anonymous bind that succeeds),
and a directory that does not answer stops only its own users.
"""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore
from typing import Any, Final
from uuid import UUID, uuid4

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.utils.dn import escape_rdn
from psycopg.rows import tuple_row

from shared import directory, logging
from shared.auth.accounts import robot_prefix
from shared.auth.authenticate import Accepted, Credential, Method, NotMine, Reason, Rejected, Verdict
from shared.auth.ldap_settings import KEYS, LdapSettings
from shared.directory import Lender, User
from shared.errors import Unavailable
from shared.events import Actor, ActorKind, EventContext
from shared.events.definitions.user import UserCreated
from shared.events.outbox import emit_raw
from shared.secrets import Sealer

_SCOPES: Final = {0: ldap3.BASE, 1: ldap3.LEVEL, 2: ldap3.SUBTREE}
_BROKEN: Final = frozenset({1, 2, 51, 52, 80})
"""Result codes that tell of the server's state, not of the credential: operations and protocol error, busy, away."""
_UNSEARCHABLE: Final = _BROKEN | {3, 11, 32, 50}
"""The same of a search: it took too long, or its base is missing or closed to us; no user's name causes these."""
_TAKE_IN: Final = "SELECT user_id, created FROM core.take_in_directory_user(%s, %s, %s, %s)"
_FORBIDDEN_IN_NAME: Final = frozenset(',"~#$%:/\\')
_WAIT_SECONDS: Final = 0.25
_REST_SECONDS: Final = 3.0
"""After a failure the directory is left alone for so long; its users hear so at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A user as the directory describes it."""

    dn: str
    name: str
    full_name: str
    mail: str


class LdapUsers:
    """The directory that is configured at this moment, if any; `seats` logins at most wait for it at a time."""

    def __init__(self, lend: Lender, sealer: Sealer, instance_id: UUID, *, seats: int) -> None:
        self._lend = lend
        self._sealer = sealer
        self._instance_id = instance_id
        self._seats = BoundedSemaphore(seats)
        self._rests_until = 0.0

    def authenticate(self, credential: Credential, now: datetime) -> Verdict:  # noqa: ARG002 - its users have no end
        """Judge a credential; a new user of the directory gets an account. Raises Unavailable."""
        with self._lend() as connection:
            settings = LdapSettings.parse(directory.configuration(connection, KEYS), self._sealer)
            prefix = robot_prefix(connection)
        # a robot's name, or one that nobody can have: those are judged where nothing may wait for a directory
        if settings is None or "$" in credential.name or credential.name.startswith(prefix):
            return NotMine()
        with self._seat(settings):
            entry = _find(settings, credential.name)
            password = credential.password.reveal()
            if entry is None:
                # somebody unknown costs a refused bind, as a wrong password does
                _binds(settings, f"{settings.uid}={escape_rdn(credential.name)},{settings.base_dn}", password)
                return Rejected(reason=Reason.UNKNOWN)
            if not _binds(settings, entry.dn, password):
                return Rejected(reason=Reason.WRONG_PASSWORD)
        user = self._take_in(entry, prefix)
        if user is None:
            return Rejected(reason=Reason.UNKNOWN)
        if user.disabled:
            return Rejected(reason=Reason.DISABLED)
        return Accepted(principal=user.principal, method=Method.LDAP)

    def _take_in(self, entry: Entry, prefix: str) -> User | None:
        """The account of a directory's user, made where there is none; None where the name cannot be one."""
        name = entry.name
        if name != name.strip() or not name.isprintable() or _FORBIDDEN_IN_NAME & set(name) or name.startswith(prefix):
            logging.get().warning("ldap.name_unfit", name=name)
            return None
        with self._lend() as connection, connection.transaction():
            with connection.cursor(row_factory=tuple_row) as cursor:
                row = cursor.execute(_TAKE_IN, (name, entry.full_name, entry.mail, entry.dn)).fetchone()
            if row is None:
                logging.get().warning("ldap.name_belongs_to_the_database", name=name)
                return None
            user_id, created = row
            if created:
                actor = Actor(kind=ActorKind.USER, name=name)
                context = EventContext(instance_id=self._instance_id, actor=actor)
                emit_raw(connection, [(UserCreated(username=name, user_id=user_id), uuid4())], context=context)
            return directory.find_user_by_id(connection, user_id)

    @contextmanager
    def _seat(self, settings: LdapSettings) -> Iterator[None]:
        """Ask the directory, with a bounded number of others. Raises Unavailable at any breakdown."""
        if time.monotonic() < self._rests_until:
            raise Unavailable("the directory does not answer right now: try again in a moment")
        if not self._seats.acquire(timeout=_WAIT_SECONDS):
            raise Unavailable("the directory is busy right now: try again in a moment")
        try:
            yield
        except (LDAPException, OSError) as error:
            self._rests_until = time.monotonic() + _REST_SECONDS
            logging.get().error("ldap.unavailable", url=settings.url, reason=str(error))
            raise Unavailable("the directory does not answer right now: try again in a moment") from error
        finally:
            self._seats.release()


def _find(settings: LdapSettings, name: str) -> Entry | None:
    """The one user of this name; several are none. Raises LDAPException."""
    with _connected(settings, settings.search_dn, settings.search_password.reveal()) as connection:
        if connection is None:
            raise LDAPException("the search account cannot bind")
        connection.search(
            settings.base_dn,
            settings.search_filter(name),
            search_scope=_SCOPES.get(settings.scope, ldap3.SUBTREE),
            attributes=[settings.uid, "cn", "mail"],
            size_limit=2,
            time_limit=settings.timeout,
        )
        _raise_if(_UNSEARCHABLE, connection.result)
        entries = [entry for entry in connection.response or () if entry["type"] == "searchResEntry"]
    if len(entries) != 1:
        return None
    attributes = entries[0]["attributes"]
    names = [value for value in _values(attributes, settings.uid) if value.lower() == name.strip().lower()]
    if len(names) != 1:
        return None
    return Entry(
        dn=str(entries[0]["dn"]),
        name=names[0],
        full_name=next(iter(_values(attributes, "cn")), ""),
        mail=next(iter(_values(attributes, "mail")), ""),
    )


def _binds(settings: LdapSettings, dn: str, password: str) -> bool:
    """Whether a name and a password open the directory. Raises LDAPException."""
    if not password:
        return False
    with _connected(settings, dn, password) as connection:
        return connection is not None


@contextmanager
def _connected(settings: LdapSettings, dn: str, password: str) -> Iterator[Any]:
    """A bound connection, None where the bind was refused. Raises LDAPException."""
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED if settings.verify_cert else ssl.CERT_NONE)
    server = ldap3.Server(settings.url, get_info=ldap3.NONE, connect_timeout=settings.timeout, tls=tls)
    connection = ldap3.Connection(
        server,
        user=dn or None,
        password=password or None,
        authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
        auto_referrals=False,
        receive_timeout=settings.timeout,
        read_only=True,
        check_names=False,
        raise_exceptions=False,
    )
    try:
        if connection.bind():
            yield connection
        else:
            _raise_if(_BROKEN, connection.result)
            yield None
    finally:
        connection.unbind()


def _raise_if(codes: frozenset[int], result: Mapping[str, Any]) -> None:
    if result["result"] in codes:
        raise LDAPException(f"{result['description']}: {result['message']}")


def _values(attributes: Mapping[str, Any], name: str) -> list[str]:
    """An attribute's values as texts; attribute names are the same in any case."""
    for key, value in attributes.items():
        if key.lower() == name.lower():
            return [str(each) for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
    return []
