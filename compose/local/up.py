"""`up`: brings an instance to the state in which every part is healthy, whatever state it was in before."""

import compileall
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

from compose.local import health, processes
from compose.local.accounts import Accounts, accounts
from compose.local.broker import keep_authorities, refuse_unprepared_broker
from compose.local.bucket import bucket_of, keep_keys, refuse_unusable_bucket
from compose.local.configuration import SUPERVISOR, configure
from compose.local.credentials import prepare_secrets, settle_owners
from compose.local.database import make_database, prepare_database, publish_again
from compose.local.down import stop_everything
from compose.local.folders import keep_certificate, make_folders, refuse_taken_port, refuse_unusable
from compose.local.layout import Layout
from compose.local.options import Options, remember, remembered_broker
from compose.local.outside import keep_owner, refuse_unusable_database
from compose.local.parts import SERVICES
from compose.local.progress import Watcher
from compose.local.site import Site, binaries_of, new_site
from compose.local.state import exclusively, note_start, started_with
from compose.local.supervision import State, Supervisor, start_supervisor
from compose.local.tail import last_lines
from services.token import keys
from shared.errors import BreakwaterError
from shared.secrets import Secret

PATIENCE_SECONDS = 120
_SETTLING_SECONDS = 10.0
"""Who came before the broker rests for some seconds between its tries; one that is outside may be away for long."""
_LAST_LINES = 15
_MOST_STARTS = 3


class CannotStart(BreakwaterError):
    """A part does not start; the sentence names it and ends with its last lines."""

    code = "CANNOT_START"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What `up` found and did."""

    first: bool
    """It had never been up as a whole before."""
    started: tuple[str, ...]
    """The parts it started or restarted; empty where there was nothing to do."""
    seconds: float
    site: Site
    separate: bool
    """Whether the parts run as users of their own."""


def up(options: Options, watcher: Watcher) -> Outcome:
    """Start the instance, or what of it is missing or out of date.

    Raises CannotStart, PortTaken, Busy or ConfigurationError.
    """
    begun = time.monotonic()
    layout = Layout(options.home)
    users = accounts()
    refuse_unusable(layout, options, separate=users.separate)
    binaries = binaries_of(options)
    refuse_unusable_bucket(layout, bucket_of(layout, options))
    refuse_unusable_database(layout, options)
    with exclusively(layout.home):
        before = started_with(layout.home)
        supervisor = Supervisor(layout)
        running = supervisor.is_running()
        if not running:
            _clear(layout, watcher)
        refuse_taken_port(options)
        watcher.stage("preparing configuration and secrets")
        make_folders(layout, users)
        site = new_site(options, binaries, running=running)
        fingerprints = _prepare(site, users)
        if running and fingerprints[SUPERVISOR] != before.get(SUPERVISOR):
            watcher.stage("the configuration has changed: stopping what runs")
            stop_everything(layout, supervisor)
            running = False
            _clear(layout, watcher)
            make_folders(layout, users)
        moved = bool(before) and remembered_broker(layout.home) != options.amqp_host
        if options.amqp_host and (moved or not before):
            refuse_unprepared_broker(site)
        if running:
            started = _bring_up_to_date(site, supervisor, fingerprints, before, watcher)
        else:
            started = _start(site, users, watcher, moved=moved)
        remember(options)
        note_start(layout.home, fingerprints)
    return Outcome(
        first=not before, started=started, seconds=time.monotonic() - begun, site=site, separate=users.separate
    )


def _clear(layout: Layout, watcher: Watcher) -> None:
    """Remove what a killed instance left: processes, sockets, pid files."""
    lost = processes.of_instance(layout.home)
    if lost:
        watcher.stage(f"stopping {len(lost)} processes that a killed supervisor left")
        processes.stop(lost, seconds=15)
    if layout.run.is_dir():
        for entry in layout.run.iterdir():
            entry.unlink()
    # no postgres of this instance is alive any more; the pid in the file may be another program's by now
    layout.database.joinpath("postmaster.pid").unlink(missing_ok=True)


def _prepare(site: Site, users: Accounts) -> Mapping[str, str]:
    layout, options = site.layout, site.options
    keep_keys(layout, bucket_of(layout, options))
    keep_owner(site)
    keep_authorities(site)
    password = options.admin_password
    prepare_secrets(layout, users, admin_password=Secret(password.get_secret_value()) if password else None)
    keys.ensure(layout.secrets / "token" / "signing", layout.secrets / "registry" / "bundle.pem", datetime.now(UTC))
    keep_certificate(layout, options, users, datetime.now(UTC))
    settle_owners(layout, users)
    for package, level in product(("shared", "services", "gateway", "compose"), (0, 2)):
        compileall.compile_dir(layout.code / package, quiet=2, optimize=level)
    return configure(site, users)


def _start(site: Site, users: Accounts, watcher: Watcher, *, moved: bool) -> tuple[str, ...]:
    layout = site.layout
    supervisor = start_supervisor(site)
    try:
        watcher.stage("starting the parts")
        # the broker takes longest: everything else is done while it starts
        supervisor.start([part for part in ("log", "rabbitmq", "registry") if part in site.parts])
        if "postgres" in site.parts:
            make_database(site, users)
            supervisor.start(["postgres"])
            _await(site, supervisor, ["postgres"], watcher)
        watcher.stage("bringing the database up to date")
        prepare_database(site)
        if moved:
            # what the broker before it held is not there
            publish_again(site)
        supervisor.start([*SERVICES, "proxy"])
        watcher.stage("waiting until every part is healthy")
        _await(site, supervisor, site.parts, watcher)
        _settle(site, supervisor)
    except BaseException:
        stop_everything(layout, supervisor)
        raise
    return site.parts


def _bring_up_to_date(
    site: Site, supervisor: Supervisor, now: Mapping[str, str], before: Mapping[str, str], watcher: Watcher
) -> tuple[str, ...]:
    changed = [part for part in site.parts if now[part] != before.get(part)]
    children = supervisor.children()
    dead = [part for part in site.parts if children[part].state not in {State.RUNNING, State.STARTING}]
    wanted = tuple(part for part in site.parts if part in changed or part in dead)
    if changed:
        watcher.stage(f"restarting what has changed: {', '.join(changed)}")
        supervisor.stop(changed)
    if "postgres" in wanted:
        supervisor.start(["postgres"])
        _await(site, supervisor, ["postgres"], watcher)
    if wanted:
        prepare_database(site)
        supervisor.start(wanted)
    watcher.stage("waiting until every part is healthy")
    _await(site, supervisor, site.parts, watcher)
    _settle(site, supervisor)
    return wanted


def _await(site: Site, supervisor: Supervisor, wanted: Iterable[str], watcher: Watcher) -> None:
    """Wait until these parts are healthy. Raises CannotStart."""
    probes = health.probes(site)
    healthy: list[str] = []
    missing = list(wanted)
    starts: dict[str, set[int]] = {part: set() for part in missing}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while missing:
        children = supervisor.children()
        for part in tuple(missing):
            state = children[part].state
            starts[part].add(children[part].pid)
            if len(starts[part] - {0}) > _MOST_STARTS:
                raise _cannot_start(site.layout, part, "it ends each time soon after its start")
            if state in {State.FATAL, State.STOPPED, State.UNKNOWN}:
                raise _cannot_start(site.layout, part, children[part].description)
            if state is State.RUNNING and probes[part](children[part].pid):
                missing.remove(part)
                healthy.append(part)
        watcher.waiting(healthy, missing)
        if time.monotonic() > deadline:
            raise _cannot_start(site.layout, missing[0], f"not healthy within {PATIENCE_SECONDS} s")
        time.sleep(0.1)


def _settle(site: Site, supervisor: Supervisor) -> None:
    """Give each part a moment to find what it needs. Whoever has not goes on trying, and `status` tells of it."""
    deadline = time.monotonic() + _SETTLING_SECONDS
    while time.monotonic() < deadline:
        children = supervisor.children()
        if not any(health.waits_for(site, part, children[part].pid, ready=True) for part in site.parts):
            return
        time.sleep(0.1)


def _cannot_start(layout: Layout, part: str, reason: str) -> CannotStart:
    lines = last_lines(layout.spool / f"{part}.log", _LAST_LINES)
    said = "\n".join(f"  {line}" for line in lines) or "  (it has said nothing)"
    return CannotStart(f"{part} cannot start: {reason}; its last lines:\n{said}")
