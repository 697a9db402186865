"""Bodies about members."""

from gateway.core.reading import Body
from shared.errors import BadRequest, NotImplementedHere


class MemberUserBody(Body):
    """A user, by number or by name."""

    user_id: int = 0
    username: str = ""


class MemberBody(Body):
    """A member to be made."""

    role_id: int = 0
    member_user: MemberUserBody | None = None
    member_group: dict[str, object] | None = None

    def user(self) -> int | str:
        """The user's number or name. Raises BadRequest where none is named, NotImplementedHere for a group."""
        named = self.member_user and (self.member_user.user_id or self.member_user.username)
        if named:
            return named
        if self.member_group:
            raise NotImplementedHere("groups cannot be members yet")
        raise BadRequest("member_user must name a user by user_id or username")


class RoleBody(Body):
    """Another role for a member."""

    role_id: int = 0
