"""`events`: what could not be accepted or settled, and what to do about it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from compose.cli.follow import follow
from compose.cli.here import site_here
from compose.cli.session import operator_context, session_of
from compose.cli.terminal import out, print_table
from compose.docker.restoring import refuse_lost
from compose.local.archive import private
from compose.local.layout import DEFINITIONS
from services.webhook.commands.parked import discard_parked, retry_parked
from services.webhook.queries.parked import get_parked, list_parked
from shared.errors import Conflict, Unavailable
from shared.events import emit
from shared.events.definitions.dead_letter import DeadLetterEvent, DeadLettersDiscarded, DeadLettersRedriven
from shared.events.event import printable
from shared.listing import Listing
from shared.messaging.connection import BROKER_ERRORS, connected
from shared.messaging.dead_letters import (
    MOST_READ,
    DeadLetter,
    NoSuchDeadLetter,
    Tally,
    discard,
    list_dead_letters,
    redrive,
)
from shared.messaging.topology import CONSUMERS, OPERATOR, Consumer
from shared.settings import Settings, load_settings

MOST_LISTED: Final = 500

app = typer.Typer(help="What happens: live, and what was set aside, with its reason.", no_args_is_help=True)
parked = typer.Typer(help="Notifications of the registry that could not be accepted.")
dead_letters = typer.Typer(help="Events that a service could not settle.")
app.command("follow")(follow)
app.add_typer(parked, name="parked")
app.add_typer(dead_letters, name="dead-letters")

Queue = StrEnum("Queue", [(consumer.queue.upper(), consumer.queue) for consumer in CONSUMERS])  # type: ignore[misc]  # made of the catalogue
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
ParkedId = Annotated[UUID, typer.Argument(help="The notification's id, as the list shows it.", show_default=False)]
LetterIds = Annotated[list[str], typer.Argument(help="Ids as the list shows them.", show_default=False)]
OfQueue = Annotated[Queue | None, typer.Option(help="Of this queue alone.", show_default=False)]
FromQueue = Annotated[Queue, typer.Option(help="The queue they come from.", show_default=False)]


@app.command("broker-definitions")
def write_definitions(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="A new file.", show_default=False)]
) -> None:
    """Write users, queues and rights for a broker outside: what `rabbitmqctl import_definitions` takes."""
    site = site_here(context)
    if not site.options.amqp_host:
        raise Conflict("the broker of this instance is its own, and knows them: BREAKWATER_AMQP_HOST names another")
    if site.contained:
        refuse_lost(file.absolute(), verb="events broker-definitions")
    if file.exists():
        raise Conflict(f"{file} exists already: remove it, or name another")
    with private(file) as target:
        target.write((site.layout.broker_conf / DEFINITIONS).read_bytes())
    out.print(f"written: {file}. It holds the digests of passwords: remove it when it is imported.", markup=False)


@parked.callback(invoke_without_command=True)
def parked_by_default(context: typer.Context) -> None:
    """List them, where nothing else is asked."""
    if context.invoked_subcommand is None:
        show_parked_list()


@parked.command("list")
def show_parked_list(as_json: AsJson = False) -> None:
    """The newest first, with their reasons."""
    with session_of(_settings()) as session:
        page = list_parked(session, Listing(page_size=MOST_LISTED))
    found = page.records
    if as_json:
        for each in found:
            _json(id=str(each.id), received_at=each.received_at.isoformat(), reason=each.reason, address=each.address)
        return
    if not found:
        out.print("no notification is parked")
        return
    table = _table("id", "received", "reason")
    for each in found:
        table.add_row(str(each.id), each.received_at.isoformat(timespec="seconds"), _foreign(each.reason))
    print_table(table)
    if page.total > len(found):
        out.print(f"the newest {MOST_LISTED} of {page.total:,} are shown", style="dim")


@parked.command("show")
def show_parked(parked_id: ParkedId) -> None:
    """One of them with its body as it came."""
    with session_of(_settings()) as session:
        found = get_parked(session, parked_id)
    out.print(f"received {found.received_at.isoformat(timespec='seconds')} from {found.address or 'somewhere'}")
    out.print(_foreign(found.reason))
    out.print(_foreign(found.body.decode("utf-8", "replace")))


@parked.command("retry")
def retry(parked_id: ParkedId) -> None:
    """Take it in after all, as after an upgrade that knows more."""
    with session_of(_settings()) as session:
        events = retry_parked(session, parked_id, context=operator_context(_settings(), "events"))
    out.print(f"accepted; new events: {events}")


@parked.command("discard")
def throw_away(parked_id: ParkedId) -> None:
    """Throw it away for good."""
    with session_of(_settings()) as session:
        discard_parked(session, parked_id, context=operator_context(_settings(), "events"))
    out.print("discarded")


@dead_letters.callback(invoke_without_command=True)
def letters_by_default(context: typer.Context) -> None:
    """List them, where nothing else is asked."""
    if context.invoked_subcommand is None:
        show_letters()


@dead_letters.command("list")
def show_letters(queue: OfQueue = None, as_json: AsJson = False) -> None:
    """The oldest first, with their reasons."""
    with _broker() as connection:
        found = [letter for consumer in _consumers(queue) for letter in list_dead_letters(connection, consumer)]
    if as_json:
        for letter in found:
            _json(
                id=letter.id,
                queue=letter.queue,
                routing_key=letter.routing_key,
                failed_at=letter.failed_at,
                attempts=letter.attempts,
                code=letter.code,
                reason=letter.reason,
            )
        return
    if not found:
        out.print("there are no dead letters")
        return
    table = _table("queue", "id", "event", "failed", "attempts", "reason")
    for letter in found:
        cells = (letter.id, letter.routing_key, letter.failed_at, str(letter.attempts), _why(letter))
        table.add_row(letter.queue, *(_foreign(cell) for cell in cells))
    print_table(table)
    if len(found) >= MOST_READ:
        out.print(f"of each queue the oldest {MOST_READ:,} are shown at most", style="dim")


@dead_letters.command("show")
def show_letter(letter_id: Annotated[str, typer.Argument(show_default=False)], queue: OfQueue = None) -> None:
    """One of them with its body."""
    with _broker() as connection:
        found = [letter for consumer in _consumers(queue) for letter in list_dead_letters(connection, consumer)]
    letters = [letter for letter in found if letter.id == letter_id]
    if not letters:
        raise NoSuchDeadLetter(f"no dead letter has the id {letter_id}")
    for letter in letters:
        out.print(_foreign(f"{letter.queue} {letter.routing_key}: {_why(letter)}"))
        out.print(_foreign(letter.body.decode("utf-8", "replace")))


@dead_letters.command("redrive")
def send_back(
    queue: FromQueue,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids; all where none is given.", show_default=False)] = None,
) -> None:
    """Give them back to their service, with all attempts before them."""
    (consumer,) = _consumers(queue)
    with _settling(consumer, DeadLettersRedriven) as tally, _broker() as connection:
        redrive(connection, consumer, ids or None, tally=tally)
    out.print(f"sent back to {queue.value}: {tally.count}")


@dead_letters.command("discard")
def throw_letters_away(queue: FromQueue, ids: LetterIds) -> None:
    """Throw them away for good."""
    (consumer,) = _consumers(queue)
    with _settling(consumer, DeadLettersDiscarded) as tally, _broker() as connection:
        discard(connection, consumer, ids, tally=tally)
    out.print(f"discarded: {tally.count}")


@contextmanager
def _settling(consumer: Consumer, kind: type[DeadLetterEvent]) -> Iterator[Tally]:
    """Record how many were settled, also where the rest failed. Raises Unavailable before anything is done."""
    settings, tally = _settings(), Tally()
    with session_of(settings) as session:
        session.connection()
    try:
        yield tally
    finally:
        if tally.count:
            with session_of(settings) as session:
                event = kind(queue=consumer.queue, count=tally.count)
                emit(session, event, context=operator_context(settings, "events"))


@contextmanager
def _broker() -> Iterator[Any]:
    """A connection of the operator's. Raises Unavailable."""
    try:
        with connected(_settings()) as connection:
            yield connection
    except BROKER_ERRORS as error:
        raise Unavailable("the broker is not available right now: try again in a moment") from error


def _settings() -> Settings:
    """The operator's: the owner of the database, and of the dead letters."""
    return load_settings(part=OPERATOR)


def _consumers(queue: Queue | None) -> tuple[Consumer, ...]:
    return tuple(consumer for consumer in CONSUMERS if queue is None or consumer.queue == queue.value)


def _why(letter: DeadLetter) -> str:
    return f"{letter.reason} ({letter.code})"


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _foreign(text: str) -> Text:
    """What others wrote, harmless on a terminal."""
    return Text(printable(text))


def _json(**fields: object) -> None:
    out.print_json(json.dumps(fields), indent=None)
