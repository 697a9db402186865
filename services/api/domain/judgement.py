"""Whether a manifest write that nobody has told of did happen, judged by what the registry holds now. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from shared.names import Digest


class Verdict(StrEnum):
    """What is to be done about it."""

    HAPPENED = "happened"
    """Tell of it."""
    DID_NOT = "did_not"
    """It was refused, never arrived, or was repeated and told then."""
    HALF_DONE = "half_done"
    """A tag names the manifest that was to take it off: that is still to be deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What is known about one write."""

    digest: Digest | None
    """Of the manifest that was written or deleted, where it was known."""
    by_tag: bool
    """Whether it was asked by tag."""
    held: Digest | None
    """What the reference names at the registry now."""
    exists: bool
    """Whether the registry holds a manifest of that digest now."""
    known_before: bool
    """Whether the catalogue had the manifest when the write was asked."""
    answered: bool
    """Whether the registry had answered with success."""
    told: bool
    """Whether the same write was asked again since, and told of."""


def judge_put(evidence: Evidence) -> Verdict:
    """A manifest that was to be stored."""
    if evidence.answered:
        return Verdict.HAPPENED
    if evidence.told or not evidence.exists:
        return Verdict.DID_NOT
    if evidence.by_tag and evidence.held == evidence.digest:
        return Verdict.HAPPENED
    # it is there, under another name by now or under none: new content can only have come by this
    return Verdict.DID_NOT if evidence.known_before else Verdict.HAPPENED


def judge_delete(evidence: Evidence) -> Verdict:
    """A manifest, or the name of one, that was to be deleted."""
    if evidence.by_tag and evidence.digest is not None and evidence.held == evidence.digest:
        return Verdict.HALF_DONE
    if evidence.answered:
        return Verdict.HAPPENED
    if evidence.told:
        return Verdict.DID_NOT
    remains = evidence.held is not None if evidence.by_tag else evidence.exists
    return Verdict.DID_NOT if remains else Verdict.HAPPENED
