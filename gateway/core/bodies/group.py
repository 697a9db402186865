"""Bodies about groups of users."""

from pydantic import Field

from gateway.core.reading import Body
from services.api.domain.group import GroupType


class UserGroupBody(Body):
    """A group, by number, by name and type, or by its distinguished name in the directory."""

    id: int = 0
    group_name: str = Field(default="", max_length=255)
    group_type: int = GroupType.LDAP.value
    ldap_group_dn: str = Field(default="", max_length=1000)

    @property
    def names_one(self) -> bool:
        """Whether any of the three is given."""
        return bool(self.id or self.group_name or self.ldap_group_dn)
