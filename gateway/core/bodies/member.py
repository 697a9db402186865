"""Bodies about members."""

from pydantic import Field

from gateway.core.bodies.group import UserGroupBody
from gateway.core.reading import Body
from shared.errors import BadRequest


class MemberUserBody(Body):
    """A user, by number or by name."""

    user_id: int = 0
    username: str = Field(default="", max_length=255)


class MemberBody(Body):
    """A member to be made."""

    role_id: int = 0
    member_user: MemberUserBody | None = None
    member_group: UserGroupBody | None = None

    def named(self) -> int | str | UserGroupBody:
        """The user's number or name, or the group. Raises BadRequest where neither is named, or both."""
        user = self.member_user and (self.member_user.user_id or self.member_user.username)
        group = self.member_group if self.member_group and self.member_group.names_one else None
        if user and group:
            raise BadRequest("a member is a user or a group, not both")
        if user:
            return user
        if group:
            return group
        raise BadRequest(
            "member_user must name a user by user_id or username, or member_group a group by id, by group_name and"
            " group_type, or by ldap_group_dn"
        )


class RoleBody(Body):
    """Another role for a member."""

    role_id: int = 0
