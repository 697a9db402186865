"""Groups of users as the API shows them."""

from gateway.core.writing import Json
from services.api.domain.group import GroupType, UserGroup
from shared.auth.ldap.entries import Group


def group_view(group: UserGroup) -> Json:
    """A group as administrators see it."""
    return {**found_group_view(group), "ldap_group_dn": group.ldap_dn}


def found_group_view(group: UserGroup) -> Json:
    """A group as everybody sees it who looks for a name."""
    return {"id": group.id, "group_name": group.name, "group_type": group.type.value}


def directory_group_view(group: Group) -> Json:
    """A group of the directory, which need not be known here."""
    return {"group_name": group.name, "group_type": GroupType.LDAP.value, "ldap_group_dn": group.dn}
