"""What a directory tells: a user, a group, and what came of a password."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A user as the directory describes him."""

    dn: str
    name: str
    full_name: str
    mail: str
    groups: tuple[str, ...] = ()
    """The groups that his own entry names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A group as the directory describes it."""

    dn: str
    """In the way of writing of `canonical_dn`."""
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Proven:
    """A user whose password was right, and the groups he is in."""

    entry: Entry
    groups: tuple[str, ...]
