"""What a browser sends along by itself: the session's cookie, and word of where a request comes from."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

SESSION_COOKIE: Final = "sid"
_OTHER_SITES: Final = frozenset({"cross-site", "same-site"})


def single(values: Sequence[str] | None) -> str | None:
    """A cookie's value; None where there is none, or several, which no browser of ours sends."""
    return values[0] if values and len(values) == 1 else None


def is_from_elsewhere(*, origin: str | None, host: str | None, fetch_site: str | None) -> bool:
    """Whether a browser says that a page of another site sent this (Origin, RFC 6454; Sec-Fetch-Site, Fetch Metadata).

    A page of a neighbouring host of the same site is another's, too.
    """
    if (fetch_site or "").lower() in _OTHER_SITES:
        return True
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != (host or "").lower()
    except ValueError:  # no browser's: brackets without an address
        return True
