"""The system's configuration: every item by Harbor's name, with its default and what it may be.

Items of features that are not built are shown with their defaults, as clients expect them, and cannot be changed.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography.x509 import load_pem_x509_certificates

from shared.auth.ldap.names import canonical_dn
from shared.auth.ldap.settings import split_urls
from shared.auth.sessions import TIMEOUT_KEY, TIMEOUT_MINUTES
from shared.errors import BadRequest

Value = str | int | bool

PER_MINUTE: Final = 60
_MAX_TEXT: Final = 2_000
_MAX_SERVERS: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One item: its default fixes its type."""

    default: Value
    check: Callable[[Value], str | None] = lambda _value: None
    """What is wrong with a value of the right type, None where nothing is."""
    longest: int = _MAX_TEXT
    secret: bool = False
    """Sealed at rest, and in no answer."""
    editable: bool = True

    @property
    def kind(self) -> str:
        """The type's name in words."""
        return {str: "a text", int: "an integer", bool: "a boolean"}[type(self.default)]

    def problem(self, value: object) -> str | None:
        """What is wrong with a value, None where nothing is."""
        if type(value) is not type(self.default):
            return f"must be {self.kind}"
        if isinstance(value, str) and (len(value) > self.longest or "\x00" in value):
            return f"must have at most {self.longest} characters"
        return self.check(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """An item's present value; a secret shows none."""

    value: Value
    editable: bool


def _one_of(*words: str) -> Callable[[Value], str | None]:
    return lambda value: None if value in words else f"must be one of {', '.join(words)}"


def _between(low: int, high: int) -> Callable[[Value], str | None]:
    return lambda value: None if low <= int(value) <= high else f"must be from {low} to {high}"


def _storage(value: Value) -> str | None:
    return None if value == -1 or 0 < int(value) < 2**63 else "must be a number of bytes, or -1 for no limit"


def _ldap_url(value: Value) -> str | None:
    urls = split_urls(str(value))
    if len(urls) > _MAX_SERVERS:
        return f"must name at most {_MAX_SERVERS} servers"
    fits = all(url.startswith(("ldap://", "ldaps://")) for url in urls)
    return None if fits else "must begin with ldap:// or ldaps://, each server of several"


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


_LATER: Final[Mapping[str, Value]] = {
    "primary_auth_mode": False,
    "uaa_client_id": "",
    "uaa_client_secret": "",
    "uaa_endpoint": "",
    "uaa_verify_cert": False,
    "http_authproxy_endpoint": "",
    "http_authproxy_tokenreview_endpoint": "",
    "http_authproxy_admin_groups": "",
    "http_authproxy_admin_usernames": "",
    "http_authproxy_verify_cert": False,
    "http_authproxy_skip_search": False,
    "http_authproxy_server_certificate": "",
    "oidc_name": "",
    "oidc_endpoint": "",
    "oidc_client_id": "",
    "oidc_client_secret": "",
    "oidc_groups_claim": "",
    "oidc_admin_group": "",
    "oidc_group_filter": "",
    "oidc_scope": "",
    "oidc_user_claim": "",
    "oidc_verify_cert": True,
    "oidc_auto_onboard": False,
    "oidc_extra_redirect_parms": "",
    "oidc_logout": False,
    "self_registration": False,
    "audit_log_forward_endpoint": "",
    "skip_audit_log_database": False,
    "scanner_skip_update_pulltime": False,
    "disabled_audit_log_event_types": "",
}

ITEMS: Final[Mapping[str, Item]] = MappingProxyType(
    {
        "auth_mode": Item(default="db_auth", check=_one_of("db_auth", "ldap_auth")),
        "project_creation_restriction": Item(default="everyone", check=_one_of("everyone", "adminonly")),
        "read_only": Item(default=False),
        "quota_per_project_enable": Item(default=True),
        "notification_enable": Item(default=True),
        "storage_per_project": Item(default=-1, check=_storage),
        "robot_token_duration": Item(default=30, check=_between(1, 36_500)),
        "robot_name_prefix": Item(default="robot$", check=_robot_prefix),
        "banner_message": Item(default="", check=_banner),
        "ldap_url": Item(default="", check=_ldap_url),
        "ldap_base_dn": Item(default=""),
        "ldap_filter": Item(default=""),
        "ldap_search_dn": Item(default=""),
        "ldap_search_password": Item(default="", secret=True),
        "ldap_scope": Item(default=2, check=_between(0, 2)),
        "ldap_timeout": Item(default=5, check=_between(1, 60)),
        "ldap_uid": Item(default="cn"),
        "ldap_verify_cert": Item(default=True),
        "ldap_start_tls": Item(default=False),
        "ldap_ca_certificate": Item(default="", check=_certificates, longest=20_000),
        "ldap_group_base_dn": Item(default="", check=_distinguished_name),
        "ldap_group_search_filter": Item(default=""),
        "ldap_group_attribute_name": Item(default=""),
        "ldap_group_search_scope": Item(default=2, check=_between(0, 2)),
        "ldap_group_membership_attribute": Item(default="memberof"),
        "ldap_group_admin_dn": Item(default="", check=_distinguished_name),
        # minutes without a request until a session of the portal is over
        TIMEOUT_KEY: Item(default=TIMEOUT_MINUTES, check=_between(1, 43_200)),
        # for clients that set it: groups are looked up by as few searches as there are levels, whatever it says
        "ldap_group_attach_parallel": Item(default=False),
        # minutes; set where the instance is started, because the registry and the reserved names depend on it
        "token_expiration": Item(default=5, editable=False),
        **{key: Item(default=value, editable=False, secret=key.endswith("_secret")) for key, value in _LATER.items()},
    }
)
"""Every item there is."""


def problem_of(key: str, value: object, present: Value | None) -> str | None:
    """Why an item cannot have a value, as a sentence that names the item; None where it can, or has it already."""
    item = ITEMS[key]
    problem = item.problem(value)
    if problem is None and not item.editable and value != (item.default if present is None else present):
        problem = "cannot be changed"
    return problem and f"{key} {problem}"
