"""What the API's resources need to act on the registry: sessions of their own, and a client of it."""

from dataclasses import dataclass
from urllib.parse import unquote

from sqlalchemy.orm import Session, sessionmaker

from shared.metrics.tally import Tally
from shared.names import Digest, InvalidName, RepositoryName, TagName
from shared.registry.client import RegistryClient
from shared.registry.tokens import SystemTokens
from shared.secrets import Secret
from shared.settings import Settings

_SERVICE = "metadata"


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The catalogue and the registry it describes."""

    sessions: sessionmaker[Session]
    registry: RegistryClient


def build_catalogue(settings: Settings, sessions: sessionmaker[Session], tally: Tally) -> Catalogue:
    """The catalogue acts at the registry under the name of its service, whichever process it acts in."""
    credential = Secret.read(settings.secrets / _SERVICE / "system-credential")
    tokens = SystemTokens(settings.token_mounts, _SERVICE, credential)
    return Catalogue(sessions=sessions, registry=RegistryClient(settings.registry, tokens, tally=tally))


def repository_name(project: str, encoded: str) -> RepositoryName:
    """The repository of a path; its slashes are encoded there. Raises InvalidName."""
    return RepositoryName.parse(f"{project}/{unquote(encoded)}")


def artifact_name(text: str) -> tuple[RepositoryName, TagName | Digest]:
    """What `project/repository:tag` or `project/repository@digest` names. Raises InvalidName."""
    name, at, digest = text.partition("@")
    if at:
        return RepositoryName.parse(name), Digest.parse(digest)
    name, colon, tag = text.rpartition(":")
    if not colon:
        forms = "project/repository:tag or project/repository@digest"
        raise InvalidName(f"{text[:80]!r} names no artifact: that is {forms}")
    return RepositoryName.parse(name), TagName.parse(tag)
