"""The system's configuration: every item by Harbor's name, with its default. What each may be: `fitness`.

Items of features that are not built are shown with their defaults, as clients expect them, and cannot be changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.auth.sessions import TIMEOUT_KEY, TIMEOUT_MINUTES

Value = str | int | bool

PER_MINUTE: Final = 60
_MAX_TEXT: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One item: its default fixes its type."""

    default: Value
    longest: int = _MAX_TEXT
    """Characters of a text."""
    secret: bool = False
    """Sealed at rest, and in no answer."""
    editable: bool = True

    @property
    def kind(self) -> str:
        """The type's name in words."""
        return {str: "a text", int: "an integer", bool: "a boolean"}[type(self.default)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """An item's present value; a secret shows none."""

    value: Value
    editable: bool


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
        "auth_mode": Item(default="db_auth"),
        "project_creation_restriction": Item(default="everyone"),
        "read_only": Item(default=False),
        "quota_per_project_enable": Item(default=True),
        "notification_enable": Item(default=True),
        "storage_per_project": Item(default=-1),
        "robot_token_duration": Item(default=30),
        "robot_name_prefix": Item(default="robot$"),
        "banner_message": Item(default=""),
        # runs of a policy, as many as Harbor keeps
        "replication_history": Item(default=50),
        "ldap_url": Item(default=""),
        "ldap_base_dn": Item(default=""),
        "ldap_filter": Item(default=""),
        "ldap_search_dn": Item(default=""),
        "ldap_search_password": Item(default="", secret=True),
        "ldap_scope": Item(default=2),
        "ldap_timeout": Item(default=5),
        "ldap_uid": Item(default="cn"),
        "ldap_verify_cert": Item(default=True),
        "ldap_start_tls": Item(default=False),
        "ldap_ca_certificate": Item(default="", longest=20_000),
        "ldap_group_base_dn": Item(default=""),
        "ldap_group_search_filter": Item(default=""),
        "ldap_group_attribute_name": Item(default=""),
        "ldap_group_search_scope": Item(default=2),
        "ldap_group_membership_attribute": Item(default="memberof"),
        "ldap_group_admin_dn": Item(default=""),
        # minutes without a request until a session of the portal is over
        TIMEOUT_KEY: Item(default=TIMEOUT_MINUTES),
        # for clients that set it: groups are looked up by as few searches as there are levels, whatever it says
        "ldap_group_attach_parallel": Item(default=False),
        # for Terraform, which sends both with the settings of a directory
        "oidc_verify_cert": Item(default=True),
        "oidc_auto_onboard": Item(default=False),
        # minutes; set where the instance is started, because the registry and the reserved names depend on it
        "token_expiration": Item(default=5, editable=False),
        **{key: Item(default=value, editable=False, secret=key.endswith("_secret")) for key, value in _LATER.items()},
    }
)
"""Every item there is."""
