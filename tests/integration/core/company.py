"""A company's directory: some hundred people in nested groups, and this system told of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.secrets import Sealer, Secret
from tests import factories
from tests.integration.core.people import Api
from tests.slapd import Directory

PEOPLE = {f"p{number:03}": f"Passw0rd-of-{number:03}" for number in range(300)}
_NAMES = list(PEOPLE)
GROUPS: Mapping[str, Sequence[str]] = {
    **{f"team{number:02}": _NAMES[number * 10 : number * 10 + 10] for number in range(30)},
    **{f"department{number}": [f"@team{each:02}" for each in range(number * 5, number * 5 + 5)] for number in range(6)},
    "everybody": [f"@department{number}" for number in range(6)],
    "admins": ["p000", "@team29"],
    "ring-a": ["@ring-b", "p001"],
    "ring-b": ["@ring-a", "p002"],
}  # fmt: skip
"""Three levels (everybody, departments, teams of ten), administrators, and two groups that hold each other."""


def settings_of(directory: Directory) -> dict[str, Any]:
    """What an administrator sets, without the search account's password."""
    return {
        "ldap_url": directory.url,
        "ldap_base_dn": directory.people_base,
        "ldap_uid": "uid",
        "ldap_filter": "(objectClass=inetOrgPerson)",
        "ldap_timeout": 3,
        "ldap_search_dn": directory.reader,
        "ldap_group_base_dn": directory.groups_base,
        "ldap_group_search_filter": "objectClass=groupOfNames",
    }


def configure(api: Api, directory: Directory, **more: object) -> None:
    """Log in at the directory, whoever has an account already."""
    sealer = Sealer.read(api.database.server.home / "secrets" / "config-key")
    password = {"sealed": sealer.seal(Secret(directory.reader_password))}
    values = settings_of(directory) | {"auth_mode": "ldap_auth", "ldap_search_password": password} | more
    with api.database.superuser() as connection:
        factories.configure(connection, **values)
