"""Refusals of whoever signs in."""

from shared.errors import TooManyRequests


class TooManyGuesses(TooManyRequests):
    """Wrong passwords of one account came too often from one address."""

    default = "too many failed logins of this account from this address: try again later"

    def __init__(self, retry_after: float) -> None:
        """`retry_after` is in seconds."""
        super().__init__()
        self.retry_after = max(1, round(retry_after))
