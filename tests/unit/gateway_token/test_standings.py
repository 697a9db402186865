"""One question for all who ask in the same turn of the event loop, and each gets his own answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gateway.token import standings as module
from gateway.token.standings import MOST, Standings
from shared.auth.authenticate import Method
from shared.auth.memory import Remembered
from shared.auth.principals import PrincipalKind
from shared.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Database:
    """Answers with what was asked; notes each question."""

    def __init__(self) -> None:
        self.questions: list[list[tuple[int, list[str]]]] = []
        self.failure: Exception | None = None

    def ask(self, question: Callable[[Any], object]) -> object:
        if self.failure:
            raise self.failure
        return question(self)


def account(number: int) -> Remembered:
    return Remembered(
        kind=PrincipalKind.USER, id=number, name=f"user-{number}", credential_version=1, method=Method.DATABASE,
        until=datetime.now(UTC) + timedelta(minutes=5),
    )


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    def answer(source: Database, asked: Sequence[tuple[Remembered, list[str]]], _now: datetime) -> list[Any]:
        source.questions.append([(who.id, projects) for who, projects in asked])
        return [(who.id, *projects) if who.id else None for who, projects in asked]

    monkeypatch.setattr(module, "standings_of", answer)
    return Database()


def asked(database: Database, *questions: tuple[Remembered, list[str]]) -> list[Any]:
    """What all of them get, who ask in the same turn."""
    async def ask() -> list[Any]:
        standings = Standings(database)  # type: ignore[arg-type]  # as much of a connection as is needed
        return await asyncio.gather(*(standings.of(*each) for each in questions), return_exceptions=True)

    return asyncio.run(ask())


def test_who_asks_in_the_same_turn_is_answered_by_one_question(database: Database) -> None:
    answers = asked(database, (account(1), ["a"]), (account(2), ["a", "b"]), (account(0), []))
    assert answers == [(1, "a"), (2, "a", "b"), None]
    assert database.questions == [[(1, ["a"]), (2, ["a", "b"]), (0, [])]]


def test_the_same_account_is_asked_for_once_for_the_same_projects(database: Database) -> None:
    one = account(1)
    assert asked(database, (one, ["a"]), (one, ["a"]), (one, ["b"])) == [(1, "a"), (1, "a"), (1, "b")]
    assert database.questions == [[(1, ["a"]), (1, ["b"])]]


def test_one_name_with_two_credentials_is_asked_for_twice(database: Database) -> None:
    assert asked(database, (account(1), ["a"]), (account(1), ["a"])) == [(1, "a"), (1, "a")]
    assert database.questions == [[(1, ["a"]), (1, ["a"])]]


def test_who_asks_later_is_not_told_what_was_found_before(database: Database) -> None:
    async def ask() -> None:
        standings = Standings(database)  # type: ignore[arg-type]  # as much of a connection as is needed
        await standings.of(account(1), ["a"])
        await standings.of(account(1), ["a"])

    asyncio.run(ask())
    assert len(database.questions) == 2


def test_a_crowd_is_answered_in_several_questions(database: Database) -> None:
    crowd = [(account(number), ["a"]) for number in range(1, 2 * MOST + 2)]
    assert asked(database, *crowd) == [(who.id, "a") for who, _ in crowd]
    assert [len(question) for question in database.questions] == [MOST, MOST, 1]


@pytest.mark.parametrize("failure", [Unavailable(), ValueError("a fault of ours")])
def test_what_goes_wrong_everybody_hears_and_the_next_are_asked_for_again(
    database: Database, failure: Exception,
) -> None:
    database.failure = failure
    assert asked(database, (account(1), ["a"]), (account(2), ["a"])) == [failure, failure]
    database.failure = None
    assert asked(database, (account(1), ["a"])) == [(1, "a")]


def test_who_has_gone_away_holds_up_nobody(database: Database) -> None:
    async def ask() -> object:
        standings = Standings(database)  # type: ignore[arg-type]  # as much of a connection as is needed
        gone = asyncio.ensure_future(standings.of(account(1), ["a"]))
        stays = asyncio.ensure_future(standings.of(account(2), ["a"]))
        asyncio.get_running_loop().call_soon(gone.cancel)
        return await stays

    assert asyncio.run(ask()) == (2, "a")
