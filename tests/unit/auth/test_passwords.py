import time

from shared.auth.passwords import hash_password, verify_password

PASSWORD = "Correct1horse"
HASH = hash_password(PASSWORD)


def test_the_right_password_fits_and_no_other() -> None:
    assert verify_password(HASH, PASSWORD)
    assert not verify_password(HASH, PASSWORD.lower())


def test_two_hashes_of_one_password_differ_and_do_not_hold_it() -> None:
    other = hash_password(PASSWORD)
    assert other != HASH
    assert PASSWORD not in other
    assert other.startswith("$argon2id$")


def test_no_password_fits_no_hash_or_a_broken_one() -> None:
    assert not verify_password(None, PASSWORD)
    assert not verify_password("", PASSWORD)
    assert not verify_password("$argon2id$broken", PASSWORD)


def test_a_hash_itself_is_no_password() -> None:
    assert not verify_password(HASH, HASH)


def test_an_account_without_a_hash_costs_what_a_wrong_password_costs() -> None:
    def cost(stored: str | None) -> float:
        begun = time.process_time()
        verify_password(stored, "wrong")
        return time.process_time() - begun

    cost(None)
    known, unknown = min(cost(HASH) for _ in range(5)), min(cost(None) for _ in range(5))
    assert 0.5 < unknown / known < 2
