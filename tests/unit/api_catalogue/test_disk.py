"""When pushes are refused for want of space, and accepted again."""

import pytest

from services.api.domain.disk import Reserve, is_nearly_full

GIB = 2**30
RESERVE = Reserve(percent=5, bytes=GIB)


@pytest.mark.parametrize(
    ("free", "total", "was", "full"),
    [
        (50 * GIB, 100 * GIB, False, False),
        (4 * GIB, 100 * GIB, False, True),
        (5 * GIB, 100 * GIB, False, False),
        (5 * GIB, 100 * GIB, True, True),
        (6 * GIB, 100 * GIB, True, False),
        (GIB - 1, 10 * GIB, False, True),
        (GIB, 10 * GIB, False, False),
        (GIB // 2, GIB, False, False),
        (0, GIB, False, True),
    ],
)
def test_the_larger_reserve_counts_and_does_not_flap(free: int, total: int, *, was: bool, full: bool) -> None:
    assert is_nearly_full(free=free, total=total, reserve=RESERVE, was=was) is full
