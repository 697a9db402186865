"""Users: the record, and what a name, an address and a password have to be like."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.api.errors import UnfitUser
from shared.secrets import Secret

FIRST_ADMIN: Final = 1
"""The number of the account `admin`, made with the database; it cannot be deleted."""

_MAX_TEXT: Final = 255
_MAX_COMMENT: Final = 30
_SHORTEST_PASSWORD: Final = 8
_LONGEST_PASSWORD: Final = 128
# ':' ends the name in Basic authentication, '$' marks robots, the rest is what Harbor refuses
_FORBIDDEN_IN_NAME: Final = frozenset(',"~#$%:/\\')
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f,;<>()\[\]\\\"]+@[^@\s\x00-\x1f,;<>()\[\]\\\"]+\.[A-Za-z0-9-]+")


class Source(StrEnum):
    """Who keeps an account's password."""

    DATABASE = "database"
    """Breakwater itself."""
    LDAP = "ldap"
    """A directory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A person's account, without its credential."""

    id: int
    username: str
    email: str
    realname: str
    comment: str
    source: Source
    sysadmin: bool
    directory_admin: bool
    """Whether a group of the directory makes him an administrator, as long as he is in it."""
    disabled: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What a user may change of himself."""

    email: str
    realname: str
    comment: str

    def checked(self) -> "Profile":
        """The same, trimmed. Raises UnfitUser with what is wrong."""
        email, realname, comment = self.email.strip(), self.realname.strip(), self.comment.strip()
        if len(email) > _MAX_TEXT or not _EMAIL.fullmatch(email):
            raise UnfitUser("the e-mail address is missing or malformed")
        if not 1 <= len(realname) <= _MAX_TEXT or not realname.isprintable():
            raise UnfitUser(f"the real name must have 1 to {_MAX_TEXT} printable characters")
        if len(comment) > _MAX_COMMENT:
            raise UnfitUser(f"the comment must have at most {_MAX_COMMENT} characters")
        return Profile(email=email, realname=realname, comment=comment)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewUser:
    """An account to be made."""

    username: str
    password: Secret
    profile: Profile


def check_username(username: str) -> str:
    """The name itself. Raises UnfitUser where it could not be logged in with, or could be taken for something else."""
    if not 1 <= len(username) <= _MAX_TEXT or username != username.strip() or not username.isprintable():
        raise UnfitUser(f"the user name must have 1 to {_MAX_TEXT} printable characters, no blank at either end")
    if _FORBIDDEN_IN_NAME & set(username):
        raise UnfitUser(f"the user name must not hold any of {' '.join(sorted(_FORBIDDEN_IN_NAME))}")
    return username


def check_password(password: Secret) -> Secret:
    """The password itself. Raises UnfitUser where it is too easy, too long, or cannot be typed."""
    text = password.reveal()
    fits = _SHORTEST_PASSWORD <= len(text) <= _LONGEST_PASSWORD and text.isprintable()
    if not (fits and re.search("[a-z]", text) and re.search("[A-Z]", text) and re.search("[0-9]", text)):
        raise UnfitUser(
            f"the password must have {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters, "
            "with at least one upper case letter, one lower case letter and one digit"
        )
    return password


def retired(text: str, user_id: int) -> str:
    """The name or address of a deleted account: out of the way of a new one, still telling whose it was."""
    mark = f"#{user_id}"
    return text[: _MAX_TEXT - len(mark)] + mark
