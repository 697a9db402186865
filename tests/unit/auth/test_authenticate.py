from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from shared.auth.authenticate import (
    Accepted,
    Chain,
    Credential,
    NotMine,
    Reason,
    Rejected,
    Verdict,
)
from shared.auth.principals import Principal, PrincipalKind
from shared.errors import Unavailable
from shared.secrets import Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANNA = Accepted(principal=Principal(kind=PrincipalKind.USER, id=1, name="anna"))


@dataclass
class Source:
    """A source of accounts that always answers the same."""

    verdict: Verdict | Unavailable
    asked: list[str] = field(default_factory=list)

    def authenticate(self, credential: Credential, now: datetime) -> Verdict:
        assert now == NOW
        self.asked.append(credential.name)
        if isinstance(self.verdict, Unavailable):
            raise self.verdict
        return self.verdict


def _ask(*sources: Source, name: str = "anna", password: str = "Correct1horse") -> Accepted | Rejected:
    return Chain(sources).authenticate(Credential(name=name, password=Secret(password)), NOW)


def test_the_first_who_knows_the_account_decides() -> None:
    last = Source(ANNA)
    assert _ask(Source(NotMine()), Source(Rejected(reason=Reason.WRONG_PASSWORD)), last) == Rejected(
        reason=Reason.WRONG_PASSWORD
    )
    assert last.asked == []


def test_an_account_nobody_knows_is_rejected() -> None:
    assert _ask(Source(NotMine())) == Rejected(reason=Reason.UNKNOWN)


def test_a_source_that_is_down_stops_only_who_has_to_be_asked_there() -> None:
    down = Source(Unavailable())
    assert _ask(Source(ANNA), down) == ANNA
    with pytest.raises(Unavailable):
        _ask(Source(NotMine()), down)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("anna", ""),
        ("", "Correct1horse"),
        ("anna\0", "Correct1horse"),
        ("anna", "Correct\0horse"),
        ("a" * 256, "Correct1horse"),
        ("anna", "x" * 1025),
        ("system:metadata", "Correct1horse"),
    ],
    ids=["no password", "no name", "NUL in name", "NUL in password", "long name", "long password", "system"],
)
def test_what_no_account_can_have_is_refused_before_anybody_is_asked(name: str, password: str) -> None:
    source = Source(ANNA)
    assert _ask(source, name=name, password=password) == Rejected(reason=Reason.MALFORMED)
    assert source.asked == []
