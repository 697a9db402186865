"""What is set or reached from the database: pushes that are refused on purpose, the directory, other registries."""

from collections.abc import Iterable, Iterator
from typing import Final

from ldap3.core.exceptions import LDAPException

from compose.local.doctor.finding import Finding, broken, warning
from compose.local.doctor.patient import Check, Patient
from services.api.queries.collection import last_collection
from services.api.queries.configuration import is_read_only
from services.replication.domain.registry import Health
from services.replication.queries.figures import all_registries
from shared import directory
from shared.auth.ldap import search
from shared.auth.ldap.connection import searching
from shared.auth.ldap.settings import KEYS, LdapSettings
from shared.errors import BreakwaterError
from shared.outbound import Guard, Reach
from shared.secrets import Sealer


def read_only(patient: Patient) -> Iterator[Finding]:
    """Pushes that are refused by a setting or a flag."""
    with patient.session() as session:
        read_only, collects = is_read_only(session), last_collection(session).is_open
    if read_only:
        yield warning(
            "the system is in read-only mode: pushes and changes are refused",
            "an administrator sets read_only to false in the configuration",
        )
    flag = patient.layout.readonly_flag
    if flag.exists():
        yield warning(
            f"pushes are refused, for {flag} exists: the registry's disk was nearly full",
            "free disk space: the metadata service removes the flag within seconds; ./breakwater logs --part metadata",
        )
    left = patient.layout.collecting_flag
    if left.exists() and not collects:
        yield broken(
            f"pushes and deletions are refused, for {left} exists, and no garbage is being collected",
            f"remove {left}; ./breakwater logs --part registry tells what became of the last collection",
        )


def ldap(patient: Patient) -> Iterator[Finding]:
    """Whether every server of the directory lets the search account in."""
    settings = patient.settings("core")
    with patient.database() as database:
        values = directory.configuration(database, KEYS)
    if values.get("auth_mode") != "ldap_auth":
        return
    try:
        asked = LdapSettings.parse(values, Sealer.read(settings.secrets / "config-key"))
    except BreakwaterError as error:
        what = f"nobody of the directory can log in: {error.sentence}"
        yield broken(what, "set the ldap_ items of the configuration")
        return
    if asked is None:
        yield broken("auth_mode is ldap_auth and no server is named", "set ldap_url in the configuration")
        return
    guard = Guard(Reach.PRIVATE, settings.outbound_allow)
    for url in asked.urls:
        try:
            with searching(guard, asked, url) as connection:
                search.find_user(connection, asked, "nobody")
        except (LDAPException, OSError, BreakwaterError) as error:
            why = error.sentence if isinstance(error, BreakwaterError) else type(error).__name__
            yield broken(
                f"the directory at {url} does not answer as it should: {why}",
                "look at that server, at ldap_url and at the search account; the portal's settings try it out",
            )


def registries(patient: Patient) -> Iterator[Finding]:
    """Registries of replication that did not answer when they were last asked."""
    with patient.session() as session:
        found = all_registries(session)
    for each in found:
        if each.status is Health.UNHEALTHY:
            yield warning(
                f"the registry {each.name} of replication does not answer",
                "look at its address and credential; ./breakwater replication list shows the policies that wait for it",
            )


CHECKS: Final[Iterable[Check]] = (
    Check(
        name="read-only",
        looks_for="pushes that are refused by read-only mode, by the flag of a full disk, or by one that a collection"
        " of garbage has left",
        remedy="set `read_only` to false, free disk space, or remove the flag that was left",
        ask=read_only,
    ),
    Check(
        name="directory",
        looks_for="an LDAP directory that does not answer while logins go there",
        remedy="look at the server, at `ldap_url` and at the search account",
        ask=ldap,
    ),
    Check(
        name="registries",
        looks_for="registries of replication that do not answer",
        remedy="look at the registry's address and credential",
        ask=registries,
    ),
)
