"""Passwords and robot secrets at rest: argon2id, and nothing that can be read back."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's second choice of equal strength (19 MiB, two passes, one lane): 27 ms of one core, where argon2-cffi's default
# costs 200 ms. A guess must be dear, but logins share these cores with the signing of tokens.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NICE: Final = 10

LONGEST_PASSWORD: Final = 1024
"""Characters; anything longer is refused unread."""


def hash_password(password: str) -> str:
    """The argon2id hash of a password or robot secret, with its salt and parameters."""
    return _hashers().submit(_HASHER.hash, password).result()


def verify_password(stored: str | None, password: str) -> bool:
    """Whether a password fits a stored hash.

    Costs the same time where there is no hash at all (an unknown account, or one without a password).
    """
    try:
        return _hashers().submit(_HASHER.verify, stored or _hash_of_nothing(), password).result() and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hash_of_nothing() -> str:
    return hash_password("the password of nobody")


@cache
def _hashers() -> ThreadPoolExecutor:
    """One thread, behind all else: a burst of logins, or of guesses, must not stall tokens.

    A server has more processes where there are more cores. Made at first use: not before it has forked them.
    """
    return ThreadPoolExecutor(1, thread_name_prefix="argon2", initializer=_step_back)


def _step_back() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)  # on Linux, this thread alone
