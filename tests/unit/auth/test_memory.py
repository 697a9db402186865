from datetime import UTC, datetime, timedelta

from shared.auth.authenticate import Accepted, Credential, Method
from shared.auth.memory import LDAP_LIFETIME, LIFETIME, CredentialMemory
from shared.auth.principals import Principal, PrincipalKind
from shared.secrets import Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = timedelta(seconds=1)


def _credential(name: str = "anna", password: str = "Correct1horse") -> Credential:
    return Credential(name=name, password=Secret(password))


def _accepted(method: Method = Method.DATABASE) -> Accepted:
    principal = Principal(kind=PrincipalKind.USER, id=7, name="anna", credential_version=3)
    return Accepted(principal=principal, method=method)


def test_a_right_credential_is_remembered_with_its_version() -> None:
    memory = CredentialMemory()
    key = memory.key(_credential())
    memory.remember(key, _accepted(), NOW)
    kept = memory.recall(key, NOW + LIFETIME - MOMENT)
    assert kept is not None
    assert (kept.id, kept.credential_version) == (7, 3)


def test_it_is_forgotten_after_minutes() -> None:
    memory = CredentialMemory()
    key = memory.key(_credential())
    memory.remember(key, _accepted(), NOW)
    assert memory.recall(key, NOW + LIFETIME) is None


def test_a_directorys_credential_is_forgotten_after_a_minute() -> None:
    memory = CredentialMemory()
    key = memory.key(_credential())
    memory.remember(key, _accepted(Method.LDAP), NOW)
    assert memory.recall(key, NOW + LDAP_LIFETIME - MOMENT) is not None
    assert memory.recall(key, NOW + LDAP_LIFETIME) is None


def test_another_password_or_name_is_another_key() -> None:
    memory = CredentialMemory()
    keys = {
        memory.key(_credential()),
        memory.key(_credential(password="correct1horse")),
        memory.key(_credential(name="annaC", password="orrect1horse")),
        memory.key(_credential(name="", password="annaCorrect1horse")),
    }
    assert len(keys) == 4


def test_keys_of_one_process_mean_nothing_in_another() -> None:
    assert CredentialMemory().key(_credential()) != CredentialMemory().key(_credential())


def test_what_was_right_stays_proven_after_it_has_to_be_checked_again_until_it_is_found_wrong() -> None:
    memory = CredentialMemory()
    key = memory.key(_credential())
    assert not memory.is_proven(key)
    memory.remember(key, _accepted(), NOW)
    assert memory.recall(key, NOW + LIFETIME) is None
    assert memory.is_proven(key)
    memory.refute(key)
    assert not memory.is_proven(key)


def test_what_was_wrong_stays_refuted_until_it_is_right() -> None:
    memory = CredentialMemory()
    key = memory.key(_credential())
    assert not memory.is_refuted(key)
    memory.refute(key)
    assert memory.is_refuted(key)
    memory.remember(key, _accepted(), NOW)
    assert not memory.is_refuted(key)
    assert memory.recall(key, NOW) is not None


def test_the_memory_is_bounded() -> None:
    memory = CredentialMemory()
    for number in range(20_100):
        memory.remember(number.to_bytes(4, "big"), _accepted(), NOW)
        memory.refute(number.to_bytes(5, "big"))
    assert memory.recall((0).to_bytes(4, "big"), NOW) is None
    assert memory.recall((20_099).to_bytes(4, "big"), NOW) is not None
    assert len(memory._kept) == len(memory._proven) == len(memory._refuted) == 20_000
