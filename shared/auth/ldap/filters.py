"""The filters by which a directory is searched (RFC 4515); no name breaks out of its place in one."""

from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import parse_filter
from ldap3.utils.conv import escape_filter_chars

from shared.auth.ldap.settings import LdapSettings


def is_filter(text: str) -> bool:
    """Whether this is one filter, which others can be put beside; its outer brackets may be left out, as in Harbor."""
    text = _bracketed(text)
    try:
        parse_filter(  # type: ignore[no-untyped-call]  # ldap3 has no types
            f"(&{text})", schema=None, auto_escape=True, auto_encode=False, validator=None, check_names=False
        )
    except (LDAPException, ValueError):
        return False
    return _ends_at(text) == len(text)


def _bracketed(text: str) -> str:
    bare = text.strip()
    return bare if bare.startswith("(") else f"({bare})"


def _ends_at(text: str) -> int:
    """Where the first filter ends; within one a bracket that is no bracket is written in hexadecimal."""
    depth = 0
    for position, letter in enumerate(text, start=1):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return position
    return 0


def user_filter(settings: LdapSettings, name: str) -> str:
    """What finds one user, or all where no name is given."""
    return _both(f"({settings.uid}={escape_filter_chars(name) or '*'})", settings.filter)


def group_filter(settings: LdapSettings, name: str) -> str:
    """The same for groups."""
    return _both(f"({settings.group_name}={escape_filter_chars(name) or '*'})", settings.group_filter)


def holding_filter(settings: LdapSettings, members: list[str]) -> str:
    """What finds the groups which hold any of these, given by their distinguished names."""
    named = (escape_filter_chars(member) for member in members)
    return _both(f"(|{''.join(f'(member={each})(uniqueMember={each})' for each in named)})", settings.group_filter)


def _both(wanted: str, filter_: str) -> str:
    return f"(&{wanted}{_bracketed(filter_)})" if filter_ else wanted
