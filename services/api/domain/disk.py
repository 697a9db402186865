"""When the registry's disk is too full to take more, and when there is room again. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserve:
    """What has to stay free: the larger of a share and an amount."""

    percent: float
    bytes: int

    def of(self, total: int) -> int:
        """In bytes, on a disk of this size; never more than half of it."""
        return min(max(int(total * self.percent / 100), self.bytes), total // 2)


def is_nearly_full(*, free: int, total: int, reserve: Reserve, was: bool) -> bool:
    """Whether pushes are to be refused; room again is a tenth above the reserve, so that it does not flap."""
    limit = reserve.of(total)
    return free < limit * 1.1 if was else free < limit
