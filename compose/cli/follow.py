"""`events follow`: the live stream in the terminal, as any client gets it, resumed by itself when it breaks."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import random
from time import sleep
from typing import Annotated, Any, Final

import requests
import typer
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from rich.text import Text

from compose.cli.here import contained, options_here
from compose.cli.terminal import err, out
from compose.local.layout import Layout
from compose.local.logs import moment
from compose.local.options import Options
from shared.errors import BadRequest, Forbidden, Unauthorized, Unavailable
from shared.events.envelope import rfc3339
from shared.events.event import printable
from shared.registry.transport import UnixPool
from shared.secrets import Secret
from shared.settings import load_settings

PATH: Final = "/api/v2.0/events/stream"
CONNECT_SECONDS: Final = 5
SILENCE_SECONDS: Final = 25
"""The server beats every eight seconds."""
LONGEST_PAUSE: Final = 15.0

_COLOURS: Final = {
    "pushed": "green",
    "created": "green",
    "pulled": "cyan",
    "logged_in": "cyan",
    "deleted": "red",
    "revoked": "red",
    "login_failed": "red",
    "purged": "red",
}
_FOR_GOOD: Final = {"account": Unauthorized, "project": Unavailable, "trimmed": BadRequest}
_REFUSALS: Final = {401: Unauthorized, 403: Forbidden}


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message of the stream."""

    id: str | None
    event: str
    data: str


class SocketAdapter(HTTPAdapter):
    """Carries requests to unix sockets, whatever host their URLs name."""

    def __init__(self, sockets: Sequence[Path]) -> None:
        super().__init__()
        self._pool = UnixPool(sockets)

    def get_connection_with_tls_context(self, *_asked: Any, **_more: Any) -> UnixPool:  # noqa: ANN401 - see HTTPAdapter
        """Called for each request."""
        return self._pool


class Interrupted(Exception):
    """The stream broke, and may be taken up again."""


def follow(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="The events as they are, one a line.")] = False,
    since: Annotated[str | None, typer.Option(help="A sequence, 30s, 10m, 2h, 3d or a time.")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="artifact.pushed, artifact, …; repeatable.")] = None,
    project: Annotated[list[str] | None, typer.Option(help="In this project; repeatable.")] = None,
    repository: Annotated[list[str] | None, typer.Option(help="In this repository; repeatable.")] = None,
    user: Annotated[str, typer.Option(help="The account to sign in as.")] = "admin",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
) -> None:
    """Show what happens while it happens, until interrupted."""
    options = options_here(context)
    parameters: dict[str, list[str] | str] = {
        "type": type_ or [],
        "project": project or [],
        "repository": repository or [],
    }
    if since:
        parameters["since"] = since if since.isdigit() else rfc3339(moment(since, now=datetime.now(UTC)))
    session = requests.Session()
    session.trust_env = False
    # as bytes: requests would write text in Latin-1, and the server reads UTF-8
    password = _password(options, user, from_stdin=password_stdin).reveal()
    session.auth = HTTPBasicAuth(user.encode(), password.encode())
    url = options.local_url
    if contained(context):
        # the public door is on a network that nobody shares
        url = "http://localhost"
        session.mount(url, SocketAdapter(load_settings().stream_mounts))
    elif options.tls:
        session.verify = str(Layout(options.home).public_certificate)
    try:
        for message in _resumed(session, url + PATH, parameters):
            _show(message, as_json=as_json)
    except (KeyboardInterrupt, BrokenPipeError):
        return


def messages(lines: Iterable[bytes]) -> Iterator[Message]:
    """Parse Server-Sent Events (WHATWG HTML, 9.2.6). A message without data still carries its id."""
    fields: dict[str, str] = {}
    for raw in lines:
        line = raw.decode("utf-8", "replace")
        if not line:
            if fields:
                yield Message(id=fields.get("id"), event=fields.get("event", ""), data=fields.get("data", ""))
            fields = {}
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in fields:
            value = f"{fields['data']}\n{value}"
        if name:
            fields[name] = value


def line_of(event: Mapping[str, Any]) -> Text:
    """An event on one line: its number, when, what, on what, by whom, from where."""
    kind = str(event["type"]).removeprefix("breakwater.").removesuffix(".v1")
    data = event.get("data") or {}
    client = data.get("client") or {}
    when = datetime.fromisoformat(str(event["time"])).astimezone()
    line = Text(f"{event.get('sequence', ''):>6} ", style="dim")
    line.append(f"{when:%H:%M:%S} ", style="dim")
    line.append(f"{kind:<22} ", style=_COLOURS.get(kind.rpartition(".")[2], "yellow"))
    line.append(printable(str(event["subject"])), style="bold")
    line.append(f" by {printable(str(event['actor']))}")
    if client.get("address"):
        line.append(f" from {printable(str(client['address']))}", style="dim")
    return line


def _resumed(session: requests.Session, url: str, parameters: dict[str, Any]) -> Iterator[Message]:
    """The stream's events, taken up again behind the last one when it breaks. Raises what cannot be waited out."""
    last: str | None = None
    pause = 0.5
    while True:
        try:
            for message in _opened(session, url, parameters, last):
                pause = 0.5
                last = message.id or last
                if message.event == "end":
                    _ended(message)
                elif message.data:
                    yield message
            raise Interrupted("the stream ended")  # noqa: TRY301 - one place decides what happens then
        except (Interrupted, requests.RequestException) as error:
            reason = str(error) if isinstance(error, Interrupted) else "no connection"
            err.print(f"{reason}: trying again", style="dim", markup=False)
            sleep(pause * (0.5 + random()))
            pause = min(pause * 2, LONGEST_PAUSE)


def _opened(session: requests.Session, url: str, parameters: dict[str, Any], last: str | None) -> Iterator[Message]:
    with session.get(
        url,
        params=parameters,
        headers={"Last-Event-ID": last} if last else {},
        stream=True,
        timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
        allow_redirects=False,
    ) as answer:
        if not answer.ok:
            _refused(answer)
        yield from messages(answer.iter_lines(chunk_size=None))


def _refused(answer: requests.Response) -> None:
    """Raises Interrupted where waiting may help, and the refusal's sentence where not."""
    try:
        sentence = str(answer.json()["errors"][0]["message"])
    except (ValueError, LookupError, TypeError):
        sentence = f"the server answered {answer.status_code}"
    if answer.status_code >= requests.codes.internal_server_error or answer.status_code == requests.codes.too_many:
        raise Interrupted(sentence)
    raise _REFUSALS.get(answer.status_code, BadRequest)(sentence)


def _ended(message: Message) -> None:
    """The server's last word: what it means for the next attempt."""
    data = json.loads(message.data)
    raise _FOR_GOOD.get(data["reason"], Interrupted)(data["message"])


def _show(message: Message, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(message.data + "\n")
        sys.stdout.flush()
    else:
        out.print(line_of(json.loads(message.data)))


def _password(options: Options, user: str, *, from_stdin: bool) -> Secret:
    """The first administrator's, out of the home, unless somebody else is to sign in."""
    if from_stdin:
        return Secret(sys.stdin.readline().rstrip("\n"))
    if user != "admin":
        return Secret(typer.prompt(f"Password of {user}", hide_input=True))
    return Secret.read(options.home / "secrets" / "admin-password")
