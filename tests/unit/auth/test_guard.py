import pytest

from shared.auth.guard import Allowance, GuessGuard, account_key

SMALL = Allowance(size=3, seconds=10)
WIDE = Allowance(size=5, seconds=10)
HERE, THERE = "192.0.2.1", "192.0.2.2"


def _guard() -> GuessGuard:
    return GuessGuard(per_account=SMALL, per_address=WIDE)


def test_a_guesser_has_to_wait_after_the_allowance() -> None:
    guard = _guard()
    assert [guard.pay("anna", HERE, 0) for _ in range(3)] == [0, 0, 0]
    assert guard.pay("anna", HERE, 0) == 10


def test_the_allowance_returns_with_time() -> None:
    guard = _guard()
    for _ in range(4):
        guard.pay("anna", HERE, 0)
    assert guard.pay("anna", HERE, 9) > 0
    assert guard.pay("anna", HERE, 10) == 0
    assert guard.pay("anna", HERE, 10) > 0


def test_the_owner_at_another_address_is_not_held_up() -> None:
    guard = _guard()
    for _ in range(50):
        guard.pay("anna", HERE, 0)
    assert guard.pay("anna", THERE, 0) == 0


def _guess(guard: GuessGuard, account: str, at: float = 0) -> float:
    """A wrong guess, if it is let through."""
    wait = guard.pay(account, HERE, at)
    if wait == 0:
        guard.wrong(HERE, at)
    return wait


def test_other_accounts_at_the_guessers_address_go_on_until_the_wider_limit() -> None:
    guard = _guard()
    for _ in range(50):
        _guess(guard, "anna")
    assert guard.pay("ben", HERE, 0) == 0


def test_one_address_cannot_try_one_password_on_many_accounts() -> None:
    guard = _guard()
    assert [_guess(guard, f"user{number}") for number in range(6)] == [0, 0, 0, 0, 0, 10]


def test_many_people_behind_one_address_may_log_in_at_once() -> None:
    guard = _guard()
    assert {guard.pay(f"user{number}", HERE, 0) for number in range(100)} == {0}


def test_a_burst_of_guesses_at_many_accounts_is_paid_back_later() -> None:
    guard = _guard()
    for number in range(25):
        guard.pay(f"user{number}", HERE, 0)
    for _ in range(25):
        guard.wrong(HERE, 0)
    assert guard.pay("ben", HERE, 200) > 0
    assert guard.pay("ben", HERE, 210) == 0


def test_a_right_credential_costs_nothing() -> None:
    guard = _guard()
    for _ in range(20):
        assert guard.pay("anna", HERE, 0) == 0
        guard.refund("anna", HERE, 0)


def test_attempts_under_way_count_before_they_are_judged() -> None:
    guard = _guard()
    assert sum(guard.pay("anna", HERE, 0) == 0 for _ in range(100)) == 3


def test_a_refund_never_raises_the_allowance() -> None:
    guard = _guard()
    for _ in range(10):
        guard.refund("anna", HERE, 0)
    assert sum(guard.pay("anna", HERE, 0) == 0 for _ in range(100)) == 3


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    guard = _guard()
    guard.pay("anna", HERE, 100)
    assert guard.pay("anna", HERE, 0) == 0


@pytest.mark.parametrize("spelling", ["ANNA LEE", " anna  lee ", "anna\tlee", "\uff41nna lee", "anna\u00a0lee"])
def test_spellings_that_a_directory_takes_for_one_name_are_counted_as_one(spelling: str) -> None:
    assert account_key(spelling) == "anna lee"
