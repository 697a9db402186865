"""Takes from the target what the source has no more: only what this policy brought there, and only while it is that."""

from dataclasses import dataclass
from uuid import uuid4

from services.replication.ends import Content, End
from services.replication.errors import CannotUntag
from services.replication.transfer.copy import Say, named, reference_of
from shared.names import Digest, TagName
from shared.registry.manifests import OCI_INDEX, throwaway


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """What a policy once put at the target, or was about to put there."""

    target: str
    reference: str
    digests: frozenset[Digest]


def delete(target: End, copied: Copied, say: Say) -> bool:
    """Delete it there, unless it is gone or something else by now; tells whether there was anything to do.

    Raises AttemptFailed.
    """
    reference = reference_of(copied.reference)
    name = named(copied.target, copied.reference)
    there = target.resolve(copied.target, reference)
    if there is None:
        say(f"{name} is gone already")
        return False
    if there not in copied.digests:
        say(f"{name} is {there} by now, which this policy did not bring: left as it is")
        return False
    if isinstance(reference, Digest):
        target.delete_manifest(copied.target, reference)
    else:
        _untag(target, copied.target, reference)
    say(f"{name} is deleted")
    return True


def _untag(target: End, repository: str, tag: TagName) -> None:
    """Where a registry deletes by digest alone, and with all tags, the tag is first moved to an empty index."""
    try:
        target.delete_tag(repository, tag)
    except CannotUntag:
        body = throwaway(uuid4())
        stand_in = Content(digest=Digest.of(body), media_type=OCI_INDEX, body=body)
        target.put_manifest(repository, tag, stand_in)
        target.delete_manifest(repository, stand_in.digest)
