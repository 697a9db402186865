"""The filters by which a directory is searched (RFC 4515); no name breaks out of its place in one."""

from ldap3.utils.conv import escape_filter_chars

from shared.auth.ldap.settings import LdapSettings


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
    return f"(&{wanted}{filter_})" if filter_ else wanted
