"""An instance in containers, as `docker compose run --rm operate doctor` sees it: from a container of its own.

That mounts what lasts and the sockets of the parts, and reaches the database and the broker. Whether a container runs
is the engine's to tell; nothing outside is reached from there, nor the proxy.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

from compose.local.doctor.finding import Finding, broken
from compose.local.doctor.patient import Group, Patient
from compose.local.sockets import UnixConnection

LEFT_OUT: Final = frozenset(
    {
        # those of a machine
        "home", "folders", "port", "stopped", "loops",
        # what is outside, or behind the proxy
        "log-forward", "traces", "directory", "proxy", "url", "realm", "tokens", "intake",
    }
)  # fmt: skip
"""Names of checks that are asked on a machine alone."""
_SECONDS: Final = 5.0
"""The health of all is told within three."""
_LOG: Final = "docker compose exec -T log tail -n 50 /var/lib/breakwater/log/{part}.log"
_LOOK: Final = f"{_LOG} tells why; docker compose ps tells whether it runs"
_INSTEAD: Final = (
    # two commands become one
    (re.compile(r"\./breakwater down(?: first)?, then \./breakwater up"), "docker compose restart"),
    (re.compile(r"\./breakwater down and up"), "docker compose restart"),
    (re.compile(r"\./breakwater logs --part ([\w-]+)(?: --since \w+)?"), _LOG.format(part=r"\1")),
    (re.compile(r"\./breakwater logs\b"), "docker compose exec -T log ls /var/lib/breakwater/log"),
    (re.compile(r"\./breakwater up\b"), "docker compose up -d --force-recreate"),
    (re.compile(r"\./breakwater status\b"), "docker compose ps"),
    (re.compile(r"\./breakwater "), "docker compose run --rm operate "),
)


def checked_there(groups: Sequence[Group]) -> tuple[Group, ...]:
    """What of the checks can be asked of containers."""
    kept = (
        replace(group, checks=tuple(check for check in group.checks if check.name not in LEFT_OUT)) for group in groups
    )
    return tuple(group for group in kept if group.checks)


def in_words_of_compose(remedy: str) -> str:
    """What to do next, where it is done by docker compose."""
    for machine, containers in _INSTEAD:
        remedy = machine.sub(containers, remedy)
    return remedy


def running(patient: Patient) -> Iterator[Finding]:
    """Parts that the core finds not well, or the core itself."""
    sockets = [patient.layout.run / "core.sock", *sorted(patient.layout.run.glob("core-*.sock"))]
    told = next((found for path in sockets if (found := _health(path)) is not None), None)
    if told is None:
        yield broken("core does not answer, which tells how all parts are", _LOOK.format(part="core"))
        return
    for component in told:
        if component["status"] != "healthy":
            part, why = component["name"], component.get("error", "it does not answer")
            yield broken(f"{part} is not well: {why}", _LOOK.format(part=_container(part)))


def _health(path: Path) -> list[dict[str, Any]] | None:
    connection = UnixConnection(path, seconds=_SECONDS)
    try:
        connection.request("GET", "/api/v2.0/health")
        found: list[dict[str, Any]] = json.loads(connection.getresponse().read())["components"]
    except (OSError, HTTPException, ValueError, KeyError):
        return None
    finally:
        connection.close()
    return found


def _container(component: str) -> str:
    return {"database": "postgres", "broker": "rabbitmq"}.get(component, component)
