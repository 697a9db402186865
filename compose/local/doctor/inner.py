"""Faults between the parts: credentials that the token mount refuses, notifications that do not reach the intake."""

from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from compose.local.credentials import SYSTEM_SERVICES
from compose.local.doctor.finding import Finding, broken
from compose.local.doctor.patient import Check, Patient
from compose.local.layout import REGISTRIES
from shared.errors import ConfigurationError
from shared.registry.errors import RegistryRefused, RegistryUnavailable
from shared.registry.tokens import CATALOG_SCOPE, SystemTokens
from shared.secrets import Secret

_SECONDS: Final = 3.0
_NO_EVENTS: Final = b'{"events": []}'
_RESTART: Final = "./breakwater up writes both anew; where it is not enough, ./breakwater down first"


def system_credentials(patient: Patient) -> Iterator[Finding]:
    """Whether the token mount knows the services that act on the registry."""
    for service in SYSTEM_SERVICES:
        settings = patient.settings(service)
        try:
            SystemTokens(settings.token_mounts, service, settings.secret("system-credential")).token(CATALOG_SCOPE)
        except ConfigurationError as error:
            yield broken(error.sentence, "./breakwater up makes what is missing among the secrets")
        except RegistryRefused:
            yield broken(
                f"the token mount refuses the credential of {service}: it can do nothing on the registry",
                "./breakwater up writes the list of credentials anew",
            )
        except RegistryUnavailable as error:
            yield broken(error.sentence, "./breakwater logs --part token tells why")


def intake(patient: Patient) -> Iterator[Finding]:
    """Whether notifications get where the registry's own configuration sends them, with the token that it sends."""
    try:
        url, token = endpoint(patient.layout.registry_conf / REGISTRIES["writable"])
    except (OSError, ValueError) as error:
        yield broken(f"the registry's configuration names no intake: {error}", _RESTART)
        return
    yield from judge_intake(url, knock(url, token))


def endpoint(file: Path) -> tuple[str, Secret]:
    """Where the registry sends notifications, and the token it sends with them. Raises OSError, ValueError."""
    try:
        read: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        first = read["notifications"]["endpoints"][0]
        return str(first["url"]), Secret(str(first["headers"]["Authorization"][0]).removeprefix("Bearer "))
    except (yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"{file} has no notification endpoint") from error


def knock(url: str, token: Secret) -> int | None:
    """The status that a notification without events is answered with; None where nobody answers."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
    headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json"}
    try:
        connection.request("POST", parts.path, _NO_EVENTS, headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def judge_intake(url: str, status: int | None) -> Iterator[Finding]:
    """What the answer means for the registry."""
    match status:
        case 200:
            return
        case None:
            yield broken(f"the intake cannot be reached from the registry: nobody answers at {url}", _RESTART)
        case 401:
            yield broken("the intake refuses the registry's notifications: the two have different tokens", _RESTART)
        case 503:
            yield broken("the intake puts notifications off: it cannot write", "look at the database")
        case _:
            yield broken(f"the intake answers notifications with {status}", "./breakwater logs --part intake tells why")


CREDENTIALS: Final = Check(
    name="system-credentials",
    looks_for="a service whose credential the token mount refuses",
    remedy="`./breakwater up` writes the list of credentials anew",
    ask=system_credentials,
)
INTAKE: Final = Check(
    name="intake",
    looks_for="an intake that the registry cannot reach, or whose token is another",
    remedy="`./breakwater up` writes both anew; else `down` first",
    ask=intake,
)
