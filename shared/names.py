"""The identifiers of the field as small types, parsed once at the edge.

Grammar: the OCI distribution specification 1.1 for repositories, tags and digests; Harbor's API for project names.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from shared.errors import BadRequest

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PROJECT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})+")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_MAX_NAME = 255


class InvalidName(BadRequest):
    """A name does not follow its grammar."""

    default = "the name is not valid"


@dataclass(frozen=True, slots=True)
class _Name:
    """A validated text that prints as itself."""

    text: str

    def __str__(self) -> str:
        return self.text


class ProjectName(_Name):
    """A project's name: lower case letters, digits and single separators, at most 255 characters."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidName."""
        if len(text) > _MAX_NAME or not _PROJECT.fullmatch(text):
            raise InvalidName(
                f"{text[:80]!r} is not a project name: lower case letters and digits, separated by one of '.', '_', '-'"
            )
        return cls(text)


class RepositoryName(_Name):
    """A repository's full name: the project, a slash, and the rest."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidName; a name without a project is none."""
        if len(text) > _MAX_NAME or not _REPOSITORY.fullmatch(text):
            raise InvalidName(f"{text[:80]!r} is not a repository name of the form project/repository")
        return cls(text)

    @property
    def project(self) -> str:
        """The part before the first slash."""
        return self.text.partition("/")[0]

    @property
    def rest(self) -> str:
        """The part after the first slash."""
        return self.text.partition("/")[2]


class TagName(_Name):
    """A tag, as the OCI distribution specification spells it."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidName."""
        if not _TAG.fullmatch(text):
            raise InvalidName(f"{text[:80]!r} is not a tag")
        return cls(text)


class Digest(_Name):
    """A content digest, sha256 or sha512."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidName."""
        if not _DIGEST.fullmatch(text):
            raise InvalidName(f"{text[:80]!r} is not a digest")
        return cls(text)

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The sha256 digest of some content."""
        return cls(f"sha256:{sha256(content).hexdigest()}")


def parse_reference(text: str) -> TagName | Digest:
    """A manifest's reference: a digest where it has an algorithm, a tag otherwise. Raises InvalidName."""
    return Digest.parse(text) if ":" in text else TagName.parse(text)
