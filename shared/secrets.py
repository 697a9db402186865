"""Secrets as a type whose text form is masked, and secrets at rest.

Nothing here logs or prints a secret; `reveal()` is the one place where its text comes out.
"""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.errors import ConfigurationError


class Secret:
    """A text that is shown as `***` wherever it is printed, logged or formatted."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a secret file, without its last line break.

        Raises ConfigurationError where the file is missing, unreadable or empty.
        """
        try:
            text = path.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise ConfigurationError(f"the secret {path} cannot be read: {error.strerror}") from error
        if not text:
            raise ConfigurationError(f"the secret {path} is empty")
        return cls(text)

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def matches(self, candidate: str) -> bool:
        """Compare in constant time."""
        return secrets.compare_digest(self._text.encode(), candidate.encode())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other.reveal())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"


def write_secret(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a secret file so that a crash leaves either the old file or the whole new one."""
    _write_beside(path, text, mode).replace(path)
    _keep_names(path.parent)


def make_secret(path: Path, text: str, *, mode: int = 0o600) -> bool:
    """The same where there is no such file yet; False where there is, which of several at once is there first."""
    beside = _write_beside(path, text, mode)
    try:
        path.hardlink_to(beside)
    except FileExistsError:
        return False
    finally:
        beside.unlink()
    _keep_names(path.parent)
    return True


def _write_beside(path: Path, text: str, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    # in containers every process has the same number
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return beside


def _keep_names(folder_path: Path) -> None:
    """What was renamed or linked in a folder outlives a crash of the machine."""
    folder = os.open(folder_path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Sealer:
    """Encrypts what has to be stored readably: Fernet with the first key, any key opens."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._fernet = MultiFernet([Fernet(key.reveal()) for key in keys])

    @classmethod
    def read(cls, path: Path) -> Self:
        """Keys from a file, one a line, newest first."""
        return cls([Secret(line) for line in Secret.read(path).reveal().splitlines()])

    def seal(self, secret: Secret) -> str:
        """The encrypted text form."""
        return self._fernet.encrypt(secret.reveal().encode()).decode()

    def open(self, sealed: str) -> Secret:
        """The secret again. Raises ConfigurationError where no key fits."""
        try:
            return Secret(self._fernet.decrypt(sealed.encode()).decode())
        except InvalidToken as error:
            raise ConfigurationError("a stored secret cannot be decrypted with the keys at hand") from error
