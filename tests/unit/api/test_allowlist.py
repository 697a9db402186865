"""What an allowlist of vulnerabilities may hold."""

import pytest

from services.api.domain.allowlist import check_cves, check_expiry
from shared.errors import BadRequest


def test_names_keep_their_order_and_lose_the_space_around_them() -> None:
    assert check_cves([" CVE-2 ", "CVE-1"]) == ("CVE-2", "CVE-1")


@pytest.mark.parametrize(
    "names", [[""], ["  "], ["C" * 65], ["CVE\n1"], ["CVE-1", "CVE-1 "], [f"CVE-{n}" for n in range(10_001)]]
)
def test_a_list_that_does_not_fit_is_refused(names: list[str]) -> None:
    with pytest.raises(BadRequest):
        check_cves(names)


@pytest.mark.parametrize("seconds", [-1, 253_402_300_800, 2**70])
def test_an_end_is_a_time(seconds: int) -> None:
    with pytest.raises(BadRequest):
        check_expiry(seconds)
    assert check_expiry(None) is None
    assert check_expiry(0) == 0
