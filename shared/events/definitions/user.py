"""Users: their accounts and their logins."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class UserEvent(Event):
    """The fields all events of an account share."""

    noun: ClassVar[str] = "user"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    username: Annotated[str, "the account's name; of a robot, its full name"]
    user_id: Annotated[int | None, "the account's number, null when there is none"] = None

    @property
    def subject(self) -> str:
        """The account's name."""
        return self.username


@dataclass(frozen=True, kw_only=True)
class UserCreated(UserEvent):
    """An account was created, by an administrator or by its first directory login."""

    verb: ClassVar[str] = "created"

    admin: Annotated[bool, "whether it is a system administrator"] = False


@dataclass(frozen=True, kw_only=True)
class UserUpdated(UserEvent):
    """An account was changed."""

    verb: ClassVar[str] = "updated"

    changed: Annotated[tuple[str, ...], "names of the fields that were changed, never their values"]
    admin: Annotated[bool, "whether it is a system administrator now"] = False
    disabled: Annotated[bool | None, "whether it was shut out (true) or let in again (false), else null"] = None


@dataclass(frozen=True, kw_only=True)
class UserDeleted(UserEvent):
    """An account was deleted."""

    verb: ClassVar[str] = "deleted"


@dataclass(frozen=True, kw_only=True)
class UserPasswordChanged(UserEvent):
    """An account's password was changed, by its owner or an administrator (the actor)."""

    verb: ClassVar[str] = "password_changed"


@dataclass(frozen=True, kw_only=True)
class UserLoggedIn(UserEvent):
    """A login without a scope succeeded (`docker login`, the portal); a token for a push or pull is no login."""

    verb: ClassVar[str] = "logged_in"

    method: Annotated[str, "how: `database`, `ldap`, `robot` or `refresh_token`"] = "database"


@dataclass(frozen=True, kw_only=True)
class UserLoginFailed(UserEvent):
    """Logins were refused: the first of an account, address and minute at once, the rest of that minute together."""

    verb: ClassVar[str] = "login_failed"

    count: Annotated[int, "refused logins this event stands for"] = 1
    minute: Annotated[str, "start of the minute, RFC 3339"]
