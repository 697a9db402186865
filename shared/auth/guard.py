"""How often somebody may guess: a limit for each account and address, and a wider one for each address.

Only wrong credentials use it up. What was right before passes at any time, and so does everybody at another address:
counting can slow a guesser down, never lock an owner or a robot out.
"""

import unicodedata
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

PER_ACCOUNT: Final = 10
"""Wrong credentials of one account from one address, before it has to wait."""
PER_ADDRESS: Final = 30
"""Wrong credentials of any accounts from one address, before it has to wait."""
_MOST: Final = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """A bucket: how much it holds, and in how many seconds one returns."""

    size: int
    seconds: float


ACCOUNT_ALLOWANCE: Final = Allowance(size=PER_ACCOUNT, seconds=30)
ADDRESS_ALLOWANCE: Final = Allowance(size=PER_ADDRESS, seconds=1)


class _Buckets:
    """One bucket a key, the longest unused forgotten first."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._levels: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def level(self, key: tuple[str, ...], at: float) -> float:
        left, since = self._levels.get(key, (float(self._allowance.size), at))
        return min(self._allowance.size, left + max(at - since, 0) / self._allowance.seconds)

    def change(self, key: tuple[str, ...], by: int, at: float) -> None:
        self._levels[key] = (min(self.level(key, at) + by, self._allowance.size), at)
        self._levels.move_to_end(key)
        while len(self._levels) > _MOST:
            self._levels.popitem(last=False)

    def wait(self, key: tuple[str, ...], at: float) -> float:
        """Seconds until one more is there, 0 where one is."""
        return max(1 - self.level(key, at), 0) * self._allowance.seconds


def account_key(name: str) -> str:
    """The name under which attempts are counted: a directory takes many spellings for the same name."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


class GuessGuard:
    """Counts in this process's memory.

    For its account an attempt is paid before it is compared and refunded when it was right: a hundred guesses at once
    are a hundred guesses. For its address it is paid afterwards, into debt if need be: many people behind one address
    who log in at once have guessed nothing.
    """

    def __init__(
        self, per_account: Allowance = ACCOUNT_ALLOWANCE, per_address: Allowance = ADDRESS_ALLOWANCE
    ) -> None:
        self._accounts = _Buckets(per_account)
        self._addresses = _Buckets(per_address)
        self._lock = Lock()

    def pay(self, account: str, address: str, at: float) -> float:
        """Take an attempt out of the account's allowance; 0, or the seconds to wait where there is none left."""
        pair = (account, address)
        with self._lock:
            wait = max(self._accounts.wait(pair, at), self._addresses.wait((address,), at))
            if wait == 0:
                self._accounts.change(pair, -1, at)
            return wait

    def wrong(self, address: str, at: float) -> None:
        """The attempt was a wrong guess: its address pays too."""
        with self._lock:
            self._addresses.change((address,), -1, at)

    def refund(self, account: str, address: str, at: float) -> None:
        """The attempt was no wrong guess after all."""
        with self._lock:
            self._accounts.change((account, address), 1, at)
