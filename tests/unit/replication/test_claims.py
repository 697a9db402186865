"""Fairness in handing tasks out."""

from datetime import UTC, datetime

from services.replication.domain.claim import Waiting, share_out


def waiting(policy_id: int, *, registry_id: int = 1, room: int = 16, running: int = 0, served: int = 0) -> Waiting:
    served_at = datetime.fromtimestamp(served, UTC) if served else None
    return Waiting(policy_id=policy_id, registry_id=registry_id, room=room, running=running, served_at=served_at)


def test_one_of_very_much_leaves_the_others_their_share() -> None:
    assert share_out([waiting(1, running=12), waiting(2), waiting(3)], {1: 64}, 4) == {2: 2, 3: 2}


def test_who_waited_longest_is_first() -> None:
    assert share_out([waiting(1, served=20), waiting(2, served=10), waiting(3, served=30)], {1: 64}, 1) == {2: 1}


def test_a_policy_and_a_registry_have_their_limits() -> None:
    assert share_out([waiting(1, room=2)], {1: 64}, 10) == {1: 2}
    assert share_out([waiting(1), waiting(2)], {1: 3}, 10) == {1: 2, 2: 1}
    assert share_out([waiting(1), waiting(2, registry_id=2)], {1: 0, 2: 5}, 3) == {2: 3}


def test_nothing_is_given_where_there_is_no_room() -> None:
    assert share_out([waiting(1, room=-1)], {1: -2}, 4) == {}
    assert share_out([], {}, 4) == {}
