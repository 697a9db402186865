"""Webhook policies: which events of a project go where, in which form, and the rules for what a client asks for."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urlsplit

from services.webhook.errors import UnfitPolicy
from shared.secrets import Secret

MASK: Final = "*****"
"""What is shown in place of a secret; sent back, it means the one that is stored."""

_MOST_TARGETS: Final = 10
_LONGEST_NAME: Final = 255
_LONGEST_TEXT: Final = 1_024
_LONGEST_ADDRESS: Final = 2_048
_UNFIT_IN_ADDRESS: Final = re.compile(r"[\x00-\x20\x7f\\<>\"]")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class EventType(StrEnum):
    """What a policy can be about; the names are those of Harbor's API."""

    DELETE_ARTIFACT = "DELETE_ARTIFACT"
    """An artifact was deleted."""
    PULL_ARTIFACT = "PULL_ARTIFACT"
    """An artifact was pulled."""
    PUSH_ARTIFACT = "PUSH_ARTIFACT"
    """An artifact was pushed."""
    QUOTA_EXCEED = "QUOTA_EXCEED"
    """A push was refused for want of quota."""
    QUOTA_WARNING = "QUOTA_WARNING"
    """A project's quota is nearly used up."""
    REPLICATION = "REPLICATION"
    """A replication has ended."""
    SCANNING_COMPLETED = "SCANNING_COMPLETED"
    """A scan has ended well."""
    SCANNING_FAILED = "SCANNING_FAILED"
    """A scan has failed."""
    SCANNING_STOPPED = "SCANNING_STOPPED"
    """A scan was stopped."""
    TAG_RETENTION = "TAG_RETENTION"
    """A run of tag retention has ended."""


class TargetKind(StrEnum):
    """How a target is spoken to."""

    HTTP = "http"
    """A POST in one of the payload formats."""
    SLACK = "slack"
    """A message for a Slack channel."""


class PayloadFormat(StrEnum):
    """What an HTTP target is sent."""

    DEFAULT = "Default"
    """Harbor's own form."""
    CLOUD_EVENTS = "CloudEvents"
    """CloudEvents 1.0 in structured JSON."""
    SLACK = ""
    """A Slack target has no choice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where a policy sends to; its secrets are sealed, None where there are none."""

    id: int
    kind: TargetKind
    address: str
    payload_format: PayloadFormat
    skip_cert_verify: bool
    auth_header: str | None = field(repr=False)
    signing_secret: str | None = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A project's webhook policy."""

    id: int
    project_id: int
    name: str
    description: str
    targets: tuple[Target, ...]
    event_types: tuple[EventType, ...]
    enabled: bool
    creator: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedTarget:
    """A target as a client asks for it. A secret of None is left as it is; an empty one is none."""

    kind: str
    address: str
    payload_format: str = ""
    skip_cert_verify: bool = False
    auth_header: Secret | None = None
    signing_secret: Secret | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedPolicy:
    """A policy as a client asks for it."""

    name: str
    description: str
    targets: tuple[WantedTarget, ...]
    event_types: tuple[str, ...]
    enabled: bool


def check_name(name: str) -> str:
    """The name, trimmed. Raises UnfitPolicy."""
    trimmed = name.strip()
    if not 0 < len(trimmed) <= _LONGEST_NAME or not trimmed.isprintable():
        raise UnfitPolicy(f"the name of a webhook policy has 1 to {_LONGEST_NAME} characters")
    return trimmed


def check_description(text: str) -> str:
    """The description. Raises UnfitPolicy."""
    if len(text) > _LONGEST_TEXT:
        raise UnfitPolicy(f"the description of a webhook policy has at most {_LONGEST_TEXT} characters")
    return text


def check_event_types(names: Iterable[str]) -> tuple[EventType, ...]:
    """The event types, each once. Raises UnfitPolicy."""
    known = EventType.__members__
    found = tuple(dict.fromkeys(names))
    if not found:
        raise UnfitPolicy("a webhook policy needs at least one event type")
    for name in found:
        if name not in known:
            raise UnfitPolicy(f"the event type {name[:80]!r} is not supported")
    return tuple(known[name] for name in found)


def check_targets(
    targets: Sequence[WantedTarget], *, refuses: Callable[[str], bool]
) -> tuple[tuple[WantedTarget, PayloadFormat], ...]:
    """The targets, each with its payload format; `refuses` tells of a host that is written as a closed address.

    Raises UnfitPolicy.
    """
    if not 0 < len(targets) <= _MOST_TARGETS:
        raise UnfitPolicy(f"a webhook policy has 1 to {_MOST_TARGETS} targets")
    for target in targets:
        if target.kind not in set(TargetKind):
            raise UnfitPolicy(f"the target type {target.kind[:80]!r} is not supported")
        url = split_address(target.address)
        if refuses(url.hostname or ""):
            raise UnfitPolicy(f"webhooks may not be sent to the address {url.hostname}")
        if target.auth_header and target.auth_header.reveal():
            _check_auth_header(target.auth_header)
        if target.signing_secret and len(target.signing_secret.reveal()) > _LONGEST_TEXT:
            raise UnfitPolicy(f"the secret of a target has at most {_LONGEST_TEXT} characters")
    return tuple((target, _payload_format(target)) for target in targets)


def split_address(address: str) -> SplitResult:
    """The parts of a target's address. Raises UnfitPolicy where it is no absolute http or https URL."""
    problem = UnfitPolicy("a target's address must be an http or https URL without user name, password and fragment")
    if len(address) > _LONGEST_ADDRESS or _UNFIT_IN_ADDRESS.search(address):
        raise problem
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError as error:
        raise problem from error
    if not url.netloc.isascii():
        raise UnfitPolicy("the host of a target's address must be written in ASCII: names of other letters as xn--…")
    if url.scheme not in {"http", "https"} or not url.hostname or port == 0 or "@" in url.netloc or url.fragment:
        raise problem
    return url


def origin(address: str) -> tuple[str, str | None, int | None]:
    """Who is at an address: what was told to one is not told to another."""
    url = split_address(address)
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}[url.scheme]


def _payload_format(target: WantedTarget) -> PayloadFormat:
    if target.kind == TargetKind.SLACK:
        if target.payload_format:
            raise UnfitPolicy("a payload format cannot be set for slack")
        return PayloadFormat.SLACK
    wanted = target.payload_format or PayloadFormat.DEFAULT
    if wanted not in set(PayloadFormat):
        raise UnfitPolicy(f"the payload format {wanted[:80]!r} is not supported")
    return PayloadFormat(wanted)


def _check_auth_header(header: Secret) -> None:
    text = header.reveal()
    if len(text) > _LONGEST_TEXT or not _HEADER_VALUE.fullmatch(text):
        raise UnfitPolicy(f"auth_header must be one line of at most {_LONGEST_TEXT} ASCII characters")
