"""How the directory is asked, as the system's configuration says at this moment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from shared.auth.accounts import PREFIX_KEY
from shared.errors import ConfigurationError
from shared.secrets import Sealer, Secret

KEYS: Final = (
    "auth_mode", "ldap_url", "ldap_start_tls", "ldap_ca_certificate", "ldap_verify_cert", "ldap_timeout",
    "ldap_search_dn", "ldap_search_password", "ldap_base_dn", "ldap_filter", "ldap_uid", "ldap_scope",
    "ldap_group_base_dn", "ldap_group_search_filter", "ldap_group_attribute_name", "ldap_group_search_scope",
    "ldap_group_membership_attribute", "ldap_group_admin_dn", PREFIX_KEY,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class LdapSettings:
    """How the directory is asked, under the names of Harbor's configuration."""

    urls: tuple[str, ...]
    """The servers, asked in this order until one answers."""
    start_tls: bool = False
    ca_certificate: str = ""
    """The authorities of the servers' certificates in PEM; those of the machine where it is empty."""
    verify_cert: bool = True
    timeout: int = 5
    search_dn: str = ""
    search_password: Secret = field(default=Secret(""))
    base_dn: str = ""
    filter: str = ""
    uid: str = "cn"
    scope: int = 2
    group_base_dn: str = ""
    group_filter: str = ""
    group_name: str = "cn"
    """The attribute of a group that is its name."""
    group_scope: int = 2
    membership: str = "memberof"
    """The attribute of a user that names his groups."""
    group_admin_dn: str = ""
    """The group whose members are system administrators."""

    @classmethod
    def parse(cls, values: Mapping[str, object], sealer: Sealer) -> Self | None:
        """Read the configuration; None where logins do not go to a directory. Raises ConfigurationError."""
        return cls.parse_any_mode(values, sealer) if values.get("auth_mode") == "ldap_auth" else None

    @classmethod
    def parse_any_mode(cls, values: Mapping[str, object], sealer: Sealer) -> Self | None:
        """The same before logins go there: a directory is tried out first. None where it is not named at all."""
        urls = split_urls(_text(values, "ldap_url"))
        if not urls:
            return None
        sealed = values.get("ldap_search_password")
        base_dn = _text(values, "ldap_base_dn")
        return cls(
            urls=urls,
            start_tls=values.get("ldap_start_tls") is True,
            ca_certificate=_text(values, "ldap_ca_certificate"),
            verify_cert=values.get("ldap_verify_cert") is not False,
            timeout=max(_number(values, "ldap_timeout", 5), 1),
            search_dn=_text(values, "ldap_search_dn"),
            search_password=sealer.open(str(sealed["sealed"])) if isinstance(sealed, dict) else Secret(""),
            base_dn=base_dn,
            filter=enclosed(_text(values, "ldap_filter")),
            uid=_text(values, "ldap_uid") or "cn",
            scope=_number(values, "ldap_scope", 2),
            group_base_dn=_text(values, "ldap_group_base_dn") or base_dn,
            group_filter=enclosed(_text(values, "ldap_group_search_filter")),
            group_name=_text(values, "ldap_group_attribute_name") or "cn",
            group_scope=_number(values, "ldap_group_search_scope", 2),
            membership=_text(values, "ldap_group_membership_attribute") or "memberof",
            group_admin_dn=_text(values, "ldap_group_admin_dn"),
        )


def split_urls(text: str) -> tuple[str, ...]:
    """The servers of a setting, separated by blanks or commas; each once."""
    return tuple(dict.fromkeys(filter(None, re.split(r"[\s,]+", text))))


def enclosed(filter_: str) -> str:
    """A filter in its parentheses, which may be left out in the configuration."""
    return filter_ if not filter_ or filter_.startswith("(") else f"({filter_})"


def _text(values: Mapping[str, object], key: str) -> str:
    value = values.get(key)
    return value.strip() if isinstance(value, str) else ""


def _number(values: Mapping[str, object], key: str, default: int) -> int:
    value = values.get(key)
    if value is None:
        return default
    try:
        return int(str(value))
    except ValueError as error:
        raise ConfigurationError(f"the configuration {key} is not a number") from error
