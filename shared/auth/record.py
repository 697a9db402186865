"""What logins leave behind: an event for each success, counted events for failures.

The first wrong login of an account from an address is told at once, the rest of that minute together when it is over.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from threading import Event as Bell
from threading import Lock, Thread
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from psycopg.rows import tuple_row

from shared import logging
from shared.auth.authenticate import Accepted, Client
from shared.directory import Connection, Lender
from shared.errors import Unavailable
from shared.events import Actor, ActorKind, EventContext
from shared.events.definitions.user import UserLoggedIn, UserLoginFailed
from shared.events.envelope import rfc3339
from shared.events.event import printable
from shared.events.outbox import emit_raw

OTHERS: Final = "(others, not counted one by one)"
"""Stands for the account once too many names are tried at a time; the comma keeps it from being one's name."""
WINDOW: Final = timedelta(minutes=5)
"""How far back wrong credentials count against an account at an address, over all processes."""
FLUSH_SECONDS: Final = 5.0
_MOST_KEYS: Final = 100
_MOST_ROWS: Final = 500
_KEPT: Final = timedelta(hours=1)

_COUNT: Final = """
    INSERT INTO token.login_failures AS f (account, address, minute, failures, refused) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (account, address, minute)
        DO UPDATE SET failures = f.failures + excluded.failures, refused = f.refused + excluded.refused
    RETURNING failures + refused, reported
"""
_MARK: Final = """
    UPDATE token.login_failures SET reported = %s WHERE account = %s AND address = %s AND minute = %s
"""
_RECENT: Final = """
    SELECT coalesce(sum(failures), 0)::integer FROM token.login_failures
    WHERE account = %s AND address = %s AND minute > %s
"""
_UNTOLD: Final = """
    SELECT account, address, minute, failures + refused, reported FROM token.login_failures
    WHERE minute < %s AND reported < failures + refused LIMIT %s FOR UPDATE SKIP LOCKED
"""
_TRIM: Final = "DELETE FROM token.login_failures WHERE minute < %s AND reported = failures + refused"


class _Key(NamedTuple):
    account: str
    address: str
    minute: datetime


class LoginRecord:
    """Writes to the outbox and the table of failures; refusals that cost nothing are first summed up in memory."""

    def __init__(self, lend: Lender, instance_id: UUID) -> None:
        self._lend = lend
        self._instance_id = instance_id
        self._refused: Counter[_Key] = Counter()
        self._lock = Lock()
        self._ended = Bell()

    def logged_in(self, accepted: Accepted, client: Client) -> None:
        """Tell of a login. Raises Unavailable; whoever answers before this has returned must keep at it."""
        principal = accepted.principal
        actor = Actor(kind=ActorKind(principal.kind.value), name=principal.name)
        event = UserLoggedIn(username=principal.name, user_id=principal.id, method=accepted.method.value)
        with self._lend() as connection, connection.transaction():
            emit_raw(connection, [(event, uuid4())], context=self._context(actor, client))

    def recent(self, account: str, address: str, now: datetime) -> int:
        """How many wrong credentials of this account came from this address lately, to whichever process."""
        with self._lend() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(_RECENT, (_clean(account), _clean(address), now - WINDOW)).fetchone()
        return int(row[0]) if row else 0

    def wrong(self, account: str, client: Client, now: datetime) -> None:
        """Count a credential that was compared and is wrong. Raises Unavailable."""
        with self._lend() as connection, connection.transaction():
            self._count(connection, _key(account, client.address, now), failures=1, refused=0, client=client)

    def refused(self, account: str, client: Client, now: datetime) -> None:
        """Count an attempt that nothing was compared for: in memory, written down within seconds."""
        key = _key(account, client.address, now)
        with self._lock:
            if key not in self._refused and len(self._refused) >= _MOST_KEYS:
                key = key._replace(account=OTHERS)
            self._refused[key] += 1

    def flush(self) -> None:
        """Write down what was summed up. Raises Unavailable, and then keeps it."""
        with self._lock:
            taken, self._refused = self._refused, Counter()
        try:
            with self._lend() as connection, connection.transaction():
                for key, number in sorted(taken.items()):
                    self._count(connection, key, failures=0, refused=number, client=Client(address=key.address))
        except Unavailable:
            with self._lock:
                self._refused.update(taken)
            raise

    def report(self, now: datetime) -> None:
        """Tell of what minutes that are over still hold untold, and drop the oldest. Raises Unavailable."""
        with self._lend() as connection, connection.transaction():
            with connection.cursor(row_factory=tuple_row) as cursor:
                due = cursor.execute(_UNTOLD, (_minute(now), _MOST_ROWS)).fetchall()
            for account, address, minute, total, reported in due:
                key = _Key(account, address, minute)
                self._tell(connection, key, total - reported, total, Client(address=address))
            connection.execute(_TRIM, (now - _KEPT,))

    def keep(self, *, report: bool) -> None:
        """Flush from now on, in a thread of its own, until `close`; report too, which is the token mount's part."""
        Thread(target=self._keep, args=(report,), name="login-record", daemon=True).start()

    def close(self) -> None:
        """End the thread and write down what is left, as far as the database answers."""
        self._ended.set()
        self._turn(report=False)

    def _keep(self, report: bool) -> None:  # noqa: FBT001 - a thread's argument
        while not self._ended.wait(FLUSH_SECONDS):
            self._turn(report=report)

    def _turn(self, *, report: bool) -> None:
        try:
            if self._refused:
                self.flush()
            if report:
                self.report(datetime.now(UTC))
        except Unavailable as error:
            logging.get().warning("login_record.put_off", reason=error.sentence, waiting=self._refused.total())
        except Exception:  # noqa: BLE001 - the thread must outlive any one bad turn; the line tells of it
            logging.get().exception("login_record.turn_failed")

    def _count(self, connection: Connection, key: _Key, *, failures: int, refused: int, client: Client) -> None:
        with connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(_COUNT, (*key, failures, refused)).fetchone()
        if row and row[1] == 0:
            self._tell(connection, key, row[0], row[0], client)

    def _tell(self, connection: Connection, key: _Key, count: int, total: int, client: Client) -> None:
        """An event for `count` failures; the row remembers that all `total` have been told of now."""
        event = UserLoginFailed(username=key.account, count=count, minute=rfc3339(key.minute))
        actor = Actor(kind=ActorKind.ANONYMOUS, name="anonymous")
        emit_raw(connection, [(event, uuid4())], context=self._context(actor, client))
        connection.execute(_MARK, (total, *key))

    def _context(self, actor: Actor, client: Client) -> EventContext:
        return EventContext(
            instance_id=self._instance_id,
            actor=actor,
            request_id=client.request_id,
            address=client.address or None,
            user_agent=client.user_agent,
            traceparent=client.traceparent,
        )


def _key(account: str, address: str, now: datetime) -> _Key:
    return _Key(_clean(account), _clean(address), _minute(now))


def _minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


def _clean(text: str) -> str:
    return printable(text.lower()[:255])
