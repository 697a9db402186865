"""How the directory is asked, as the system's configuration says at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from ldap3.utils.conv import escape_filter_chars

from shared.auth.accounts import PREFIX_KEY
from shared.errors import ConfigurationError
from shared.secrets import Sealer, Secret

KEYS: Final = (
    "auth_mode", "ldap_url", "ldap_search_dn", "ldap_search_password", "ldap_base_dn", "ldap_filter", "ldap_uid",
    "ldap_scope", "ldap_timeout", "ldap_verify_cert", PREFIX_KEY,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class LdapSettings:
    """How the directory is asked, under the names of Harbor's configuration."""

    url: str
    search_dn: str
    search_password: Secret
    base_dn: str
    filter: str
    uid: str
    scope: int
    timeout: int
    verify_cert: bool

    @classmethod
    def parse(cls, values: Mapping[str, object], sealer: Sealer) -> Self | None:
        """Read the configuration; None where logins do not go to a directory. Raises ConfigurationError."""
        if values.get("auth_mode") != "ldap_auth" or not values.get("ldap_url"):
            return None
        sealed = values.get("ldap_search_password")
        filter_ = _text(values, "ldap_filter")
        return cls(
            url=_text(values, "ldap_url"),
            search_dn=_text(values, "ldap_search_dn"),
            search_password=sealer.open(str(sealed["sealed"])) if isinstance(sealed, dict) else Secret(""),
            base_dn=_text(values, "ldap_base_dn"),
            filter=filter_ if not filter_ or filter_.startswith("(") else f"({filter_})",
            uid=_text(values, "ldap_uid") or "cn",
            scope=_number(values, "ldap_scope", 2),
            timeout=max(_number(values, "ldap_timeout", 5), 1),
            verify_cert=values.get("ldap_verify_cert") is not False,
        )

    def search_filter(self, name: str) -> str:
        """The filter that finds one user; the name cannot break out of its place."""
        wanted = f"({self.uid}={escape_filter_chars(name)})"
        return f"(&{wanted}{self.filter})" if self.filter else wanted


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
