"""Which stored target a wanted one is, and whose secrets it keeps."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from services.webhook.commands.pairing import Checked, pair, with_secrets
from services.webhook.domain.policy import PayloadFormat, Target, TargetKind, WantedTarget
from shared.secrets import Sealer, Secret

SEALER = Sealer([Secret(Fernet.generate_key().decode())])


def stored(text: str) -> list[Target]:
    """A target a word: address, then `c` for CloudEvents, `s` for Slack, `=` and its credential."""
    found = []
    for number, word in enumerate(text.split()):
        head, _, auth = word.partition("=")
        found.append(
            Target(
                id=number, kind=TargetKind.SLACK if "s" in head else TargetKind.HTTP, address=head[0],
                payload_format=PayloadFormat.CLOUD_EVENTS if "c" in head else PayloadFormat.DEFAULT,
                skip_cert_verify=False, auth_header=SEALER.seal(Secret(auth)) if auth else None, signing_secret=None,
            )
        )  # fmt: skip
    return found


def wanted(text: str) -> list[Checked]:
    """The same words; a credential of `*` is masked."""
    return [
        (
            WantedTarget(
                kind="slack" if "s" in word.partition("=")[0] else "http", address=word[0],
                auth_header=None if word.endswith("=*") else Secret(word.partition("=")[2]),
            ),
            PayloadFormat.CLOUD_EVENTS if "c" in word.partition("=")[0] else PayloadFormat.DEFAULT,
        )
        for word in text.split()
    ]  # fmt: skip


PAIRS = {
    "nothing changes": ("A B", "A B", [0, 1]),
    "the first goes": ("A B", "B", [1]),
    "the middle goes": ("A B C", "A C", [0, 2]),
    "they change places": ("A B C", "C A B", [2, 0, 1]),
    "one comes first": ("A B", "C A B", [None, 0, 1]),
    "another address": ("A B", "C B", [None, 1]),
    "another type": ("A B", "As B", [None, 1]),
    "two types at one address": ("A As", "As A", [1, 0]),
    "another form": ("A B", "Ac B", [0, 1]),
    "another credential": ("A=1 B", "A=2 B", [0, 1]),
    "two alike in order": ("X A A", "A A", [1, 2]),
    "two alike, the first changed": ("A A", "B A", [None, 1]),
    "two alike, one too many": ("A X A", "X A", [1, 0]),
    "one more of them": ("A X", "A A X", [0, None, 1]),
    "two forms change places": ("A Ac", "Ac A", [1, 0]),
    "of two forms one goes": ("A Ac", "Ac", [1]),
    "two forms become one": ("A Ac", "Ac Ac", [1, 0]),
    "of two credentials one goes": ("A=1 A=2", "A=2", [1]),
    "of a credential and none one goes": ("A=1 A", "A", [1]),
    "masked credentials in order": ("X A=1 A=2", "A=* A=*", [1, 2]),
}


@pytest.mark.parametrize(("before", "after", "expected"), PAIRS.values(), ids=PAIRS.keys())
def test_a_target_is_known_by_what_it_is(before: str, after: str, expected: list[int | None]) -> None:
    found = pair(wanted(after), stored(before), SEALER)
    assert [each.id if each else None for each in found] == expected


SECRETS = {
    "it stays": ("A B", "B A", [1, 0]),
    "another type at its address": ("A B", "B As", [1, 0]),
    "another address in its place": ("A B", "C B", [0, 1]),
    "who comes before it takes nothing away": ("A B", "C A B", [None, 0, 1]),
    "both at once": ("A B", "Bs C", [1, None]),
}


@pytest.mark.parametrize(("before", "after", "expected"), SECRETS.values(), ids=SECRETS.keys())
def test_secrets_stay_with_the_address_and_else_in_the_place(
    before: str, after: str, expected: list[int | None]
) -> None:
    same = pair(wanted(after), stored(before), SEALER)
    found = with_secrets(wanted(after), stored(before), same)
    assert [each.id if each else None for each in found] == expected
