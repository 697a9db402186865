"""What the items of the system's configuration may be: apart from them, as it needs what most who read them do not."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates

from services.api.domain.configuration import ITEMS, Item, Value
from shared.auth.ldap.names import canonical_dn
from shared.auth.ldap.settings import split_urls
from shared.auth.sessions import TIMEOUT_KEY
from shared.errors import BadRequest

_MAX_SERVERS: Final = 8

Check = Callable[[Value], str | None]
"""What is wrong with a value of the right type, None where nothing is."""


def _one_of(*words: str) -> Check:
    return lambda value: None if value in words else f"must be one of {', '.join(words)}"


def _between(low: int, high: int) -> Check:
    return lambda value: None if low <= int(value) <= high else f"must be from {low} to {high}"


def _storage(value: Value) -> str | None:
    return None if value == -1 or 0 < int(value) < 2**63 else "must be a number of bytes, or -1 for no limit"


def _ldap_url(value: Value) -> str | None:
    urls = split_urls(str(value))
    if len(urls) > _MAX_SERVERS:
        return f"must name at most {_MAX_SERVERS} servers"
    if not all(url.startswith(("ldap://", "ldaps://")) for url in urls):
        return "must begin with ldap:// or ldaps://, each server of several"
    return None if all(map(_names_a_host, urls)) else "must name a host after ldap:// or ldaps://"


def _names_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _ldap_filter(value: Value) -> str | None:
    from shared.auth.ldap.filters import is_filter  # noqa: PLC0415 - 4 MB in each process, and most have no directory

    fits = value == "" or is_filter(str(value))
    return None if fits else "must be one LDAP filter, as (objectClass=person)"


def _distinguished_name(value: Value) -> str | None:
    if value == "":
        return None
    try:
        canonical_dn(str(value))
    except BadRequest:
        return "must be a distinguished name"
    return None


def _certificates(value: Value) -> str | None:
    if value == "":
        return None
    try:
        load_pem_x509_certificates(str(value).encode())
    except ValueError:
        return "must be certificates in PEM"
    return None


def _robot_prefix(value: Value) -> str | None:
    # the prefix tells robots from users, whose names cannot hold a '$'
    text = str(value)
    fits = 1 < len(text) <= 32 and text.isprintable() and text.endswith("$") and not set(text) & set(":+, ")  # noqa: PLR2004 - short
    return None if fits else "must be a short word that ends with '$'"


def _banner(value: Value) -> str | None:
    if value == "":
        return None
    try:
        parsed = json.loads(str(value))
    except (ValueError, RecursionError):
        return "must be a JSON object"
    return None if isinstance(parsed, dict) else "must be a JSON object"


_CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "auth_mode": _one_of("db_auth", "ldap_auth"),
        "project_creation_restriction": _one_of("everyone", "adminonly"),
        "storage_per_project": _storage,
        "robot_token_duration": _between(1, 36_500),
        "robot_name_prefix": _robot_prefix,
        "banner_message": _banner,
        "replication_history": _between(1, 10_000),
        "ldap_url": _ldap_url,
        "ldap_scope": _between(0, 2),
        "ldap_timeout": _between(1, 60),
        "ldap_ca_certificate": _certificates,
        "ldap_base_dn": _distinguished_name,
        "ldap_filter": _ldap_filter,
        "ldap_group_search_filter": _ldap_filter,
        "ldap_group_base_dn": _distinguished_name,
        "ldap_group_search_scope": _between(0, 2),
        "ldap_group_admin_dn": _distinguished_name,
        TIMEOUT_KEY: _between(1, 43_200),
    }
)


def problem_of(key: str, value: object, present: Value | None) -> str | None:
    """Why an item cannot have a value, as a sentence that names the item; None where it can, or has it already."""
    item = ITEMS[key]
    problem = _problem(key, item, value)
    if problem is None and not item.editable and value != (item.default if present is None else present):
        problem = "cannot be changed"
    return problem and f"{key} {problem}"


def _problem(key: str, item: Item, value: object) -> str | None:
    if not isinstance(value, str | int | bool) or type(value) is not type(item.default):
        return f"must be {item.kind}"
    if isinstance(value, str) and (len(value) > item.longest or "\x00" in value):
        return f"must have at most {item.longest} characters"
    check = _CHECKS.get(key)
    return check(value) if check else None
